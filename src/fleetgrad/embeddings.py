"""Numbers embedded before the first layer: each as itself and a few learned mixtures of waves.

PBLD of RealMLP (Holzmüller, Grinsztajn and Steinwart 2024, arXiv 2407.04491): a number x becomes
(x, A cos(2 pi f x + p) + c), with frequencies f, phases p, a mixture A and levels c of its own.
The arrays stand in the first layer, as `"frequency"` and `"phase"` (numbers, waves), `"mixture"`
(numbers, waves, more) and `"level"` (numbers, more), where more is one less than the size.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fleetgrad.layers import Places
from fleetgrad.settings import Settings

_TERMS = 10  # of a power series up to half a turn, where the next one is below float32
_EVEN = [(-1) ** n * math.tau ** (2 * n) / math.factorial(2 * n) for n in range(_TERMS)]
_ODD = [(-1) ** n * math.tau ** (2 * n + 1) / math.factorial(2 * n + 1) for n in range(_TERMS)]


def drawn(
    name: str, shape: tuple[int, ...], generator: np.random.Generator, settings: Settings
) -> np.ndarray:
    """One of the arrays as training begins with it, float32."""
    if name == "frequency":
        return generator.standard_normal(shape, np.float32) * np.float32(settings.embedding_scale)
    most = math.pi if name == "phase" else settings.embedding_waves**-0.5
    return generator.uniform(-most, most, shape).astype(np.float32)


def embedded(
    layer: Mapping[str, Array], x: Float[Array, "batch features"], places: Places = None
) -> Float[Array, "batch inputs"]:
    """Scaled inputs, and behind them what stands for them, number by number.

    A wave is laid out along the batch, which is long where all else is short.
    """
    if "frequency" not in layer:
        return x
    numbers = x if places is None else x[:, np.array(places)]
    turns = numbers.T[:, None, :] * layer["frequency"][:, :, None]
    waves = cosine(turns + layer["phase"][:, :, None] / math.tau)
    mixed = jnp.matmul(layer["mixture"].transpose(0, 2, 1), waves) + layer["level"][:, :, None]
    return jnp.concatenate([x, mixed.reshape(-1, len(x)).T], axis=1)


@jax.custom_jvp
def cosine(turns: Float[Array, "..."]) -> Float[Array, "..."]:
    """The cosine of so many whole turns, within 1e-6.

    A power series is several times as fast as XLA's cosine on a CPU, which calls a function for
    every number (docs/decisions.md).
    """
    turns = turns - jnp.round(turns)
    return _series(_EVEN, jnp.square(turns))


@cosine.defjvp
def _cosine_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (turns,), (tangent,) = primals, tangents
    part = turns - jnp.round(turns)
    sine = part * _series(_ODD, jnp.square(part))
    return cosine(turns), -math.tau * sine * tangent


def _series(factors: Sequence[float], x: Array) -> Array:
    """By Horner's rule."""
    *_, value = accumulate(reversed(factors[:-1]), lambda sum_, next_: sum_ * x + next_,
                           initial=jnp.full_like(x, factors[-1]))  # fmt: skip
    return value
