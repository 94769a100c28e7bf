"""What one network has kept of an ensemble: how it compared, and whether it is handed back.

    distill/trial   winner, ensemble and student on the rows that replicate 0 holds out
    distill/refit   the student that learns from all rows

`distilling` writes these segments; everyone else reads them here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fleetgrad.metrics import METRICS, Metric, recorded
from fleetgrad.store import Run

TRIAL, REFIT = "distill/trial", "distill/refit"
STUDENT, WINNER = "student", "winner"


class Score(NamedTuple):
    """How well the held-out rows are predicted.

    score: By the metric of the run; the greater, the better.
    log_loss: Mean negative log probability of the true class, in nats.
    """

    score: float
    log_loss: float

    def above(self, other: "Score") -> bool:
        """Whether it is better: a greater score, or as great with a lower loss."""
        return (self.score, -self.log_loss) > (other.score, -other.log_loss)

    def shown(self, metric: Metric) -> dict[str, float]:
        """Both by their names, as people know them."""
        return {"log_loss": self.log_loss, metric.name: metric.score(self.score)}


@dataclass(frozen=True, slots=True)
class Distilled:
    """One network of the winner's settings that has learned from an ensemble.

    The ensemble's weights were chosen on these very held-out rows, and the winner is the best of
    many there, so both scores are a little too good; the student's is not.

    Args:
        candidate: The winner, whose settings it has.
        teachers: How much each network counts in the ensemble, by id; empty where there is none.
        part: The share of the teachers' word in what it learns; the rest is the labels'.
        validation: Of `winner`, `ensemble` and `student`, all trained on the same rows; None where
            nobody was compared.
        rows: How many rows were held out.
        kept: "student" or "winner": which of them the model is.
        reason: Why: "better", "no better", "diverged", "no time" or "no ensemble".
        metric: Of the scores.
    """

    candidate: int
    teachers: Mapping[int, float]
    part: float
    validation: Mapping[str, Score] | None
    rows: int
    kept: str
    reason: str
    metric: Metric = METRICS["accuracy"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        found = self.validation
        return {
            "candidate": self.candidate,
            "teachers": [{"candidate": one, "weight": w} for one, w in self.teachers.items()],
            "part": self.part,
            "validation": found and {name: one.shown(self.metric) for name, one in found.items()},
            "rows": self.rows,
            "kept": self.kept,
            "reason": self.reason,
        }


def on_record(run: Run) -> Distilled | None:
    """What a run's record says of it; None where it is not decided yet, or was not asked for."""
    trial, refit = run.segment(TRIAL), run.segment(REFIT)
    if trial is None or (trial["kept"] == STUDENT and refit is None):
        return None
    last, found = refit or trial, trial["validation"]
    return Distilled(
        candidate=trial["candidate"],
        teachers={int(one): weight for one, weight in trial["teachers"].items()},
        part=trial["part"],
        validation=found and {name: Score(*figures) for name, figures in found.items()},
        rows=trial["rows"],
        kept=last["kept"],
        reason=last["reason"],
        metric=recorded(run.config),
    )
