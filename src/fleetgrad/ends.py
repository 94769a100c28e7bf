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

Curve = Sequence[float] | Float[np.ndarray, " epochs"]


def expected(curves: Sequence[Curve], best: float = 1.0) -> Float[np.ndarray, " candidates"]:
    """Scores at the end of the longest training.

    Args:
        curves: Of each candidate, its validation score after each epoch it was trained; a value
            that is not finite means diverged.
        best: The best score there can be; an error is how much is missing.

    Returns:
        One a candidate; NaN for one that diverged or was never scored.
    """
    whole = [best - np.asarray(curve, np.float64) for curve in curves]
    sound = [curve if np.isfinite(curve).all() else curve[:0] for curve in whole]
    stops = sorted({len(curve) for curve in sound} - {0})
    least = _least(sound)
    rest = 1.0  # by what the error shrinks from the stop in hand to the end
    shrinks = dict.fromkeys(stops[-1:], rest)
    for here, there in reversed(list(pairwise(stops))):
        on = [
            np.maximum(curve[[here - 1, there - 1]], least)
            for curve in sound
            if len(curve) >= there
        ]
        rest *= float(np.median([after / before for before, after in on]))
        shrinks[here] = rest
    ends = [_end(errors, shrinks, least) for errors in sound]
    return np.array(
        [
            curve[-1] if len(errors) and shrinks[len(errors)] == 1 else best - end
            for curve, errors, end in zip(curves, sound, ends, strict=True)
        ]
    )


def _end(errors: Float[np.ndarray, " epochs"], shrinks: Mapping[int, float], least: float) -> float:
    """The error at the end."""
    if len(errors) == 0:
        return math.nan
    return float(shrinks[len(errors)] * np.maximum(errors[-1], least))


def _least(curves: Sequence[Float[np.ndarray, " epochs"]]) -> float:
    """What stands for an error of 0, of which no factor can be told: half the least above it."""
    above = [errors[-1] for errors in curves if len(errors) and errors[-1] > 0]
    return min(above, default=1.0) / 2
