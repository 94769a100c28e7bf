"""What a run has come to, from its record alone: for `show`, while the run goes on or long after.

Nothing is trained and no weights are read. A finished run gives the leaderboard that `tune`
returned; an unfinished one gives what its finished segments say.
"""

import functools
import math
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import index
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fleetgrad import calibration, directory, distilled, lengthening, lock, unsealing
from fleetgrad.earlier import summary
from fleetgrad.errors import TrainingError
from fleetgrad.insight import Evidence, where_broken
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.metrics import recorded
from fleetgrad.plan import Plan
from fleetgrad.recovery import recovered
from fleetgrad.result import Result, Validation
from fleetgrad.rounds import OVER
from fleetgrad.rows import repeated_rows, rung_rows
from fleetgrad.space import Space
from fleetgrad.store import Run
from fleetgrad.verdict import Verdict, finalists, searched, verdict

FAILED = "failed: every candidate diverged"


class Origin(NamedTuple):
    """By which version of Fleetgrad a run was begun, and on what machine; None if not on record."""

    version: str | None = None
    machine: str | None = None


T = TypeVar("T")
SIZES = ("rows", "features")  # of the data
COUNTS, FIGURES = ("classes", "test_rows"), ("commonest_class", "guess")  # that may be known


def _understood(read: Callable[[Run], T]) -> Callable[[Run], T]:
    """A look at a record that may be a stranger's: what makes no sense of it is a `RunError`."""

    @functools.wraps(read)
    def looked(run: Run) -> T:
        with run.undamaged():
            return read(run)

    return looked


@_understood
def result(run: Run) -> Result:
    """All that is known of a run, without its model's weights.

    Until the end, `interrupted` is true and the winner is whoever leads.
    """
    board = leaderboard(run)
    best = board.rows[0] if board.rows else None
    leads = best is not None and math.isfinite(_figure(best))
    ended = run.segment("end")
    model = run.directory / "model"
    plan, metric = _plan(run), recorded(run.config)
    joined, begun = run.segment("ensemble"), origin(run)
    budget, done = run.config["budget"]["seconds"], [*_segments(run).values()]
    said = verdict(run, plan) if plan else Verdict(None, None, None)
    return Result(
        run=run.directory,
        dataset=_data(run),
        budget_s=None if budget is None else _amount(budget),
        elapsed_s=max((_amount(one.get("elapsed", 0.0)) for one in done), default=0.0),
        candidates=len(board),
        network_epochs=sum(_amount(one.get("network_epochs", 0.0)) for one in done),
        compile_s=_amount(ended["compile_s"]) if ended else 0.0,
        leaderboard=board,
        settings=best.settings if best and leads else None,
        validation=Validation.of(best, said.corrected, metric) if best and leads else None,
        test=unsealing.read(run.segment("test"), metric),
        ties=board.ties,
        model=None,
        model_path=model if model.is_dir() else None,
        interrupted=ended is None,
        audit=said.audit,
        doubling=said.doubling,
        warm_start=summary(run.config),
        ensemble={int(one): share for one, share in (joined["weights"] if joined else {}).items()},
        lengthened=lengthening.on_record(run),
        distilled=distilled.on_record(run),
        evidence=evidence(run),
        metric=metric.name,
        calibration=calibration.on_record(run),
        recovered=recovered(run),
        seed=int(run.config["seed"]),
        version=begun.version,
        machine=begun.machine,
    )


def _data(run: Run) -> dict[str, Any]:
    """What is on record of the data, each part of the kind that it should be.

    Raises:
        LookupError: A part is missing.
        TypeError: One is of another kind.
        ValueError: One cannot be.
    """
    said = dict(run.config["dataset"])
    counts = {name: index(said[name]) for name in (*SIZES, *COUNTS) if name in (*SIZES, *said)}
    figures = {name: float(said[name]) for name in FIGURES if name in said}
    if min(counts.values()) < 0:
        raise ValueError(f"data with {counts}")
    return {**said, **counts, **figures, "name": str(said["name"])}


def _amount(said: Any) -> float:
    """Seconds, or epochs."""
    found = float(said)
    if not 0 <= found < math.inf:
        raise ValueError(f"an amount of {found}")
    return found


@_understood
def leaderboard(run: Run) -> Leaderboard:
    """Everyone who has come through a rung, ranked as at the end of `tune`."""
    plan, metric = _plan(run), recorded(run.config).name
    if plan is None:
        return Leaderboard((), metric)
    rows = searched(run, plan)
    audited = run.segment("audit")
    if audited is not None and not audited["cut"]:
        rows |= rung_rows(audited, {one: row.settings for one, row in rows.items()}, last=True)
    return Leaderboard((rows | _finalists(run, rows)).values(), metric)


def failure(run: Run, error: TrainingError) -> TrainingError:
    """What a run failed of, with where its record lies and the map of those that diverged."""
    place = shlex.quote(str(run.directory))
    reason = str(error).rstrip(".")
    told = TrainingError(f"{reason}; the run is kept, look at it with `fleetgrad show {place}`.")
    space = _space(run)
    told.divergence = None if space is None else where_broken(leaderboard(run), space)
    return told


