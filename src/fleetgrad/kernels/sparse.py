"""Products with inputs that are mostly zeros, such as images of ink on paper.

Four of five pixels of MNIST are zero, and the first layer is most of a network's arithmetic: its
product and the gradient of its weights cost the dense kernels as much for zeros as for ink. The
kernels in `sparse.c` skip the zeros they find, so nothing has to be known or stored about where
they are; docs/decisions.md has the measurements.
"""

from pathlib import Path

import jax
from jaxtyping import Array, Float

from fleetgrad.kernels import compiler

WORTH = 1 / 3  # the largest share of inputs that are not zero at which the kernels are faster
_SOURCE = Path(__file__).with_name("sparse.c")
_FORWARD, _BACKWARD = "fleetgrad_sparse_forward", "fleetgrad_sparse_backward"


def available() -> bool:
    """Whether the kernels can be had on this machine's CPU; compiles them at the first call."""
    return compiler.available(_SOURCE, (_FORWARD, _BACKWARD))


@jax.custom_vjp
def product(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ weight` in float32, on a CPU, with `available()` kernels.

    Zeros of `x` are skipped, so an infinite weight under an input that is zero gives 0, not NaN.
    Fastest where no more than `WORTH` of `x` is not zero, right for any.
    """
    return compiler.call(_FORWARD, (x.shape[0], weight.shape[1]), x, weight)


def _forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return product(x, weight), (x, weight)


def _backward(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, weight = kept
    # Nobody asks for the inputs' gradient, and a product that is not asked for costs nothing.
    return slope @ weight.T, compiler.call(_BACKWARD, weight.shape, x, slope)


product.defvjp(_forward, _backward)
