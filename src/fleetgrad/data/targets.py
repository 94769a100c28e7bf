"""What is to be predicted: classes, or numbers; which of the two, and how each is checked.

Text, truth values and whole numbers that look like classes are classes; other numbers are the
target of a regression. Who knows better says so (`task`).
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from fleetgrad.data import labels
from fleetgrad.data.features import LARGEST
from fleetgrad.errors import DataError, UsageError, suggestion
from fleetgrad.metrics import CLASSIFICATION, REGRESSION, TASKS

AUTO = "auto"
_NO_CLASSES = np.empty(0, np.int64)
_REMEDY = 'say which it is: `task="regression"`, or `task="classification"`'

Numbers = Float32[np.ndarray, " rows"]
Target = Int32[np.ndarray, " rows"] | Numbers


class Standard(NamedTuple):
    """How a target is standardized: its mean and deviation, in its own units."""

    mean: float
    deviation: float


def encode(y: Any, rows: int, task: str, name: str = "y") -> tuple[Target, labels.Classes]:
    """What is to be predicted for each row, and the classes; none for numbers.

    Args:
        y: One label or number a row.
        rows: How many there must be.
        task: "classification", "regression" or "auto".
        name: What messages call it.

    Raises:
        UsageError: There is no such task.
        DataError: The target cannot be learned, or may be either.
    """
    check_task(task)
    given = labels.as_array(y, rows, name)
    if task == AUTO:
        task = _task(given, rows, name)
    if task == REGRESSION:
        found = as_numbers(given, rows, name)
        _check_varies(found, name)
        return found, _NO_CLASSES
    return labels.encode(given, rows, name)


def check_task(task: str) -> None:
    """Refuse the name of no task.

    Raises:
        UsageError: There is none.
    """
    known = (AUTO, *TASKS)
    if task not in known:
        raise UsageError(f"`task` must be a known name, got {task!r}; {suggestion(task, known)}")


def as_numbers(y: Any, rows: int, name: str) -> Numbers:
    """The target of a regression.

    Raises:
        DataError: The shape is not (rows,), or something is missing, infinite or no number.
    """
    values = labels.as_array(y, rows, name)
    if values.dtype == object and all(isinstance(one, int | float) for one in values):
        values = values.astype(np.float64)
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"`{name}` must hold numbers for a regression, got the type {values.dtype} (first: "
            f"{values[:1].tolist()}); convert it with `{name}.astype(float)`, or predict classes "
            'with `task="classification"`.'
        )
    with np.errstate(over="ignore", invalid="ignore"):
        found = values.astype(np.float32)
        sound = np.abs(found) <= LARGEST
    if not sound.all():
        row = int(np.argmin(sound))
        raise DataError(
            f"`{name}` must hold finite numbers of at most {LARGEST:g} in size, got "
            f"{values[row].item()!r} in row {row} ({int((~sound).sum()):,} such rows); drop those "
            "rows, or rescale the target."
        )
    return found


def standard(y: Target, weights: Numbers | None = None) -> Standard:
    """The mean and deviation of a target, 1 where all are equal.

    Args:
        y: Numbers.
        weights: Of rows; equal ones by default.
    """
    exact = y.astype(np.float64)
    mean = float(np.average(exact, weights=weights))
    deviation = float(np.sqrt(np.average((exact - mean) ** 2, weights=weights)))
    return Standard(mean, deviation if deviation > np.finfo(np.float32).tiny else 1.0)


def as_weights(weights: Any, rows: int, name: str = "weights") -> Numbers:
    """The weights of rows.

    Raises:
        DataError: The shape is not (rows,), one is negative or not finite, or all are 0.
    """
    found = as_numbers(weights, rows, name)
    if (found < 0).any() or not found.any():
        raise DataError(
            f"`{name}` must be at least 0 and not all 0, got {found.min():g} to {found.max():g}; "
            "use 1 for every row that counts like any other."
        )
    return found


def _task(y: np.ndarray, rows: int, name: str) -> str:
    """Which task a target stands for.

    Raises:
        DataError: It may be either.
    """
    if y.dtype.kind not in "iuf" and not _are_numbers(y):
        return CLASSIFICATION
    values = y.astype(np.float64)
    if np.isnan(values).any():
        row = int(np.isnan(values).argmax())
        raise DataError(
            f"`{name}` must have no missing values, got nan in row {row} "
            f"({int(np.isnan(values).sum()):,} such rows); drop those rows."
        )
    if (values != np.rint(values)).any():
        return REGRESSION
    different = len(np.unique(values))
    if labels.is_continuous(different, rows):
        return REGRESSION
    if labels.is_distinct(different, rows) and different > 1:
        raise DataError(
            f"`{name}` must be classes with several rows each, or the target of a regression, got "
            f"{different:,} different whole numbers in {rows:,} rows, which may be either, or row "
            f"numbers; {_REMEDY}."
        )
    return CLASSIFICATION


def _are_numbers(y: np.ndarray) -> bool:
    """Whether objects are all numbers, truth values aside."""
    kinds = set(map(type, y)) if y.dtype == object else set()
    return bool(kinds) and kinds <= {int, float}


def _check_varies(y: Numbers, name: str) -> None:
    if (y == y[0]).all():
        raise DataError(
            f"`{name}` must vary to be the target of a regression, got {y[0]:g} in all {len(y):,} "
            "rows; choose another target."
        )
