"""An encoding: how the columns of a raw table become the features of a network.

Numbers stay as they are, NaN where one is missing. A category has a feature for each of its words,
1 where a row has it: to a network that is an embedding learned for each word, and zeros cost its
first layer nothing. Rare words share one feature, which words unseen in training share too. A
column that lacked cells in training has a feature that says where, and a date has features of what
comes again in it. All of that is fitted on training rows, is a plain value, and goes wherever the
network goes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Bool

from fleetgrad.data import coding, columns, dates, unfit
from fleetgrad.data.coding import Coding, Matrix
from fleetgrad.data.columns import CATEGORY, Table
from fleetgrad.data.features import Features
from fleetgrad.errors import DataError

MOST = (coding.MOST_WORDS, 2048, 1024, 512, 256, 64, 16, 4)  # words of a category with a feature
MANY = 256  # words of a category, beyond which the features of a table must be fewer
MOST_OF_MANY, MOST_NUMBERS = 1 << 27, 1 << 29  # in these: half a gibibyte, and two
MOST_AMOUNTS = 16  # columns with points: more are counts of something, or pixels
MOST_LEFT_OUT = 20  # columns that a summary names


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a raw table is encoded, column by column, in their order."""

    codings: tuple[Coding, ...]

    @classmethod
    def fit(cls, table: Table) -> Self:
        """The encoding of a table.

        Args:
            table: Training rows, and no others. Where there are so many that their features would
                not fit into memory, fewer words get one.

        Raises:
            DataError: A column holds free text, or no column varies.
        """
        unfit.check(table)
        pointed = sum(bool(coding.fitted(one).points) for one in table.columns) <= MOST_AMOUNTS
        widest = max((len(one.words) for one in table.columns), default=0)
        for most in MOST:
            if most > MANY and most >= 2 * widest:
                continue  # the next one will do as well
            codings = [coding.fitted(one, most, pointed=pointed) for one in table.columns]
            found = cls(tuple(codings))
            if found.features * table.rows <= (MOST_NUMBERS if most <= MANY else MOST_OF_MANY):
                break
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
        columns.check_present([one.name for one in wanted], known, table.source)
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
            | (_words(one) if one.kind == CATEGORY else {})
            | ({"points": len(one.points)} if one.points else {})
            | ({"recurring": dates.parts(one.recurring)} if one.recurring else {})
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
        return {"columns": [one.to_dict() for one in self.codings]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The encoding whose `to_dict` this is.

        Raises:
            ValueError, TypeError, KeyError: It is none.
        """
        return cls(tuple(coding.restored(one) for one in values["columns"]))


def _words(one: Coding) -> dict[str, Any]:
    """How many words of a category have a feature of their own, and how many share one."""
    return {"words": len(one.words), "other": one.other, "rare": one.rare}


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Features as a network reads them, which need no encoding any more."""

    x: Features
