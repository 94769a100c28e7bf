"""Learning curves as short arrays: few enough to send at every rung, and to draw at once."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fleetgrad.leaderboard import Row
from fleetgrad.metrics import Metric
from fleetgrad.watch.ledger import evenly

MOST_CURVES = 500
MOST_POINTS = 60  # of a curve
BEST = 6  # that are always among them, and have colors of their own
DIGITS = 5  # of a score
CUT = 0.1  # the share of points, the worst, that may lie outside the frame

Curves = Mapping[int, Sequence[float]]


def drawn(rows: Sequence[Row], curves: Curves, metric: Metric) -> dict[str, Any]:
    """What the page draws.

    Args:
        rows: Everyone, best first.
        curves: Scores after each epoch of the search, by candidate; NaN once it diverged.
        metric: Of the scores.

    Returns:
        `lines`, each with an id, a status, the epochs it stands for and values at even distances;
        `colored`, how many of these, from the first on, have a color; `of` how many there are;
        `epochs`, the longest; `range`, the values of the frame.
    """
    known = [row for row in rows if any(map(math.isfinite, curves.get(row.id, ())))]
    chosen = [*known[:BEST], *evenly(known[BEST:], MOST_CURVES - BEST)]
    values = [_few(curves[row.id], metric) for row in chosen]
    lines = [
        {"id": row.id, "status": row.status, "epochs": len(curves[row.id]), "values": own}
        for row, own in zip(chosen, values, strict=True)
    ]
    finalists = sum(row.status == "finalist" for row in chosen[:BEST])
    return {
        "lines": lines,
        "colored": finalists or min(BEST, len(chosen)),
        "of": len(known),
        "epochs": max((len(curves[row.id]) for row in chosen), default=0),
        "range": _range([one for own in values for one in own if one is not None], metric),
    }


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
