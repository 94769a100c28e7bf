"""Columns of a raw table: of what kind each is, and its cells as one plain array.

    numeric   float64, NaN where a cell is missing
    boolean   the same, 0 or 1
    date      the same, days since 1970, in UTC
    category  positions in `words`, -1 where a cell is missing

Text is a category unless all of it can be read as truth values or as dates.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from jaxtyping import Bool, Float64, Int, Int32

from fleetgrad.data.features import LARGEST
from fleetgrad.errors import DataError, UsageError, suggestion

NUMERIC, BOOLEAN, DATE, CATEGORY = KINDS = ("numeric", "boolean", "date", "category")
MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "?"})
TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
DAY = 86_400  # seconds

Names = str | Sequence[str]
Codes = Int32[np.ndarray, " rows"]
Numbers = Float64[np.ndarray, " rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of a raw table.

    Args:
        name: At its head.
        kind: One of `KINDS`.
        values: A cell a row, as the head of this module tells.
        words: Of a category; all different.
    """

    name: str
    kind: str
    values: Numbers | Codes
    words: tuple[str, ...] = ()

    @property
    def missing(self) -> Bool[np.ndarray, " rows"]:
        """Which cells are missing."""
        gone: Bool[np.ndarray, " rows"] = (
            self.values < 0 if self.kind == CATEGORY else np.isnan(self.values)
        )
        return gone

    @property
    def counts(self) -> Int[np.ndarray, " words"]:
        """How often each word of a category occurs."""
        return np.bincount(self.values[self.values >= 0].astype(np.intp), minlength=len(self.words))

    def take(self, rows: Int[np.ndarray, " some"]) -> "Column":
        """The same column of some rows, in their order."""
        return replace(self, values=self.values[rows])

    def cell(self, row: int) -> str:
        """A cell as messages show it."""
        value = self.values[row].item()
        if self.kind == CATEGORY:
            return repr(self.words[value]) if value >= 0 else "an empty cell"
        return f"{value:g}"

    def told(self, kind: str) -> "Column":
        """This column as one of another kind, that of training, say.

        Raises:
            DataError: Its cells are of no such kind.
        """
        known = np.flatnonzero(~self.missing)
        if kind == self.kind:
            return self
        if not known.size:
            return empty(self.name, kind, len(self.values))
        if self.kind == CATEGORY and kind in _READ:
            return _read(self, kind)
        if {kind, self.kind} == {NUMERIC, BOOLEAN} and (
            kind == NUMERIC or np.isin(self.values[known], (0, 1)).all()
        ):
            return replace(self, kind=kind)
        raise DataError(
            f"column `{self.name}` must be of the kind {kind}, as in training, got {self.kind} "
            f"({self.cell(int(known[0]))} in row {int(known[0])}); convert it, or give the columns "
            "of training."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of as many cells each, as they came; `source` is what messages call them."""

    columns: tuple[Column, ...]
    rows: int
    source: str

    def take(self, rows: Int[np.ndarray, " some"]) -> "Table":
        """Some rows, in their order."""
        return Table(tuple(one.take(rows) for one in self.columns), len(rows), self.source)


def kept(names: Sequence[str], target: str, ignore: Names, source: str) -> list[str]:
    """The columns to learn from: all but the target and those to ignore.

    Args:
        names: Of all columns, the target's among them.
        target: The label column.
        ignore: One name, or several.
        source: What messages call the table.

    Raises:
        DataError: One to ignore is not there; the nearest name is suggested.
        UsageError: One is the target, or none is left to learn from.
    """
    ignored = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    unknown = [name for name in ignored if name not in names]
    if unknown:
        raise DataError(
            f"`ignore` must name columns of {source}, got {unknown[0]!r}; "
            f"{suggestion(str(unknown[0]), names)}"
        )
    if target in ignored:
        raise UsageError(
            f"`ignore` must leave the column to predict, got `{target}`, which is that; leave it "
            "out, or name another `target`."
        )
    left = [name for name in names if name != target and name not in ignored]
    if ignored and not left:
        raise UsageError(
            f"`ignore` must leave a column to learn from, got all {len(set(ignored))} of {source}; "
            "name fewer."
        )
    return left


def check_present(wanted: Iterable[str], found: Collection[str], source: object) -> None:
    """Refuse a table that lacks a column of training.

    Args:
        wanted: The columns of training; the first that is missing is named.
        found: Those that there are.
        source: What messages call the table.

    Raises:
        DataError: One is missing; the nearest name is suggested.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            f"{source} must have the columns of training, got none of the name `{missing[0]}` "
            f"({len(missing)} missing); {suggestion(missing[0], found)}"
        )


def empty(name: str, kind: str, rows: int) -> Column:
    """A column without a single cell."""
    if kind == CATEGORY:
        return Column(name, kind, np.full(rows, -1, np.int32))
    return Column(name, kind, np.full(rows, np.nan))


def of_numbers(name: str, values: Numbers, kind: str = NUMERIC) -> Column:
    """A column of numbers, NaN where one is missing.

    Raises:
        DataError: One is infinite, or too large for what comes.
    """
    bad = np.abs(values) > LARGEST  # NaN is not
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"column `{name}` must hold finite numbers of at most {LARGEST:g} in size, got "
            f"{values[row]:g} in row {row} ({int(bad.sum()):,} such cells); leave such cells empty "
            "if they are unknown, or rescale the column."
        )
    return Column(name, kind, values)


def of_words(name: str, codes: Codes, words: Sequence[str], kind: str | None = None) -> Column:
    """A column of text.

    Args:
        name: At its head.
        codes: A place in `words` for each row, or -1.
        words: All different; those that say that nothing is known count as missing.
        kind: That it must be of; else truth values or dates where all of it can be read so.

    Raises:
        DataError: It cannot be of that kind.
    """
    stripped = [word.strip() for word in words]
    kept = sorted({word for word in stripped if word.casefold() not in MISSING})
    places = {word: place for place, word in enumerate(kept)}
    table = np.array([*(places.get(word, -1) for word in stripped), -1], np.int32)
    column = Column(name, CATEGORY, table[codes], tuple(kept))
    if kind is not None:
        return column.told(kind)
    if not kept:
        return empty(name, NUMERIC, len(codes))
    fits = (one for one, read in _READ.items() if all(read(word) is not None for word in kept))
    return column.told(next(fits, CATEGORY))


def _read(column: Column, kind: str) -> Column:
    """A category as truth values or dates."""
    found = [_READ[kind](word) for word in column.words]
    if None in found:
        word = column.words[found.index(None)]
        raise DataError(
            f"column `{column.name}` must be of the kind {kind}, as in training, got {word!r}; "
            f"write {_WRITTEN[kind]}."
        )
    values = np.array([*found, np.nan], np.float64)[column.values]
    return of_numbers(column.name, values, kind)


def _days(word: str) -> float | None:
    """Days since 1970 of a date in ISO 8601, in UTC where it names no zone."""
    if "-" not in word:  # a number is no date
        return None
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.timestamp() / DAY


def _truth(word: str) -> float | None:
    return TRUTH.get(word.casefold())


_READ: dict[str, Callable[[str], float | None]] = {BOOLEAN: _truth, DATE: _days}
_WRITTEN = {BOOLEAN: "true or false", DATE: "dates as 2026-01-31"}
