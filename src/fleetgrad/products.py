"""How a layer multiplies: densely, past the zeros of its inputs, or in half precision.

All take `x` (batch, inputs) and `weight` (inputs, outputs) in float32 and give float32.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fleetgrad.kernels import bfloat16 as rounding
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
    by_kernel: Whether products in bfloat16 are our own kernel's.
    in_place: Whether a kernel may take the optimizer's step.
    """

    precision: str = "float32"
    skips_zeros: bool = False
    on_cpu: bool = False
    by_kernel: bool = False
    in_place: bool = False

    @property
    def products(self) -> "Products":
        """The products of its layers."""
        return Products(sparse.product if self.skips_zeros else self._dense, self._dense)

    @property
    def _dense(self) -> Product:
        if self.precision == "bfloat16":
            return rounding.product if self.by_kernel else bfloat16
        return by_rows if self.on_cpu else jnp.matmul


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

DENSE = Products(jnp.matmul, jnp.matmul)
PLAIN = Arithmetic()


def fastest(
    precision: str, lanes: Sequence[jax.Device], options: dict[str, Any] | None = None
) -> Arithmetic:
    """How these lanes train fastest in a precision; nothing is skipped yet.

    Args:
        precision: As in `Settings`; `auto` is bfloat16 where that is `WORTH` it, else float32.
        lanes: Where the products of a layer, and of both its gradients, are timed if there is any
            choice: on all at once, or XLA would work out the three side by side.
        options: The compiler's.
    """
    on_cpu = all(device.platform == "cpu" for device in lanes)
    ways = [Arithmetic("bfloat16", on_cpu=on_cpu)]
    if on_cpu and precision != "float32" and rounding.available():
        ways.append(ways[0]._replace(by_kernel=True))
    exact = ways[0]._replace(precision="float32")
    if precision == "float32" or (precision == "bfloat16" and len(ways) == 1):
        return exact._replace(precision=precision)
    seconds = _timed((exact, *ways), tuple(lanes), tuple((options or {}).items()))
    rounded = min(ways, key=seconds.__getitem__)
    pays = precision == "bfloat16" or seconds[exact] > WORTH * seconds[rounded]
    return rounded if pays else exact


@functools.cache  # a process keeps some memory for each program of bfloat16 that it ever had
def _timed(
    ways: tuple[Arithmetic, ...],
    lanes: tuple[jax.Device, ...],
    options: tuple[tuple[str, Any], ...],
) -> Mapping[Arithmetic, float]:
    """The shortest time of a layer's products on all lanes, in each way; measured once."""
    batch, inputs, outputs = TRIAL
    shapes = ((batch, inputs), (inputs, outputs), (batch, outputs))
    arrays = {
        device: jax.device_put([jnp.ones(shape) for shape in shapes], device)
        for device in dict.fromkeys(lanes)
    }
    # Compiled ahead: what `jit` compiles as it is called is kept by JAX after the function is gone.
    compiled = {
        (way, device): jax.jit(_trial(way), compiler_options=dict(options)).lower(*own).compile()
        for way in ways
        for device, own in arrays.items()
    }
    inputs_of = [arrays[lane] for lane in lanes]
    seconds = dict.fromkeys(ways, float("inf"))
    wait: Any = jax.block_until_ready
    with ThreadPoolExecutor(len(lanes)) as pool:
        for _ in range(1 + TRIALS):  # in turn, so that a slow moment meets all
            for way in ways:
                programs = [compiled[way, lane] for lane in lanes]
                began = time.perf_counter()
                list(pool.map(lambda program, own: wait(program(*own)), programs, inputs_of))
                seconds[way] = min(seconds[way], time.perf_counter() - began)
    return seconds


def _trial(arithmetic: Arithmetic) -> Callable[..., tuple[Array, ...]]:
    def step(x: Array, weight: Array, slope: Array) -> tuple[Array, ...]:
        product, back = jax.vjp(arithmetic.products.others, x, weight)
        return product, *back(slope)

    return step
