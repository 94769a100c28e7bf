"""Products with inputs that are mostly zeros, such as images of ink on paper.

Four of five pixels of MNIST are zero, and the first layer is most of a network's arithmetic: its
product and the gradient of its weights cost the dense kernels as much for zeros as for ink. The
kernels in `sparse.c` skip the zeros they find, so nothing has to be known or stored about where
they are; docs/decisions.md has the measurements.
"""

import ctypes
import functools
import os
import threading
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fleetgrad.kernels import compiler

WORTH = 1 / 3  # the largest share of inputs that are not zero at which the kernels are faster
SWITCH = "FLEETGRAD_KERNELS"  # the environment variable: 0 leaves the kernels alone
_SOURCE = Path(__file__).with_name("sparse.c")
_FORWARD, _BACKWARD = "fleetgrad_sparse_forward", "fleetgrad_sparse_backward"
_lock = threading.Lock()


def available() -> bool:
    """Whether the kernels can be had on this machine's CPU; compiles them at the first call."""
    if os.environ.get(SWITCH) == "0":
        return False
    with _lock:
        return _registered()


@functools.cache
def _registered() -> bool:
    library = compiler.library(_SOURCE, [jax.ffi.include_dir()])
    if library is None:
        return False
    for name in (_FORWARD, _BACKWARD):
        handler = ctypes.cast(getattr(library, name), ctypes.c_void_p)
        capsule: Any = jax.ffi.pycapsule(handler)  # type: ignore[no-untyped-call]
        jax.ffi.register_ffi_target(name, capsule, platform="cpu")
    return True


@jax.custom_vjp
def product(
    x: Float[Array, "batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "batch outputs"]:
    """`x @ weight` in float32, on a CPU, with `available()` kernels.

    Zeros of `x` are skipped, so an infinite weight under an input that is zero gives 0, not NaN.
    Fastest where no more than `WORTH` of `x` is not zero, right for any.
    """
    return _call(_FORWARD, (x.shape[0], weight.shape[1]), x, weight)


def _forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return product(x, weight), (x, weight)


def _backward(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    x, weight = kept
    # Nobody asks for the inputs' gradient, and a product that is not asked for costs nothing.
    return slope @ weight.T, _call(_BACKWARD, weight.shape, x, slope)


product.defvjp(_forward, _backward)


def _call(name: str, shape: tuple[int, ...], *arguments: Array) -> Array:
    described: Any = jax.ShapeDtypeStruct  # its constructor has no types
    call: Any = jax.ffi.ffi_call(name, described(shape, jnp.float32), vmap_method="sequential")
    result: Array = call(*arguments)
    return result
