"""What a search cost, in passes of one network, beside running every candidate alone to its end."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fleetgrad.leaderboard import Row
from fleetgrad.plan import Plan
from fleetgrad.result import Result
from fleetgrad.store import Run

PHASES = {  # by the first part of a segment's name
    "search": "search",
    "audit": "audit",
    "finals": "repeats",
    "stretch": "trial of a longer training",
    "refit": "refit",
    "ensemble": "ensemble",
    "distill": "student",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Passes over the training rows, summed over all networks.

    Args:
        spent: By what they were spent on, in the order of a run.
        alone: What the search would have cost with nobody stopped; who diverged counts as it did.
        seconds: That the run took.
    """

    spent: dict[str, float]
    alone: float
    seconds: float

    @property
    def saved(self) -> float:
        """The share of `alone` that stopping early saved, in [0, 1]."""
        return max(0.0, 1 - self.spent.get("search", 0.0) / self.alone) if self.alone else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"saved": self.saved}


def of(run: Run, result: Result) -> Cost | None:
    """What a run has cost so far; None before its plan."""
    return of_rows(run, result.leaderboard.rows, result.elapsed_s)


def of_rows(run: Run, rows: Sequence[Row], seconds: float) -> Cost | None:
    """The same, of everyone who has come through a rung."""
    done = run.segment("plan")
    if done is None or not rows:
        return None
    epochs = Plan.from_dict(done["plan"]).epochs
    spent: dict[str, float] = {}
    for name in run.segments():
        phase = PHASES.get(name.split("/", maxsplit=1)[0])
        passes = float((run.segment(name) or {}).get("network_epochs", 0.0))
        if phase and passes:
            spent[phase] = spent.get(phase, 0.0) + passes
    alone = sum(
        row.epochs if row.status == "diverged" else min(epochs, row.settings.epochs)
        for row in rows
        if row.tried
    )
    return Cost(spent, float(max(alone, spent.get("search", 0.0))), seconds)
