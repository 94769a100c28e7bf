"""Rows of plain numbers in a CSV file, for networks that were trained on arrays.

Text and empty cells are refused by name: what to do about them was not learned. Numbers are turned
into float32 a few thousand rows at a time, so a large table never stands in memory as text.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from fleetgrad.data import packing, text
from fleetgrad.data.columns import check_present
from fleetgrad.data.text import Row
from fleetgrad.errors import DataError

SHOWN = 4  # columns that a message names

Numbers = Float32[np.ndarray, "rows features"]


def read(path: Path, features: int, names: Sequence[str] | None = None) -> Numbers:
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
        header = text.header(path, first, 1) if text.is_header(first, names) else None
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


def _columns(path: Path, header: Row, names: Sequence[str]) -> list[int]:
    check_present(names, header, f"`{path}`")
    return [header.index(name) for name in names]


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
        if cell.strip() and not text.is_number(cell)
    }
    found = []
    if words:
        found.append(f"text in {_some([f'`{name}` ({cell!r})' for name, cell in words.items()])}")
    if empty:
        found.append(f"empty cells in {_some([f'`{name}`' for name in empty])}")
    return (
        f"`{path}` must hold numbers in all feature columns, as the arrays of training did, got "
        f"{' and '.join(found)}; encode text as in training, and fill or drop empty cells."
    )


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more columns" if more > 0 else "")
