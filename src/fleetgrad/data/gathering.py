"""One column of a text table in the making: its cells come a few thousand rows at a time.

Cells are numbers until one is not; then they are text, held once for each different one. So a large
table of numbers never stands in memory as text, nor a long column of few words as many.
"""

import math
from collections.abc import Sequence

import numpy as np

from fleetgrad.data import columns
from fleetgrad.data.columns import MISSING, NUMERIC, Column, Numbers
from fleetgrad.errors import DataError


class Gathered:
    """A column in the making.

    Args:
        name: At its head.
        kind: That it must be of, or None to find out.
        text: Whether its cells are known to be text.

    `late` turns true where text comes after numbers: these must then be read again, as text.
    """

    def __init__(self, name: str, kind: str | None = None, *, text: bool = False) -> None:
        self.name, self.late = name, False
        self._told = kind
        self._numeric = not text and kind in {None, NUMERIC}
        self._numbers: list[Numbers] = []
        self._codes: list[np.ndarray] = []
        self._places: dict[str, int] = {}
        self._rows = 0

    def add(self, cells: Sequence[str]) -> None:
        """Take the next cells.

        Raises:
            DataError: One is no number, and the column must be numeric.
        """
        if self._numeric and not self.late:
            found = parsed(cells)
            if found is not None:
                self._numbers.append(found)
            elif self._told == NUMERIC:
                self._refuse(cells)
            else:
                self._turn()
        if not self._numeric:
            places = self._places
            codes = [places.setdefault(cell, len(places)) for cell in cells]
            self._codes.append(np.array(codes, np.int32))
        self._rows += len(cells)

    def column(self) -> Column:
        """The whole column.

        Raises:
            DataError: It is of another kind than it must be, or has a number that is not finite.
        """
        if self._numeric:
            return columns.of_numbers(self.name, np.concatenate(self._numbers))
        codes, words = np.concatenate(self._codes), list(self._places)
        return columns.of_words(self.name, codes, words, self._told)

    def _turn(self) -> None:
        if any(not np.isnan(numbers).all() for numbers in self._numbers):
            self.late = True
            return
        self._numeric = False
        if self._rows:
            self._codes.append(np.full(self._rows, -1, np.int32))

    def _refuse(self, cells: Sequence[str]) -> None:
        row, cell = next(one for one in enumerate(cells, self._rows) if parsed([one[1]]) is None)
        raise DataError(
            f"column `{self.name}` must hold numbers, as in training, got {cell[:40]!r} in row "
            f"{row}; leave cells empty where a number is not known."
        )


def parsed(cells: Sequence[str]) -> Numbers | None:
    """Cells as numbers, NaN where nothing is known; None where one is no number."""
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        pass
    try:
        known = (cell.strip() for cell in cells)
        return np.array([math.nan if one.casefold() in MISSING else float(one) for one in known])
    except ValueError:
        return None
