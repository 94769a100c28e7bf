"""Rows of cells in comma-separated text, a few thousand at a time."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fleetgrad.data import packing
from fleetgrad.errors import DataError

BATCH = 2048  # rows
LONGEST_LINE = 1 << 24  # bytes

Row = list[str]


def rows(path: Path, stream: BinaryIO) -> Iterator[Row]:
    """The rows of comma-separated text in UTF-8, blank lines left out.

    Raises:
        DataError: It is no such text, or has a line that is far too long.
    """
    try:
        yield from (row for row in csv.reader(_lines(path, stream)) if row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"`{path}` must be a table of comma-separated values in UTF-8, got one that cannot be "
            f"read ({error}); save it as CSV again."
        ) from None


def _lines(path: Path, stream: BinaryIO) -> Iterator[str]:
    left = packing.most_bytes(path) if packing.is_packed(stream) else math.inf
    encoding = "utf-8-sig"  # the first line may start with a byte order mark
    while line := stream.readline(LONGEST_LINE):
        left -= len(line)
        if left < 0:
            raise DataError(
                f"`{path}` must unfold to at most {packing.most_bytes(path):,} bytes, got more, "
                "which is refused as a trap; unpack it if it is none."
            )
        if len(line) == LONGEST_LINE:
            raise DataError(
                f"`{path}` must have lines of fewer than {LONGEST_LINE:,} bytes, got a longer one; "
                "check that it is a table."
            )
        yield line.decode(encoding)
        encoding = "utf-8"


def batches(path: Path, rows: Iterator[Row], width: int) -> Iterator[list[Row]]:
    """A few thousand rows at a time, each as wide as it should be.

    Raises:
        DataError: A row is wider or narrower.
    """
    before = 0
    while batch := list(islice(rows, BATCH)):
        for number, row in enumerate(batch, start=before):
            if len(row) != width:
                raise DataError(
                    f"`{path}` must have {width} cells in every row, as in its first line, got "
                    f"{len(row)} in row {number}; mend that row."
                )
        before += len(batch)
        yield batch


def header(path: Path, first: Row, least: int) -> Row:
    """The names of a table's columns, from its first line.

    Raises:
        DataError: They are fewer than `least`, or two are alike, or one is empty.
    """
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


def is_header(first: Row, names: Sequence[str] | None) -> bool:
    """Whether a table's first line names its columns."""
    named = names is not None and set(names) <= {cell.strip() for cell in first}
    return named or not all(map(is_number, first))


def is_number(cell: str) -> bool:
    """Whether a cell can be read as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
