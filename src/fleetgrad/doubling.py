"""What twice the budget would be expected to bring, from a search's own learning curves.

Twice the budget is twice as many candidates, or training twice as long; whichever promises more is
what is reported. Both are guesses about what was not done, so each comes with an interval, and
where there is too little to go by nothing is said.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from fleetgrad import ends, keys
from fleetgrad.ends import Curve
from fleetgrad.extrapolation import FEWEST_EPOCHS, longer
from fleetgrad.finals import Interval
from fleetgrad.metrics import METRICS, Metric

FEWEST_CANDIDATES = 8
LEVEL = 0.9
_REACH = 5.0  # expected gains to the upper end; for exponential tails 4.2 would do (see `_more`)
_SPARED = 2  # best scores that are set aside in turn, as one lucky winner hides how wide all lie
_LEARNS = 2.0  # standard errors by which a later half is better where a sampler learns
_TABLE = 2


@dataclass(frozen=True, slots=True)
class Gain:
    """Score to gain, and where the gain lies with 90 % confidence; none is below 0."""

    expected: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"expected": self.expected, "interval": list(self.interval)}


@dataclass(frozen=True, slots=True)
class Doubling:
    """What doubling the budget would bring.

    Args:
        longer: By training twice as long; None where curves tell too little.
        more: By trying twice as many candidates; None where there were too few.
        reason: Why there is neither.
        metric: Of the scores.
    """

    longer: Gain | None
    more: Gain | None
    reason: str | None = None
    metric: Metric = METRICS["accuracy"]

    @property
    def by(self) -> str | None:
        """Which of the two promises more: "longer", "more", or None."""
        known = {name: one for name, one in (("longer", self.longer), ("more", self.more)) if one}
        return max(known, key=lambda name: known[name].expected) if known else None

    @property
    def gain(self) -> Gain | None:
        """By the one that promises more."""
        return {"longer": self.longer, "more": self.more, None: None}[self.by]

    @property
    def sentence(self) -> str:
        """For a person."""
        if self.gain is None:
            return f"What twice the budget would bring cannot be told: {self.reason}"
        low, high = map(self.metric.amount, self.gain.interval)
        return (
            f"Twice the budget would be expected to bring {self.metric.gain(self.gain.expected)} "
            f"by {self.how} (90 %: {low} to {high})."
        )

    @property
    def how(self) -> str:
        """Which of the two promises more, in words."""
        return "training twice as long" if self.by == "longer" else "twice as many candidates"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        gain = self.gain
        return {
            "gain": gain.expected if gain else None,
            "interval": list(gain.interval) if gain else None,
            "by": self.by,
            "longer": self.longer.to_dict() if self.longer else None,
            "more": self.more.to_dict() if self.more else None,
            "reason": self.reason,
            "sentence": self.sentence,
        }


def doubling(
    curves: Sequence[Curve],
    epochs: int,
    table: ArrayLike | None = None,
    *,
    annealed: bool = False,
    seed: int = 0,
    metric: Metric = METRICS["accuracy"],
) -> Doubling:
    """What doubling the budget would be expected to bring, in scores.

    Args:
        curves: Of each candidate, in the order in which they were tried: its validation score
            after each epoch it was trained. A value that is not finite means diverged.
        epochs: The full training.
        table: Scores of the finalists, shape (finalists, replicates), to tell noise from quality.
        annealed: Whether the learning rate falls to the end of the training; see `extrapolation`.
        seed: Of the draws.
        metric: Of the scores.
    """
    sound = [one for one in (np.asarray(c, np.float64) for c in curves) if np.isfinite(one).all()]
    whole = [curve[:epochs] for curve in sound if len(curve) >= epochs]
    scores = ends.expected(curves, metric.high)
    scores = scores[np.isfinite(scores)]
    by_time = by_number = reason = None
    if whole and epochs >= FEWEST_EPOCHS:
        gains = _longer(whole, metric, seed, annealed=annealed)
        low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        by_time = Gain(float(gains.mean()), Interval(float(low), float(high)))
    if len(scores) >= FEWEST_CANDIDATES:
        by_number = _more(scores, noise(table), _room(scores, table, metric.high))
    if by_time is None and by_number is None:
        reason = (
            f"it takes {FEWEST_CANDIDATES} candidates with a score, or one trained for "
            f"{FEWEST_EPOCHS} epochs or more to the end, got {len(scores)} and {len(whole)} to the "
            f"end of {epochs}."
        )
    return Doubling(by_time, by_number, reason, metric)


def _longer(
    curves: Sequence[NDArray[np.float64]], metric: Metric, seed: int, *, annealed: bool
) -> Float[np.ndarray, " draws"]:
    """Draws of what training twice as long brings; errors of any unit are made of one size."""
    unit = 1.0
    if math.isinf(metric.low):
        unit = float(np.median([metric.high - curve[-1] for curve in curves])) or 1.0
    scaled, draw = [curve / unit for curve in curves], keys.generator(seed, "bootstrap")
    gains: Float[np.ndarray, " draws"] = unit * longer(
        scaled, draw, annealed=annealed, top=metric.high / unit
    )
    return gains


def noise(table: ArrayLike | None) -> float:
    """How far scores of one candidate differ, but for what a split gives to all; 0 if unknown."""
    scores = np.zeros((0, 0)) if table is None else np.asarray(table, np.float64)
    scores = scores[np.isfinite(scores).all(axis=1)] if scores.ndim == _TABLE else scores[:0]
    free = (max(scores.shape[0], 2) - 1) * (scores.shape[1] - 1) if scores.size else 0
    if free < 1:
        return 0.0
    left = scores - scores.mean(axis=1, keepdims=True)
    left = left - left.mean(axis=0, keepdims=True) if len(left) > 1 else left
    return math.sqrt(float((left**2).sum()) / free)


def _room(scores: Float[np.ndarray, " candidates"], table: ArrayLike | None, best: float) -> float:
    """What is left to gain: of the best mean over replicates, for one split may be an easy one."""
    rows = np.zeros((0, 1)) if table is None else np.asarray(table, np.float64)
    means = rows.mean(axis=1) if rows.ndim == _TABLE and rows.size else scores
    means = means[np.isfinite(means)]
    return max(0.0, best - float((means if means.size else scores).max()))


def _more(scores: Float[np.ndarray, " candidates"], noise: float, room: float) -> Gain:
    """The gain by as many candidates again, like these.

    What the best of all is better than the best of a random half, on average over the halves, is
    known exactly; so is what that half is better than a quarter. Their ratio, between a half and 1
    (tails that end, tails that fall exponentially), gives the next term. Under an exponential tail
    the gain's 95 % point is ln 19 / ln 2 = 4.2 times its mean.
    """
    quality = _quality(scores, noise)
    half = len(quality) // 2
    pool, doublings = quality, 1.0
    if _learns(quality[:half], quality[half:]):  # more would be like the later half
        pool, doublings = quality[half:], math.log2(3)
    ranked = np.sort(pool)[::-1]
    found = [doublings * _next_gain(ranked[spared:]) for spared in range(_SPARED + 1)]
    return Gain(min(found[0], room), Interval(0.0, min(_REACH * max(found), room)))


def _quality(scores: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Scores drawn together to the spread that candidates have without the noise."""
    variance = float(scores.var(ddof=1))
    share = max(0.0, 1 - noise**2 / variance) if variance > 0 else 0.0
    mean = scores.mean()
    quality: NDArray[np.float64] = mean + math.sqrt(share) * (scores - mean)
    return quality


