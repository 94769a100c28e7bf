"""All that the page shows, as plain values: what is on record, and how things stand now.

Words are made here, by the functions that make them for the terminal and the report; the page puts
them down as text, whatever letters they hold.
"""

import math
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fleetgrad import history, unsealing
from fleetgrad.clock import Progress
from fleetgrad.directory import REPORT
from fleetgrad.display.live import place
from fleetgrad.display.words import UNKNOWN, between, count, figure, rate, value
from fleetgrad.growing import Curves
from fleetgrad.leaderboard import Row
from fleetgrad.lock import Holder
from fleetgrad.metrics import METRICS, Metric, recorded
from fleetgrad.payload import strict
from fleetgrad.plan import Plan
from fleetgrad.report import costs
from fleetgrad.report.costs import Cost
from fleetgrad.result import Test
from fleetgrad.rounds import OVER
from fleetgrad.rows import is_whole
from fleetgrad.store import Run
from fleetgrad.watch.curves import drawn
from fleetgrad.watch.ledger import Ledger

LEADERS = 10
COMPLETE, PAUSED = "complete", "paused"
DONE, FAILED, RUNNING, STOPPED, WAITING = "done", "failed", "running", "stopped", "waiting"


class Known(NamedTuple):
    """What the record says of a run.

    Args:
        path: Its directory.
        name: Of the data.
        metric: Of the scores.
        rows: Everyone who has come through a rung, best first.
        proposed: How many there are, with those that have not.
        held: Whose weights are kept to go on from, of a search by rounds.
        plan: The schedule.
        passes: Network-epochs that the whole of it takes, as far as that is known.
        phase: How far it is, in words.
        searching: Whether candidates still come and go.
        budget: Seconds, or None.
        elapsed: Seconds taken up to the last commit.
        network_epochs: Trained up to then.
        cost: Beside running each alone.
        test: The opening, once it has been.
    """

    path: Path
    name: str
    metric: Metric
    rows: tuple[Row, ...]
    proposed: int
    held: frozenset[int]
    plan: Plan | None
    passes: float
    phase: str
    searching: bool
    budget: float | None
    elapsed: float
    network_epochs: float
    cost: Cost | None
    test: Test | None

    @property
    def leader(self) -> Row | None:
        """Who leads; None where nobody has a score."""
        found = self.rows[0] if self.rows else None
        return found if found is not None and math.isfinite(_score(found)) else None

    @property
    def done(self) -> bool:
        """Whether the run has come to its end."""
        return self.phase == "done"


class Moment(NamedTuple):
    """How things stand now, beside the record.

    Args:
        writer: Who holds the run; None where nobody does.
        progress: Its latest word, if there is any.
        speed: Network-epochs a second of late, if that is known.
    """

    writer: Holder | None
    progress: Progress | None
    speed: float | None


def known(run: Run, ledger: Ledger) -> Known:
    """What the record says.

    Raises:
        RunError: It is damaged.
    """
    with run.undamaged():
        ledger.follow(run)
        names, plan = run.segments(), ledger.plan
        rows = ledger.leaderboard(run).rows if plan else ()
        spent = [(run.segment(name) or {}).get("elapsed", 0.0) for name in names[-3:]]
        seconds = run.config["budget"]["seconds"]
        elapsed, metric = float(max(spent, default=0.0)), recorded(run.config)
        searching = plan is not None and OVER not in names
        phase = "planning"
        if plan is not None:
            phase = history.phase_of(run, plan, ledger.searched.values)
        return Known(
            path=run.directory,
            name=str(run.config["dataset"]["name"]),
            metric=metric,
            rows=rows,
            proposed=ledger.proposed,
            held=ledger.held,
            plan=plan,
            passes=float(plan.network_epochs) if plan else 0.0,
            phase=phase,
            searching=searching and phase.startswith("search"),
            budget=None if seconds is None else float(seconds),
            elapsed=elapsed,
            network_epochs=run.network_epochs(),
            cost=costs.of_rows(run, rows, elapsed),
            test=unsealing.read(run.segment("test"), metric),
        )


def record(found: Known, curves: Curves, ranges: Mapping[str, Any]) -> Any:
    """The part of the page that changes with the record.

    Args:
        found: What the record says.
        curves: Scores of the search, by candidate, as far as they are known.
        ranges: What was searched.
    """
    names = [name for name, span in ranges.items() if isinstance(span, Mapping)]
    metric, run = found.metric, shlex.quote(str(found.path))
    told = {
        "name": found.name,
        "run": str(found.path),
        "resume": f"fleetgrad resume {run}",
        "watch": f"fleetgrad watch {run}",
        "metric": {"title": metric.title, "percent": metric.percent, "greater": metric.greater},
        "curves": drawn(found.rows, curves, metric),
        "leaders": _leaders(found, names),
        "candidates": len(found.rows),
        "leads": found.leader is not None,
    }
    return strict(told)


