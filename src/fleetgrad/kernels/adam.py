"""A step of Adam that writes where it reads, each number once.

XLA's program for it keeps three new arrays beside the old ones and copies them back: 17 passes over
the arrays of a network where seven would do, and for wide networks they are passes over memory, not
over a cache (docs/decisions.md has the measurements).
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from fleetgrad.kernels import compiler

WORTH = (
    16_384  # numbers in an array from which the kernel is faster: a call of it costs microseconds
)
_SOURCE = Path(__file__).with_name("adam.c")
_STEP = "fleetgrad_adam"

Scalar = Float[Array, ""]


class Numbers(NamedTuple):
    """What the step of one array depends on, in the kernel's order.

    rate: The learning rate.
    decay: Share of a weight that the rate takes off, decoupled.
    penalty: Factor on the weight in its gradient's L2 term.
    first, first_missing, second, second_missing: Decays of the moments, and one less each.
    unbiased_first, unbiased_second: Factors that make up for moments that began at zero.
    epsilon: Added to the root that is divided by.
    alive: Whether the step is taken at all.
    """

    rate: Scalar
    decay: Scalar
    penalty: Scalar
    first: Scalar
    first_missing: Scalar
    second: Scalar
    second_missing: Scalar
    unbiased_first: Scalar
    unbiased_second: Scalar
    epsilon: Scalar
    alive: Bool[Array, ""]


def available() -> bool:
    """Whether the kernel can be had on this machine's CPU; compiles it at the first call."""
    return compiler.available(_SOURCE, (_STEP,))


def plain(
    weight: Float[Array, "..."],
    mean: Float[Array, "..."],
    square: Float[Array, "..."],
    slope: Float[Array, "..."],
    numbers: Numbers,
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """What `step` works out, by XLA; arguments as there."""
    slope = slope + numbers.penalty * weight
    new_mean = numbers.first * mean + numbers.first_missing * slope
    new_square = numbers.second * square + numbers.second_missing * jnp.square(slope)
    root = jnp.sqrt(new_square * numbers.unbiased_second)
    move = new_mean * numbers.unbiased_first / (root + numbers.epsilon)
    new_weight = weight - numbers.rate * (move + numbers.decay * weight)
    return (
        jnp.where(numbers.alive, new_weight, weight),
        jnp.where(numbers.alive, new_mean, mean),
        jnp.where(numbers.alive, new_square, square),
    )


def step(
    weight: Float[Array, "..."],
    mean: Float[Array, "..."],
    square: Float[Array, "..."],
    slope: Float[Array, "..."],
    numbers: Numbers,
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """The weights and both moments of one array after a step, on a CPU.

    Args:
        weight: Before the step.
        mean: First moment of the gradient, of the same shape; as all that follow.
        square: Second moment.
        slope: The gradient.
        numbers: Scalars.
    """
    described: Any = jax.ShapeDtypeStruct(weight.shape, weight.dtype)  # type: ignore[no-untyped-call]
    handler: Any = jax.ffi.ffi_call(
        _STEP,
        (described,) * 3,
        vmap_method="sequential",
        input_output_aliases={0: 0, 1: 1, 2: 2},
    )
    given = jnp.stack([jnp.asarray(number, jnp.float32) for number in numbers])
    after: tuple[Array, Array, Array] = tuple(handler(weight, mean, square, slope, given))
    return after
