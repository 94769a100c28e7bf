"""What the data say about the finalists: intervals, ranks, and who cannot be told apart.

Everything here is a pure function of scores, shape (finalists, replicates). A replicate is one
seed with its own split, shared by all finalists, so differences are taken within a replicate:
what a lucky split gives to one it gives to all, and it cancels.

Five replicates are few. The percentile bootstrap alone then claims too much (resampling five
numbers shrinks their spread by a factor of sqrt(4/5) and forgets that the spread itself is
unknown; Efron and Tibshirani 1993, chapters 13 and 14), and so does taking the best of several
and testing it as if it had been named beforehand. `ties` therefore asks for three things before
it lets two finalists be different: Student's paired test, corrected by Holm over *all* pairs,
because any of them could have become the best; the paired bootstrap; three replicates or more.
The best's own mean is too good for the same reason, and `corrected` says by how much.
"""

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fleetgrad import keys
from fleetgrad.errors import UsageError

FEWEST_REPLICATES = 3  # below this no claim of rank is made
_NOISE = 1e-9  # gaps below this share of the scores are rounding, not steps
_BLOCK = 1 << 22  # numbers drawn at a time by the bootstrap, 32 MB


class Interval(NamedTuple):
    """A stretch that should hold the true value, both ends included."""

    low: float
    high: float


def mean_interval(
    values: ArrayLike, level: float = 0.95, *, overlap: float = 0.0
) -> Interval | None:
    """Where the mean of such values lies (Student 1908).

    Args:
        values: One score a replicate, shape (replicates,).
        level: Share of studies in which the interval shall cover, in (0, 1).
        overlap: Validation rows over training rows where replicates are fresh splits of the same
            rows: the variance 1/n becomes 1/n + overlap (Nadeau and Bengio, Machine Learning 52,
            2003), and the interval speaks of new data. 0 speaks of new splits of these data.

    Returns:
        The interval, or None where there is none to give: fewer than two values, or one that is
        not finite.
    """
    _check_level(level)
    scores = np.asarray(values, dtype=np.float64)
    if scores.size <= 1 or not np.isfinite(scores).all():
        return None
    error = math.sqrt(scores.var(ddof=1) * (1 / scores.size + overlap))
    reach = _student(0.5 + level / 2, scores.size - 1) * error
    mean = float(scores.mean())
    return Interval(mean - reach, mean + reach)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, seed: int, draws: int = 10_000, level: float = 0.95
) -> Interval:
    """Where mean(a - b) lies, by resampling replicates (percentile interval; Efron 1979).

    Too narrow for few replicates (five: it covers about 85 % where it says 95 %), so a claim
    needs more; see `ties`.

    Args:
        a: One score a replicate, shape (replicates,).
        b: Scores on the same replicates, in the same order.
        seed: The run's seed.
        draws: How many resamples, >= 1.
        level: Nominal share of studies covered, in (0, 1).

    Raises:
        UsageError: The two differ in length, are empty, or hold a value that is not finite.
    """
    _check_level(level)
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or first.size == 0:
        raise UsageError(
            "paired scores must be two lists of one length, got shapes "
            f"{first.shape} and {second.shape}; give one score a replicate for both."
        )
    difference = first - second
    if not np.isfinite(difference).all():
        raise UsageError("paired scores must be finite, got NaN or infinity; leave diverged out.")
    means = _resampled_means(difference, seed, draws)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def rank(scores: ArrayLike) -> tuple[int, ...]:
    """Positions by mean score, best first; one with a NaN comes last, equals go by position.

    Args:
        scores: Shape (finalists, replicates).
    """
    with np.errstate(invalid="ignore"):
        means = _table(scores).mean(axis=1)
    order = np.argsort(np.where(np.isfinite(means), -means, np.inf), kind="stable")
    return tuple(int(position) for position in order)


def ties(
    scores: ArrayLike, *, seed: int, level: float = 0.95, overlap: float = 0.0
) -> tuple[int, ...]:
    """Positions that the data cannot tell from the best one, the best itself excluded.

    With probability `level` no finalist that is as good as the best is missing from the answer
    (family-wise; Holm, Scandinavian Journal of Statistics 6, 1979, over all pairs).

    Args:
        scores: Shape (finalists, replicates); a row with a NaN never ties.
        seed: The run's seed.
        level: As above, in (0, 1).
        overlap: As in `mean_interval`.

    Returns:
        Positions in the order of `rank`; all others where there are fewer than three replicates.
    """
    _check_level(level)
    table = _table(scores)
    finite = [position for position in rank(table) if np.isfinite(table[position]).all()]
    if table.shape[1] < FEWEST_REPLICATES:
        return tuple(finite[1:])
    told_apart = _told_apart(table, finite, 1 - level, overlap)
    return tuple(
        other
        for other in finite[1:]
        if (finite[0], other) not in told_apart
        or paired_bootstrap(table[finite[0]], table[other], seed=seed, level=level).low <= 0
    )


