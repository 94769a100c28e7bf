"""The dense network: how its weights are drawn, and what it computes.

Parameters are a tuple of layers, each `{"weight": (inputs, outputs)}`, and where the settings ask
for them a `"bias"` and, in hidden layers, the `"gain"` and `"offset"` of `normalization`, all
(outputs,). For prediction under batch normalization a `"mean"` and `"variance"` stand beside them.
Drawing is NumPy (it happens once a member and must not cost a compilation); applying is JAX.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry_2x32
from jaxtyping import Array, Bool, Float

from fleetgrad import layers as shapes
from fleetgrad import normalization
from fleetgrad.products import DENSE, Product, Products
from fleetgrad.settings import Settings

Layer = dict[str, Array]
Params = tuple[Layer, ...]

_FIRST = {"bias": 0.0, "gain": 1.0, "offset": 0.0}  # what is not drawn


@jax.custom_jvp
def rounded_sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The logistic function with its slope taken at the rounded input (half to even).

    The rule of the coursework notebook: d/dx is s(r) (1 - s(r)) with r = rint(x).
    """
    return jax.nn.sigmoid(x)


@rounded_sigmoid.defjvp
def _rounded_sigmoid_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    at_rounded = jax.nn.sigmoid(jnp.rint(x))
    return jax.nn.sigmoid(x), at_rounded * (1 - at_rounded) * tangent


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "leaky_relu": jax.nn.leaky_relu,
    "relu": jax.nn.relu,
    "rounded_sigmoid": rounded_sigmoid,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}


def _orthogonal(draw: np.random.Generator, inputs: int, outputs: int) -> np.ndarray:
    tall = draw.standard_normal((max(inputs, outputs), min(inputs, outputs)), np.float32)
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))  # makes the draw uniform over rotations (Mezzadri 2007)
    return q if inputs >= outputs else q.T


def _gaussian(deviation: Callable[[int, int], float]) -> Callable[..., np.ndarray]:
    def draw(generator: np.random.Generator, inputs: int, outputs: int) -> np.ndarray:
        weight = generator.standard_normal((inputs, outputs), np.float32)
        return weight * np.float32(deviation(inputs, outputs))

    return draw


INITIALIZERS: Mapping[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "glorot": _gaussian(lambda inputs, outputs: (2 / (inputs + outputs)) ** 0.5),  # Glorot 2010
    "he": _gaussian(lambda inputs, _: (2 / inputs) ** 0.5),  # He et al. 2015
    "lecun": _gaussian(lambda inputs, _: (1 / inputs) ** 0.5),  # LeCun et al. 1998
    "normal": _gaussian(lambda *_: 1.0),
    "orthogonal": _orthogonal,  # Saxe et al. 2014
}


