"""How a layer multiplies: densely, past the zeros of its inputs, or in half precision.

All take `x` (batch, inputs) and `weight` (inputs, outputs) in float32 and give float32.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fleetgrad.kernels import sparse

Matrix = Float[Array, "rows columns"]
Product = Callable[[Array, Array], Array]

TRIAL = (256, 512, 512)  # batch, inputs, outputs of the products that are timed
TRIALS = 20
WORTH = 1.2  # times as fast: less would not pay for what rounding costs


class Arithmetic(NamedTuple):
    """How a program multiplies; a part of its shape.

    precision: Of the factors, one of `PRECISIONS`.
    skips_zeros: Whether the first layer passes over inputs that are zero.
    on_cpu: Whether it runs on cores, whose matrix kernels want their factors laid out by rows.
    """

    precision: str = "float32"
    skips_zeros: bool = False
    on_cpu: bool = False

    @property
    def products(self) -> "Products":
        """The products of its layers."""
        by_cores = self.on_cpu and self.precision == "float32"
        dense: Product = by_rows if by_cores else PRECISIONS[self.precision]
        return Products(sparse.product if self.skips_zeros else dense, dense)


class Products(NamedTuple):
    """The product of the first layer, and that of all others."""

    first: Product
    others: Product


@jax.custom_vjp
def by_rows(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ weight`, with a gradient of the weights that first lays its factor out anew.

    XLA multiplies a matrix that it reads by columns at three quarters of the speed
    (docs/decisions.md).
    """
    return x @ weight


def _backward_by_rows(kept: tuple[Matrix, Matrix], slope: Matrix) -> tuple[Matrix, Matrix]:
    x, weight = kept
    barrier: Any = lax.optimization_barrier  # or XLA would fold the layout into the product
    return slope @ weight.T, barrier(x.T) @ slope


by_rows.defvjp(lambda x, weight: (x @ weight, (x, weight)), _backward_by_rows)


@jax.custom_vjp
def bfloat16(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ weight` of factors rounded to bfloat16, summed in float32; so are its gradients.

    Mixed precision (Micikevicius et al. 2018) with bfloat16's range, so no loss scaling: weights,
    sums and the optimizer's state stay float32.
    """
    return _rounded(x, weight)


def _backward_rounded(kept: tuple[Matrix, Matrix], slope: Matrix) -> tuple[Matrix, Matrix]:
    x, weight = kept
    return _rounded(slope, weight.T), _rounded(x.T, slope)


def _rounded(left: Matrix, right: Matrix) -> Matrix:
    factors: Any = (left.astype(jnp.bfloat16), right.astype(jnp.bfloat16))
    return jnp.matmul(*factors, preferred_element_type=jnp.float32)


bfloat16.defvjp(lambda x, weight: (_rounded(x, weight), (x, weight)), _backward_rounded)

PRECISIONS: Mapping[str, Product] = {"bfloat16": bfloat16, "float32": jnp.matmul}
DENSE = Products(jnp.matmul, jnp.matmul)
PLAIN = Arithmetic()


def fastest(device: jax.Device, options: dict[str, Any] | None = None) -> str:
    """The precision in which this device trains fastest: bfloat16 where it is `WORTH` it.

    Args:
        device: Where the products of a layer, and of both its gradients, are timed.
        options: The compiler's.
    """
    batch, inputs, outputs = TRIAL
    shapes = ((batch, inputs), (inputs, outputs), (batch, outputs))
    arrays = jax.device_put([jnp.ones(shape) for shape in shapes], device)
    on_cpu = device.platform == "cpu"
    programs = {
        name: jax.jit(_trial(Arithmetic(name, on_cpu=on_cpu)), compiler_options=options)
        for name in PRECISIONS
    }
    seconds = dict.fromkeys(programs, float("inf"))
    wait: Any = jax.block_until_ready
    for _ in range(1 + TRIALS):  # in turn, so that a slow moment meets both; the first compiles
        for name, program in programs.items():
            began = time.perf_counter()
            wait(program(*arrays))
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    return "bfloat16" if seconds["float32"] > WORTH * seconds["bfloat16"] else "float32"


def _trial(arithmetic: Arithmetic) -> Callable[..., tuple[Array, ...]]:
    def step(x: Array, weight: Array, slope: Array) -> tuple[Array, ...]:
        product, back = jax.vjp(arithmetic.products.others, x, weight)
        return product, *back(slope)

    return step
