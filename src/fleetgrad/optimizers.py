"""How a gradient becomes a step: optax transformations and learning-rate schedules.

A transformation is built inside the traced function from traced rates, so that no value of a rate
ever compiles anything again. Schedules are one traced expression over all shapes, chosen by a
traced number, for the same reason.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

Scalar = Float[Array, ""]

_TINY = 1e-30  # divides nothing it should not: a gradient smaller than this moves nothing


class Rates(NamedTuple):
    """The traced numbers of one member's optimizer, at one step.

    learning_rate is the scheduled one; momentum and beta2 in [0, 1); weight_decay >= 0.
    """

    learning_rate: Scalar
    momentum: Scalar
    weight_decay: Scalar
    beta2: Scalar


def two_tap(learning_rate: Scalar, momentum: Scalar) -> optax.GradientTransformation:
    """The notebook's update: W += D + alpha D_previous, D = -eta g, only one D remembered."""

    def init(params: Any) -> Any:
        return jax.tree.map(jnp.zeros_like, params)

    def update(grads: Any, previous: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        taps = jax.tree.map(lambda g: -learning_rate * g, grads)
        steps = jax.tree.map(lambda tap, before: tap + momentum * before, taps, previous)
        return steps, taps

    return optax.GradientTransformation(init, update)


def _weights_only(params: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "weight", params)


def _with_l2(
    make: Callable[[Rates], optax.GradientTransformation],
) -> Callable[[Rates], optax.GradientTransformation]:
    """Weight decay as the gradient of an L2 penalty, on weights only."""

    def build(rates: Rates) -> optax.GradientTransformation:
        decay = optax.add_decayed_weights(rates.weight_decay, mask=_weights_only)
        return optax.chain(decay, make(rates))

    return build


def _sgd(rates: Rates) -> optax.GradientTransformation:
    return optax.sgd(rates.learning_rate)


def _momentum(rates: Rates) -> optax.GradientTransformation:
    return optax.sgd(rates.learning_rate, rates.momentum)


def _nesterov(rates: Rates) -> optax.GradientTransformation:
    return optax.sgd(rates.learning_rate, rates.momentum, nesterov=True)


def _adam(rates: Rates) -> optax.GradientTransformation:
    return optax.adam(rates.learning_rate, b2=rates.beta2)


def _adamw(rates: Rates) -> optax.GradientTransformation:
    return optax.adamw(
        rates.learning_rate, b2=rates.beta2, weight_decay=rates.weight_decay, mask=_weights_only
    )


def _rmsprop(rates: Rates) -> optax.GradientTransformation:
    return optax.rmsprop(rates.learning_rate)


def _two_tap(rates: Rates) -> optax.GradientTransformation:
    return two_tap(rates.learning_rate, rates.momentum)


OPTIMIZERS: Mapping[str, Callable[[Rates], optax.GradientTransformation]] = {
    "adam": _with_l2(_adam),  # Kingma and Ba 2015
    "adamw": _adamw,  # Loshchilov and Hutter 2019
    "momentum": _with_l2(_momentum),  # Polyak 1964
    "nesterov": _with_l2(_nesterov),  # Sutskever et al. 2013
    "rmsprop": _with_l2(_rmsprop),  # Tieleman and Hinton 2012
    "sgd": _with_l2(_sgd),
    "two_tap": _with_l2(_two_tap),  # the coursework notebook
}

SCHEDULES: Mapping[str, int] = {
    "constant": 0,
    "cosine": 1,
    "linear": 2,
    "one_cycle": 3,
    "step": 4,
    "coslog": 5,
}


def scheduled(
    schedule: Int[Array, ""], warmup: Scalar, step: Int[Array, ""], steps: Int[Array, ""]
) -> Scalar:
    """The factor on the peak learning rate at `step` of `steps`, in [0, 1].

    Over the first `warmup` share the factor rises linearly to 1; then it stays (`constant`), or
    falls to 0 along a half cosine (`cosine`; Loshchilov and Hutter 2017) or a line (`linear`), or
    drops to 0.1 after a half and to 0.01 after three quarters of what follows the rise (`step`; He
    et al. 2016).
    `one_cycle` (Smith and Topin 2018) rises and falls along half cosines, from 1/25, and takes a
    `warmup` of 0 to mean its customary 0.3. `coslog` (coslog4 of RealMLP, arXiv 2407.04491) rises
    and falls four times, each time twice as slowly; no warm-up comes before it.
    """
    one_cycle = schedule == SCHEDULES["one_cycle"]
    share = jnp.where(one_cycle & (warmup == 0), 0.3, warmup)
    share = jnp.where(schedule == SCHEDULES["coslog"], 0.0, share)
    rising = share * steps
    up = jnp.clip((step + 1) / jnp.maximum(rising, 1), 0, 1)
    up = jnp.where(one_cycle, 1 / 25 + (1 - 1 / 25) * _half_cosine(1 - up), up)
    done = jnp.clip((step - rising) / jnp.maximum(steps - rising, 1), 0, 1)
    stays, cosine = jnp.ones_like(done), _half_cosine(done)
    drops = jnp.where(done < 0.5, 1.0, jnp.where(done < 0.75, 0.1, 0.01))  # noqa: PLR2004 - defined so
    waves = _half_cosine(1 - 2 * jnp.log2(1 + 15 * done))
    falls = jnp.stack([stays, cosine, 1 - done, cosine, drops, waves])
    return jnp.where(step < rising, up, falls[schedule])


def clipped(grads: Any, longest: Scalar) -> tuple[Any, Bool[Array, ""]]:
    """The gradient shortened to a length, all arrays together, and whether it was finite.

    Pascanu et al. 2013, algorithm 1. Lengths are taken relative to the largest entry, whose square
    may overflow; what is not finite is reported, since shortening could make zeros of it. A
    longest of 0 leaves everything as it is, and reports nothing: in a program that clips for
    others too, this member does not.
    """
    largest = jnp.stack([jnp.abs(leaf).max() for leaf in jax.tree.leaves(grads)]).max()
    directions = jax.tree.map(lambda leaf: leaf / jnp.maximum(largest, _TINY), grads)
    root = jnp.sqrt(sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(directions)))
    scale = jnp.minimum(jnp.maximum(largest, _TINY), longest / jnp.maximum(root, _TINY))
    clips = longest > 0
    shortened = jax.tree.map(
        lambda whole, direction: jnp.where(clips, direction * scale, whole), grads, directions
    )
    return shortened, jnp.isfinite(largest) | ~clips


def averaged(average: Any, newest: Any, decay_missing: Scalar, step: Int[Array, ""]) -> Any:
    """The exponential moving average (Polyak and Juditsky 1992) after a step.

    Its decay is min(decay, (1 + step) / (10 + step)), so that the first weights are soon forgotten.
    A decay of 0 keeps the newest, to the bit.

    Args:
        average: Before the step.
        newest: What the step led to.
        decay_missing: 1 - decay, which float32 holds more closely than a decay near 1.
        step: Steps taken before this one.
    """
    share = jnp.maximum(decay_missing, 9 / (10 + step))
    return jax.tree.map(
        lambda old, new: jnp.where(share < 1, old + share * (new - old), new), average, newest
    )


def _half_cosine(share: Scalar) -> Scalar:
    """1 at 0, 0 at 1, along half a cosine."""
    return (1 + jnp.cos(jnp.pi * share)) / 2