def now(found: Known, moment: Moment) -> Any:
    """The part of the page that changes from second to second."""
    state = state_of(found, moment.writer)
    alive = moment.progress if state == RUNNING else None
    return strict(
        {
            "state": state,
            "headline": _headline(found, state, alive),
            "spoken": _spoken(found, state, alive),
            "clock": _clock(found, moment, alive),
            "tiles": _tiles(found, moment, alive),
            "counts": counts(found, alive, running=state == RUNNING),
            "writer": None if moment.writer is None else str(moment.writer),
            "commands": _commands(found, state),
            "report": (found.path / REPORT).is_file(),
        }
    )


def state_of(found: Known, writer: Holder | None) -> str:
    """What becomes of the run at present."""
    if writer is not None:
        return RUNNING
    if found.done:
        return DONE
    return FAILED if found.phase == history.FAILED else STOPPED


def counts(found: Known, alive: Progress | None, *, running: bool) -> dict[str, int]:
    """How many candidates are in which state; each is in one.

    Whoever trains just now is known by number alone, from the latest progress.
    """
    by = Counter(row.status for row in found.rows)
    fresh = max(0, found.proposed - len(found.rows))
    training, paused, complete, broken = by["unfinished"] + fresh, 0, 0, by["diverged"]
    if found.searching and running and found.plan is not None and found.plan.by_rounds:
        now = Counter(_by_rounds(row, found) for row in found.rows)
        paused, complete, by["stopped"] = now[PAUSED], now[COMPLETE], now["stopped"]
        again = 0 if alive is None else min(paused, max(0, alive.alive - fresh))
        training, paused = fresh + again, paused - again
    elif found.searching and running and alive is not None:
        lost = min(training, max(0, training - alive.alive))
        training, broken = training - lost, broken + lost
    told = {"training": training} if running else {"unfinished": training}
    told |= {PAUSED: paused, COMPLETE: complete, "stopped": by["stopped"], "diverged": broken}
    return told | {"finalists": by["finalist"]}


def _by_rounds(row: Row, found: Known) -> str:
    """A candidate's status while others may still go on from where they paused."""
    if row.status != "stopped" or found.plan is None:
        return row.status
    if is_whole(row, found.plan.epochs):
        return COMPLETE
    return PAUSED if row.id in found.held else row.status


def _headline(found: Known, state: str, alive: Progress | None) -> str:
    """Where the run stands, in a sentence."""
    phase = found.phase if alive is None else place(alive)
    if state == RUNNING:
        return "Done; the last files are being written." if found.done else f"Running: {phase}."
    if state == FAILED:
        return f"{found.phase[:1].upper()}{found.phase[1:]}."
    if state == STOPPED:
        return f"Not finished, and nobody is at it: {phase}."
    return f"Done. {_outcome(found)}"


def _spoken(found: Known, state: str, alive: Progress | None) -> str:
    """What is worth reading aloud: the stages of a run, without its every round."""
    if state != RUNNING or found.done:
        return _headline(found, state, alive)
    phase = found.phase.partition(",")[0] if alive is None else alive.phase
    return f"Running: {phase}."


def _outcome(found: Known) -> str:
    leader, metric = found.leader, found.metric
    if leader is None:
        return "There is no winner."
    who = f"#{leader.id} was chosen"
    if found.test is None:
        return f"{who}; its validation {metric.title} is {_told(metric, _score(leader))}."
    bounds = between(metric, found.test.interval)
    good = f"{figure(metric, found.test.value)} (95 % interval {bounds})"
    return f"{who}; its test {metric.title} is {good}, on {count(found.test.n, 'row')}."


def _clock(found: Known, moment: Moment, alive: Progress | None) -> dict[str, Any]:
    """Seconds gone and left; `exact` where an end was promised, else it is an estimate."""
    elapsed = found.elapsed if alive is None else max(found.elapsed, alive.elapsed)
    left, exact = None, found.budget is not None
    if moment.writer is not None and found.budget is not None:
        left = max(0.0, found.budget - elapsed)
    elif alive is not None and moment.speed and found.passes:
        left = max(0.0, found.passes - alive.network_epochs) / moment.speed
    return {"elapsed": elapsed, "left": left, "exact": exact, "share": _share(found, alive)}


