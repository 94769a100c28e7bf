"""What a trained network computes, without JAX: in NumPy, for this process (`graph`: for others).

Importing JAX and compiling a program cost a second; a row costs a tenth of a millisecond either
way. So prediction is NumPy, and both forms are held against `network.apply` by the tests.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Num

from fleetgrad import layers
from fleetgrad.data.scaling import FARTHEST
from fleetgrad.errors import ModelError
from fleetgrad.layers import Places
from fleetgrad.settings import Settings, check_loss

MOST_LAYERS = 1000
GELU = (2 * math.sqrt(2 / math.pi), 0.044715)  # Hendrycks and Gimpel 2016, the tanh form
SELU = (1.0507009873554805, 1.6732632423543772)  # scale, alpha (Klambauer et al. 2017)
LEAK = 0.01
EPSILON = 1e-5  # added to a variance before its root is divided by

Layer = Mapping[str, np.ndarray]
Logits = Float32[np.ndarray, "batch classes"]
Hidden = Float32[np.ndarray, "batch units"]


class Network(NamedTuple):
    """A trained network: its settings, and its arrays in float32.

    `params` are layers as in `network.predicting`; an input is scaled as (x - shift) * scale, and
    where there is a `limit`, bent back by it (`data.scaling`). What predicts numbers has one
    output, and says center + spread * output.
    """

    settings: Settings
    params: Sequence[Layer]
    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]
    center: float = 0.0
    spread: float = 1.0
    limit: Float32[np.ndarray, " features"] | None = None

    @classmethod
    def of(
        cls,
        settings: Settings,
        arrays: Mapping[str, np.ndarray],
        target: tuple[float, float] = (0.0, 1.0),
    ) -> "Network":
        """The network of named arrays, as `arrays` gives them; the names must be complete.

        Args:
            settings: Its own.
            arrays: Under their names.
            target: `center` and `spread`.
        """
        limit = arrays.get("limit")
        places = None if limit is None else layers.numbers(limit.tolist())
        held = layers.predicting(settings, np.size(arrays["shift"]), 1, places)  # names matter
        params = tuple(
            {kind: arrays[f"layer{n}.{kind}"] for kind in kinds} for n, kinds in enumerate(held)
        )
        return cls(settings, params, arrays["shift"], arrays["scale"], *target, limit)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays, each under a name of its own."""
        held = enumerate(self.params)
        named = {f"layer{n}.{kind}": array for n, layer in held for kind, array in layer.items()}
        limit = {} if self.limit is None else {"limit": self.limit}
        return {"shift": self.shift, "scale": self.scale, **limit, **named}

    @property
    def places(self) -> Places:
        """Which features can be embedded: numbers."""
        return None if self.limit is None else layers.numbers(self.limit.tolist())

    @property
    def folded(self) -> Sequence[Layer]:
        """The layers, with all that multiplies weights multiplied into them."""
        ntk = self.settings.parametrization == "ntk"
        if not ntk and "front" not in self.params[0]:
            return self.params
        return [_folded(layer, ntk=ntk) for layer in self.params]

    def check(self, classes: int) -> None:
        """Raise `ModelError` unless the arrays are finite and fit the settings and classes.

        Args:
            classes: How many there are; 0 where numbers are predicted.
        """
        check_loss(self.settings.loss, numbers=classes == 0)
        if not (math.isfinite(self.center) and 0 < self.spread < math.inf):
            raise ModelError(
                f"a target must have a finite mean and a deviation above 0, got {self.center} and "
                f"{self.spread}"
            )
        features = np.size(self.shift)
        arrays = self.arrays
        expected = array_shapes(self.settings, features, classes or 1, self.places)
        if self.limit is not None:
            expected["limit"] = expected["shift"]
        odd = sorted(expected.keys() ^ arrays.keys())
        if odd:
            fault = "missing" if odd[0] in expected else "too many"
            raise ModelError(f"arrays must be those that the settings need, got {odd[0]} {fault}")
        for name, shape in expected.items():
            array = arrays[name]
            if array.dtype != np.float32 or array.shape != shape or not np.isfinite(array).all():
                raise ModelError(
                    f"`{name}` must be finite float32 of the shape {shape}, got {array.dtype} of "
                    f"{array.shape}{'' if array.shape != shape else ' or a number that is not'}"
                )
            if name.endswith(".variance") and (array < 0).any():
                raise ModelError(f"`{name}` must not be negative, got {array.min()}")


class Part(NamedTuple):
    """A network and its share, in (0, 1], of what is predicted together."""

    network: Network
    weight: float


def array_shapes(
    settings: Settings, features: int, classes: int, places: Places = None
) -> dict[str, tuple[int, ...]]:
    """The shape of each of a network's arrays, by the names of `Network.arrays`."""
    if len(settings.hidden) >= MOST_LAYERS:
        raise ModelError(f"`hidden` must be shorter than {MOST_LAYERS}, got {len(settings.hidden)}")
    shapes: dict[str, tuple[int, ...]] = {"shift": (features,), "scale": (features,)}
    for number, layer in enumerate(layers.predicting(settings, features, classes, places)):
        shapes |= {f"layer{number}.{kind}": shape for kind, shape in layer.items()}
    return shapes


def bytes_held(settings: Settings, features: int, classes: int) -> tuple[int, int]:
    """Least and most bytes of such arrays: with no feature to be embedded, and with all."""
    least, most = (
        4 * sum(map(math.prod, array_shapes(settings, features, classes, places).values()))
        for places in ((), None)
    )
    return least, most


