"""The dense network: how its weights are drawn, and what it computes.

Parameters are a tuple of layers, each `{"weight": (inputs, outputs)}`, and where the settings ask
for them a `"bias"` and, in hidden layers, the `"gain"` and `"offset"` of `normalization` and the
`"slant"` of units, all (outputs,); in the first one also what stands before it, `"front"` factors
(inputs,) and the arrays of `embeddings`; and what members that are `sharing` have of their own. For
prediction under batch normalization a `"mean"` and `"variance"` stand beside.
Drawing is NumPy (it happens once a member and must not cost a compilation); applying is JAX.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import threefry2x32_p
from jaxtyping import Array, Bool, Float

from fleetgrad import embeddings, normalization, sharing
from fleetgrad import layers as shapes
from fleetgrad.activations import ACTIVATIONS, Units
from fleetgrad.products import DENSE, Product, Products
from fleetgrad.settings import Settings

Layer = dict[str, Array]
Mask = normalization.Mask | None
Params = tuple[Layer, ...]

_FIRST = dict.fromkeys(("front", "gain", "inward", "outward", "slant"), 1.0)
_FIRST |= {"bias": 0.0, "offset": 0.0}  # what is not drawn


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


def layer_sizes(hidden: tuple[int, ...], inputs: int, classes: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of every layer, first to last."""
    widths = (inputs, *hidden, classes)
    return list(pairwise(widths))


def init(
    generator: np.random.Generator,
    settings: Settings,
    features: int,
    classes: int,
    places: shapes.Places = None,
) -> tuple[dict[str, np.ndarray], ...]:
    """Fresh parameters in float32, as NumPy arrays.

    Args:
        generator: From `keys.generator(seed, "init", replicate)`.
        settings: How they are drawn, and which there are.
        features: Inputs of the first layer.
        classes: Outputs of the last.
        places: Which features can be embedded.
    """
    arrays = shapes.learned(settings, features, classes, places)
    scale = np.float32(settings.init_scale)
    ntk = settings.parametrization == "ntk"
    draw = INITIALIZERS["normal" if ntk else settings.init]
    # All weights before the rest, so that they are the same whatever else is drawn.
    one = partial(draw, generator)
    weights = [sharing.drawn(layer["weight"], one) * scale for layer in arrays]

    def first(name: str, shape: tuple[int, ...], layer: int) -> np.ndarray:
        if name == "bias" and ntk:  # the same for all members, as in TabM
            return np.broadcast_to(generator.standard_normal(shape[-1], np.float32), shape).copy()
        if name == "inward" and layer == 0:
            return sharing.signs(shape, generator)
        if name not in _FIRST:
            return embeddings.drawn(name, shape, generator, settings)
        return np.full(shape, _FIRST[name], np.float32)

    *hidden, last = (
        {"weight": weight} | {n: first(n, layer[n], number) for n in layer if n != "weight"}
        for number, (layer, weight) in enumerate(zip(arrays, weights, strict=True))
    )
    if ntk:  # as RealMLP-TD-S does
        last |= {name: np.zeros_like(last[name]) for name in ("weight", "bias") if name in last}
    return (*hidden, last)


def predicting(params: Params, running: normalization.Statistics) -> Params:
    """The layers as prediction needs them: with the running statistics of hidden ones, if any."""
    joined = ({**layer, **moments} for layer, moments in zip(params, running, strict=False))
    return (*joined, *params[len(running) :])


def apply(
    params: Params,
    activation: str | Units,
    x: Float[Array, "batch features"],
    products: Products = DENSE,
) -> Float[Array, "*members batch classes"]:
    """The logits for scaled inputs, as used for prediction: nothing is dropped, no noise.

    Where members share weights, each has its own (`losses.pooled` brings them together).

    Args:
        params: All layers, as `predicting` gives them.
        activation: Of hidden units, by name, or as they are in a shared program.
        x: Scaled inputs.
        products: How layers multiply.
    """
    units = _units(activation)
    return _forward(params, units, x, normalization.predicting, lambda _, hidden: hidden, products)


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
    activation: str | Units,
    x: Float[Array, "batch features"],
    key: jax.Array,
    noise: Noise,
    noisy: Noisy,
    kind: str = "none",
    products: Products = DENSE,
) -> tuple[Float[Array, "*members batch classes"], normalization.Statistics]:
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

    def normalize(layer: Layer, hidden: Array, real: Mask) -> Array:
        hidden, moments = normalization.KINDS[kind](layer, hidden, real)
        if moments is not None:
            found.append(moments)
        return hidden

    logits = _forward(params, _units(activation), x, normalize, disturb, products)
    return logits, tuple(found)


def keep_mask(
    key: jax.Array, rate: Float[Array, ""], shape: tuple[int, int]
) -> Bool[Array, "batch units"]:
    """Which units stay, each with probability `1 - rate`, to the nearest 1/65,536.

    Counters are hashed straight to bits (Salmon et al. 2011), sixteen a unit; `jax.random.bits`
    hashes a counter of two words for every number it is asked for, four times the work. A counter
    is a row and a pair of units, its second word a row half a batch further on, so a unit's draw
    is the same however many units stand beside it.
    """
    batch, units = shape
    pairs, half = (units + 1) // 2, (batch + 1) // 2
    row, pair = (lax.broadcasted_iota(jnp.uint32, (half, pairs), axis) for axis in (0, 1))
    hashed: Any = threefry2x32_p  # its bind() has no types
    words = jnp.concatenate(hashed.bind(*jax.random.key_data(key), row, pair))
    halves = lax.bitcast_convert_type(words, jnp.uint16).reshape(2 * half, 2 * pairs)
    return halves[:batch, :units] >= jnp.round(rate * 65536).astype(jnp.uint32)


def _drop(key: jax.Array, rate: Float[Array, ""], x: Array) -> Array:
    return jnp.where(keep_mask(key, rate, (x.shape[0], x.shape[1])), x / (1 - rate), 0)


def _units(activation: str | Units) -> Units:
    return Units(ACTIVATIONS[activation]) if isinstance(activation, str) else activation


def _forward(
    params: Params,
    units: Units,
    x: Array,
    normalize: Callable[[Layer, Array, Mask], Array],
    disturb: Callable[[int, Array], Array],
    products: Products,
) -> Array:
    multiply, x = products.first, embeddings.embedded(params[0], x, units.places)
    x = sharing.repeated(params[-1], x)
    for number, layer in enumerate(params[:-1]):
        real = units.real(number, layer["weight"].shape[1])
        x = _affine(layer, x, multiply, units.share(number, x.shape[1]))
        x = _activated(layer, units, normalize(layer, x, real))
        x = disturb(number + 1, x if real is None else jnp.where(real, x, 0))
        multiply = products.others
    outputs = _affine(params[-1], x, multiply, units.share(len(params) - 1, x.shape[1]))
    return sharing.apart(params[-1], outputs)


def _activated(layer: Layer, units: Units, x: Array) -> Array:
    if "slant" not in layer:
        return units.activate(x)
    return x + layer["slant"] * (units.activate(x) - x)


def _affine(layer: Layer, x: Array, multiply: Product, share: Array | float | None) -> Array:
    weight = layer["weight"]
    if "front" in layer:  # of the weights, so that nobody asks for the slope of the inputs
        weight = layer["front"][:, None] * weight
    product = sharing.product(weight, sharing.entering(layer, x), multiply)
    return sharing.leaving(layer, product if share is None else product * share)
