"""Tables: CSV files of numbers with a header row, packed or not.

Features are numbers throughout; text and empty cells are refused by name, since what to do about
them is the user's to say. Numbers are turned into float32 a few thousand rows at a time, so a
large table never stands in memory as text.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped

from fleetgrad.data import packing, text
from fleetgrad.data.dataset import Dataset
from fleetgrad.data.targets import AUTO
from fleetgrad.data.text import Row
from fleetgrad.errors import DataError, suggestion

SHOWN = 4  # columns that a message names

Numbers = Float32[np.ndarray, "rows features"]


def read(path: Path, target: str | None = None, task: str = AUTO) -> Dataset:
    """The dataset in a table.

    Args:
        path: Comma-separated, UTF-8, with a header row.
        target: The name of the label column; the last one by default.
        task: As for `Dataset.from_arrays`.

    Raises:
        DataError: The table is no table, a feature is no number, or there is no such target.
    """
    with packing.opened(path) as stream:
        rows = text.rows(path, stream)
        first = next(rows, [])
        _check_no_numbers(path, first)
        header = _header(path, first, 2)
        label = _position(path, header, target)
        names = tuple(header[:label] + header[label + 1 :])
        labels: list[str] = []
        batches = []
        for batch in text.batches(path, rows, len(header)):
            labels += [row.pop(label).strip() for row in batch]
            batches.append(_numbers(path, batch, names))
    if "" in labels:
        raise DataError(
            f"`{path}` must have a label in every row, got an empty cell in column "
            f"`{header[label]}`, row {labels.index('')}; drop such rows."
        )
    if not batches:
        raise DataError(f"`{path}` must hold rows, got a header alone; write it again.")
    x = np.concatenate(batches)
    return Dataset.from_arrays(x, _labels(labels), name=_stem(path), feature_names=names, task=task)


def read_features(path: Path, features: int, names: Sequence[str] | None = None) -> Numbers:
    """The features in a table, for prediction.

    Args:
        path: Comma-separated; with or without a header row.
        features: How many there must be.
        names: Of the features; columns are then found by name where the table has a header, and
            other columns, such as the label, are left out.

    Raises:
        DataError: The table is no table, a feature is missing or is no number.
    """
    with packing.opened(path) as stream:
        rows = text.rows(path, stream)
        first = next(rows, [])
        header = _header(path, first, 1) if _is_header(first, names) else None
        columns = _columns(path, header, names) if header and names else [*range(len(first))]
        if len(columns) != features:
            raise DataError(
                f"`{path}` must have the {features} features of training in each row, got "
                f"{len(columns)} columns; leave out the label, or give a header row and the same "
                "column names as in training."
            )
        shown = names or header or [f"column {number}" for number in columns]
        all_rows = rows if header else chain([first], rows)
        batches = [
            _numbers(path, [[row[column] for column in columns] for row in batch], shown)
            for batch in text.batches(path, all_rows, len(first))
        ]
    if not batches:
        raise DataError(f"`{path}` must hold rows, got a header alone; write it again.")
    return np.concatenate(batches)


def _header(path: Path, first: Row, least: int) -> Row:
    names = [name.strip() for name in first]
    if len(names) < least:
        raise DataError(
            f"`{path}` must have columns separated by commas, a feature and a label at least, got "
            f"{str(names)[:100]} as its first line; save it with commas."
        )
    odd = [name for name, times in Counter(names).items() if not name or times > 1]
    if odd:
        raise DataError(
            f"`{path}` must name each column, each differently, got "
            f"{f'`{odd[0]}` twice' if odd[0] else 'a column without a name'}; rename it, or drop "
            "it if it only counts rows (pandas: `to_csv(..., index=False)`)."
        )
    return names


def _check_no_numbers(path: Path, first: Row) -> None:
    if first and all(map(_is_number, first)):
        raise DataError(
            f"`{path}` must start with a header row of column names, got numbers "
            f"({', '.join(first[:3])}, ...); put a line of names on top."
        )


def _is_header(first: Row, names: Sequence[str] | None) -> bool:
    named = names is not None and set(names) <= {cell.strip() for cell in first}
    return named or not all(map(_is_number, first))


def _position(path: Path, header: Row, target: str | None) -> int:
    if target is None:
        return len(header) - 1
    if target not in header:
        raise DataError(
            f"`target` must be a column of `{path}`, got {target!r}; {suggestion(target, header)}"
        )
    return header.index(target)


def _columns(path: Path, header: Row, names: Sequence[str]) -> list[int]:
    missing = [name for name in names if name not in header]
    if missing:
        raise DataError(
            f"`{path}` must have the columns of training, got none of the name `{missing[0]}` "
            f"({len(missing)} missing); {suggestion(missing[0], header)}"
        )
    return [header.index(name) for name in names]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, rows: list[Row], names: Sequence[str]) -> Numbers:
    try:
        values = np.array([[float(cell) for cell in row] for row in rows])
    except ValueError:
        raise DataError(_what_is_no_number(path, rows, names)) from None
    with np.errstate(over="ignore"):  # what is too large is found, and named, with what is infinite
        return values.astype(np.float32)


def _what_is_no_number(path: Path, rows: list[Row], names: Sequence[str]) -> str:
    columns = list(zip(*rows, strict=True))
    empty = [n for n, cells in zip(names, columns, strict=True) if not all(map(str.strip, cells))]
    words = {
        name: cell
        for name, cells in zip(names, columns, strict=True)
        for cell in cells
        if cell.strip() and not _is_number(cell)
    }
    found = []
    if words:
        found.append(f"text in {_some([f'`{name}` ({cell!r})' for name, cell in words.items()])}")
    if empty:
        found.append(f"empty cells in {_some([f'`{name}`' for name in empty])}")
    return (
        f"`{path}` must hold numbers in all feature columns, got {' and '.join(found)}; encode "
        "text as numbers (pandas: `get_dummies`) or drop those columns, fill or drop empty cells, "
        "and name the label column as `target` if it is not the last."
    )


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more columns" if more > 0 else "")


def _labels(cells: list[str]) -> Shaped[np.ndarray, " rows"]:
    for kind in (int, float):
        try:
            return np.array([kind(cell) for cell in cells], {int: np.int64, float: float}[kind])
        except (ValueError, OverflowError):
            continue
    return np.array(cells)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")
