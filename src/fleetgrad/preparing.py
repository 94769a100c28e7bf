"""What a run is asked to do, checked and written down before anything trains.

`asked` refuses what cannot run and gathers the rest; `planned` makes the schedule, and for a budget
in time measures what an epoch costs. A run and its dry run both begin here.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fleetgrad import evolving, metrics, probing, samplers, strategies, takeover, timing
from fleetgrad import plan as plans
from fleetgrad.augmentation import NONE
from fleetgrad.budget import Budget
from fleetgrad.clock import Clock
from fleetgrad.data import AUTO, NAMES, Dataset, load
from fleetgrad.data.columns import Names
from fleetgrad.defaults import default_space
from fleetgrad.earlier import Earlier, recorded
from fleetgrad.errors import BudgetError, SettingsError, UsageError, suggestion
from fleetgrad.fleet import Fleet
from fleetgrad.material import steps_per_epoch
from fleetgrad.metrics import Metric
from fleetgrad.plan import Plan
from fleetgrad.programs import Programs
from fleetgrad.samplers import Sampler
from fleetgrad.settings import NUMBER_LOSS, Settings, check_loss
from fleetgrad.space import Space

FORMAT = 1
SAMPLER = "sobol"
FEWEST_SECONDS = 5
TYPICAL = 32  # candidates whose cost stands for all when a time is planned
FORESEEN = 10_000  # candidates to come, at most, that stand for all of these

Path_ = str | PathLike[str]
Source = Dataset | Path_


class Asked(NamedTuple):
    """A run that can begin: its data, and its configuration as the record keeps it."""

    data: Dataset
    space: Space
    config: dict[str, Any]

    @property
    def seconds(self) -> float | None:
        """The budget's, where it is a time."""
        seconds: float | None = self.config["budget"]["seconds"]
        return seconds


def asked(  # noqa: PLR0913 - all that makes a run
    data: Source,
    space: Space | None,
    budget: str | float | Budget,
    seed: int,
    *,
    sampler: str | None,
    strategy: str,
    ensemble: bool,
    distill: bool,
    target: str | None,
    data_dir: Path_ | None,
    warm_start: Path_ | Sequence[Path_] = (),
    out: Path_ | None = None,
    metric: str | None = None,
    task: str = AUTO,
    ignore: Names = (),
) -> Asked:
    """Load the data and check everything against them; arguments as for `tune`.

    Raises:
        FleetgradError: A child that says what is wrong and what to do.
    """
    limit = Budget.of(budget)
    _check_long_enough(limit)
    check_seed(seed)
    _check_is_space(space)
    if sampler is not None and sampler not in samplers.NAMES:
        raise UsageError(f"`{sampler}` is no sampler; {suggestion(sampler, samplers.NAMES)}")
    metrics.check_name(metric)
    source = _described(data, target, data_dir, task, ignore)
    data = loaded(data, target, data_dir, task, ignore)
    judged = metrics.chosen(metric, data.task)
    _check_can_distill(data, distill=distill)
    evolves = strategy == evolving.NAME
    space = for_task(space or _default(data, evolves=evolves), data)
    _check_space(space, data, seed)
    strategy = strategies.resolved(
        strategy, space, by_candidates=limit.candidates is not None, sampler=sampler
    )
    if evolves:
        evolving.check(space)
        if limit.seconds is None:
            evolving.counted(limit)  # refuses what is too small
    earlier = takeover.taken(warm_start, space, out)
    _check_can_learn(sampler, earlier)
    config = {
        "format": FORMAT,
        "dataset": _summary(data, judged),
        "metric": judged.name,
        "source": source,
        "fingerprint": data.fingerprint,
        "space": space.to_dict(),
        "budget": asdict(limit),
        "strategy": strategy,
        "ensemble": bool(ensemble or distill),
        "distill": bool(distill),
        "sampler": sampler or SAMPLER,
        "seed": seed,
        "earlier": [one.to_dict() for one in earlier],
    }
    return Asked(data, space, config)


def planned(config: dict[str, Any], fleet: Fleet, clock: Clock) -> Plan:
    """The schedule of a run, an ensemble at its end if that was asked for.

    Raises:
        BudgetError: The time is too short for the smallest search.
    """
    plan = _searching(config, fleet, clock)
    together = plan.ensemble or plans.ENSEMBLE if config["ensemble"] else 0
    return replace(plan, ensemble=together, distill=config.get("distill", False))