def corrected(scores: ArrayLike) -> float | None:
    """What the winner can be expected to score, free of the luck that made it win.

    For each replicate the best of all others is chosen and scored on the one left out, which had
    no say (cross-validatory choice; Stone, JRSS B 36, 1974). The mean over replicates is unbiased
    for a winner chosen by one replicate less, so it errs on the side of caution.

    Args:
        scores: Shape (finalists, replicates); a row with a NaN never wins.

    Returns:
        The corrected mean; None for fewer than three replicates, or where no row is finite.
    """
    table = _table(scores)
    finite = table[np.isfinite(table).all(axis=1)]
    if table.shape[1] < FEWEST_REPLICATES or len(finite) == 0:
        return None
    others = finite.sum(axis=1, keepdims=True) - finite
    chosen = np.round(others / _rounding(finite)).argmax(
        axis=0
    )  # equals go by position, as in `rank`
    return float(finite[chosen, np.arange(finite.shape[1])].mean())


def wilson(correct: int, n: int, level: float = 0.95) -> Interval:
    """Where the true share lies after `correct` of `n` (Wilson, JASA 22, 1927).

    Raises:
        UsageError: `n` is below one or `correct` is not in [0, n].

    Examples:
        >>> [round(end, 3) for end in wilson(355, 360)]
        [0.968, 0.994]
    """
    _check_level(level)
    if n < 1 or not 0 <= correct <= n:
        raise UsageError(f"`correct` must be in [0, n], got {correct} of {n}; check the counts.")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, weight = correct / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / weight
    reach = z / weight * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))


def _told_apart(
    table: NDArray[np.float64], rows: Sequence[int], alpha: float, overlap: float
) -> set[tuple[int, int]]:
    """Pairs (better, worse) of `rows` that stay significant after Holm's correction."""
    step = _step(table[list(rows)])
    pairs = list(itertools.combinations(rows, 2))
    chances = [_chance(table[a] - table[b], step, overlap) for a, b in pairs]
    apart: set[tuple[int, int]] = set()
    for done, place in enumerate(np.argsort(chances, kind="stable")):
        if chances[place] > alpha / (len(pairs) - done):
            break
        apart.add(pairs[place])
    return apart


def _chance(difference: NDArray[np.float64], step: float, overlap: float) -> float:
    """Two-sided chance of so large a mean difference if there is none (paired t test).

    Accuracies are counts, so a few differences can agree exactly by chance; their variance is
    never taken below that of rounding to one step (Sheppard 1898).
    """
    from scipy.special import stdtr  # noqa: PLC0415 - only the end of a run needs SciPy

    n = difference.size
    mean = abs(float(difference.mean()))
    error = math.sqrt(max(difference.var(ddof=1), step**2 / 12) * (1 / n + overlap))
    if error == 0:
        return 1.0
    return float(2 * stdtr(n - 1, -mean / error))


def _step(table: NDArray[np.float64]) -> float:
    gaps = np.diff(np.unique(table))
    gaps = gaps[gaps > _rounding(table)]
    return float(gaps.min()) if gaps.size else 0.0


def _rounding(table: NDArray[np.float64]) -> float:
    """What two scores that are the same may differ by; scores are of any size."""
    return _NOISE * (float(np.abs(table).max(initial=0.0)) or 1.0)


def _student(probability: float, freedom: int) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415 - only the end of a run needs SciPy

    return float(stdtrit(freedom, probability))


def _resampled_means(values: NDArray[np.float64], seed: int, draws: int) -> NDArray[np.float64]:
    generator = keys.generator(seed, "bootstrap")
    block = max(1, _BLOCK // values.size)
    means = [
        values[generator.integers(0, values.size, (min(block, draws - start), values.size))].mean(
            axis=1
        )
        for start in range(0, draws, block)
    ]
    return np.concatenate(means)


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:  # noqa: PLR2004 - a table has two sides
        raise UsageError(
            f"scores must be a table of (finalists, replicates), got shape {table.shape}; "
            "give one row a finalist."
        )
    return table


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"`level` must be in (0, 1), got {level}; use 0.95.")
