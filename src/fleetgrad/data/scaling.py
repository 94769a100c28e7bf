"""Scaling of features, fitted on training rows and nothing else.

x_scaled = (x - shift) * scale, inside the program, a minibatch at a time, so that images stay
uint8 in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int

from fleetgrad.data.features import Features

CHUNK = 1 << 22  # numbers worked on at once, so that no second copy of the data arises


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """How to scale features.

    Args:
        shift: Taken from each feature.
        scale: What is left is multiplied by this.
    """

    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]


def fit(x: Features, rows: Int[np.ndarray, " rows"]) -> Scaling:
    """The scaling of these rows.

    uint8 (images) is divided by the one largest value; float32 is brought to mean 0 and standard
    deviation 1, feature by feature, and a feature that is constant becomes 0.
    """
    if x.dtype == np.uint8:
        return _by_largest(x, rows)
    return _standard(x, rows)


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
