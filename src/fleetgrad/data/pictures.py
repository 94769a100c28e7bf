"""PNG pictures, as rows of features for a network trained on images.

A picture becomes gray (or keeps its red, green and blue, if training had three channels) and is
resized to the training images' shape, bilinear over its whole area, its proportions not kept.
Dark stays dark and light stays light: a black digit on white paper is not turned into a white one
on black, as MNIST has them; invert it before, if the training images were so.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from fleetgrad.data import packing
from fleetgrad.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MAGIC = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 1 << 25
CHANNELS = {1: "L", 3: "RGB"}


def read(path: Path, image_shape: tuple[int, ...]) -> UInt8[np.ndarray, "1 features"]:
    """One picture as one row.

    Args:
        path: A PNG file.
        image_shape: (height, width[, channels]) of the training images.

    Raises:
        DataError: It is broken, too large, partly transparent, or images of such channels cannot
            come from a PNG.
    """
    from PIL import Image  # noqa: PLC0415 - for pictures alone

    height, width, channels = (*image_shape, 1)[:3]
    if channels not in CHANNELS:
        raise DataError(
            f"a picture must have 1 or 3 channels, as the training images, got {channels}; give "
            "the images as .npy."
        )
    _check_size(path)
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            _check_opaque(path, picture)
            plain = _eight_bits(picture).convert(CHANNELS[channels])
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(
            f"`{path}` must be a whole PNG picture, got a broken one ({error}); save it again."
        ) from None
    if plain.size != (width, height):
        plain = plain.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(plain, np.uint8).reshape(1, -1)


def _check_size(path: Path) -> None:
    with packing.opened(path) as stream:
        head = stream.read(24)
    if len(head) < 24 or not head.startswith(MAGIC):  # noqa: PLR2004
        raise DataError(
            f"`{path}` must be a whole PNG picture, got {len(head)} bytes; save it again."
        )
    width, height = struct.unpack(">II", head[16:24])
    if width * height > MOST_PIXELS:
        raise DataError(
            f"`{path}` must have at most {MOST_PIXELS:,} pixels, got {width:,} x {height:,}; make "
            "it smaller."
        )


def _check_opaque(path: Path, picture: "Image.Image") -> None:
    if not picture.has_transparency_data:
        return
    least, _ = picture.convert("RGBA").getchannel("A").getextrema()
    if least != 255:  # noqa: PLR2004
        raise DataError(
            f"`{path}` must be opaque, got a picture with transparent parts, which could mean "
            "light or dark; put it on a background first."
        )


def _eight_bits(picture: "Image.Image") -> "Image.Image":
    from PIL import Image  # noqa: PLC0415

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
