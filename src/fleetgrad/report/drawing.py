"""The network that answers in the browser: its weights in few bytes, and what they compute.

A layer is w * x + b, maybe normalized over its units, and an activation; batch normalization, and
all else that multiplies weights, is multiplied into them first. Weights are float16, or where these
would be too many whole numbers of eight bits with a scale for each unit. Whatever cannot be told
in this way is not drawn, and the page says so.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetgrad import forward, inference
from fleetgrad.ensemble import Ensemble
from fleetgrad.forward import EPSILON
from fleetgrad.metrics import REGRESSION
from fleetgrad.model import Model
from fleetgrad.report.answering import Answers

HALVES = 400_000  # weights up to which float16 is used
MOST = 2_100_000  # weights that a page has room for
Numbers = NDArray[Any]
FILL = 20 / 28  # of a frame that a drawing takes, as in MNIST


@dataclass(frozen=True, slots=True)
class Packed:
    """An array as base64, row by row, little-endian.

    Args:
        kind: "float32", "float16" or "int8".
        shape: Of the array.
        data: Its bytes.
        scale: What each column is multiplied by; None but for int8.
    """

    kind: str
    shape: tuple[int, ...]
    data: str
    scale: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What the browser computes.

    Args:
        shape: (height, width) of its images.
        white: The largest value there is in them.
        dark_on_light: Whether strokes are darker than the paper.
        fill: The share of the frame that a drawing's longer side takes.
        by_mass: Whether its center of mass is brought to the middle, or that of its box.
        shift, scale: Scaled input = (x - shift) * scale.
        layers: Arrays by name, first to last.
        activation: Of hidden layers.
        loss: Whose outputs these are.
        center, spread: Of a number that is predicted.
        alone: Which network of an ensemble this is; None for the model itself.
    """

    shape: tuple[int, int]
    white: float
    dark_on_light: bool
    fill: float
    by_mass: bool
    shift: Packed
    scale: Packed
    layers: tuple[dict[str, Packed], ...]
    activation: str
    loss: str
    center: float
    spread: float
    alone: int | None = None


def of(
    model: Model | Ensemble | None, answers: Answers | None, missing: dict[str, str]
) -> Network | None:
    """The network to draw for; None where there is none, which `missing` then explains."""
    reason = _refusal(model)
    if model is None or reason:
        missing["network"] = reason or missing.get("model", "There is no model yet.")
        return None
    member, alone = _chosen(model)
    own = layers(member)
    weights = sum(layer["weight"].size for layer in own)
    if weights > MOST:
        missing["network"] = (
            f"The network has {weights:,} weights, more than a page below 8 MB has room for."
        )
        return None
    examples = None if answers is None else answers.examples
    height, width, *_ = model.image_shape or (0, 0)
    like_mnist = (height, width) == (28, 28)
    white = _white(model, examples)
    target = (member.center, member.spread) if model.task == REGRESSION else (0.0, 1.0)
    return Network(
        shape=(height, width),
        white=white,
        dark_on_light=_is_dark(examples, (height, width), white),
        fill=FILL if like_mnist else _fill(examples, (height, width), white),
        by_mass=like_mnist,
        shift=packed(member.shift),
        scale=packed(member.scale),
        layers=tuple(
            {name: _fitting(name, array, weights) for name, array in layer.items()} for layer in own
        ),
        activation=member.settings.activation,
        loss=member.settings.loss,
        center=target[0],
        spread=target[1],
        alone=alone,
    )


def layers(network: inference.Network) -> tuple[dict[str, Numbers], ...]:
    """A network's layers with all that is fixed multiplied into weight and bias."""
    return tuple(map(_folded, network.folded))


def packed(array: Numbers, kind: str = "float32") -> Packed:
    """An array in few bytes."""
    if kind != "int8":
        return Packed(kind, array.shape, _text(array.astype("<f" + _size(kind))))
    most = np.abs(array).max(axis=0)
    scale = np.maximum(most / 127, np.finfo(np.float32).tiny).astype("<f4")
    return Packed(
        kind, array.shape, _text(np.rint(array / scale).astype(np.int8)), scale=_text(scale)
    )


