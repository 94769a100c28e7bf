"""Scaling of features, fitted on training rows and nothing else.

x_scaled = z = (x - shift) * scale, inside the program, a minibatch at a time, so that images stay
uint8 in memory. Tables, whose columns have long tails and holes, go on: what is missing (NaN)
becomes 0, and z becomes z / sqrt(1 + (limit * z)^2), which never leaves -1/limit to 1/limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from fleetgrad.data.features import Features

LIMIT = 1 / 3  # of numbers in tables: RealMLP's (Holzmüller, Grinsztajn and Steinwart 2024)
FARTHEST = 1e15  # scaled numbers go no farther, lest their squares be infinite
CHUNK = 1 << 22  # numbers worked on at once, so that no second copy of the data arises


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """How to scale features.

    Args:
        shift: Taken from each feature.
        scale: What is left is multiplied by this.
        limit: What is farther out than 1 / limit is bent back to there; 0 leaves a feature as it
            is. None: there is no such step, and nothing may be missing.
    """

    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]
    limit: Float32[np.ndarray, " features"] | None = None


def fit(x: Features, rows: Int[np.ndarray, " rows"]) -> Scaling:
    """The scaling of these rows.

    uint8 (images) is divided by the one largest value; float32 is brought to mean 0 and standard
    deviation 1, feature by feature, and a feature that is constant becomes 0.
    """
    if x.dtype == np.uint8:
        return _by_largest(x, rows)
    return _standard(x, rows)


def robust(
    x: Features, rows: Int[np.ndarray, " rows"], numeric: Bool[np.ndarray, " features"]
) -> Scaling:
    """The scaling of these rows of an encoded table.

    Numbers are brought to median 0 and quartiles 1 apart, and bent back beyond 3 (arXiv 2407.04491,
    section 3). Where the quartiles agree, which is where most rows say the same, the others are
    brought to 1 from it in the median; RealMLP would bring the extremes to 2 apart, and all but
    these to 0. What is no number, a category's 0 or 1 say, stays as it is, and is 0 throughout
    where no row of these has it.

    Args:
        x: Features, NaN where a number is missing.
        rows: Which of its rows to fit on.
        numeric: Which features are numbers.
    """
    occurs = np.any([(chunk != 0).any(axis=0) for chunk in _chunks(x, rows)], axis=0)
    shift, scale = np.zeros(len(numeric)), occurs.astype(np.float64)
    for feature in np.flatnonzero(numeric):
        shift[feature], scale[feature] = _spread(x[rows, feature])
    limit = np.where(numeric, LIMIT, 0)
    return Scaling(*(part.astype(np.float32) for part in (shift, scale, limit)))


def _spread(values: Float32[np.ndarray, " rows"]) -> tuple[float, float]:
    """The shift and scale of one number."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not known.size:
        return 0.0, 0.0
    lower, middle, upper = np.quantile(known, [0.25, 0.5, 0.75])
    others = np.abs(known[known != middle] - middle)
    width = upper - lower if upper > lower else np.median(others) if others.size else 0.0
    return middle, 0.0 if width < np.finfo(np.float32).tiny else 1 / width


def _by_largest(x: Features, rows: Int[np.ndarray, " rows"]) -> Scaling:
    largest = max(int(chunk.max()) for chunk in _chunks(x, rows))
    scale = np.full(x.shape[1], 1 / max(1, largest), np.float32)
    return Scaling(np.zeros_like(scale), scale)


def _standard(x: Features, rows: Int[np.ndarray, " rows"]) -> Scaling:
    total = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in _chunks(x, rows))
    mean = np.asarray(total / len(rows), np.float32)
    squares = sum(_squares(chunk, mean) for chunk in _chunks(x, rows))
    deviation = np.sqrt(squares / len(rows))
    first = x[rows[0]]
    constant = np.all([(chunk == first).all(axis=0) for chunk in _chunks(x, rows)], axis=0)
    constant |= deviation < np.finfo(np.float32).tiny  # its inverse would be infinite
    scale = 1 / np.where(constant, 1, deviation)
    return Scaling(np.where(constant, first, mean), scale.astype(np.float32))


def _squares(
    chunk: Features,
    mean: Float32[np.ndarray, " features"],
) -> Float64[np.ndarray, " features"]:
    difference = chunk.astype(np.float64) - mean
    squares: Float64[np.ndarray, " features"] = np.einsum("rf,rf->f", difference, difference)
    return squares


def _chunks(x: Features, rows: Int[np.ndarray, " rows"]) -> Iterator[Features]:
    size = max(1, CHUNK // x.shape[1])
    return (x[rows[start : start + size]] for start in range(0, len(rows), size))
