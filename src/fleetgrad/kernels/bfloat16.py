"""Products of factors rounded to bfloat16, by the processor's own instruction for them.

XLA has a fast program for the product alone; the two of its gradient it works out at the speed of
float32, or below. The kernels in `bfloat16.c` reach the instruction's peak in all three
(docs/decisions.md has the measurements). They need a processor with AVX512-BF16 (AMD Zen 4, Intel
Cooper Lake, and later); elsewhere they do not compile, and XLA's products stand.
"""

from pathlib import Path

import jax
from jaxtyping import Array, Float

from fleetgrad.kernels import compiler

_SOURCE = Path(__file__).with_name("bfloat16.c")
_FORWARD, _INPUTS, _WEIGHTS = (
    f"fleetgrad_bfloat16_{name}" for name in ("forward", "inputs", "weights")
)


def available() -> bool:
    """Whether the kernels can be had on this machine's CPU; compiles them at the first call."""
    return compiler.available(_SOURCE, (_FORWARD, _INPUTS, _WEIGHTS))


@jax.custom_vjp
def product(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ weight` of factors rounded to bfloat16, summed in float32; so are its gradients.

    On a CPU, with `available()` kernels. Numbers below float32's normal range count as zero.
    """
    return compiler.call(_FORWARD, (x.shape[0], weight.shape[1]), x, weight)


def _forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return product(x, weight), (x, weight)


def _backward(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, weight = kept
    return (
        compiler.call(_INPUTS, x.shape, slope, weight),
        compiler.call(_WEIGHTS, weight.shape, x, slope),
    )


product.defvjp(_forward, _backward)
