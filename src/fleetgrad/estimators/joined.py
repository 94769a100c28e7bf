"""Rows that are equal, joined into one that counts as much as all of them together."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num, Shaped


class Joined(NamedTuple):
    """One row of each kind, and how much each counts; None where all count the same."""

    rows: Int[np.ndarray, " kinds"]
    weights: Float[np.ndarray, " kinds"] | None


def joined(
    x: Num[np.ndarray, "rows columns"],
    y: Shaped[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Joined:
    """Each different row once, in an order that depends on what rows hold, not on how they came.

    Args:
        x: Numbers, of which some may be missing (NaN).
        y: Numbers, too.
        weights: At least 0; rows of weight 0 are left out.

    >>> joined(np.array([[2.0], [1.0], [2.0]]), np.array([0, 1, 0]))
    Joined(rows=array([0, 1]), weights=array([2., 1.]))
    """
    counts = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    kept = np.flatnonzero(counts > 0)
    order, starts = _groups(x[kept], y[kept])
    sums = np.add.reduceat(counts[kept][order], starts)
    alike = bool((sums == sums[0]).all())
    return Joined(kept[order[starts]], None if alike else sums)


def _groups(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """An order that puts equal rows side by side, and where each group of them begins."""
    rows = np.ascontiguousarray(x + 0)  # -0.0 becomes 0.0
    _, alike = np.unique(rows.view((np.void, rows.itemsize * rows.shape[1])), return_inverse=True)
    alike = alike.ravel()
    order = np.lexsort((y, alike))
    fresh = (np.diff(alike[order]) != 0) | (np.diff(y[order]) != 0)
    return order, np.flatnonzero(np.concatenate(([True], fresh)))