def _searching(config: dict[str, Any], fleet: Fleet, clock: Clock) -> Plan:
    """The schedule of a run; a budget in time has it measured what an epoch takes.

    Raises:
        BudgetError: The time is too short for the smallest search.
    """
    budget = Budget(**config["budget"])
    adaptive, strategy = config["sampler"] == "tpe", config["strategy"]
    dimensions = Space.from_dict(config["space"]).dimensions
    if budget.seconds is None and strategy == evolving.NAME:
        return evolving.counted(budget)
    if budget.seconds is None:
        return plans.counted(budget, adaptive=adaptive, strategy=strategy, dimensions=dimensions)
    typical = _typical(config)
    decide_programs(config, fleet)
    _check_reckoned(budget.seconds, fleet, typical, clock)
    seconds = probing.epoch_seconds(fleet, typical)
    spent = clock.elapsed + probing.seconds_to_compile(fleet)
    steps = int(np.mean([fleet.steps(one) for one in typical]))
    if strategy == evolving.NAME:
        return evolving.timed(
            budget, epoch_seconds=seconds, steps=steps, lanes=fleet.lanes, spent=spent
        )
    return timing.timed(
        budget,
        epoch_seconds=seconds,
        steps=steps,
        lanes=fleet.lanes,
        spent=spent,
        adaptive=adaptive,
        strategy=strategy,
        dimensions=dimensions,
        fresh=all(one.augment != NONE for one in typical),
        ensemble=plans.ENSEMBLE if config["ensemble"] else 0,
        distill=config.get("distill", False),
    )


def _check_reckoned(
    seconds: float, fleet: Fleet, typical: Sequence[Settings], clock: Clock
) -> None:
    """Refuse before anything is compiled what could not work on a machine twice as fast.

    What it says will do counts compiling, which a machine that kept its programs is spared.

    Raises:
        BudgetError: The time is far too short.
    """
    least = timing.fewest_seconds(fleet.reckoned_seconds(typical), fleet.lanes)
    if clock.elapsed + least / 2 > seconds:
        needed = clock.elapsed + fleet.reckoned_compile_seconds + least
        raise timing.too_short(seconds, needed, timing.RECKONED_MARGIN)


def decide_programs(config: dict[str, Any], fleet: Fleet, plan: Plan | None = None) -> None:
    """Let candidates share programs, by what is on record: a resumed run decides the same.

    A budget in time is first taken to be spent on typical candidates, whose programs are compiled
    to plan it; with the plan the candidates themselves are known, of the first generation, and
    those to come are taken to be anywhere in the space.

    Args:
        config: Of the run.
        fleet: Told which programs there are, in place of what it was told before.
        plan: None before there is one.
    """
    fleet.programs = Programs()
    seconds = Budget(**config["budget"]).seconds
    if seconds is not None:
        fleet.share_in(seconds, _typical(config))
    if plan is not None:
        fleet.share(_foreseen(config, plan), seconds or math.inf)


def first_candidates(config: dict[str, Any], plan: Plan) -> Sequence[Settings]:
    """Those that the search begins with."""
    return sampler(config, plan.epochs).ask(plan.generations[0]).settings


def sampler(config: dict[str, Any], epochs: int) -> Sampler:
    """Whom a run asks for candidates."""
    return samplers.make(
        config["sampler"],
        Space.from_dict(config["space"]),
        seed=int(config["seed"]),
        epochs=epochs,
        earlier=recorded(config),
    )


def _foreseen(config: dict[str, Any], plan: Plan) -> list[tuple[Settings, float]]:
    """The candidates of a run, as far as they are known, and for how long each should train."""
    each = plan.network_epochs / plan.candidates
    first, later = first_candidates(config, plan), sum(plan.generations[1:])
    known = [(one, each) for one in first]
    if not later:
        return known
    some = _asked_of("random", config, plan.epochs, min(later, FORESEEN))
    more = each * max(1.0, later / FORESEEN)
    return known + [(one, more) for one in some]


def _typical(config: dict[str, Any]) -> Sequence[Settings]:
    return _asked_of("random", config, 1, TYPICAL)


def _asked_of(sampler: str, config: dict[str, Any], epochs: int, count: int) -> Sequence[Settings]:
    space, seed = Space.from_dict(config["space"]), int(config["seed"])
    return samplers.make(sampler, space, seed=seed, epochs=epochs).ask(count).settings


def directory(out: Path_ | None, name: str) -> Path:
    """Where a run lies: as told, or the next free one of `runs/NAME-1` and so on."""
    if out is not None:
        return Path(out)
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    number = 1
    while Path("runs", f"{safe}-{number}").exists():
        number += 1
    return Path("runs", f"{safe}-{number}")


