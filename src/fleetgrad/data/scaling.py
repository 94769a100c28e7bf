"""Scaling of features, fitted on training rows and nothing else.

x_scaled = z = (x - shift) * scale, inside the program, a minibatch at a time, so that images stay
uint8 in memory. Tables, whose columns have long tails and holes, go on: what is missing (NaN)
becomes 0, and z becomes z / sqrt(1 + (limit * z)^2), which never leaves -1/limit to 1/limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int

from fleetgrad.data.features import Features

LIMIT = 1 / 3  # of numbers in tables: RealMLP's (Holzmüller, Grinsztajn and Steinwart 2024)
FARTHEST = 1e15  # scaled numbers go no farther, lest their squares be infinite
CHUNK = 1 << 22  # numbers worked on at once, so that no second copy of the data arises
EVEN = 1e-6  # of a weight: less is rounding

Weights = Float[np.ndarray, " rows"] | None


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


def fit(x: Features, rows: Int[np.ndarray, " rows"], weights: Weights = None) -> Scaling:
    """The scaling of these rows.

    uint8 (images) is divided by the one largest value; float32 is brought to mean 0 and standard
    deviation 1, feature by feature, and a feature that is constant becomes 0.

    Args:
        x: Features.
        rows: Which of its rows to fit on.
        weights: How much each of these counts; all alike by default.
    """
    if x.dtype == np.uint8:
        return _by_largest(x, rows)
    return _standard(x, rows, weights)


def robust(
    x: Features,
    rows: Int[np.ndarray, " rows"],
    numeric: Bool[np.ndarray, " features"],
    weights: Weights = None,
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
        weights: How much each of these rows counts; all alike by default.
    """
    occurs = np.any([(chunk != 0).any(axis=0) for chunk in _chunks(x, rows)], axis=0)
    shift, scale = np.zeros(len(numeric)), occurs.astype(np.float64)
    for feature in np.flatnonzero(numeric):
        shift[feature], scale[feature] = _spread(x[rows, feature], weights)
    limit = np.where(numeric, LIMIT, 0)
    return Scaling(*(part.astype(np.float32) for part in (shift, scale, limit)))


def _spread(values: Float32[np.ndarray, " rows"], weights: Weights) -> tuple[float, float]:
    """The shift and scale of one number."""
    there = ~np.isnan(values)
    known = values[there].astype(np.float64)
    counts = None if weights is None else weights[there]
    if not known.size:
        return 0.0, 0.0
    lower, middle, upper = quantiles(known, [0.25, 0.5, 0.75], counts)
    width = upper - lower
    if upper <= lower:
        other = known != middle
        width = _median(np.abs(known[other] - middle), None if counts is None else counts[other])
    return middle, 0.0 if width < np.finfo(np.float32).tiny else 1 / width


def _median(values: Float64[np.ndarray, " rows"], weights: Weights) -> float:
    """Of numbers; 0 of none."""
    if not values.size:
        return 0.0
    return float(np.median(values) if weights is None else quantiles(values, [0.5], weights)[0])


def quantiles(
    values: Float64[np.ndarray, " rows"], shares: Sequence[float], weights: Weights = None
) -> Float64[np.ndarray, " shares"]:
    """The values below which these shares lie.

    Without weights, as NumPy finds them. With weights a value counts as if it were there as often
    as its weight says, whatever their unit is; where a share is reached by the end of one value,
    it is half-way to the next, as of a median (Hyndman and Fan 1996, definition 2).

    Args:
        values: Finite.
        shares: Each in (0, 1).
        weights: Of values, above 0.

    >>> quantiles(np.array([1.0, 2.0, 4.0]), [0.5, 0.75], np.array([0.5, 0.5, 1.0]))
    array([3., 4.])
    """
    if weights is None:
        usual: Float64[np.ndarray, " shares"] = np.quantile(values, shares)
        return usual
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order], dtype=np.float64)
    wanted = np.asarray(shares) * reached[-1]
    first, last = (np.searchsorted(reached, wanted * by) for by in (1 - EVEN, 1 + EVEN))
    middle: Float64[np.ndarray, " shares"] = (values[order][first] + values[order][last]) / 2
    return middle


def _by_largest(x: Features, rows: Int[np.ndarray, " rows"]) -> Scaling:
    largest = max(int(chunk.max()) for chunk in _chunks(x, rows))
    scale = np.full(x.shape[1], 1 / max(1, largest), np.float32)
    return Scaling(np.zeros_like(scale), scale)


def _standard(x: Features, rows: Int[np.ndarray, " rows"], weights: Weights) -> Scaling:
    whole = len(rows) if weights is None else weights.sum(dtype=np.float64)
    total = sum(_total(chunk, own) for chunk, own in _weighted(x, rows, weights))
    mean = np.asarray(total / whole, np.float32)
    squares = sum(_squares(chunk, own, mean) for chunk, own in _weighted(x, rows, weights))
    deviation = np.sqrt(squares / whole)
    first = x[rows[0]]
    constant = np.all([(chunk == first).all(axis=0) for chunk in _chunks(x, rows)], axis=0)
    constant |= deviation < np.finfo(np.float32).tiny  # its inverse would be infinite
    scale = 1 / np.where(constant, 1, deviation)
    return Scaling(np.where(constant, first, mean), scale.astype(np.float32))


def _total(chunk: Features, weights: Weights) -> Float64[np.ndarray, " features"]:
    total: Float64[np.ndarray, " features"] = (
        chunk.sum(axis=0, dtype=np.float64)
        if weights is None
        else weights.astype(np.float64) @ chunk.astype(np.float64)
    )
    return total


def _squares(
    chunk: Features, weights: Weights, mean: Float32[np.ndarray, " features"]
) -> Float64[np.ndarray, " features"]:
    difference = chunk.astype(np.float64) - mean
    counted = difference if weights is None else difference * weights[:, None]
    squares: Float64[np.ndarray, " features"] = np.einsum("rf,rf->f", counted, difference)
    return squares


def _weighted(
    x: Features, rows: Int[np.ndarray, " rows"], weights: Weights
) -> Iterator[tuple[Features, Weights]]:
    """Chunks of rows, each with the weights of its rows."""
    start = 0
    for chunk in _chunks(x, rows):
        end = start + len(chunk)
        yield chunk, None if weights is None else weights[start:end]
        start = end


def _chunks(x: Features, rows: Int[np.ndarray, " rows"]) -> Iterator[Features]:
    size = max(1, CHUNK // x.shape[1])
    return (x[rows[start : start + size]] for start in range(0, len(rows), size))
