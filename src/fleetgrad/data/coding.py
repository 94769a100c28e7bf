"""How one column of a raw table becomes features, fitted on its training rows."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float32

from fleetgrad.data import columns, dates
from fleetgrad.data.columns import CATEGORY, DATE, Column

MOST_WORDS = 4096  # with a feature each; the rarest beyond share one
MOST_POINTS = 256  # with a feature each
MANY = 3  # different values of a number, from which on one may have a feature of its own
RARE = (2, 5)  # a word in fewer rows is rare: a fiftieth of the rows, within these bounds

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
        rare: How many words of training rows do.
        missing: Whether a feature says where a cell is missing.
        origin: Taken from a date, in days, before it is rounded to float32.
        points: Of a number, values that have a feature of their own beside it, sorted.
        recurring: Of a date, what comes again in it and has a feature, of `dates.NAMES`.
    """

    name: str
    kind: str
    features: int
    words: tuple[str, ...] = ()
    other: bool = False
    missing: bool = False
    origin: float = 0.0
    points: tuple[float, ...] = ()
    recurring: tuple[str, ...] = ()
    rare: int = 0

    @property
    def names(self) -> list[str]:
        """What its features are called."""
        whole = [] if self.kind == CATEGORY else [self.name]
        shown = (*self.words, *(f"{point:g}" for point in self.points))
        own = whole + [f"{self.name}={value}" for value in shown]
        own += [f"{self.name} {name}" for name in self.recurring]
        more = {"other": self.other, "missing": self.missing}
        return own + [f"{self.name} {name}" for name, holds in more.items() if holds]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without those that are as for most columns: tables may be wide."""
        plain = Coding(self.name, self.kind, self.features)
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        needed = ("name", "kind", "features")
        return {
            name: value
            for name, value in named.items()
            if name in needed or value != getattr(plain, name)
        }

    def write(self, column: Column, out: Matrix) -> None:
        """Put the features of a column of this kind into `out`, which is 0 throughout."""
        if self.kind == CATEGORY:
            self._write_words(column, out)
        else:
            out[:, 0] = column.values - self.origin
            for place, point in enumerate(self.points, start=1):
                out[:, place] = out[:, 0] == np.float32(point)
            if self.recurring:
                made = dates.features(column.values, self.recurring)
                out[:, 1 : 1 + len(self.recurring)] = made
        if self.missing:
            out[:, -1] = column.missing

    def _write_words(self, column: Column, out: Matrix) -> None:
        own = {word: place for place, word in enumerate(self.words)}
        rest = len(self.words) if self.other else -1
        places = np.array([*(own.get(word, rest) for word in column.words), -1])[column.values]
        known = np.flatnonzero(places >= 0)
        out[known, places[known]] = 1


def fitted(column: Column, most: int = MOST_WORDS, *, pointed: bool = True) -> Coding:
    """The coding of a column of training rows, and of no others.

    Args:
        column: Of training rows.
        most: Words or points that get a feature.
        pointed: Whether points get any.
    """
    gone = column.missing
    lacks = bool(gone.any())
    if column.kind == CATEGORY:
        own, rare = words(column, most)
        features = len(own) + bool(rare) + lacks
        features = features if features > 1 else 0
        name, kind = column.name, column.kind
        return Coding(name, kind, features, own, bool(rare), missing=lacks, rare=rare)
    known = column.values[~gone]
    if not known.size or (not lacks and known.min() == known.max()):
        return Coding(column.name, column.kind, 0)
    origin = float(np.median(known)) if column.kind == DATE else 0.0
    amount = pointed and column.kind == columns.NUMERIC
    own_points = points(known, min(most, MOST_POINTS)) if amount else ()
    recurring = dates.varying(known) if column.kind == DATE else ()
    return Coding(
        column.name,
        column.kind,
        1 + len(own_points) + len(recurring) + lacks,
        missing=lacks,
        origin=origin,
        points=own_points,
        recurring=recurring,
    )


def points(values: columns.Numbers, most: int = MOST_POINTS) -> tuple[float, ...]:
    """The values of a number that get a feature, where most are the same: its quartiles agree.

    Such a column is an amount that most do not have. Where others recur, they are likely to mean
    something that no smooth function of the amount tells: a fee, a code, a bound.
    """
    lower, middle, upper = np.quantile(values, [0.25, 0.5, 0.75])
    found, counts = np.unique(values.astype(np.float32), return_counts=True)
    if not lower == middle == upper or len(found) < MANY:
        return ()
    recur = (counts >= _least(len(values))) & (found != np.float32(middle))
    commonest = np.argsort(-counts, kind="stable")
    kept = commonest[recur[commonest]][:most]
    return tuple(sorted(found[kept].tolist()))


def words(column: Column, most: int = MOST_WORDS) -> tuple[tuple[str, ...], int]:
    """The words that get a feature, sorted, and how many others there are."""
    counts = column.counts
    least = _least(len(column.values))
    commonest = np.argsort(-counts, kind="stable")[:most]
    kept = sorted(place for place in commonest.tolist() if counts[place] >= least)
    others = int(np.count_nonzero(counts)) - len(kept)
    return tuple(column.words[place] for place in kept), others


def _least(rows: int) -> int:
    """In how many rows a value is not rare."""
    return int(np.clip(rows // 50, *RARE))


def restored(values: Mapping[str, Any]) -> Coding:
    """The coding of these fields, as JSON holds them.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    given = dict(values)
    own, own_points, again = (given.pop(name, []) for name in ("words", "points", "recurring"))
    made = Coding(**given, words=tuple(own), points=tuple(own_points), recurring=tuple(again))
    texts, truths = (made.name, made.kind, *own, *again), (made.other, made.missing)
    sound = (
        isinstance(own, list)
        and all(type(text) is str for text in texts)
        and all(type(truth) is bool for truth in truths)
        and made.kind in columns.KINDS
        and (made.kind == CATEGORY or not (own or made.other))
        and isinstance(own_points, list)
        and (made.kind == columns.NUMERIC or not own_points)
        and isinstance(again, list)
        and (made.kind == DATE or not again)
        and again == [name for name in dates.NAMES if name in again]
        and all(type(one) in {int, float} for one in (made.origin, *own_points))
        and np.isfinite([made.origin, *own_points]).all()
        and type(made.features) is int
        and type(made.rare) is int
        and made.rare >= 0
        and (made.other or not made.rare)
        and made.features in {0, len(made.names)}
        and own == sorted(set(own))
        and own_points == sorted(set(own_points))
    )
    if not sound:
        raise ValueError(f"a column `{str(made.name)[:40]}` that no table has")
    return made