def unpacked(held: Packed) -> Numbers:
    """The array that a browser makes of it."""
    kind = "i1" if held.kind == "int8" else "<f" + _size(held.kind)
    array = np.frombuffer(base64.b64decode(held.data), kind).reshape(held.shape).astype(np.float32)
    if held.scale is None:
        return array
    scaled: Numbers = array * np.frombuffer(base64.b64decode(held.scale), "<f4")
    return scaled


def _size(kind: str) -> str:
    return str(int(kind.removeprefix("float")) // 8)


def _refusal(model: Model | Ensemble | None) -> str | None:
    """Why the browser cannot answer for a model; None where it can."""
    if model is None:
        return None
    if model.image_shape is None:
        return "The rows are not images."
    if (*model.image_shape, 1)[2] != 1:
        return "The images have colors, and the page draws in gray."
    member, _ = _chosen(model)
    own = member.settings
    if member.limit is not None or own.embedding != "none" or own.members > 1:
        return "The network has parts that the page cannot compute (embeddings, or members)."
    return None


def _chosen(model: Model | Ensemble) -> tuple[inference.Network, int | None]:
    """The network to take, and its candidate's id where there are others."""
    if len(model.parts) == 1:
        return model.parts[0].network, None
    members: list[int] = list(model.information.get("members", ()))
    winner: int | None = model.information.get("winner")
    if winner in members and len(members) == len(model.parts):
        return model.parts[members.index(winner)].network, winner
    place = int(np.argmax([part.weight for part in model.parts]))
    return model.parts[place].network, members[place] if place < len(members) else place


def _folded(layer: forward.Layer) -> dict[str, Numbers]:
    weight = layer["weight"].astype(np.float64)
    bias = layer["bias"].astype(np.float64) if "bias" in layer else np.zeros(weight.shape[-1])
    found = {}
    if "mean" in layer:
        factor = layer["gain"] / np.sqrt(layer["variance"].astype(np.float64) + EPSILON)
        weight, bias = weight * factor, (bias - layer["mean"]) * factor + layer["offset"]
    elif "gain" in layer:
        found = {"gain": layer["gain"], "offset": layer["offset"]}
    if "slant" in layer:
        found["slant"] = layer["slant"]
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32), **found}


def _fitting(name: str, array: Numbers, weights: int) -> Packed:
    if name != "weight":
        return packed(array)
    largest = float(np.abs(array).max(initial=0.0))
    halves = weights <= HALVES and largest < float(np.finfo(np.float16).max)
    return packed(array, "float16" if halves else "int8")


def _white(model: Model | Ensemble, examples: np.ndarray | None) -> float:
    if examples is not None and examples.dtype != np.uint8 and examples.size:
        return max(float(np.nanmax(examples)), 1e-6)
    return float(model.white)


def _is_dark(examples: np.ndarray | None, shape: Sequence[int], white: float) -> bool:
    """Whether most of the frame's edge is light."""
    if examples is None or not len(examples):
        return False
    images = examples.reshape(-1, *shape)
    edges = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    return bool(np.median(edges) > white / 2)


def _fill(examples: np.ndarray | None, shape: Sequence[int], white: float) -> float:
    """How much of the frame the longer side of what is drawn in it takes, in the middle."""
    if examples is None or not len(examples):
        return 1.0
    images = examples.reshape(-1, *shape).astype(np.float64)
    ink = (white - images if _is_dark(examples, shape, white) else images) > white / 8
    shares = [
        max(np.ptp(place) + 1 for place in np.nonzero(one)) / max(shape) for one in ink if one.any()
    ]
    return float(np.clip(np.median(shares), 0.2, 1.0)) if shares else 1.0


def _text(array: Numbers) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
