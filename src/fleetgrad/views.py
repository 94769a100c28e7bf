"""Images seen from several places side by side, whose probabilities are averaged.

A network that learned from shifted images knows each of them a little differently, so the average
over a few small shifts errs less often than any one (test-time augmentation; Krizhevsky, Sutskever
and Hinton, NeurIPS 2012, section 4.1). Its price is as many predictions as there are places.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Num

REACH = 1  # pixels: a view lies no further away


class View(NamedTuple):
    """How far images are moved before they are seen, in pixels, each at most `REACH`."""

    down: float = 0.0
    right: float = 0.0

    @property
    def kernel(self) -> Float32[np.ndarray, "3 3"]:
        """What each neighbor of a place gives to it: bilinear, so between pixels they are mixed.

        >>> View(0.5, 0).kernel[:, 1]
        array([0.5, 0.5, 0. ], dtype=float32)
        """
        offsets = np.arange(-REACH, REACH + 1)
        along = [np.maximum(0, 1 - np.abs(offsets + by)) for by in self]
        kernel: Float32[np.ndarray, "3 3"] = np.outer(*along).astype(np.float32)
        return kernel


CENTER = View()
Views = tuple[View, ...]
PLAIN: Views = (CENTER,)
KINDS: Mapping[str, Views] = {
    "plain": PLAIN,
    "cross": (CENTER, View(1, 0), View(-1, 0), View(0, 1), View(0, -1)),
    "halves": tuple(View(down, right) for down in (-0.5, 0.5) for right in (-0.5, 0.5)),
}


def seen(
    rows: Num[np.ndarray, "batch features"], image_shape: Sequence[int], view: View
) -> Num[np.ndarray, "batch features"]:
    """Images, moved; raw 0 comes in from outside.

    Args:
        rows: Raw images, flat.
        image_shape: (height, width[, channels]).
        view: How far.
    """
    if view == CENTER:
        return rows
    height, width, channels = (*image_shape, 1)[:3]
    images = rows.reshape(-1, height, width, channels).astype(np.float32)
    around = np.pad(images, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)))
    moved = np.zeros_like(images)
    for (down, right), share in np.ndenumerate(view.kernel):
        if share:
            moved += share * around[:, down : down + height, right : right + width]
    return moved.reshape(len(rows), -1)
