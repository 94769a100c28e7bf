"""The public calls: `tune` a search, `dry_run` or `resume` one, `train` a fixed list.

This is where the parts meet: the data, the study that never sees its test rows, the model made of
the winner, and the one opening of the test part.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from fleetgrad import (
    __version__,
    evolving,
    heldout,
    history,
    lengthening,
    models,
    preparing,
    pulse,
    settled,
    unsealing,
)
from fleetgrad.budget import Budget
from fleetgrad.clock import Clock, Progress
from fleetgrad.data import AUTO, Dataset
from fleetgrad.data.columns import Names
from fleetgrad.directory import check_vacant
from fleetgrad.display import live
from fleetgrad.earlier import recorded, summary
from fleetgrad.ensemble import Ensemble
from fleetgrad.errors import (
    DeviceError,
    DiskError,
    FleetgradError,
    ModelError,
    RunError,
    RunInterrupted,
    TrainingError,
    UsageError,
)
from fleetgrad.fleet import Fleet
from fleetgrad.forecast import Forecast, forecast
from fleetgrad.metrics import Metric
from fleetgrad.metrics import recorded as recorded_metric
from fleetgrad.model import Model
from fleetgrad.plan import Plan
from fleetgrad.preparing import Source, check_seed, loaded
from fleetgrad.recovery import recovered
from fleetgrad.report import after
from fleetgrad.report.view import View
from fleetgrad.result import Result, Test, Validation
from fleetgrad.samplers import Sampler
from fleetgrad.settings import Settings
from fleetgrad.space import Space
from fleetgrad.store import Run
from fleetgrad.strategies.pbt import Pbt
from fleetgrad.study import Outcome, Study
from fleetgrad.trainees import Member
from fleetgrad.trials import Strategy
from fleetgrad.verdict import Verdict, verdict

Report = Callable[[Progress], None]
Trainers = Callable[[Dataset, int, str], Fleet]


def tune(  # noqa: PLR0913 - all that makes a run, each with a default but the data
    data: Source,
    space: Space | None = None,
    budget: str | float | Budget = "10m",
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    *,
    strategy: str = "auto",
    sampler: str | None = None,
    ensemble: bool = False,
    distill: bool = False,
    target: str | None = None,
    ignore: Names = (),
    data_dir: str | PathLike[str] | None = None,
    warm_start: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    metric: str | None = None,
    task: str = AUTO,
    cluster: Any = None,
    report: Report | None = None,
    progress: bool | None = None,
    page: bool = True,
) -> Result:
    """Find the settings with the best predictions, and the model they make.

    Trains many candidates at once, lets the promising go on from where they paused, runs a few of
    those stopped to the end by way of an audit, repeats the best three from several seeds on fresh
    splits, refits the winner on all rows that are not sealed, and opens the test part once.

    Args:
        data: A dataset, or what `load` takes.
        space: What to search; a default by the size and kind of the data.
        budget: "90s", "10m", "2h", seconds, or `Budget(candidates=64, epochs=20)`.
        seed: Of every draw, >= 0.
        out: The run's directory; `runs/NAME-1` and so on by default.
        strategy: "halving", "thaw" (a model of all curves decides who goes on), "pbt" (rates
            evolve over a population that trains, into a schedule) or "auto", which is never "pbt".
        sampler: "grid", "random", "sobol" or "tpe", of halving; "sobol" by default.
        ensemble: Whether the best networks of the search, refitted, are to predict together.
        distill: Whether one network of the winner's size is to learn from such an ensemble and to
            take its place, where it is better than the winner; the ensemble lies beside it.
        target: The column to predict, for tables.
        ignore: Columns of a table not to learn from, a name or several.
        data_dir: Where named sets lie.
        warm_start: Directories of earlier runs, of these or of other data: their best settings are
            tried first, and a model hears of the others as of a task that may be alike.
        metric: What is searched by: "accuracy" (the default for classes), "auc",
            "balanced_accuracy" or "log_loss"; "rmse" (the default for numbers), "mae" or "r2".
        task: "classification", "regression" or "auto", of data to load; see
            `Dataset.from_arrays`.
        cluster: Where to train, if not here: the address of a Dask scheduler ("tcp://host:8786"),
            "local:4" for four processes, or a Dask client.
        report: Told of progress a few times a second, in place of a display.
        progress: Whether to show it: below a notebook's cell, or on standard error. By default
            only in a notebook.
        page: Whether a run that came to its end leaves `report.html` in its directory.

    Raises:
        FleetgradError: A child that says what is wrong and what to do.
    """
    clock = Clock(None)
    wanted = preparing.asked(
        data,
        space,
        budget,
        seed,
        strategy=strategy,
        sampler=sampler,
        ensemble=ensemble,
        distill=distill,
        target=target,
        ignore=ignore,
        data_dir=data_dir,
        warm_start=warm_start,
        out=out,
        metric=metric,
        task=task,
    )
    place = preparing.directory(out, wanted.data.name)
    shown = live.asked(report, f"tune {wanted.data.name}", progress=progress)
    with _trainers(cluster) as trainer, Run.create(place, wanted.config) as run, shown as tell:
        try:
            result = _run(run, wanted.data, Clock(wanted.seconds, clock.elapsed), tell, trainer)
        except DeviceError:
            raise
        except (FleetgradError, RunInterrupted) as error:
            if any(name.startswith("search/") for name in run.segments()):
                raise
            run.discard()  # what was asked for cannot even begin, or had not begun
            if isinstance(error, RunInterrupted):
                raise KeyboardInterrupt from None
            raise
    return _explained(result) if page else result


def dry_run(  # noqa: PLR0913 - as for `tune`
    data: Source,
    space: Space | None = None,
    budget: str | float | Budget = "10m",
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    *,
    strategy: str = "auto",
    sampler: str | None = None,
    ensemble: bool = False,
    distill: bool = False,
    target: str | None = None,
    ignore: Names = (),
    data_dir: str | PathLike[str] | None = None,
    warm_start: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    metric: str | None = None,
    task: str = AUTO,
) -> Forecast:
    """What `tune` would do: its schedule, programs, bytes and seconds; nothing is written.

    Takes what `tune` takes, refuses what it would refuse, and compiles and measures a few steps of
    the programs that the search would begin with.

    Raises:
        FleetgradError: A child that says what is wrong and what to do.
    """
    clock = Clock(None)
    wanted = preparing.asked(
        data,
        space,
        budget,
        seed,
        strategy=strategy,
        sampler=sampler,
        ensemble=ensemble,
        distill=distill,
        target=target,
        ignore=ignore,
        data_dir=data_dir,
        warm_start=warm_start,
        out=out,
        metric=metric,
        task=task,
    )
    place = preparing.directory(out, wanted.data.name)
    check_vacant(place)
    fleet = Fleet(wanted.data, seed, metric=wanted.config["metric"])
    return forecast(wanted, place, fleet, Clock(wanted.seconds, clock.elapsed))


def resume(
    directory: str | PathLike[str],
    data: Source | None = None,
    *,
    cluster: Any = None,
    report: Report | None = None,
    progress: bool | None = None,
) -> Result:
    """Go on with a run from its last rung, to the end it would have had without the stop.

    Args:
        directory: The run's.
        data: The same data again, for a run over arrays; else it is loaded from where it was.
        cluster: Where to train, as for `tune`; wherever the run has trained before.
        report: Told of progress a few times a second, in place of a display.
        progress: Whether to show it, as for `tune`.

    Raises:
        RunError: There is no run, another process has it, or the data are not the same.
    """
    shown = live.asked(report, f"resume {directory}", progress=progress)
    with _trainers(cluster) as trainer, Run.open(directory) as run, shown as tell:
        with run.undamaged():  # what makes no sense is refused before anything trains
            history.leaderboard(run)
            source, fingerprint = run.config["source"], run.config["fingerprint"]
            limit, elapsed = run.config["budget"]["seconds"], _elapsed(run)
        if data is None and source is None:
            raise RunError(
                f"`{directory}` was a run over arrays in memory, got no data; "
                "use fleetgrad.resume(directory, data)."
            )
        if not isinstance(data, Dataset):
            data = loaded(data or source["name"], *_where(source))
        if data.fingerprint != fingerprint:
            raise RunError(
                f"a run goes on with the data it began with, got others from {data.name!r}; "
                "bring back the old data, or begin a new run."
            )
        result = _run(run, data, Clock(limit, elapsed), tell, trainer)
    return _explained(result)


class Curves(NamedTuple):
    """What `train` measured, each of shape (settings, replicates, epochs); NaN once diverged.

    Scores are those of the metric, the greater, the better: errors have a minus sign. AUC and
    balanced accuracy are not followed on training rows, where they are NaN.
    """

    train_loss: Float[np.ndarray, "settings replicates epochs"]
    train_score: Float[np.ndarray, "settings replicates epochs"]
    validation_loss: Float[np.ndarray, "settings replicates epochs"]
    validation_score: Float[np.ndarray, "settings replicates epochs"]

    @property
    def train_accuracy(self) -> Float[np.ndarray, "settings replicates epochs"]:
        """`train_score`, by the name that it has where nothing else is asked for."""
        return self.train_score

    @property
    def validation_accuracy(self) -> Float[np.ndarray, "settings replicates epochs"]:
        """`validation_score`, in the same way."""
        return self.validation_score


def train(
    data: Source,
    settings: Sequence[Settings],
    epochs: int | None = None,
    replicates: int = 1,
    seed: int = 0,
    metric: str | None = None,
) -> Curves:
    """Train a fixed list of settings side by side, without a search.

    Args:
        data: A dataset, or what `load` takes.
        settings: Of each network.
        epochs: For all of them; each one's own by default.
        replicates: Seeds, each with its own split, >= 1.
        seed: Of every draw, >= 0.
        metric: Of the scores, as for `tune`.

    Raises:
        FleetgradError: A child that says what is wrong and what to do.
    """
    check_seed(seed)
    if not settings or replicates < 1:
        raise UsageError(
            "`train` needs at least one settings and one replicate, got "
            f"{len(settings)} and {replicates}; use [Settings()], replicates=1."
        )
    if epochs is not None:
        settings = [replace(one, epochs=epochs) for one in settings]
    longest = max(one.epochs for one in settings)
    members = {
        Member(number, replicate): one
        for number, one in enumerate(settings)
        for replicate in range(replicates)
    }
    fleet = Fleet(loaded(data), seed, metric=metric)
    fleet.populate(members)  # refuses, before anything is compiled, what cannot run
    fleet.share((one, replicates * one.epochs) for one in settings)
    population = fleet.populate(members)
    population.advance(longest)
    found = np.full((len(settings), replicates, longest, 4), np.nan, np.float32)
    for number, replicate in members:
        curve = population.curve(Member(number, replicate))
        found[number, replicate, : len(curve)] = curve
    return Curves(*np.moveaxis(found, -1, 0))


def _explained(result: Result) -> Result:
    """The result, with a page beside it where the run came to its end."""
    if not result.interrupted:  # who stopped it is in a hurry
        try:
            after.explain(result.run)
        except KeyboardInterrupt as error:
            raise RunInterrupted(f"interrupted; {_kept(result.run)}") from error
    return result


def _kept(run: Path) -> str:
    return f"the run is kept, go on with `fleetgrad resume {shlex.quote(str(run))}`."


@contextmanager
def _trainers(cluster: Any) -> Iterator[Trainers]:
    """What makes fleets, from data, seed and metric: of this machine, or of a cluster."""
    if cluster is None:
        yield lambda data, seed, metric: Fleet(data, seed, metric=metric)
        return
    from fleetgrad import cluster as clustered  # noqa: PLC0415 - its library is an extra

    with clustered.trainers(cluster) as made:
        yield made


def _run(run: Run, data: Dataset, clock: Clock, report: Report, trainer: Trainers) -> Result:
    """Everything from an open record to the result; whatever fails, it says what is kept."""
    kept = _kept(run.directory)
    try:
        with pulse.beating(run.directory, report) as told:
            return _result(run, data, clock, told, trainer)
    except (DeviceError, DiskError, ModelError) as error:  # a model that cannot be written
        reason = str(error).rstrip(".")
        raise DeviceError(f"{reason}; {kept}") from error
    except KeyboardInterrupt as error:
        raise RunInterrupted(f"interrupted; {kept}") from error
    except TrainingError as error:
        raise history.failure(run, error) from error


def _result(run: Run, data: Dataset, clock: Clock, report: Report, trainer: Trainers) -> Result:
    """Everything from an open record to the result; each part is taken from the record if done."""
    config = run.config
    seed, metric = int(config["seed"]), recorded_metric(config)
    fleet = trainer(data, seed, metric.name)
    plan = _planned(run, fleet, clock)
    settled.settle(run, fleet)
    preparing.decide_programs(config, fleet, plan)
    study = Study(
        run, _proposer(config, plan, fleet), plan, fleet, seed=seed, clock=clock, report=report
    )
    outcome = study.run()
    model: Model | Ensemble | None = None
    path = test = None
    if outcome.winner is not None:
        model = models.predictor(data, outcome, seed)
        if not outcome.interrupted and data.test.rows:
            test = _opened(run, data, model, metric)
        elif not data.test.rows:
            heldout.record(run, study, outcome, data, metric)
        path = run.directory / "model"
        model.save(path)
        if outcome.partners and outcome.distilled is not None:
            models.together(data, outcome, seed).save(run.directory / "ensemble")
    if not outcome.interrupted:
        study.end(fleet.compile_seconds)
    ended, said, begun = run.segment("end"), verdict(run, plan), history.origin(run)
    return Result(
        run=run.directory,
        dataset=config["dataset"],
        budget_s=config["budget"]["seconds"],
        elapsed_s=ended["elapsed"] if ended else clock.elapsed,
        candidates=len(outcome.leaderboard),
        network_epochs=study.network_epochs,
        compile_s=fleet.compile_seconds,
        leaderboard=outcome.leaderboard,
        settings=outcome.winner.settings if outcome.winner else None,
        validation=_validation(outcome, said, metric),
        test=test,
        ties=outcome.leaderboard.ties,
        model=model,
        model_path=path,
        interrupted=outcome.interrupted,
        audit=said.audit,
        doubling=said.doubling,
        warm_start=summary(config),
        ensemble={partner.candidate: partner.weight for partner in outcome.partners},
        lengthened=lengthening.on_record(run),
        distilled=outcome.distilled,
        evidence=history.evidence(run),
        metric=metric.name,
        calibration=outcome.calibration,
        recovered=recovered(run),
        seed=seed,
        view=View(run.directory),
        version=begun.version,
        machine=begun.machine,
    )


def _proposer(config: dict[str, Any], plan: Plan, fleet: Fleet) -> Sampler | Strategy:
    """What proposes candidates to the search, by the run's strategy."""
    if plan.strategy == "halving":
        return preparing.sampler(config, plan.epochs)
    if plan.strategy == evolving.NAME:
        first = preparing.first_candidates(config, plan)
        return Pbt(Space.from_dict(config["space"]), first, plan.epochs, int(config["seed"]))
    from fleetgrad.strategies.thaw import Thaw  # noqa: PLC0415 - takes SciPy a second

    space, options = Space.from_dict(config["space"]), plan.options(config["seed"], fleet.lanes)
    return Thaw(space, options, recorded(config), fleet.reckoned_cost)


