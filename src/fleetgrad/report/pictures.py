"""Rows of images as small files inside a page, and the first layer's weights as images."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image

from fleetgrad.ensemble import Ensemble
from fleetgrad.model import Model

UNITS = 32  # of the first layer that are shown
MOST_SIDE = 64  # pixels of a unit's image
SHOWN = 168  # pixels that a picture is shown with, at most: twice its 84 on the page


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What units of the first layer look for, strongest first.

    Args:
        images: Weights of scaled inputs, each unit's over its greatest; in [-1, 1].
        units: How many units there are.
    """

    images: Float[np.ndarray, "units height width"]
    units: int


def png(
    row: Shaped[np.ndarray, " features"], shape: Sequence[int], white: float, step: int = 1
) -> str:
    """An image as the address of its own content.

    Args:
        row: Flat.
        shape: (height, width[, channels]); of other than 1, 3 or 4 channels the first is shown.
        white: What is drawn white.
        step: One pixel in so many is shown, either way.
    """
    height, width, channels = (*shape, 1)[:3]
    whole = np.nan_to_num(np.asarray(row, np.float64)).reshape(height, width, channels)
    values = whole[::step, ::step]
    bytes_ = np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8)
    picture = bytes_ if channels in {3, 4} else bytes_[:, :, 0]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def first_layer(model: Model | Ensemble | None, missing: dict[str, str]) -> Layer | None:
    """The first layer's weights; None where they are no images, which `missing` then explains."""
    if model is None or model.image_shape is None:
        missing["layer"] = missing.get("model", "The rows are not images.")
        return None
    network = model.parts[0].network
    height, width, channels = (*model.image_shape, 1)[:3]
    weight = network.folded[0]["weight"]
    if len(weight) != height * width * channels or not network.settings.hidden:
        missing["layer"] = "The first layer does not look at pixels alone."
        return None
    lengths = np.linalg.norm(weight, axis=0)
    chosen = np.argsort(-lengths, kind="stable")[:UNITS]
    images = weight[:, chosen].T.reshape(-1, height, width, channels).mean(axis=3)
    step = -(-max(height, width) // MOST_SIDE)
    images = images[:, ::step, ::step]
    most = np.abs(images).max(axis=(1, 2), keepdims=True)
    return Layer(images / np.where(most == 0, 1, most), weight.shape[1])