def _share(found: Known, alive: Progress | None) -> float | None:
    """How much of the whole is done, in [0, 1]."""
    if found.done:
        return 1.0
    if found.budget:
        elapsed = found.elapsed if alive is None else alive.elapsed
        return min(1.0, elapsed / found.budget)
    if not found.passes:
        return None
    passes = found.network_epochs if alive is None else alive.network_epochs
    return min(1.0, passes / found.passes)


def _tiles(found: Known, moment: Moment, alive: Progress | None) -> list[dict[str, str]]:
    """The chief figures: what it is, the figure, and a note."""
    passes = max(found.network_epochs, alive.network_epochs if alive else 0.0)
    done = f"{passes:,.0f} in all"
    speed, note = moment.speed, "network-epochs a second"
    if alive is None or speed is None:
        elapsed = max(found.elapsed, alive.elapsed if alive else 0.0)
        speed, note = (passes / elapsed if elapsed else None), f"{note} on average"
    tiles = [
        _best(found, alive),
        ("candidates", f"{max(found.proposed, len(found.rows)):,}", _training(alive)),
        ("speed", UNKNOWN if not speed else rate(speed), f"{note}; {done}"),
        _saved(found.cost),
    ]
    return [{"label": label, "figure": shown, "note": said} for label, shown, said in tiles]


def _best(found: Known, alive: Progress | None) -> tuple[str, str, str]:
    metric, leader = found.metric, found.leader
    label = f"best validation {metric.title}"
    if found.test is not None:
        where = f"{between(metric, found.test.interval)}, {count(found.test.n, 'row')}"
        return f"test {metric.title}", figure(metric, found.test.value), where
    if leader is not None and leader.mean is not None:
        note = f"#{leader.id}, mean of {count(leader.replicates, 'repeat')}"
        return label, _told(metric, leader.mean), note
    if alive is not None and math.isfinite(alive.best):
        ahead = None if leader is None else f"#{leader.id} leads"
        return label, figure(METRICS[alive.metric], alive.best), ahead or "just now"
    if leader is not None:
        return label, _told(metric, leader.score), f"#{leader.id}"
    return label, UNKNOWN, "nobody has a score so far"


def _training(alive: Progress | None) -> str:
    if alive is None:
        return "none in training"
    return f"{count(alive.alive, 'network')} in training"


def _saved(cost: Cost | None) -> tuple[str, str, str]:
    """What stopping early saved, beside running each alone."""
    label = "compute saved"
    spent = 0.0 if cost is None else cost.spent.get("search", 0.0)
    if cost is None or not spent:
        return label, UNKNOWN, "nothing to compare yet"
    note = f"search took {spent:,.0f} epochs; each alone to its end, {cost.alone:,.0f}"
    return label, f"{100 * cost.saved:.0f} %", note


def _leaders(found: Known, names: list[str]) -> dict[str, Any]:
    """The top of the leaderboard: columns and rows of text."""
    metric = found.metric
    columns = ["rank", "id", metric.title, "95 % interval", "epochs", "status", *names]
    rows = [
        [
            str(rank),
            f"#{row.id}",
            _told(metric, _score(row)),
            between(metric, metric.ends(row.interval) if row.interval else None),
            str(row.epochs),
            _status(row, found),
            *(value(getattr(row.settings, name)) for name in names),
        ]
        for rank, row in enumerate(found.rows[:LEADERS], start=1)
    ]
    return {"columns": columns, "numbers": 5, "rows": rows}


def _status(row: Row, found: Known) -> str:
    if row.status == "diverged":
        return f"diverged, step {row.diverged_step}"
    if row.replicates:
        repeats = count(row.replicates, "repeat")
        return f"{repeats}, tied" if row.tied else repeats
    waiting = found.searching and found.plan is not None and found.plan.by_rounds
    return _by_rounds(row, found) if waiting else row.status


def _commands(found: Known, state: str) -> list[tuple[str, str]]:
    """How to go on: what for, and the command."""
    run = shlex.quote(str(found.path))
    if state == STOPPED:
        return [("go on", f"fleetgrad resume {run}"), ("look closer", f"fleetgrad show {run}")]
    commands = [("look closer", f"fleetgrad show {run}")]
    if state == DONE and (found.path / REPORT).is_file():
        commands.insert(0, ("report", str(found.path / REPORT)))
    if state == DONE and (found.path / "model").is_dir():
        commands.append(("predict", f"fleetgrad predict {run} FILE"))
    return commands


def _score(row: Row) -> float:
    return row.score if row.mean is None else row.mean


def _told(metric: Metric, score: float) -> str:
    return UNKNOWN if math.isnan(score) else metric.written(score)
