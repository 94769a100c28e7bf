"""The record of a run as an Optuna study.

Optuna knows one best trial, the best of all that are complete. So of a run with finalists these
alone are complete, each with the mean of its repeats; before there are any, whoever came as far as
the one who leads. All others were pruned where they stand, with their last score, or failed.
"""

import math
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna

from fleetgrad import history
from fleetgrad.display import summary
from fleetgrad.display.words import value
from fleetgrad.leaderboard import Row
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.result import Result
from fleetgrad.samplers.trials import quiet_optuna
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Int, Range, Space
from fleetgrad.store import Run

Scalar = str | int | float | bool | None
Values = Mapping[str, Scalar]
State = optuna.trial.TrialState
Distribution = optuna.distributions.BaseDistribution


class Told(NamedTuple):
    """What every trial of a study is made with."""

    result: Result
    complete: frozenset[int]
    distributions: Mapping[str, Distribution]

    @property
    def metric(self) -> Metric:
        """Of the scores."""
        return METRICS[self.result.metric]


def study(run: str | os.PathLike[str]) -> optuna.Study:
    """The record of a run as an Optuna study in memory, for Optuna's own plots and programs.

    Args:
        run: The run's directory; the run may have ended or not, and is not disturbed.

    Returns:
        A study of one trial a candidate, in the order of their ids, with the validation score
        after each epoch as intermediate values. Its best trial is the run's winner.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    with Run.open(Path(run), write=False) as opened:
        result, curves = history.result(opened), history.curves(opened)
    return of(result, curves)


def of(result: Result, curves: Mapping[int, Sequence[float]]) -> optuna.Study:
    """The study of what a record says."""
    space, metric = _space(result), METRICS[result.metric]
    rows = sorted(result.leaderboard, key=lambda row: row.id)
    known = {row.id: parameters(space, row.settings) for row in rows}
    told = Told(result, _complete(result), _distributions(space, known.values()))
    with quiet_optuna():
        made = optuna.create_study(
            study_name=result.run.name or str(result.run),
            direction="maximize" if metric.greater else "minimize",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made.set_metric_names([metric.title])
    for name, own in _described(result).items():
        made.set_user_attr(name, own)
    made.add_trials([_trial(row, known[row.id], curves.get(row.id, ()), told) for row in rows])
    return made


def parameters(space: Space | None, settings: Settings) -> Values:
    """The searched names that matter to these settings, as Optuna may hold them."""
    if space is None:
        return {}
    built = space.build(lambda name, _: getattr(settings, name))
    return {name: _plain(built[name]) for name in space.names if name in built}


def _space(result: Result) -> Space | None:
    return None if result.evidence is None else result.evidence.space


def _plain(own: Any) -> Scalar:
    """A value by itself, or in words where it is of several parts."""
    return own if isinstance(own, str | int | float | bool | None) else value(own)


def _distributions(space: Space | None, known: Iterable[Values]) -> dict[str, Distribution]:
    """The range of each name, with the values from outside that an earlier run may have brought."""
    spans = {} if space is None else space.ranges
    tried: dict[str, list[Any]] = {name: [] for name in spans}
    for values in known:
        for name, own in values.items():
            tried[name].append(own)
    return {name: _distribution(span, tried[name]) for name, span in spans.items()}


def _distribution(span: Range, tried: Sequence[Any]) -> Distribution:
    if isinstance(span, Choice):
        choices = [_plain(one) for one in span.values]
        return optuna.distributions.CategoricalDistribution(list(dict.fromkeys([*choices, *tried])))
    low, high = min([span.low, *tried]), max([span.high, *tried])
    if isinstance(span, Int):
        return optuna.distributions.IntDistribution(int(low), int(high), log=span.log)
    return optuna.distributions.FloatDistribution(low, high, log=span.log)


def _complete(result: Result) -> frozenset[int]:
    """Who counts for the best trial: see above."""
    rows = [row for row in result.leaderboard if row.status != "diverged"]
    repeated = [row for row in rows if row.mean is not None and math.isfinite(row.mean)]
    if repeated:
        return frozenset(row.id for row in repeated)
    scored = [row for row in rows if math.isfinite(row.score)]
    return frozenset(row.id for row in scored if row.epochs == scored[0].epochs)


def _trial(
    row: Row, values: Values, curve: Sequence[float], told: Told
) -> optuna.trial.FrozenTrial:
    metric, score = told.metric, row.score if row.mean is None else row.mean
    state, own = State.PRUNED, metric.score(score) if math.isfinite(score) else None
    if row.status == "diverged":
        state, own = State.FAIL, None
    elif row.id in told.complete:
        state = State.COMPLETE
    return optuna.trial.create_trial(
        state=state,
        value=own,
        params=dict(values),
        distributions={name: told.distributions[name] for name in values},
        user_attrs=_remarks(row, told),
        intermediate_values={
            epoch: metric.score(one)
            for epoch, one in enumerate(curve, start=1)
            if math.isfinite(one)
        },
    )


def _remarks(row: Row, told: Told) -> dict[str, Any]:
    """What a leaderboard says of a candidate beside its score."""
    first = told.result.leaderboard.rows[0].id
    remarks: dict[str, Any] = {
        "candidate": row.id,
        "status": row.status,
        "epochs": row.epochs,
        "repeats": row.replicates,
        "winner": told.result.settings is not None and row.id == first,
        "tied with the winner": row.tied,
    }
    if row.interval is not None:
        low, high = told.metric.ends(row.interval)
        remarks |= {"95 % interval, low": low, "95 % interval, high": high}
    if row.diverged_step is not None:
        remarks["diverged at step"] = row.diverged_step
    return remarks


def _described(result: Result) -> dict[str, Any]:
    """What is true of the whole run."""
    told = {
        "data": str(result.dataset["name"]),
        "metric": result.metric,
        "run": str(result.run),
        "finished": not result.interrupted,
        "seed": result.seed,
    }
    return told | {"summary": "\n".join(summary.lines(result))}