def loaded(
    data: Source,
    target: str | None = None,
    data_dir: Path_ | None = None,
    task: str = AUTO,
    ignore: Names = (),
) -> Dataset:
    """The dataset itself, or what `load` makes of it.

    Raises:
        UsageError: Columns of a dataset are to be ignored, which has been made of all.
    """
    if not isinstance(data, Dataset):
        return load(data, target=target, data_dir=data_dir, task=task, ignore=ignore)
    if ignore:
        raise UsageError(
            f"`ignore` must name columns of data to load, got {ignore!r} and a dataset; use "
            "`Dataset.from_frame(..., ignore=...)`."
        )
    return data


def _default(data: Dataset, *, evolves: bool) -> Space:
    space = default_space(data)
    return evolving.suited(space) if evolves else space


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises:
        SettingsError: It is no whole number, or below 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SettingsError(f"`seed` must be a whole number of at least 0, got {seed!r}; use 0.")


def _described(
    data: Source, target: str | None, data_dir: Path_ | None, task: str, ignore: Names
) -> dict[str, Any] | None:
    """Where the data came from, so that `resume` finds them; None for arrays in memory."""
    if isinstance(data, Dataset):
        return None
    name = str(data) if str(data) in NAMES else str(Path(data).resolve())
    return {
        "name": name,
        "target": target,
        "data_dir": str(Path(data_dir).resolve()) if data_dir else None,
        "task": task,
        "ignore": [ignore] if isinstance(ignore, str) else list(ignore),
    }


def _summary(data: Dataset, metric: Metric) -> dict[str, Any]:
    classes = len(data.classes)
    known = {"commonest_class": float(np.bincount(data.y).max() / data.rows)} if classes else {}
    return {
        "name": data.name,
        "rows": data.rows,
        "features": data.features,
        "task": data.task,
        "classes": classes,
        "test_rows": data.test.rows,
        **known,
        "guess": metrics.guess(metric, data.y, classes, data.weights),
        **({"columns": data.encoding.summary()} if data.encoding else {}),
    }


def for_task(space: Space, data: Dataset) -> Space:
    """The space with a loss that suits the task, if it names none."""
    if data.task != metrics.REGRESSION or "loss" in {*space.ranges, *space.fixed}:
        return space
    return Space.from_dict(space.to_dict() | {"loss": NUMBER_LOSS})


def _check_can_distill(data: Dataset, *, distill: bool) -> None:
    if distill and data.task == metrics.REGRESSION:
        raise UsageError(
            "a student learns the probabilities of classes, got numbers to predict; leave out "
            "`distill`, or ask for the ensemble itself."
        )


def _check_long_enough(budget: Budget) -> None:
    """Refuse at once what could not even compile; the plan refuses what it then measures."""
    if budget.seconds is not None and budget.seconds < FEWEST_SECONDS:
        raise BudgetError(
            f"a budget in time must be at least {FEWEST_SECONDS} s, for the programs must be "
            f"compiled in it, got {budget.seconds:g} s; use 60s, or candidates and epochs."
        )


def _check_is_space(space: Any) -> None:
    """Refuse, above all, a budget in the place of the space, which comes before it."""
    if space is not None and not isinstance(space, Space):
        raise UsageError(
            f"`space` must be a Space, got {type(space).__name__}; use fg.Space(...) or "
            "fg.Space.from_toml(FILE), and give a budget by its name: budget=..."
        )


def _check_space(space: Space, data: Dataset, seed: int) -> None:
    """Refuse now what otherwise only the first candidate that has it would find out."""
    rows = len(data.split(0, seed).train)
    for value in _extremes(space, "augment"):
        value.check(data.image_shape)
    for value in _extremes(space, "batch_size"):
        steps_per_epoch(value, rows)
    for value in _extremes(space, "loss"):
        check_loss(value, numbers=data.task == metrics.REGRESSION)


def _check_can_learn(sampler: str | None, earlier: Sequence[Earlier]) -> None:
    if sampler == "grid" and earlier:
        raise UsageError(
            "a grid has the same points whatever is known, got sampler `grid` and an earlier run; "
            "use sampler `sobol` or `tpe`, or leave the run out."
        )


def _extremes(space: Space, name: str) -> tuple[Any, ...]:
    """Values of a hyperparameter that can run if and only if all others can."""
    span = space.ranges.get(name)
    return span.extremes() if span else (space.fixed.get(name, getattr(_DEFAULTS, name)),)


_DEFAULTS = Settings()