def logits(network: Network, x: Num[np.ndarray, "batch features"]) -> Logits:
    """The outputs for raw inputs; inputs far too large give infinities or NaN, and no warning."""
    activation = ACTIVATIONS[network.settings.activation]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        hidden: Hidden = (x.astype(np.float32) - network.shift) * network.scale
        if network.limit is not None:
            hidden = _bent(hidden, network.limit)
        hidden = _embedded(network.params[0], hidden, network.places)
        *before, last = network.folded
        for layer in before:
            hidden = _activated(layer, activation, _normalized(layer, _affine(layer, hidden)))
        return _pooled(network.settings.loss, _affine(last, hidden))


def _bent(x: Hidden, limit: Float32[np.ndarray, " features"]) -> Hidden:
    x = np.clip(np.where(np.isnan(x), np.float32(0), x), -FARTHEST, FARTHEST)
    scaled: Hidden = x / np.sqrt(1 + np.square(limit * x))
    return scaled


def probabilities(loss: str, outputs: Logits) -> Float64[np.ndarray, "batch classes"]:
    """Class probabilities from finite outputs, each row's summing to 1.

    A softmax for `cross_entropy`; the other losses train independent logistic outputs, which are
    divided by their sum.
    """
    logs = outputs.astype(np.float64)
    with np.errstate(under="ignore"):
        if loss != "cross_entropy":
            logs = -np.logaddexp(0, -logs)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    normalized: Float64[np.ndarray, "batch classes"] = shares / shares.sum(axis=1, keepdims=True)
    return normalized


def numbers(network: Network, outputs: Logits) -> Float64[np.ndarray, "batch 1"]:
    """What a network that predicts numbers says, in the units of its target."""
    said: Float64[np.ndarray, "batch 1"] = network.center + network.spread * outputs.astype(
        np.float64
    )
    return said


def _sigmoid(x: Hidden) -> Hidden:
    share: Hidden = 0.5 * (1 + np.tanh(0.5 * x))  # has no exponential that could overflow
    return share


def _selu(x: Hidden) -> Hidden:
    below = np.float32(SELU[1]) * np.expm1(np.minimum(x, 0))
    unit: Hidden = np.float32(SELU[0]) * np.where(x > 0, x, below)
    return unit


def _mish(x: Hidden) -> Hidden:
    product: Hidden = x * np.tanh(np.logaddexp(x, np.float32(0)))
    return product


def _gelu(x: Hidden) -> Hidden:
    product: Hidden = x * _sigmoid(GELU[0] * (x + GELU[1] * (x * x * x)))
    return product


ACTIVATIONS: Mapping[str, Callable[[Hidden], Hidden]] = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": _gelu,
    "leaky_relu": lambda x: np.maximum(x, LEAK * x),
    "mish": _mish,
    "relu": lambda x: np.maximum(x, 0),
    "rounded_sigmoid": _sigmoid,  # only its slope is rounded
    "selu": _selu,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "tanh": np.tanh,
}


def _embedded(layer: Layer, x: Hidden, places: Places) -> Hidden:
    """As in `embeddings`."""
    if "frequency" not in layer:
        return x
    numbers = x if places is None else x[:, places]
    turns = numbers.T[:, :, np.newaxis] * (np.float32(math.tau) * layer["frequency"])[:, np.newaxis]
    waves = np.cos(turns + layer["phase"][:, np.newaxis])
    mixed = waves @ layer["mixture"] + layer["level"][:, np.newaxis]
    return np.concatenate([x, mixed.transpose(1, 0, 2).reshape(len(x), -1)], axis=1)


def _activated(layer: Layer, activation: Callable[[Hidden], Hidden], x: Hidden) -> Hidden:
    return x + layer["slant"] * (activation(x) - x) if "slant" in layer else activation(x)


def _affine(layer: Layer, x: Hidden) -> Hidden:
    """Of rows, or of (members, rows, units) where there are several (`sharing`)."""
    if "inward" in layer:
        x = x * layer["inward"][:, np.newaxis]
    product: Hidden = x @ layer["weight"]
    if "outward" in layer:
        product = product * layer["outward"][:, np.newaxis]
    if "bias" not in layer:
        return product
    bias = layer["bias"]
    return product + (bias if bias.ndim == 1 else bias[:, np.newaxis])


def _pooled(loss: str, outputs: Hidden) -> Logits:
    """As in `losses`."""
    if outputs.ndim == 2:  # noqa: PLR2004 - rows, classes
        return outputs
    if outputs.shape[2] == 1:
        mean: Logits = outputs.mean(axis=0)
        return mean
    if loss == "cross_entropy":
        most = outputs.max(axis=2, keepdims=True)
        logs = outputs - most
        return _log_mean(logs - np.log(np.exp(logs).sum(axis=2, keepdims=True)))
    on, off = (_log_mean(-np.logaddexp(np.float32(0), one)) for one in (-outputs, outputs))
    odds: Logits = on - off
    return odds


def _log_mean(logs: Hidden) -> Logits:
    most = logs.max(axis=0)
    mean: Logits = most + np.log(np.exp(logs - most).mean(axis=0))
    return mean


def _folded(layer: Layer, *, ntk: bool) -> Layer:
    weight = layer["weight"]
    if ntk:
        weight = weight * np.float32(weight.shape[-2] ** -0.5)
    if "front" in layer:
        weight = layer["front"][:, np.newaxis] * weight
    return {**layer, "weight": weight}


def _normalized(layer: Layer, x: Hidden) -> Hidden:
    if "gain" not in layer:
        return x
    if "mean" in layer:
        mean, variance = layer["mean"], layer["variance"]
    else:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    normalized: Hidden = (x - mean) / np.sqrt(variance + np.float32(EPSILON))
    return normalized * layer["gain"] + layer["offset"]
