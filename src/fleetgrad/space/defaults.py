"""Spaces that work without thought."""

from typing import Any

from fleetgrad.space.ranges import Choice, Float
from fleetgrad.space.space import Space

_WIDE, _MANY = 256, 30_000  # features, rows from which a second layer is always worth its price
_WIDTHS = {
    "narrow": ((128,), (256, 128), (512, 256)),
    "wide": ((256, 128), (512, 256), (512, 512), (1024, 512)),
}
_BATCHES = ((30_000, 128), (5_000, 64), (500, 32), (0, 16))  # from so many rows, so large
_LARGE = 16  # pixels of an image's shorter side from which it bears turning and bending
_SHIFTED = 14  # a shift goes up to this part of the shorter side


def default_space(
    rows: int,
    features: int,
    image_shape: tuple[int, ...] | None = None,
    precision: str = "float32",
) -> Space:
    """Ranges that suit dense networks without further thought.

    AdamW under a one-cycle schedule (Smith and Topin 2018) forgives most mistakes in its rate, so
    it is fixed and its rate and regularization are searched. Each distinct shape costs about a
    second of compiling, so a few widths are the only ones; batches grow with the data, so that an
    epoch always has a few dozen to a few hundred steps. Images are disturbed as they are learned
    from, and large ones normalized batch by batch, which bears higher rates.

    Args:
        rows: Training rows.
        features: Numbers a row.
        image_shape: (height, width[, channels]) where rows are pictures.
        precision: Of the products for pictures; numbers of tables are multiplied in float32.
    """
    wide = features >= _WIDE or rows > _MANY
    ranges: dict[str, Any] = {
        "hidden": Choice(*(_WIDTHS["wide"] if wide else _WIDTHS["narrow"])),
        "optimizer": "adamw",
        "schedule": "one_cycle",
        "learning_rate": Float(5e-4, 2e-2, log=True),
        "weight_decay": Float(1e-4, 3e-1, log=True),
        "warmup": Float(0.1, 0.3),
        "batch_size": _batch_size(rows),
        "dropout": Float(0.0, 0.3),
        "label_smoothing": Float(0.0, 0.1),
    }
    if image_shape is not None:
        ranges |= _for_images(min(image_shape[:2])) | {"precision": precision}
    return Space(**ranges)


def _for_images(side: int) -> dict[str, Any]:
    """What images of so many pixels bear; small ones are only shifted, and not always.

    The strengths of one kind of disturbance share a program, other kinds would not.
    """
    shift = {"shift": max(1, round(side / _SHIFTED))}
    if side < _LARGE:
        return {"augment": Choice("none", shift)}
    strengths = (
        {**shift, "rotation": 5 * n, "scale": round(0.05 * n, 2), "shear": 3 * n} for n in (1, 2, 3)
    )
    return {"augment": Choice(*strengths), "normalization": "batch"}


def _batch_size(rows: int) -> int:
    size = next(size for least, size in _BATCHES if rows >= least)
    return max(1, min(size, rows // 2))
