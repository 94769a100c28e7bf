"""How a layer multiplies: densely, past the zeros of its inputs, or in half precision.

All take `x` (batch, inputs) and `weight` (inputs, outputs) in float32 and give float32.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fleetgrad.kernels import sparse

Product = Callable[[Array, Array], Array]

TRIAL = (256, 512, 512)  # batch, inputs, outputs of the products that are timed
TRIALS = 20
WORTH = 1.2  # times as fast: less would not pay for what rounding costs


class Products(NamedTuple):
    """The product of the first layer, and that of all others."""

    first: Product
    others: Product

    @classmethod
    def of(cls, precision: str, *, skips_zeros: bool) -> "Products":
        """For a precision in `PRECISIONS`, and inputs whose zeros are to be skipped or not."""
        dense = PRECISIONS[precision]
        return cls(sparse.product if skips_zeros else dense, dense)


@jax.custom_vjp
def bfloat16(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ weight` of factors rounded to bfloat16, summed in float32; so are its gradients.

    Mixed precision (Micikevicius et al. 2018) with bfloat16's range, so no loss scaling: weights,
    sums and the optimizer's state stay float32.
    """
    return _rounded(x, weight)


def _forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return _rounded(x, weight), (x, weight)


def _backward(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, weight = kept
    return _rounded(slope, weight.T), _rounded(x.T, slope)


def _rounded(left: Array, right: Array) -> Array:
    factors: Any = (left.astype(jnp.bfloat16), right.astype(jnp.bfloat16))
    return jnp.matmul(*factors, preferred_element_type=jnp.float32)


bfloat16.defvjp(_forward, _backward)

PRECISIONS: dict[str, Product] = {"bfloat16": bfloat16, "float32": jnp.matmul}
DENSE = Products(jnp.matmul, jnp.matmul)


def fastest(device: jax.Device) -> str:
    """The precision in which this device multiplies fastest: bfloat16 where it is `WORTH` it."""
    batch, inputs, outputs = TRIAL
    factors = jax.device_put((jnp.ones((batch, inputs)), jnp.ones((inputs, outputs))), device)
    programs = {name: jax.jit(product) for name, product in PRECISIONS.items()}
    seconds = dict.fromkeys(programs, float("inf"))
    for _ in range(1 + TRIALS):  # in turn, so that a slow moment meets both; the first compiles
        for name, program in programs.items():
            began = time.perf_counter()
            program(*factors).block_until_ready()
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    return "bfloat16" if seconds["float32"] > WORTH * seconds["bfloat16"] else "float32"
