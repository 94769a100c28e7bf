"""Whether stopping early costs winners: some of those that were stopped go to the end after all.

Who is audited is drawn at random, so that the share of would-be winners among them speaks for all
that were stopped.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fleetgrad import keys
from fleetgrad.errors import UsageError
from fleetgrad.finals import Interval, wilson

SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of those that had been stopped.

    Args:
        audited: How many were run to the end.
        would_have_won: How many of them ended above the winner.
        interval: Where the share of would-be winners among all that were stopped lies, with 95 %
            confidence (Wilson); None where nobody was audited.
        rank_correlation: Spearman's, between their scores at the stop and at the end; None for
            fewer than two, or where all scores on one side are equal.
    """

    audited: int
    would_have_won: int
    interval: Interval | None
    rank_correlation: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "audited": self.audited,
            "would_have_won": self.would_have_won,
            "interval": list(self.interval) if self.interval else None,
            "rank_correlation": self.rank_correlation,
        }


def chosen(stopped: Iterable[int], seed: int, share: float = SHARE) -> tuple[int, ...]:
    """Who is run to the end: a random share of those that were stopped, and at least one of them.

    Args:
        stopped: Ids, in any order.
        seed: The run's seed.
        share: In (0, 1].

    Returns:
        Ids, rising; none where nobody was stopped. The same ids and seed give the same answer.

    Raises:
        UsageError: The share is none.

    >>> chosen(range(100), seed=0) == chosen(reversed(range(100)), seed=0)
    True
    """
    if not 0 < share <= 1:
        raise UsageError(f"`share` must be in (0, 1], got {share}; use {SHARE}.")
    everyone = np.array(sorted(set(stopped)), dtype=np.int64)
    if everyone.size == 0:
        return ()
    count = max(1, round(share * everyone.size))
    drawn = keys.generator(seed, "audit").choice(everyone, count, replace=False)
    return tuple(sorted(drawn.tolist()))


def audit(stops: Sequence[float], finals: Sequence[float], winner: float) -> Audit:
    """What the audited candidates came to.

    Args:
        stops: Their scores where they were stopped.
        finals: Their scores at the end, in the same order; NaN for one that diverged on the way,
            which is below all others.
        winner: The winner's score at the end of the search, from the same replicate.

    Raises:
        UsageError: There is not one final score a stop, or the winner's is not finite.
    """
    if len(stops) != len(finals) or not math.isfinite(winner):
        raise UsageError(
            "an audit needs two scores of each candidate and the winner's, got "
            f"{len(stops)} at the stop, {len(finals)} at the end and {winner}; give NaN for one "
            "that diverged."
        )
    count = len(finals)
    better = sum(final > winner for final in finals)
    interval = wilson(better, count) if count else None
    return Audit(count, better, interval, spearman(stops, finals))


def spearman(a: ArrayLike, b: ArrayLike) -> float | None:
    """The correlation of ranks (Spearman 1904), in [-1, 1]; equals share a rank, NaN is below all.

    Returns:
        None for fewer than two pairs, or where one side is all equal.
    """
    one, other = (_ranks(np.asarray(side, np.float64)) for side in (a, b))
    if one.size < 2 or not one.any() or not other.any():  # noqa: PLR2004 - a pair of pairs
        return None
    return float(one @ other / math.sqrt(float(one @ one) * float(other @ other)))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks about their mean; equals get the middle one of theirs."""
    held = np.where(np.isnan(values), -np.inf, values)
    _, place, counts = np.unique(held, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    ranks: NDArray[np.float64] = middle[place] - (len(values) + 1) / 2
    return ranks