@_understood
def phase(run: Run) -> str:
    """How far the run is, in words.

    One of "planning", "search, ...", "finals, ...", "refit", "ensemble", "student", "opening the
    test part", "done", or `FAILED`.
    """
    plan = _plan(run)
    if plan is None:
        return "planning"
    return phase_of(run, plan, lambda: searched(run, plan).values())


def phase_of(run: Run, plan: Plan, everyone: Callable[[], Iterable[Row]]) -> str:
    """The same, where the plan is known.

    Args:
        run: The record.
        plan: Its plan.
        everyone: The rows of the search, asked for only where they matter.
    """
    names = run.segments()
    if "end" in names:
        return "done"
    if "refit" in names:
        return _after_the_refit(plan, names)
    blocks = _segments(run, "finals")
    repeated = sum(len(done["members"]) for done in blocks.values() if not done["stopped"])
    if repeated >= plan.finalists * plan.replicates or any(d["stopped"] for d in blocks.values()):
        return "refit"
    if blocks:
        return f"finals, {repeated} of at most {plan.finalists * plan.replicates} repeats done"
    words = "finals" if OVER in names else _searching(plan, _segments(run, "search/"))
    if words != "finals":
        return words
    rows = [*everyone()]
    return FAILED if rows and all(row.status == "diverged" for row in rows) else words


def _after_the_refit(plan: Plan, names: Collection[str]) -> str:
    """What comes after the winner's training on all rows, in words."""
    if plan.ensemble and "ensemble" not in names:
        return "ensemble"
    if plan.distill and not any(name.startswith("distill/") for name in names):
        return "student"
    return "opening the test part"


@_understood
def curves(run: Run) -> dict[int, list[float]]:
    """Validation score after each epoch of the search, by candidate; NaN once it diverged."""
    found: dict[int, list[float]] = {}
    for candidate, score in run.scores("search"):
        found.setdefault(candidate, []).append(score)
    return found


@_understood
def ranges(run: Run) -> dict[str, Any]:
    """What was searched: the plain form of the space; empty where that is not on record."""
    space = _space(run)
    return {} if space is None else space.to_dict()


@_understood
def evidence(run: Run) -> Evidence | None:
    """What the search leaves to learn from; None where its space is not on record."""
    space = _space(run)
    return None if space is None else Evidence(space, curves(run), int(run.config["seed"]))


def origin(run: Run) -> Origin:
    """What a run began with; what is no text is as if it were not on record."""
    begun = run.segment("plan") or {}
    told = {name: begun.get(name) for name in Origin._fields}
    return Origin(**{name: text for name, text in told.items() if isinstance(text, str)})


def writer(path: Path) -> str | None:
    """Who is writing to a run's directory now, in words; None where nobody is."""
    found = lock.holder(path / directory.LOCK)
    return None if found is None else str(found)


def _space(run: Run) -> Space | None:
    """What was searched; None where that is not on record."""
    plain = run.config.get("space")
    return None if plain is None else Space.from_dict(plain)


def _searching(plan: Plan, rungs: Mapping[str, Mapping[str, Any]]) -> str:
    """Which rung of which generation is next."""
    if plan.by_rounds:
        cut = any(done["cut"] for done in rungs.values())
        return "finals" if cut else f"search, round {len(rungs) + 1}"
    generation, rung = 0, 0
    for name, done in rungs.items():
        if done["cut"]:  # the time for searching is up
            return "finals"
        generation, rung = map(int, name.split("/")[1].split("_"))
        over = not done["survivors"] or rung + 1 == len(plan.rungs(generation))
        generation, rung = (generation + 1, 0) if over else (generation, rung + 1)
    if generation == len(plan.generations):
        return "finals"
    words = f"search, rung {rung + 1} of {len(plan.rungs(generation))}"
    several = len(plan.generations) > 1
    return f"{words}, generation {generation + 1} of {len(plan.generations)}" if several else words


def _finalists(run: Run, rows: Mapping[int, Row]) -> dict[int, Row]:
    """The rows of those repeated so far, with their means, intervals and ties."""
    scores = finalists(run)
    if not scores:
        return {}
    table, metric = np.array(list(scores.values())), recorded(run.config)
    return repeated_rows(rows, list(scores), table, metric, seed=int(run.config["seed"]))


def _plan(run: Run) -> Plan | None:
    done = run.segment("plan")
    return None if done is None else Plan.from_dict(done["plan"])


def _segments(run: Run, kind: str = "") -> dict[str, dict[str, Any]]:
    """Payloads by name, in the order of completion, of all or of one phase."""
    names = [name for name in run.segments() if name.startswith(kind)]
    return {name: run.segment(name) or {} for name in names}


def _figure(row: Row) -> float:
    return row.score if row.mean is None else row.mean
