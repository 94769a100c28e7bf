"""Stratified splits: every class keeps its share in both parts.

How many rows of a class go where depends on the class counts alone; which rows, on the generator
alone. So two replicates of one dataset differ in rows, never in sizes, and a compiled program
fits them all.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

RowNumbers = Int32[np.ndarray, " rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which rows to learn from, and which to judge by.

    Args:
        train: Sorted row numbers.
        validation: Sorted row numbers; together with `train` every row once.
    """

    train: RowNumbers
    validation: RowNumbers


def stratified(
    y: Int32[np.ndarray, " rows"],
    fraction: float,
    generator: np.random.Generator,
) -> tuple[RowNumbers, RowNumbers]:
    """Cut rows in two, class by class.

    Args:
        y: Class numbers.
        fraction: Share of the rows that go to the second part, in (0, 1).
        generator: Decides which rows.

    Returns:
        Sorted row numbers of the first and the second part.
    """
    counts = np.bincount(y)
    takes = shares(counts, fraction)
    shuffled = generator.permutation(len(y)).astype(np.int32)
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(y)) - np.repeat(starts, counts)
    taken = rank < np.repeat(takes, counts)
    return np.sort(by_class[~taken]), np.sort(by_class[taken])


def shares(
    counts: Int64[np.ndarray, " classes"],
    fraction: float,
) -> Int64[np.ndarray, " classes"]:
    """How many rows of each class go to the second part.

    The total is rounded to the nearest row and dealt out by largest remainders (Hamilton's rule,
    ties to the smaller class number). A class of two rows or more has at least one in each part,
    even where that adds to the total; a class of one row stays in the first.

    >>> shares(np.array([50, 30, 20]), 0.2)
    array([10,  6,  4])
    >>> shares(np.array([97, 2, 1]), 0.2)
    array([19,  1,  0])
    """
    quotas = counts * fraction
    low, high = np.minimum(1, counts - 1).clip(min=0), (counts - 1).clip(min=0)
    takes = np.floor(quotas).astype(np.int64).clip(low, high)
    missing = round(float(quotas.sum())) - int(takes.sum())
    by_remainder = np.argsort(takes - quotas, kind="stable")
    for number in by_remainder[takes[by_remainder] < high[by_remainder]][: max(0, missing)]:
        takes[number] += 1
    return takes