def layer_sizes(hidden: tuple[int, ...], features: int, classes: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of every layer, first to last."""
    widths = (features, *hidden, classes)
    return list(pairwise(widths))


def init(
    generator: np.random.Generator, settings: Settings, features: int, classes: int
) -> tuple[dict[str, np.ndarray], ...]:
    """Fresh parameters in float32, as NumPy arrays.

    Args:
        generator: From `keys.generator(seed, "init", replicate)`.
        settings: `hidden`, `init`, `init_scale`, `bias` and `normalization` are used.
        features: Inputs of the first layer.
        classes: Outputs of the last.
    """
    draw, scale = INITIALIZERS[settings.init], np.float32(settings.init_scale)

    def first(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name == "weight":
            return draw(generator, *shape) * scale
        return np.full(shape, _FIRST[name], np.float32)

    return tuple(
        {name: first(name, shape) for name, shape in layer.items()}
        for layer in shapes.learned(settings, features, classes)
    )


def predicting(params: Params, running: normalization.Statistics) -> Params:
    """The layers as prediction needs them: with the running statistics of hidden ones, if any."""
    joined = ({**layer, **moments} for layer, moments in zip(params, running, strict=False))
    return (*joined, *params[len(running) :])


def apply(
    params: Params,
    activation: str,
    x: Float[Array, "batch features"],
    products: Products = DENSE,
) -> Float[Array, "batch classes"]:
    """The logits for scaled inputs, as used for prediction: nothing is dropped, no noise."""

    def normalize(layer: Layer, hidden: Array) -> Array:
        return normalization.predicting(layer, hidden)

    return _forward(params, activation, x, normalize, lambda _layer, hidden: hidden, products)


class Noise(NamedTuple):
    """How one member disturbs its training inputs and units; scalars, each traced."""

    dropout: Float[Array, ""]
    input_dropout: Float[Array, ""]
    input_noise: Float[Array, ""]


class Noisy(NamedTuple):
    """Which disturbances a program contains at all; a part of its shape."""

    dropout: bool
    input_dropout: bool
    input_noise: bool


def apply_noisy(
    params: Params,
    activation: str,
    x: Float[Array, "batch features"],
    key: jax.Array,
    noise: Noise,
    noisy: Noisy,
    kind: str = "none",
    products: Products = DENSE,
) -> tuple[Float[Array, "batch classes"], normalization.Statistics]:
    """The logits as used for training: Gaussian noise, then dropout (Srivastava et al. 2014).

    Beside them the moments that a `normalization` of this kind found in the batch.

    Layer `i` draws its mask from `fold_in(key, i)`, the inputs from `fold_in(key, 0)` and their
    noise from `fold_in(key, layers)`, so one disturbance never shifts another's draws.
    """
    if noisy.input_noise:
        draw = jax.random.normal(jax.random.fold_in(key, len(params)), x.shape, x.dtype)
        x = x + noise.input_noise * draw
    if noisy.input_dropout:
        x = _drop(jax.random.fold_in(key, 0), noise.input_dropout, x)

    def disturb(layer: int, hidden: Array) -> Array:
        if noisy.dropout:
            return _drop(jax.random.fold_in(key, layer), noise.dropout, hidden)
        return hidden

    found: list[normalization.Moments] = []

    def normalize(layer: Layer, hidden: Array) -> Array:
        hidden, moments = normalization.KINDS[kind](layer, hidden)
        if moments is not None:
            found.append(moments)
        return hidden

    return _forward(params, activation, x, normalize, disturb, products), tuple(found)


def keep_mask(
    key: jax.Array, rate: Float[Array, ""], shape: tuple[int, int]
) -> Bool[Array, "batch units"]:
    """Which units stay, each with probability `1 - rate`, to the nearest 1/65,536.

    Counters are hashed straight to bits (Salmon et al. 2011), sixteen a unit; `jax.random.bits`
    hashes a counter of two words for every number it is asked for, four times the work.
    """
    batch, units = shape
    pairs = (units + 1) // 2
    counters = lax.iota(jnp.uint32, batch * pairs)
    words = threefry_2x32(jax.random.key_data(key), counters).reshape(batch, pairs)
    halves = lax.bitcast_convert_type(words, jnp.uint16).reshape(batch, 2 * pairs)
    return halves[:, :units] >= jnp.round(rate * 65536).astype(jnp.uint32)


def _drop(key: jax.Array, rate: Float[Array, ""], x: Array) -> Array:
    return jnp.where(keep_mask(key, rate, (x.shape[0], x.shape[1])), x / (1 - rate), 0)


def _forward(
    params: Params,
    activation: str,
    x: Array,
    normalize: Callable[[Layer, Array], Array],
    disturb: Callable[[int, Array], Array],
    products: Products,
) -> Array:
    multiply = products.first
    for number, layer in enumerate(params[:-1], start=1):
        x = normalize(layer, _affine(layer, x, multiply))
        x = disturb(number, ACTIVATIONS[activation](x))
        multiply = products.others
    return _affine(params[-1], x, multiply)


def _affine(layer: Layer, x: Array, multiply: Product) -> Array:
    product = multiply(x, layer["weight"])
    return product + layer["bias"] if "bias" in layer else product
