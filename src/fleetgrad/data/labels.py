"""Labels: integers, truth values or text, turned into class numbers 0, 1, 2, ...

The classes are what occurs in the labels given, sorted; a label that occurs only in the test
part has nothing to be learned from and is refused.
"""

from typing import Any

import numpy as np
from jaxtyping import Int32, Shaped

from fleetgrad.errors import DataError

MANY_CLASSES = 100  # numeric labels with more classes than this, and
FEW_ROWS = 10  # fewer rows a class than this, are taken for a regression target

Classes = Shaped[np.ndarray, " classes"]
ClassNumbers = Int32[np.ndarray, " rows"]


def encode(y: Any, rows: int, name: str = "y") -> tuple[ClassNumbers, Classes]:
    """Class numbers of the labels, and the classes they stand for.

    Args:
        y: One label a row: whole numbers, truth values, or text.
        rows: How many there must be.
        name: What messages call it.

    Returns:
        The class number of each row, and the sorted classes (int64 or text).

    Raises:
        DataError: Counts differ, a label is no label, or the labels name no classes worth learning.
    """
    labels = as_labels(y, rows, name)
    classes, numbers = np.unique(labels, return_inverse=True)
    _check_classes(classes, rows, name)
    return numbers.astype(np.int32), classes


def encode_as(y: Any, rows: int, classes: Classes, name: str = "y_test") -> ClassNumbers:
    """Class numbers of the labels among `classes`, which are sorted; arguments as `encode`.

    Raises:
        DataError: Counts differ, or a label is none of the classes.
    """
    labels = as_labels(y, rows, name)
    if labels.dtype.kind != classes.dtype.kind:
        raise DataError(
            f"`{name}` must hold labels like those of training, e.g. {classes[0].item()!r}, got "
            f"e.g. {labels[0].item()!r}; convert one of the two."
        )
    numbers = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    unknown = np.flatnonzero(classes[numbers] != labels)
    if unknown.size:
        row = int(unknown[0])
        raise DataError(
            f"`{name}` must hold only labels that occur in training, got {labels[row].item()!r} in "
            f"row {row} ({unknown.size:,} such rows); drop those rows, or put rows of that class "
            "into training."
        )
    return numbers.astype(np.int32)


def as_labels(y: Any, rows: int, name: str) -> Shaped[np.ndarray, " rows"]:
    """Labels as int64 or text, one a row.

    Raises:
        DataError: The shape is not (rows,), or a label is missing, fractional, or of another type.
    """
    return _converted(as_array(y, rows, name), name)


def as_array(y: Any, rows: int, name: str) -> Shaped[np.ndarray, " rows"]:
    """What is to be predicted as an array, of whatever type, one a row.

    Raises:
        DataError: The shape is not (rows,), or some are masked.
    """
    labels = _as_array(y, name)
    if labels.ndim != 1:
        raise DataError(
            f"`{name}` must have the shape (rows,), got {labels.shape}; use `{name}.ravel()` for a "
            f"column, `{name}.argmax(axis=1)` for one-hot rows."
        )
    if len(labels) != rows:
        raise DataError(
            f"`{name}` must have one label for each row, got {len(labels):,} labels for {rows:,} "
            "rows; check that features and labels come from the same part."
        )
    return labels


def _as_array(y: Any, name: str) -> np.ndarray:
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        raise DataError(f"`{name}` must have no missing labels, got masked ones; drop such rows.")
    try:
        return np.asarray(y)
    except ValueError as error:
        raise DataError(
            f"`{name}` must be a plain sequence of labels, got one that is no array ({error}); "
            "give one label a row."
        ) from None


def _converted(labels: np.ndarray, name: str) -> np.ndarray:
    if labels.dtype.kind in "bi" or (labels.dtype.kind == "u" and labels.max() < 2**63):
        return labels.astype(np.int64)
    if labels.dtype.kind == "f":
        return _whole(labels, name)
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind == "T" or (labels.dtype == object and _all_text(labels)):
        return labels.astype(np.str_)
    raise DataError(
        f"`{name}` must hold whole numbers or text, got the type {labels.dtype} (first: "
        f"{labels[:1].tolist()}); convert it with `{name}.astype(int)` or `{name}.astype(str)`, "
        "missing labels dropped."
    )


def _whole(labels: np.ndarray, name: str) -> np.ndarray:
    whole = np.isfinite(labels) & (labels == np.rint(labels)) & (np.abs(labels) < 2**53)
    if whole.all():
        return labels.astype(np.int64)
    row = int(np.argmin(whole))
    raise DataError(
        f"`{name}` must hold classes, got {labels[row].item()!r} in row {row}: that is no class "
        "but looks like a missing value or the target of a regression; drop such rows, cut the "
        'target into classes, or predict numbers with `task="regression"`.'
    )


def _all_text(labels: np.ndarray) -> bool:
    return all(isinstance(label, str) for label in labels)


def is_continuous(different: int, rows: int) -> bool:
    """Whether so many different numbers in so many rows look like the target of a regression."""
    return different > MANY_CLASSES and different * FEW_ROWS > rows


def is_distinct(different: int, rows: int) -> bool:
    """Whether classes would have fewer than two rows each, on average."""
    return 2 * different > rows


def _check_classes(classes: Classes, rows: int, name: str) -> None:
    if len(classes) < 2:  # noqa: PLR2004
        raise DataError(
            f"`{name}` must name at least two classes, got only {classes[0].item()!r} in all "
            f"{rows:,} rows; add rows of another class."
        )
    if is_distinct(len(classes), rows):
        raise DataError(
            f"`{name}` must name classes with several rows each, got {len(classes):,} different "
            f"labels in {rows:,} rows: that looks like the target of a regression, or like row "
            "numbers; choose another target, or cut it into classes."
        )
