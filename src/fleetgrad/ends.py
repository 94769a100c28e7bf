"""What each candidate would have come to, had nobody been stopped early.

Scores of candidates stopped at different epochs cannot be compared: those stopped sooner are worse
and also less trained. Those that went on tell what training adds from one stop to the next; the
median of that is added to the scores of those that did not. It keeps the order within a rung. As
those that go on are partly those that were lucky, it gives rather too little than too much.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Curve = Sequence[float] | Float[np.ndarray, " epochs"]


def expected(curves: Sequence[Curve]) -> Float[np.ndarray, " candidates"]:
    """Scores at the end of the longest training.

    Args:
        curves: Of each candidate, its validation accuracy after each epoch it was trained; a value
            that is not finite means diverged.

    Returns:
        One a candidate; NaN for one that diverged or was never scored.
    """
    sound = [np.asarray(curve, np.float64) for curve in curves]
    sound = [curve if np.isfinite(curve).all() else curve[:0] for curve in sound]
    stops = sorted({len(curve) for curve in sound} - {0})
    rest = 0.0  # what training adds from the stop in hand to the end
    gains = {}
    for place in reversed(range(len(stops))):
        if place + 1 < len(stops):
            here, there = stops[place], stops[place + 1]
            on = [curve[there - 1] - curve[here - 1] for curve in sound if len(curve) >= there]
            rest += float(np.median(on))
        gains[stops[place]] = rest
    return np.array([curve[-1] + gains[len(curve)] if len(curve) else np.nan for curve in sound])
