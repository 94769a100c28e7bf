"""Learning curves as short arrays: few enough to send at every rung, and to draw at once."""

import math
from collections.abc import Collection, Sequence
from typing import Any

from fleetgrad.growing import Curves
from fleetgrad.leaderboard import Row
from fleetgrad.metrics import Metric
from fleetgrad.report.thinning import evenly

MOST_CURVES = 500
MOST_POINTS = 60  # of a curve
BEST = 6  # that are always among them, and have colors of their own
DIGITS = 5  # of a score
TRAINING = "training"  # of whoever has not come through a rung
CUT = 0.1  # the share of points, the worst, that may lie outside the frame


def grown(curves: Curves, growing: Curves) -> dict[int, Sequence[float]]:
    """Those on record, and those that have grown since."""
    longer = {one: own for one, own in growing.items() if len(own) > len(curves.get(one, ()))}
    return {**curves, **longer}


def drawn(rows: Sequence[Row], curves: Curves, metric: Metric) -> dict[str, Any]:
    """What the page draws.

    Args:
        rows: Everyone who has come through a rung, best first.
        curves: Scores after each epoch of the search, by candidate, of others, too; NaN once it
            diverged.
        metric: Of the scores.

    Returns:
        `lines`, each with an id, a status, the epochs it stands for and values at even distances;
        `colored`, how many of these, from the first on, have a color; `of` how many there are;
        `epochs`, the longest; `range`, the values of the frame.
    """
    states: dict[int, str] = {row.id: row.status for row in rows}
    states |= dict.fromkeys(_fresh(curves, states), TRAINING)
    known = [one for one in states if any(map(math.isfinite, curves.get(one, ())))]
    chosen = [*known[:BEST], *evenly(known[BEST:], MOST_CURVES - BEST)]
    values = [_few(curves[one], metric) for one in chosen]
    lines = [
        {"id": one, "status": states[one], "epochs": len(curves[one]), "values": own}
        for one, own in zip(chosen, values, strict=True)
    ]
    finalists = sum(states[one] == "finalist" for one in chosen[:BEST])
    return {
        "lines": lines,
        "colored": finalists or min(BEST, len(chosen)),
        "of": len(known),
        "epochs": max((len(curves[one]) for one in chosen), default=0),
        "range": _range([one for own in values for one in own if one is not None], metric),
    }


def _fresh(curves: Curves, known: Collection[int]) -> list[int]:
    """Whoever is in none of the rows, best first as far as they have come."""
    last = {one: own[-1] for one, own in curves.items() if one not in known and own}
    return sorted(last, key=lambda one: (math.isnan(last[one]), -last[one], one))


def _few(curve: Sequence[float], metric: Metric) -> list[float | None]:
    """Values at even distances, both ends among them; None where it diverged."""
    count = len(curve)
    places: Sequence[int] = range(count)
    if count > MOST_POINTS:
        places = [round(place * (count - 1) / (MOST_POINTS - 1)) for place in range(MOST_POINTS)]
    return [_told(curve[place], metric) for place in places]


def _told(score: float, metric: Metric) -> float | None:
    return float(f"{metric.score(score):.{DIGITS}g}") if math.isfinite(score) else None


def _range(values: list[float], metric: Metric) -> tuple[float, float]:
    """All but the worst tenth of the points, which a few spoil."""
    if not values:
        return 0.0, 1.0
    values = sorted(values)
    spoiling = int(CUT * len(values))
    low, high = (spoiling, -1) if metric.greater else (0, -1 - spoiling)
    margin = 0.06 * (values[high] - values[low]) or abs(values[high]) * 0.05 or 0.05
    return values[low] - margin, values[high] + margin
