"""An encoding: how the columns of a raw table become the features of a network.

Numbers stay as they are, NaN where one is missing. A category has a feature for each of its words,
1 where a row has it: to a network that is an embedding learned for each word, and zeros cost its
first layer nothing. Rare words share one feature, which words unseen in training share too. A
column that lacked cells in training has a feature that says where. All of that is fitted on
training rows, is a plain value, and goes wherever the network goes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float32

from fleetgrad.data import columns
from fleetgrad.data.columns import CATEGORY, Column, Table
from fleetgrad.data.features import Features
from fleetgrad.errors import DataError, suggestion

MOST_WORDS = 256  # features of a category; the rarest words beyond share one
RARE = (2, 5)  # a word in fewer rows is rare: a fiftieth of the rows, within these bounds
LONG = 30  # letters of a text in the mean, from which on it is no name of a category
SHOWN = 4  # columns that a message names
MOST_LEFT_OUT = 20  # columns that a summary names

Matrix = Float32[np.ndarray, "rows features"]


@dataclass(frozen=True, slots=True)
class Coding:
    """How one column is encoded.

    Args:
        name: The column's.
        kind: The column's, one of `columns.KINDS`.
        features: How many it has; 0 where it was constant.
        words: Of a category, those with a feature of their own, sorted.
        other: Whether all other words share a feature.
        missing: Whether a feature says where a cell is missing.
        origin: Taken from a date, in days, before it is rounded to float32.
    """

    name: str
    kind: str
    features: int
    words: tuple[str, ...] = ()
    other: bool = False
    missing: bool = False
    origin: float = 0.0

    @property
    def names(self) -> list[str]:
        """What its features are called."""
        own = [f"{self.name}={word}" for word in self.words] if self.kind == CATEGORY else []
        own = own or ([] if self.kind == CATEGORY else [self.name])
        more = {"other": self.other, "missing": self.missing}
        return own + [f"{self.name} {name}" for name, holds in more.items() if holds]

    def write(self, column: Column, out: Matrix) -> None:
        """Put the features of a column of this kind into `out`, which is 0 throughout."""
        if self.kind == CATEGORY:
            self._write_words(column, out)
        else:
            out[:, 0] = column.values - self.origin
        if self.missing:
            out[:, -1] = column.missing

    def _write_words(self, column: Column, out: Matrix) -> None:
        own = {word: place for place, word in enumerate(self.words)}
        rest = len(self.words) if self.other else -1
        places = np.array([*(own.get(word, rest) for word in column.words), -1])[column.values]
        known = np.flatnonzero(places >= 0)
        out[known, places[known]] = 1


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a raw table is encoded, column by column, in their order."""

    codings: tuple[Coding, ...]

    @classmethod
    def fit(cls, table: Table) -> Self:
        """The encoding of a table.

        Args:
            table: Training rows, and no others.

        Raises:
            DataError: A column holds free text, or no column varies.
        """
        _check_no_text(table)
        found = cls(tuple(map(_fitted, table.columns)))
        if not found.features:
            raise DataError(
                f"{table.source} must have a column that differs from row to row, got "
                f"{len(found.codings)} without; give it a column to learn from."
            )
        return found

    @property
    def features(self) -> int:
        """How many features a row gets."""
        return sum(one.features for one in self.codings)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the raw columns, those without features too."""
        return tuple(one.name for one in self.codings)

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each raw column that is needed for prediction."""
        return {one.name: one.kind for one in self.codings if one.features}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What the features are called; each differently."""
        counts: Counter[str] = Counter()
        found = []
        wanted = [one for one in self.codings if one.features]
        for name in (name for one in wanted for name in one.names):
            counts[name] += 1
            found.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
        return tuple(found)

    @property
    def numeric(self) -> Bool[np.ndarray, " features"]:
        """Which features are numbers, and not signs that something is so."""
        signs = [
            [one.kind != CATEGORY and not place for place in range(one.features)]
            for one in self.codings
        ]
        return np.array([sign for own in signs for sign in own], np.bool_)

    def apply(self, table: Table) -> Matrix:
        """The features of a raw table; columns are found by name, and others left aside.

        Raises:
            DataError: A column is missing, or of another kind.
        """
        known = {column.name: column for column in table.columns}
        wanted = [one for one in self.codings if one.features]
        missing = [one.name for one in wanted if one.name not in known]
        if missing:
            raise DataError(
                f"{table.source} must have the columns of training, got none of the name "
                f"`{missing[0]}` ({len(missing)} missing); {suggestion(missing[0], known)}"
            )
        out = np.zeros((table.rows, self.features), np.float32)
        start = 0
        for one in wanted:
            one.write(known[one.name].told(one.kind), out[:, start : start + one.features])
            start += one.features
        return out

    def described(self) -> list[dict[str, Any]]:
        """What became of each column, in plain values."""
        return [
            {"name": one.name, "kind": one.kind, "features": one.features, "missing": one.missing}
            | ({"words": len(one.words), "other": one.other} if one.kind == CATEGORY else {})
            for one in self.codings
        ]

    def summary(self) -> dict[str, Any]:
        """How many columns there are of each kind, how many lack cells, and who has no features."""
        left_out = [one.name for one in self.codings if not one.features]
        counts = Counter(one.kind for one in self.codings if one.features)
        return {
            "kinds": {kind: counts[kind] for kind in columns.KINDS if counts[kind]},
            "missing": sum(one.missing for one in self.codings),
            "left_out": left_out[:MOST_LEFT_OUT],
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"columns": [asdict(one) for one in self.codings]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The encoding whose `to_dict` this is.

        Raises:
            ValueError, TypeError, KeyError: It is none.
        """
        return cls(tuple(_coding(one) for one in values["columns"]))


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Features as a network reads them, which need no encoding any more."""

    x: Features


def _fitted(column: Column) -> Coding:
    gone = column.missing
    lacks = bool(gone.any())
    if column.kind == CATEGORY:
        words, other = _words(column)
        features = len(words) + other + lacks
        features = features if features > 1 else 0
        return Coding(column.name, column.kind, features, words, other, missing=lacks)
    known = column.values[~gone]
    if not known.size or (not lacks and known.min() == known.max()):
        return Coding(column.name, column.kind, 0)
    origin = float(np.median(known)) if column.kind == columns.DATE else 0.0
    return Coding(column.name, column.kind, 1 + lacks, missing=lacks, origin=origin)


def _words(column: Column) -> tuple[tuple[str, ...], bool]:
    """The words that get a feature, sorted, and whether there are others."""
    counts = column.counts
    least = np.clip(len(column.values) // 50, *RARE)
    commonest = np.argsort(-counts, kind="stable")[:MOST_WORDS]
    kept = sorted(place for place in commonest.tolist() if counts[place] >= least)
    return tuple(column.words[place] for place in kept), len(kept) < int(np.count_nonzero(counts))


def _check_no_text(table: Table) -> None:
    found = [one for one in table.columns if one.kind == CATEGORY and _is_text(one)]
    if not found:
        return
    shown = [
        f"`{one.name}` ({np.count_nonzero(one.counts):,} different, such as {one.words[0][:40]!r})"
        for one in found[:SHOWN]
    ]
    more = f" and {len(found) - SHOWN} more columns" if len(found) > SHOWN else ""
    raise DataError(
        f"{table.source} must have columns of numbers, dates or categories that recur, got text "
        f"that differs from row to row in {', '.join(shown)}{more}; drop such columns, or make "
        "numbers or categories of them (dates are read as 2026-01-31)."
    )


def _is_text(column: Column) -> bool:
    """Whether a category is none: most rows say something else, at length, or all of them do."""
    counts = column.counts
    different, known = int(np.count_nonzero(counts)), int(counts.sum())
    if different <= 20:  # noqa: PLR2004 - as many can be told apart in any table
        return False
    letters = sum(len(word) * int(times) for word, times in zip(column.words, counts, strict=True))
    long = letters > LONG * known
    return 2 * different > known and (long or not _words(column)[0])


def _coding(values: Mapping[str, Any]) -> Coding:
    words = values["words"]
    made = Coding(**{**values, "words": tuple(words)})
    texts, truths = (made.name, made.kind, *words), (made.other, made.missing)
    sound = (
        isinstance(words, list)
        and all(type(text) is str for text in texts)
        and all(type(truth) is bool for truth in truths)
        and made.kind in columns.KINDS
        and (made.kind == CATEGORY or not (words or made.other))
        and type(made.origin) in {int, float}
        and np.isfinite(made.origin)
        and type(made.features) is int
        and made.features in {0, len(made.names)}
        and words == sorted(set(words))
    )
    if not sound:
        raise ValueError(f"a column `{str(made.name)[:40]}` that no table has")
    return made
