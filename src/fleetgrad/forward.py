"""What the parts of a network compute, in NumPy; `inference` puts them together.

A layer's arrays say what it does, as in `network`; (members, rows, units) stand for rows where
members share weights (`sharing`).
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32

from fleetgrad.data.scaling import FARTHEST
from fleetgrad.layers import Places

GELU = (2 * math.sqrt(2 / math.pi), 0.044715)  # Hendrycks and Gimpel 2016, the tanh form
SELU = (1.0507009873554805, 1.6732632423543772)  # scale, alpha (Klambauer et al. 2017)
LEAK = 0.01
EPSILON = 1e-5  # added to a variance before its root is divided by

Layer = Mapping[str, np.ndarray]
Logits = Float32[np.ndarray, "batch classes"]
Hidden = Float32[np.ndarray, "batch units"]


def bent(x: Hidden, limit: Float32[np.ndarray, " features"]) -> Hidden:
    """Scaled inputs of a table, what is missing 0 and what lies far out bent back."""
    x = np.clip(np.where(np.isnan(x), np.float32(0), x), -FARTHEST, FARTHEST)
    scaled: Hidden = x / np.sqrt(1 + np.square(limit * x))
    return scaled


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


def embedded(layer: Layer, x: Hidden, places: Places) -> Hidden:
    """As in `embeddings`."""
    if "frequency" not in layer:
        return x
    numbers = x if places is None else x[:, places]
    turns = numbers.T[:, :, np.newaxis] * (np.float32(math.tau) * layer["frequency"])[:, np.newaxis]
    waves = np.cos(turns + layer["phase"][:, np.newaxis])
    mixed = waves @ layer["mixture"] + layer["level"][:, np.newaxis]
    return np.concatenate([x, mixed.transpose(1, 0, 2).reshape(len(x), -1)], axis=1)


def activated(layer: Layer, activation: Callable[[Hidden], Hidden], x: Hidden) -> Hidden:
    """What units make of their sums, by the share that each has learned."""
    return x + layer["slant"] * (activation(x) - x) if "slant" in layer else activation(x)


def affine(layer: Layer, x: Hidden) -> Hidden:
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


def pooled(loss: str, outputs: Hidden) -> Logits:
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


def folded(layer: Layer, *, ntk: bool) -> Layer:
    """A layer with all that multiplies its weights multiplied into them."""
    weight = layer["weight"]
    if ntk:
        weight = weight * np.float32(weight.shape[-2] ** -0.5)
    if "front" in layer:
        weight = layer["front"][:, np.newaxis] * weight
    return {**layer, "weight": weight}


def normalized(layer: Layer, x: Hidden) -> Hidden:
    """Over units, or by the statistics that the layer holds."""
    if "gain" not in layer:
        return x
    if "mean" in layer:
        mean, variance = layer["mean"], layer["variance"]
    else:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    normalized: Hidden = (x - mean) / np.sqrt(variance + np.float32(EPSILON))
    return normalized * layer["gain"] + layer["offset"]