def _planned(run: Run, fleet: Fleet, clock: Clock) -> Plan:
    """The recorded plan, or a new one, which is recorded."""
    done = run.segment("plan")
    if done is not None:
        return Plan.from_dict(done["plan"])
    plan = preparing.planned(run.config, fleet, clock)
    origin = {"version": __version__, "machine": fleet.place}
    run.commit("plan", payload={"plan": plan.to_dict(), "elapsed": clock.elapsed, **origin})
    return plan


def _opened(run: Run, data: Dataset, model: Model | Ensemble, metric: Metric) -> Test | None:
    """Open the test part, unless its result is on record; the opening is recorded first."""
    done = run.segment("test")
    if done is None:
        opened = data.test.open(f"tune {run.directory.name}", run.open_test)
        done, answers = unsealing.judged(model, opened, metric, int(run.config["seed"]))
        run.commit("test", payload=done, weights=answers)
    return unsealing.read(done, metric)


def _validation(outcome: Outcome, said: Verdict, metric: Metric) -> Validation | None:
    if outcome.winner is None:
        return None
    row = outcome.leaderboard[outcome.winner.candidate]
    return Validation.of(row, said.corrected, metric)


def _elapsed(run: Run) -> float:
    spent = [(run.segment(name) or {}).get("elapsed", 0.0) for name in run.segments()]
    return max(spent, default=0.0)


def _where(source: dict[str, Any] | None) -> tuple[str | None, str | None, str, Names]:
    if source is None:
        return None, None, AUTO, ()
    return source["target"], source["data_dir"], source.get("task", AUTO), source.get("ignore", ())
