"""Where a member of a population stands, as plain values: what a rung decides by and records."""

import math
from typing import Any

from fleetgrad.metrics import Metric
from fleetgrad.store import CurvePoint, Run
from fleetgrad.trainees import Member, Trainees

LOSS, SCORE = 2, 3  # columns of a curve, of the validation part
TIE_BREAK = 1e-6  # a nat of loss decides only between equal counts of correct rows


def measured(population: Trainees, member: Member) -> float:
    """Its last validation score; NaN if it diverged or has finished no epoch."""
    curve = population.curve(member)
    if population.diverged_at(member) is not None or len(curve) == 0:
        return math.nan
    return float(curve[-1, SCORE])


def score(population: Trainees, member: Member, metric: Metric) -> float:
    """What rungs go by: the score, and among equal counts of rows the lower validation loss."""
    found = measured(population, member)
    if math.isnan(found) or not metric.percent:
        return found
    loss = float(population.curve(member)[-1, LOSS])
    return found - TIE_BREAK * (min(loss, 100.0) if math.isfinite(loss) else 100.0)


def standing(population: Trainees, member: Member) -> dict[str, Any]:
    """A record of where it stands, ready for JSON; NaN becomes None."""
    curve = population.curve(member)
    found = measured(population, member)
    return {
        "candidate": member.candidate,
        "epochs": len(curve),
        "score": None if math.isnan(found) else found,
        "best_epoch": int(curve[:, SCORE].argmax()) + 1 if len(curve) else None,
        "diverged_step": population.diverged_at(member),
    }


def number(value: float | None) -> float:
    """The inverse of writing NaN as None."""
    return math.nan if value is None else float(value)


def points(phase: str, population: Trainees, member: Member, first: int = 0) -> list[CurvePoint]:
    """Its curve from epoch `first` (counted from 0) on, for the record."""
    curve = population.curve(member)
    return [
        CurvePoint(phase, member.candidate, member.replicate, epoch + 1, *map(float, curve[epoch]))
        for epoch in range(first, len(curve))
    ]


def trained(run: Run) -> float:
    """Epochs trained so far, over all networks of all segments on record."""
    return run.network_epochs()
