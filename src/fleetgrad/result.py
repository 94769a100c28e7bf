"""What a run hands back: the model, the leaderboard, and figures with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from fleetgrad.audit import Audit
from fleetgrad.calibration import Calibration
from fleetgrad.distilled import Distilled
from fleetgrad.doubling import Doubling
from fleetgrad.errors import UsageError
from fleetgrad.finals import FEWEST_REPLICATES, Interval
from fleetgrad.insight import Evidence, Insight, shares, understand
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.lengthening import Lengthened
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.payload import strict
from fleetgrad.plots import Plots
from fleetgrad.settings import Settings

if TYPE_CHECKING:
    from fleetgrad.ensemble import Ensemble
    from fleetgrad.model import Model


@dataclass(frozen=True, slots=True)
class Validation:
    """The winner by the metric: the mean over replicates, each with a split of its own.

    `interval` holds the mean with 95 % confidence, over new splits of these data; None below two
    replicates. The winner is the best of several, so its mean is a little too good (winner's
    curse); `corrected` is free of that (`finals.corrected`; None below three replicates).
    """

    metric: str
    mean: float
    interval: Interval | None
    replicates: int
    corrected: float | None = None

    @classmethod
    def of(cls, row: Row, corrected: float | None, metric: Metric) -> Self:
        """What a row of the leaderboard says, which holds scores, in the metric's own sign."""
        if row.mean is None:
            return cls(metric.name, metric.score(row.score), None, 1)
        interval = None if row.interval is None else Interval(*metric.ends(row.interval))
        said = None if corrected is None else metric.score(corrected)
        return cls(metric.name, metric.score(row.mean), interval, row.replicates, said)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "metric": self.metric,
            "mean": self.mean,
            "interval": list(self.interval) if self.interval else None,
            "replicates": self.replicates,
            "corrected": self.corrected,
        }


@dataclass(frozen=True, slots=True)
class Test:
    """The refitted winner on the sealed test part of `n` rows, by the metric.

    The interval is Wilson's for a share of rows that are right, else of rows drawn anew.
    `opening` is 1 when these rows had never been looked at in this run; a second opening says so.
    """

    metric: str
    value: float
    interval: Interval
    n: int
    opening: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "metric": self.metric,
            "value": self.value,
            "interval": list(self.interval),
            "n": self.n,
            "opening": self.opening,
        }


class View(Protocol):
    """What shows a run to people; `report.view` has the one of a run's directory."""

    @property
    def plot(self) -> Plots:
        """Its figures."""
        ...

    def html(self) -> str | None:
        """For a notebook; None where there is nothing to show."""
        ...


