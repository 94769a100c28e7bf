"""What a run's directory says of its run, as plain values: all that a page or a figure needs.

A part that a run does not have is None, and `missing` says why. `payload.strict` makes JSON of any
of it; scores are in the metric's own sign, as people know it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetgrad import history
from fleetgrad.ensemble import Ensemble
from fleetgrad.errors import FleetgradError
from fleetgrad.insight import Insight
from fleetgrad.leaderboard import Row
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.model import Model
from fleetgrad.report import answering, costs, drawing, pictures
from fleetgrad.report.answering import Answers
from fleetgrad.report.costs import Cost
from fleetgrad.report.drawing import Network
from fleetgrad.report.pictures import Layer
from fleetgrad.result import Result
from fleetgrad.store import Run

Predictor = Model | Ensemble


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the leaderboard.

    Args:
        rank: From 1.
        id: Its lasting id.
        status: As in `leaderboard.Row`.
        epochs: How long it trained in the search.
        score: The mean over its repeats, or its last one; None if it has none.
        interval: Of the mean.
        replicates: How often it was repeated.
        tied: Whether the data cannot tell it from the winner.
        diverged_step: Where it broke.
        settings: Of the names that were searched.
        curve: Scores after each epoch of the search; None once it diverged.
    """

    rank: int
    id: int
    status: str
    epochs: int
    score: float | None
    interval: tuple[float, float] | None
    replicates: int
    tied: bool
    diverged_step: int | None
    settings: Mapping[str, Any]
    curve: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a run.

    Args:
        result: The run's outcome, from its record.
        state: What an unfinished run is doing; None of a finished one.
        ranges: What was searched: names, and their plain ranges.
        candidates: Everyone, best first.
        cost: What was spent, and what running each alone would have been.
        insight: What was learned of the hyperparameters.
        answers: What the model said of rows that it had never seen.
        layer: The first layer's weights as images.
        network: What answers in the browser.
        classes: Names of the classes; empty for numbers.
        missing: Why a part is None, by its name.
    """

    result: Result
    state: str | None
    ranges: Mapping[str, Mapping[str, Any]]
    candidates: tuple[Candidate, ...]
    cost: Cost | None
    insight: Insight
    answers: Answers | None
    layer: Layer | None
    network: Network | None
    classes: tuple[str, ...]
    missing: Mapping[str, str]

    @property
    def metric(self) -> Metric:
        """Of the scores."""
        return METRICS[self.result.metric]

    @property
    def name(self) -> str:
        """Of the data."""
        return str(self.result.dataset["name"])

    @property
    def winner(self) -> Candidate | None:
        """Who leads; None where nobody learned anything."""
        return self.candidates[0] if self.result.settings is not None else None


def gather(path: Path) -> Facts:
    """The facts of a run's directory, whether the run has ended or not.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    with Run.open(path, write=False) as run:
        return of(run)


def of(run: Run) -> Facts:
    """The facts of an open run."""
    result, missing = history.result(run), dict[str, str]()
    ranges = {
        name: span for name, span in (run.config.get("space") or {}).items() if _is_range(span)
    }
    model = _model(run.directory, missing)
    found = answering.of(run, result, model, missing)
    return Facts(
        result=result,
        state=_state(run) if result.interrupted else None,
        ranges=ranges,
        candidates=_candidates(run, result, tuple(ranges)),
        cost=costs.of(run, result),
        insight=_insight(result),
        answers=found,
        layer=pictures.first_layer(model, missing),
        network=drawing.of(model, found, missing),
        classes=tuple(map(str, model.classes.tolist())) if model else (),
        missing=missing,
    )


def _is_range(span: Any) -> bool:
    return isinstance(span, Mapping) and ("choice" in span or "low" in span)


def _state(run: Run) -> str:
    phase, writer = history.phase(run), history.writer(run.directory)
    if phase == history.FAILED:
        return f"{phase}."
    return f"not finished: {phase}; {f'written by {writer}' if writer else 'nobody is at it'}."


def _model(path: Path, missing: dict[str, str]) -> Predictor | None:
    """The run's model; none where it has not come so far, or it cannot be read."""
    if not (path / "model").is_dir():
        missing["model"] = "There is no model yet."
        return None
    try:
        return Model.load(path / "model")
    except FleetgradError as error:
        missing["model"] = f"The model cannot be read: {error}"
        return None


def _insight(result: Result) -> Insight:
    if result.leaderboard.rows:
        return result.insight
    return Insight.none(0, None, "nobody has been tried yet.", METRICS[result.metric])


def _candidates(run: Run, result: Result, names: tuple[str, ...]) -> tuple[Candidate, ...]:
    curves, metric = history.curves(run), METRICS[result.metric]
    return tuple(
        _candidate(rank, row, names, curves.get(row.id, []), metric)
        for rank, row in enumerate(result.leaderboard, start=1)
    )


def _candidate(
    rank: int, row: Row, names: tuple[str, ...], curve: list[float], metric: Metric
) -> Candidate:
    own = row.settings.to_dict()
    return Candidate(
        rank=rank,
        id=row.id,
        status=row.status,
        epochs=row.epochs,
        score=_told(metric, row.score if row.mean is None else row.mean),
        interval=metric.ends(row.interval) if row.interval else None,
        replicates=row.replicates,
        tied=row.tied,
        diverged_step=row.diverged_step,
        settings={name: own[name] for name in names},
        curve=tuple(_told(metric, score) for score in curve),
    )


def _told(metric: Metric, score: float) -> float | None:
    return metric.score(score) if math.isfinite(score) else None
