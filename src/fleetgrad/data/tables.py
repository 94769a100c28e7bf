"""Tables: CSV files with a header row, packed or not, and Parquet files.

Columns may be numbers, categories, truth values and dates, with cells missing; `Dataset.from_table`
makes features of them. What is read for learning finds out the kinds; what is read for prediction
is told them.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from fleetgrad.data import frames, packing, text
from fleetgrad.data.columns import Names, Table, check_present, kept
from fleetgrad.data.dataset import Dataset
from fleetgrad.data.gathering import Gathered
from fleetgrad.data.text import Row
from fleetgrad.errors import DataError, UsageError, suggestion

CSV, PARQUET = (".csv", ".csv.gz"), (".parquet", ".pq")
SUFFIXES = CSV + PARQUET


def is_table(path: Path) -> bool:
    """Whether a path has the name of a table."""
    return path.name.lower().endswith(SUFFIXES)


def read(path: Path, target: str | None = None, ignore: Names = (), **options: Any) -> Dataset:
    """The dataset in a table.

    Args:
        path: Comma-separated, UTF-8, with a header row; or Parquet.
        target: The name of the label column; the last one by default.
        ignore: Columns not to learn from, by name; of a CSV file they are not even looked at.
        options: As for `Dataset.from_arrays`.

    Raises:
        DataError: The table is no table, cannot be learned from, or lacks one of these columns.
        UsageError: `ignore` leaves nothing to learn from.
    """
    name = _stem(path)
    if not path.name.lower().endswith(CSV):
        frame = _parquet(path)
        target = str(frame.columns[-1]) if target is None else target
        return Dataset.from_frame(frame, target, name=name, ignore=ignore, **options)
    table, labels = _learned(path, target, ignore)
    return Dataset.from_table(table, _labels(labels), name=name, **options)


def read_columns(path: Path, kinds: Mapping[str, str], names: Sequence[str] = ()) -> Table:
    """Columns of a table, for prediction.

    Args:
        path: As for `read`; one of numbers alone may do without a header row.
        kinds: Of the columns that are needed, by name; others, such as the label, are left out.
        names: Of all columns of training, which those of a table without a header row then are.

    Raises:
        DataError: The table is no table, a column is missing or is of another kind.
    """
    if not path.name.lower().endswith(CSV):
        return frames.table(_parquet(path), f"`{path}`", kinds)
    header, headed = _first(path), True
    if header and all(map(text.is_number, header)) and not kinds.keys() <= set(header):
        header, headed = _unnamed(path, header, names), False
    twice = sorted(name for name in kinds if header.count(name) > 1)
    if twice:
        raise DataError(
            f"`{path}` must have each column of training once, got `{twice[0]}` twice; rename or "
            "drop one of them."
        )
    check_present(sorted(kinds), header, f"`{path}`")
    found = {name: Gathered(name, kind) for name, kind in kinds.items()}
    return _table(path, found, _fill(path, header, found, headed=headed))


def _unnamed(path: Path, first: Row, names: Sequence[str]) -> Row:
    """The names of columns that stand in a table without any."""
    if len(first) != len(names):
        raise DataError(
            f"`{path}` must start with a header row, or have the {len(names)} columns of training "
            f"in their order, got {len(first)} columns; put a line of names on top."
        )
    return list(names)


def _learned(path: Path, target: str | None, ignore: Names) -> tuple[Table, list[str]]:
    """The columns and labels of a table; read twice where a column turns out to be text."""
    header = _header(path)
    label = _target(path, header, target)
    names = kept(header, label, ignore, f"`{path}`")
    labels = _Labels(path, label)
    found = {name: Gathered(name) for name in names}
    rows = _fill(path, header, {**found, label: labels})
    late = {name: Gathered(name, text=True) for name, one in found.items() if one.late}
    if late:
        _fill(path, header, late)
    return _table(path, found | late, rows), labels.cells


class _Labels:
    """The cells of the label column, as they are."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self.cells: list[str] = []

    def add(self, cells: Collection[str]) -> None:
        self.cells += map(str.strip, cells)
        if "" in self.cells[-len(cells) :]:
            raise DataError(
                f"`{self._path}` must have a label in every row, got an empty cell in column "
                f"`{self._name}`, row {self.cells.index('')}; drop such rows."
            )


def _fill(
    path: Path, header: Row, wanted: Mapping[str, Gathered | _Labels], *, headed: bool = True
) -> int:
    """Give each of these columns its cells; how many rows there are."""
    place = {name: number for number, name in enumerate(header)}
    count = 0
    with packing.opened(path) as stream:
        rows = text.rows(path, stream)
        if headed:
            next(rows)
        for batch in text.batches(path, rows, len(header)):
            cells = list(zip(*batch, strict=True))
            for name, one in wanted.items():
                one.add(cells[place[name]])
            count += len(batch)
    if not count:
        raise DataError(f"`{path}` must hold rows, got a header alone; write it again.")
    return count


def _table(path: Path, found: Mapping[str, Gathered], rows: int) -> Table:
    return Table(tuple(one.column() for one in found.values()), rows, f"`{path}`")


def _first(path: Path) -> Row:
    """The cells of the first line."""
    with packing.opened(path) as stream:
        return [cell.strip() for cell in next(text.rows(path, stream), [])]


def _header(path: Path) -> Row:
    first = _first(path)
    if first and all(map(text.is_number, first)):
        raise DataError(
            f"`{path}` must start with a header row of column names, got numbers "
            f"({', '.join(first[:3])}, ...); put a line of names on top."
        )
    return text.header(path, first, 2)


def _target(path: Path, header: Row, target: str | None) -> str:
    if target is not None and target not in header:
        raise DataError(
            f"`target` must be a column of `{path}`, got {target!r}; {suggestion(target, header)}"
        )
    return header[-1] if target is None else target


def _labels(cells: list[str]) -> Shaped[np.ndarray, " rows"]:
    for kind in (int, float):
        try:
            return np.array([kind(cell) for cell in cells], {int: np.int64, float: float}[kind])
        except (ValueError, OverflowError):
            continue
    return np.array(cells)


def _parquet(path: Path) -> Any:
    """The frame in a Parquet file."""
    with packing.opened(path):
        pass  # says what is wrong with a path as for all other files
    try:
        import polars  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415, ICN001 - an extra
    except ImportError:
        raise UsageError(
            "Parquet files need the package `polars`, got none; run "
            "`pip install 'fleetgrad[parquet]'`, or save the table as CSV."
        ) from None
    try:
        return polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise DataError(
            f"`{path}` must be a Parquet file, got one that cannot be read "
            f"({str(error).splitlines()[0][:100]}); write it again."
        ) from None


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return name
