"""Spaces that work without thought."""

from typing import Any

from fleetgrad.space.ranges import Choice, Float
from fleetgrad.space.space import Space

_WIDE, _MANY = 256, 30_000  # features, rows from which a second layer is always worth its price
_WIDTHS = {
    "narrow": ((128,), (256, 128), (512, 256)),
    "wide": ((128, 128), (256, 128), (512, 256)),
}
_BATCHES = ((30_000, 128), (5_000, 64), (500, 32), (0, 16))  # from so many rows, so large


def default_space(
    rows: int,
    features: int,
    image: bool,  # noqa: FBT001 - a fact about the data, third of three
) -> Space:
    """Ranges that suit dense networks without further thought.

    AdamW under a one-cycle schedule (Smith and Topin 2018) forgives most mistakes in its rate, so
    it is fixed and its rate and regularization are searched. Each distinct shape costs about a
    second of compiling, so three widths are the only ones; batches grow with the data, so that an
    epoch always has a few dozen to a few hundred steps.

    Args:
        rows: Training rows.
        features: Numbers a row.
        image: Whether rows are pictures: inputs may then be dropped, neighbors tell the same.
    """
    wide = features >= _WIDE or rows > _MANY
    ranges: dict[str, Any] = {
        "hidden": Choice(*(_WIDTHS["wide"] if wide else _WIDTHS["narrow"])),
        "optimizer": "adamw",
        "schedule": "one_cycle",
        "learning_rate": Float(5e-4, 2e-2, log=True),
        "weight_decay": Float(1e-5, 1e-1, log=True),
        "warmup": Float(0.1, 0.3),
        "batch_size": _batch_size(rows),
        "dropout": Float(0.0, 0.4),
        "label_smoothing": Float(0.0, 0.1),
    }
    if image:
        ranges["input_dropout"] = Float(0.0, 0.2)
    return Space(**ranges)


def _batch_size(rows: int) -> int:
    size = next(size for least, size in _BATCHES if rows >= least)
    return max(1, min(size, rows // 2))
