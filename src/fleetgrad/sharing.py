"""Members that share a network's weights: BatchEnsemble, as TabM has it.

TabM (Gorishniy, Kotelnikov and Babenko 2024, arXiv 2410.24210) after Wen, Tran and Ba 2020: every
member multiplies the inputs and the outputs of each hidden layer by factors of its own, `"inward"`
(members, inputs) and `"outward"` (members, outputs), around weights that are everybody's, and adds
a bias of its own; its last layer is its own altogether. Members stand one after another along the
batch, so that a layer multiplies all their rows at once. What they say is averaged: probabilities,
or numbers.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fleetgrad.products import Product

Rows = Float[Array, "rows units"]
Layer = Mapping[str, Array]

MATRIX = 2  # dimensions of weights that are everybody's


def drawn(weight: tuple[int, ...], draw: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """A layer's weights as drawn, for all members or each anew."""
    *count, inputs, outputs = weight
    if not count:
        return draw(inputs, outputs)
    return np.stack([draw(inputs, outputs) for _ in range(count[0])])


def signs(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """The first inward factors, which make members differ from the start."""
    return np.where(generator.random(shape) < 0.5, -1, 1).astype(np.float32)  # noqa: PLR2004 - even


def repeated(last: Layer, x: Rows) -> Rows:
    """The rows once for every member, of whom the last layer tells."""
    return jnp.tile(x, (len(last["weight"]), 1)) if last["weight"].ndim > MATRIX else x


def entering(layer: Layer, x: Rows) -> Rows:
    """What a layer multiplies: its inputs, by each member's factors."""
    return _scaled(x, layer["inward"]) if "inward" in layer else x


def product(weight: Array, x: Rows, multiply: Product) -> Rows:
    """The rows by a layer's weights, be these everybody's or each member's own."""
    if weight.ndim == MATRIX:
        return multiply(x, weight)
    own: Array = jax.vmap(multiply)(_apart(x, len(weight)), weight)
    return own.reshape(len(x), -1)


def leaving(layer: Layer, x: Rows) -> Rows:
    """A layer's product by each member's factors, with its bias."""
    x = _scaled(x, layer["outward"]) if "outward" in layer else x
    if "bias" not in layer:
        return x
    bias = layer["bias"]
    return x + bias if bias.ndim == 1 else (_apart(x, len(bias)) + bias[:, None]).reshape(x.shape)


def apart(last: Layer, x: Rows) -> Float[Array, "*members batch classes"]:
    """The outputs of each member, where there are several."""
    return _apart(x, len(last["weight"])) if last["weight"].ndim > MATRIX else x


def _scaled(x: Rows, factors: Float[Array, "members units"]) -> Rows:
    return (_apart(x, len(factors)) * factors[:, None]).reshape(x.shape)


def _apart(x: Rows, members: int) -> Float[Array, "members batch units"]:
    return x.reshape(members, -1, x.shape[1])
