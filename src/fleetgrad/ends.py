"""What each candidate would have come to, had nobody been stopped early.

Scores of candidates stopped at different epochs cannot be compared: those stopped sooner are worse
and also less trained. Those that went on tell by which factor training lowers the error from one
stop to the next; the median factor is applied to the errors of those that did not (a difference
would lift the poor above the good, which have little left to gain). The order within a rung stays.
As those that go on are partly those that were lucky, it gives rather too little than too much.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

Curve = Sequence[float] | Float[np.ndarray, " epochs"]


def expected(curves: Sequence[Curve]) -> Float[np.ndarray, " candidates"]:
    """Accuracies at the end of the longest training.

    Args:
        curves: Of each candidate, its validation accuracy after each epoch it was trained; a value
            that is not finite means diverged.

    Returns:
        One a candidate; NaN for one that diverged or was never scored.
    """
    sound = [np.asarray(curve, np.float64) for curve in curves]
    sound = [curve if np.isfinite(curve).all() else curve[:0] for curve in sound]
    stops = sorted({len(curve) for curve in sound} - {0})
    least = _least(sound)
    rest = 1.0  # by what the error shrinks from the stop in hand to the end
    shrinks = dict.fromkeys(stops[-1:], rest)
    for here, there in reversed(list(pairwise(stops))):
        on = [_error(curve[[here - 1, there - 1]], least) for curve in sound if len(curve) >= there]
        rest *= float(np.median([after / before for before, after in on]))
        shrinks[here] = rest
    return np.array([_end(curve, shrinks, least) for curve in sound])


def _end(curve: Float[np.ndarray, " epochs"], shrinks: Mapping[int, float], least: float) -> float:
    if len(curve) == 0:
        return math.nan
    shrink = shrinks[len(curve)]
    return float(curve[-1]) if shrink == 1 else 1 - shrink * float(_error(curve[-1], least))


def _error(score: ArrayLike, least: float) -> Float[np.ndarray, "..."]:
    error: Float[np.ndarray, ...] = np.maximum(1 - np.asarray(score), least)
    return error


def _least(curves: Sequence[Float[np.ndarray, " epochs"]]) -> float:
    """What stands for an error of 0, of which no factor can be told: half the least above it."""
    above = [1 - curve[-1] for curve in curves if len(curve) and curve[-1] < 1]
    return min(above, default=1.0) / 2