def _learns(early: NDArray[np.float64], late: NDArray[np.float64]) -> bool:
    """Whether later candidates are better (Mann and Whitney 1947)."""
    error = math.sqrt((len(early) + len(late) + 1) / (12 * len(early) * len(late)))
    return bool(_wins(early, late) - 0.5 > _LEARNS * error)


def _wins(early: NDArray[np.float64], late: NDArray[np.float64]) -> float:
    """The share of pairs in which the later one is better; equals count half."""
    ranked = np.sort(early)
    below, up_to = np.searchsorted(ranked, late), np.searchsorted(ranked, late, "right")
    return float((below + up_to).mean() / (2 * len(early)))


def _next_gain(ranked: NDArray[np.float64]) -> float:
    """What the best of twice as many is better than the best of these; best first."""
    count = len(ranked)
    half, quarter = (_expected_best(ranked, count // parts) for parts in (2, 4))
    gain, before = ranked[0] - half, half - quarter
    ratio = min(1.0, max(0.5, gain / before)) if before > 0 else 0.5
    return float(ratio * gain)


def _expected_best(ranked: NDArray[np.float64], size: int) -> float:
    """Mean over all subsets of this size of the best in each; best first."""
    count, found, chance = len(ranked), 0.0, 1.0
    for place, score in enumerate(ranked[: count - max(size, 1) + 1].tolist()):
        best = chance * max(size, 1) / (count - place)  # this one is in it, and none before was
        found += best * score
        chance -= best
    return found
