"""The step that a gradient leads to, and the freeze of a member that must not take it.

optax says what a step is. For Adam on a CPU a kernel does the same in place, where there is one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool

from fleetgrad import optimizers
from fleetgrad.kernels import adam
from fleetgrad.kernels.adam import Numbers
from fleetgrad.optimizers import Rates

Tree = TypeVar("Tree")

IN_PLACE = ("adam", "adamw")  # the optimizers that the kernel knows
EVEN: Mapping[str, float] = MappingProxyType({})  # everything at the rate itself
FIRST, EPSILON = 0.9, 1e-8  # decay of the mean, and what keeps from dividing by 0; optax's own


class Standing(NamedTuple):
    """What a step changes: the parameters and the optimizer's state, two trees."""

    params: Any
    optimizer: Any


def after(
    optimizer: str,
    rates: Rates,
    grads: Any,
    before: Standing,
    alive: Bool[Array, ""],
    *,
    in_place: bool = False,
    paces: Mapping[str, float] = EVEN,
) -> Standing:
    """Where a step leads; a frozen member stays where it was, whatever its gradient.

    Args:
        optimizer: One of `optimizers.OPTIMIZERS`.
        rates: Of this step.
        grads: Like the parameters.
        before: Where the member stands.
        alive: Whether it takes the step.
        in_place: Whether the kernel may be used, which must then be available.
        paces: Factors on the learning rate of arrays of these names.
    """
    if in_place and optimizer in IN_PLACE:
        return _in_place(optimizer, rates, grads, before, alive, paces)
    transformation = optimizers.OPTIMIZERS[optimizer](rates)
    updates, state = transformation.update(grads, before.optimizer, before.params)
    updates = jax.tree_util.tree_map_with_path(
        lambda path, update: update * paces[path[-1].key] if path[-1].key in paces else update,
        updates,
    )  # every rule's step is proportional to its rate
    return where(alive, Standing(jax.tree.map(jnp.add, before.params, updates), state), before)


def where(alive: Bool[Array, ""], reached: Tree, before: Tree) -> Tree:
    """What a member has reached, or what it had before if it is frozen; no NaN comes through."""
    chosen: Tree = jax.tree.map(lambda new, old: jnp.where(alive, new, old), reached, before)
    return chosen


def _in_place(
    optimizer: str,
    rates: Rates,
    grads: Any,
    before: Standing,
    alive: Bool[Array, ""],
    paces: Mapping[str, float],
) -> Standing:
    moments = _moments(before.optimizer)
    count = moments.count + 1
    common = Numbers(
        rate=rates.learning_rate,
        decay=jnp.float32(0),
        penalty=jnp.float32(0),
        first=jnp.float32(FIRST),
        first_missing=jnp.float32(1 - FIRST),
        second=rates.beta2,
        second_missing=1 - rates.beta2,
        unbiased_first=1 / (1 - FIRST**count),
        unbiased_second=1 / (1 - rates.beta2**count),
        epsilon=jnp.float32(EPSILON),
        alive=alive,
    )
    decays = "decay" if optimizer == "adamw" else "penalty"
    of_weights = common._replace(**{decays: rates.weight_decay})

    def step(path: Any, weight: Array, mean: Array, square: Array, slope: Array) -> Any:
        name = path[-1].key
        numbers = of_weights if name == "weight" else common
        if name in paces:
            numbers = numbers._replace(rate=numbers.rate * paces[name])
        stepped = adam.step if weight.size >= adam.WORTH else adam.plain
        return stepped(weight, mean, square, slope, numbers)

    stepped = jax.tree_util.tree_map_with_path(step, before.params, moments.mu, moments.nu, grads)
    params, mean, square = jax.tree.transpose(
        jax.tree.structure(before.params), jax.tree.structure((0, 0, 0)), stepped
    )
    now = optax.ScaleByAdamState(jnp.where(alive, count, moments.count), mean, square)
    return Standing(params, _with_moments(before.optimizer, now))


def _is_moments(part: Any) -> bool:
    return isinstance(part, optax.ScaleByAdamState)


def _moments(state: Any) -> Any:
    """Adam's own part of a chain's state."""
    return next(part for part in jax.tree.leaves(state, is_leaf=_is_moments) if _is_moments(part))


def _with_moments(state: Any, moments: Any) -> Any:
    return jax.tree.map(
        lambda part: moments if _is_moments(part) else part, state, is_leaf=_is_moments
    )
