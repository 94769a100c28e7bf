"""The test part of a dataset, sealed.

Nothing that searches can look at it by accident: its arrays have no public name, and the one way
in, `SealedTest.open`, writes down that it was opened before it hands anything out.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from fleetgrad.data.features import Features
from fleetgrad.data.targets import Target

Weights = Float32[np.ndarray, " rows"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A test part that has been opened.

    Args:
        x: Features, of the same type as the training part's.
        y: Class numbers, or the numbers to predict.
        opening: Which opening this is; 1 is the first, and the only one that counts as untouched.
        weights: Of rows, where they have any.
    """

    x: Features
    y: Target
    opening: int
    weights: Weights = None


class SealedTest:
    """Test rows that can be counted, and opened on the record.

    Args:
        x: Features.
        y: Class numbers, or numbers to predict, as many.
        weights: Of rows, where they have any.
    """

    __slots__ = ("_weights", "_x", "_y")

    def __init__(self, x: Features, y: Target, weights: Weights = None) -> None:
        self._x, self._y, self._weights = x, y, weights

    @property
    def rows(self) -> int:
        """How many rows are sealed."""
        return len(self._y)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the sealed bytes, which tells nothing about them."""
        digest = hashlib.sha256(f"{self._x.dtype} {self._x.shape}".encode())
        digest.update(self._x.data)
        digest.update(np.ascontiguousarray(self._y).data)
        if self._weights is not None:
            digest.update(np.ascontiguousarray(self._weights).data)
        return digest.hexdigest()

    def exchanged(self, features: Callable[[Features], Features]) -> "SealedTest":
        """The same rows with other features, still sealed: for those who make the data.

        Args:
            features: Gives those of all rows from what is here.
        """
        return SealedTest(features(self._x), self._y, self._weights)

    def open(self, opened_by: str, record: Callable[[str], int]) -> Opened:
        """Break the seal.

        Args:
            opened_by: Who opens it, in words, for the record.
            record: Writes the opening down durably and returns its number, 1 for the first; called
                before any array is handed out, and if it fails, none is.

        Returns:
            The arrays and the number of the opening.
        """
        opening = record(opened_by)
        return Opened(self._x, self._y, opening, self._weights)

    def __repr__(self) -> str:
        return f"SealedTest({self.rows:,} rows)"
