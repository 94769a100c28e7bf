"""Frames of pandas, Polars and whatever else narwhals knows, and plain arrays, as raw tables."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from fleetgrad.data import columns
from fleetgrad.data.columns import BOOLEAN, DATE, DAY, NUMERIC, Column, Table
from fleetgrad.errors import DataError, suggestion

MICROSECONDS = 1e6

Frame = nw.DataFrame[Any]
Series = Any  # of narwhals, whose types of series differ from those of its frames


def is_frame(found: Any) -> bool:
    """Whether this is a frame, of whatever library."""
    return isinstance(found, nw.DataFrame) or nw.dependencies.is_into_dataframe(found)


def is_mixed(found: Any) -> bool:
    """Whether this is a frame with cells missing, or with columns that are no numbers."""
    if not is_frame(found):
        return False
    wrapped: Frame = nw.from_native(found, eager_only=True)
    return any(not one.dtype.is_numeric() or _misses(one) for one in wrapped.iter_columns())


def _misses(column: Series) -> bool:
    return bool(column.is_null().any()) or (column.dtype.is_float() and bool(column.is_nan().any()))


def learned(
    frame: Any,
    target: str,
    source: str = "the frame",
    like: Table | None = None,
    ignore: columns.Names = (),
) -> tuple[Table, np.ndarray]:
    """The columns of a frame, and its labels.

    Args:
        frame: With a column `target`.
        target: The name of the label column.
        source: What messages call the frame.
        like: Columns that it must have too, each of the same kind; others are left aside.
        ignore: Columns to leave aside where nothing says which ones it must have.

    Raises:
        DataError: It is no frame, has no rows, no such target, or labels are missing.
        UsageError: `ignore` leaves nothing to learn from.
    """
    wrapped = _wrapped(frame, source)
    names = list(map(str, wrapped.columns))
    if target not in names:
        raise DataError(
            f"`target` must be a column of {source}, got {target!r}; {suggestion(target, names)}"
        )
    kinds: dict[str, str | None] = {}
    if like is None:
        kinds = dict.fromkeys(columns.kept(names, target, ignore, source))
    else:
        kinds = _kinds(like)
    labels = wrapped.get_column(wrapped.columns[names.index(target)])
    return table(frame, source, kinds), _labels(labels, source)


def table(frame: Any, source: str, kinds: Mapping[str, str | None]) -> Table:
    """Columns of a frame.

    Args:
        frame: Of pandas, Polars, PyArrow and so on.
        source: What messages call it.
        kinds: The columns that are needed, and the kind that each must be of, or None to find out.

    Raises:
        DataError: It is no frame, has no rows, lacks a column, or has one of another kind.
    """
    wrapped = _wrapped(frame, source)
    found = dict(zip(map(str, wrapped.columns), wrapped.iter_columns(), strict=True))
    columns.check_present(kinds, found, source)
    made = tuple(_column(name, found[name], kind) for name, kind in kinds.items())
    return Table(made, len(wrapped), source)


def of_array(array: Any, names: Sequence[str], kinds: Mapping[str, str]) -> Table:
    """Columns of a plain array, found by their places.

    Args:
        array: (rows, columns), of numbers or of Python's values.
        names: Of all columns.
        kinds: Of those that are needed.

    Raises:
        DataError: It has not as many columns, or one is of another kind.
    """
    values = np.asarray(array)
    if values.ndim != 2 or values.shape[1] != len(names) or not len(values):  # noqa: PLR2004
        raise DataError(
            f"`X` must be a frame with the columns of training, or have the shape (rows, "
            f"{len(names)}), got {values.shape}; give all columns of training, in their order."
        )
    made = [_of_values(name, values[:, names.index(name)], kind) for name, kind in kinds.items()]
    return Table(tuple(made), len(values), "`X`")


def is_raw(X: Any) -> bool:  # noqa: N803
    """Whether this is a table with missing numbers (NaN), or a frame with more than numbers."""
    try:
        if is_frame(X):
            return is_mixed(X) or np.asarray(X).dtype == object  # numbers that may be missing
        values = np.asarray(X)
    except (TypeError, ValueError, nw.exceptions.DuplicateError):  # refused as an array
        return False
    flat = values.ndim == 2 and values.dtype.kind == "f" and values.size > 0  # noqa: PLR2004
    return flat and bool(np.isnan(values.min()))  # NaN comes through


def raw(
    X: Any,  # noqa: N803
    source: str,
    names: Sequence[str] | None = None,
    like: Table | None = None,
) -> Table:
    """The columns of a frame or of an array, by the names given, its own, or their places.

    Args:
        X: The frame or array.
        source: What messages call it.
        names: Of all columns.
        like: Columns that these must be like; a frame's are found by name, an array's by place.

    Raises:
        DataError: It is no such table, or has a column of another kind.
    """
    kinds: dict[str, str | None] = {}
    if like is not None:
        kinds = _kinds(like)
        names = list(kinds)
    elif is_frame(X):
        kinds = dict.fromkeys(map(str, X.columns if names is None else names))
    if is_frame(X):
        return table(X, source, kinds)
    values = np.asarray(X)
    names = list(map(str, range(values.shape[-1]) if names is None else names))
    if values.ndim != 2 or values.shape[1] != len(names) or len(set(names)) != len(names):  # noqa: PLR2004
        raise DataError(
            f"{source} must have a column for each of {len(names)} different names, got the shape "
            f"{values.shape}; give each feature a name of its own."
        )
    made = [_of_values(name, values[:, n], kinds.get(name)) for n, name in enumerate(names)]
    return Table(tuple(made), len(values), source)


def _kinds(like: Table) -> dict[str, str | None]:
    """The kind of each column, where it has one."""
    return {one.name: None if one.missing.all() else one.kind for one in like.columns}


def _wrapped(frame: Any, source: str) -> Frame:
    try:
        wrapped: Frame = nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError:
        raise _twice(frame.columns, source) from None
    except TypeError:
        raise DataError(
            f"{source} must be a frame of pandas, Polars or another library that narwhals knows, "
            f"got {type(frame).__name__}; collect a lazy one first, and give arrays to "
            "`Dataset.from_arrays`."
        ) from None
    if len(set(map(str, wrapped.columns))) < len(wrapped.columns):
        raise _twice(wrapped.columns, source)
    if not len(wrapped):
        raise DataError(f"{source} must hold rows, got none; give it data.")
    return wrapped


def _twice(names: Sequence[Any], source: str) -> DataError:
    """What to say of columns of which two have one name."""
    name = next(name for name, times in Counter(map(str, names)).items() if times > 1)
    return DataError(
        f"{source} must name each column differently, got `{name}` twice; rename one of them."
    )


def _labels(series: Series, source: str) -> np.ndarray:
    missing = series.is_null()
    if series.dtype.is_float():
        missing = missing | series.is_nan()
    if missing.any():
        raise DataError(
            f"{source} must have a label in every row, got {int(missing.sum()):,} missing ones in "
            f"column `{series.name}`, the first in row {missing.to_list().index(True)}; drop such "
            "rows."
        )
    if isinstance(series.dtype, nw.Categorical | nw.Enum):
        series = series.cast(nw.String)
    cells = series.to_numpy()
    return cells if cells.dtype != object else np.array(series.to_list())


def _column(name: str, series: Series, kind: str | None) -> Column:
    dtype = series.dtype
    if dtype.is_numeric():
        made = columns.of_numbers(name, _floats(series))
    elif dtype == nw.Boolean:
        made = columns.of_numbers(name, _floats(series), BOOLEAN)
    elif isinstance(dtype, nw.Date | nw.Datetime):
        days = _floats(series.dt.timestamp("us")) / (MICROSECONDS * DAY)
        made = columns.of_numbers(name, days, DATE)
    elif isinstance(dtype, nw.Duration):
        made = columns.of_numbers(name, _floats(series.dt.total_microseconds()) / MICROSECONDS)
    elif isinstance(dtype, nw.String | nw.Categorical | nw.Enum):
        return _of_texts(name, series.cast(nw.String).to_list(), kind)
    else:
        return _of_values(name, series.to_list(), kind)
    return made if kind is None else made.told(kind)


def _floats(series: Series) -> columns.Numbers:
    found = series.cast(nw.Float64).to_numpy()
    return np.array(found, np.float64)


def _of_values(name: str, values: Any, kind: str | None) -> Column:
    """A column of plain values, numbers or texts or truth values."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
        own = BOOLEAN if values.dtype.kind == "b" else NUMERIC
        made = columns.of_numbers(name, values.astype(np.float64), own)
        return made if kind is None else made.told(kind)
    cells = [None if _is_missing(cell) else cell for cell in list(values)]
    known = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, str) for cell in known):
        return _of_texts(name, cells, kind)
    if not all(isinstance(cell, Real | np.bool_) for cell in known):
        odd = next(cell for cell in known if not isinstance(cell, Real | np.bool_))
        raise DataError(
            f"column `{name}` must hold numbers, texts, truth values or dates, each column one "
            f"kind, got {type(odd).__name__} ({str(odd)[:40]}) among others; convert it with "
            "`astype(str)`, or drop it."
        )
    own = BOOLEAN if all(isinstance(cell, bool | np.bool_) for cell in known) else NUMERIC
    floats = [math.nan if cell is None else float(cell) for cell in cells]
    made = columns.of_numbers(name, np.array(floats), own)
    return made if kind is None else made.told(kind)


def _of_texts(name: str, cells: Sequence[Any], kind: str | None) -> Column:
    places: dict[str, int] = {}
    codes = [
        places.setdefault(cell, len(places)) if isinstance(cell, str) else -1 for cell in cells
    ]
    return columns.of_words(name, np.array(codes, np.int32), list(places), kind)


def _is_missing(cell: Any) -> bool:
    nan = isinstance(cell, float | np.floating) and math.isnan(cell)
    return cell is None or nan or type(cell).__name__ in {"NAType", "NaTType"}  # of pandas