@dataclass(frozen=True, repr=False)
class Result:
    """The outcome of `tune`.

    Args:
        run: The run's directory.
        dataset: What the data are called, and how many rows and features they have.
        budget_s: Seconds allowed, or None for a budget in counts.
        elapsed_s: Seconds taken, over all processes of the run.
        candidates: How many settings were tried.
        network_epochs: Passes of one network over its training rows, summed over all.
        compile_s: Seconds of compilation in this process.
        leaderboard: Everyone, ranked.
        settings: The winner's; None when nothing was learned before an interrupt.
        validation: The winner's; None without settings.
        test: The winner's; None when the run was interrupted, and the part is still sealed.
        ties: Ids that the data cannot tell from the winner.
        model: The winner, ready to predict; None without settings.
        model_path: Where it is saved.
        interrupted: Whether the run was stopped before its end; `resume` goes on.
        audit: What became of a random few of those that were stopped.
        doubling: What twice the budget would be expected to bring.
        ensemble: How much each network counts in the ensemble, by id; empty where there is none.
        lengthened: How much longer the model was trained than networks in the search; None where it
            was not.
        distilled: What one network has kept of the ensemble, and whether it is the model; None
            where that was not asked for.
        warm_start: Earlier runs it began with: run, dataset, candidates, and how many came first.
        evidence: What `insight` learns from, beside the leaderboard.
        metric: What was searched by, one of `metrics.METRICS`.
        calibration: How sure the model may be, where it is the winner alone and tells probabilities
            by a softmax; its weights heed it already.
        recovered: Segments of the record whose weights came to harm on the disk, and were trained
            again when the run was resumed.
        seed: Of every draw.
        version: Of Fleetgrad, as the run began; None where that is not on record.
        machine: Where it began to train, in words; None likewise.
        view: What shows it in a notebook, and draws its figures.
    """

    run: Path
    dataset: dict[str, Any]
    budget_s: float | None
    elapsed_s: float
    candidates: int
    network_epochs: float
    compile_s: float
    leaderboard: Leaderboard
    settings: Settings | None
    validation: Validation | None
    test: Test | None
    ties: tuple[int, ...]
    model: "Model | Ensemble | None"
    model_path: Path | None
    interrupted: bool = False
    audit: Audit | None = None
    doubling: Doubling | None = None
    ensemble: Mapping[int, float] = field(default_factory=dict)
    distilled: Distilled | None = None
    lengthened: Lengthened | None = None
    warm_start: tuple[Mapping[str, Any], ...] = ()
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    metric: str = "accuracy"
    calibration: Calibration | None = None
    recovered: tuple[str, ...] = ()
    seed: int = 0
    version: str | None = None
    machine: str | None = None
    view: View | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        name, tried = self.dataset["name"], f"{self.candidates:,} candidates"
        found, metric = self.test or self.validation, METRICS[self.metric]
        if isinstance(found, Test):
            tried += f", test {metric.title} {metric.written(metric.score(found.value))}"
        elif found is not None:
            tried += f", validation {metric.title} {metric.written(metric.score(found.mean))}"
        return f"Result({name!r}: {tried}, in {str(self.run)!r})"

    def _repr_html_(self) -> str | None:
        return None if self.view is None else self.view.html()

    @property
    def plot(self) -> Plots:
        """The run's figures, made from its directory: `result.plot.curves()` and others.

        Raises:
            UsageError: This result did not come from a run.
        """
        if self.view is None:
            raise UsageError(
                "figures are drawn from a run's directory, got a result without one; use what "
                "`tune` or `resume` returns."
            )
        return self.view.plot

    @cached_property
    def insight(self) -> Insight:
        """What the search has learned about its hyperparameters.

        Reckoned when it is first asked for: a second for a few hundred candidates.
        """
        if self.evidence is None:
            reason = "a space is needed to learn from, got none on record."
            return Insight.none(self.candidates, None, reason, METRICS[self.metric])
        return understand(self.leaderboard, *self.evidence[:2], seed=self.evidence.seed)

    @cached_property
    def importances(self) -> Mapping[str, float] | None:
        """Those of `insight` alone, which are quickly had; None where too few have a score."""
        return None if self.evidence is None else shares(self.leaderboard, self.evidence.space)

    @property
    def decided(self) -> bool:
        """Whether the data tell the winner from all other finalists.

        That takes two finalists or more, each repeated three times or more, and no ties.
        """
        rows = [row for row in self.leaderboard if row.status == "finalist"]
        enough = all(row.replicates >= FEWEST_REPLICATES for row in rows)
        return len(rows) > 1 and enough and not self.ties

    @property
    def diverged(self) -> int:
        """How many candidates diverged."""
        return sum(row.status == "diverged" for row in self.leaderboard)

    @property
    def above_chance(self) -> bool | None:
        """Whether the winner is surely better than the best answer that is the same for every row.

        None where that is not known.
        """
        guess, found, metric = self.guess, self.validation, METRICS[self.metric]
        if guess is None or found is None:
            return None
        least = metric.ends(found.interval)[0] if found.interval else metric.score(found.mean)
        return bool(least > metric.score(guess))

    @property
    def guess(self) -> float | None:
        """What the best answer that is the same for every row comes to; None if not on record."""
        commonest = self.dataset.get("commonest_class") if self.metric == "accuracy" else None
        found: float | None = self.dataset.get("guess", commonest)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The object that `fleetgrad tune --json` prints; what is no number (NaN) is None."""
        values: dict[str, Any] = strict(self._values())
        return values

    def _values(self) -> dict[str, Any]:
        return {
            "run": str(self.run),
            "dataset": self.dataset,
            "seed": self.seed,
            "version": self.version,
            "machine": self.machine,
            "budget_s": self.budget_s,
            "elapsed_s": round(self.elapsed_s, 3),
            "candidates": self.candidates,
            "network_epochs": round(self.network_epochs, 3),
            "compile_s": round(self.compile_s, 3),
            "winner": next(
                (row.id for row in self.leaderboard if row.settings == self.settings), None
            ),
            "settings": self.settings.to_dict() if self.settings else None,
            "metric": self.metric,
            "validation": self.validation.to_dict() if self.validation else None,
            "test": self.test.to_dict() if self.test else None,
            "above_chance": self.above_chance,
            "ties": list(self.ties),
            "decided": self.decided,
            "diverged": self.diverged,
            "model": str(self.model_path) if self.model_path else None,
            "interrupted": self.interrupted,
            "recovered": list(self.recovered),
            "audit": self.audit.to_dict() if self.audit else None,
            "doubling": self.doubling.to_dict() if self.doubling else None,
            "ensemble": [
                {"candidate": one, "weight": weight} for one, weight in self.ensemble.items()
            ],
            "lengthened": self.lengthened.to_dict() if self.lengthened else None,
            "distilled": self.distilled.to_dict() if self.distilled else None,
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "insight": self.insight.to_dict(),
            "warm_start": [dict(one) for one in self.warm_start],
            "leaderboard": self.leaderboard.to_json(),
        }
