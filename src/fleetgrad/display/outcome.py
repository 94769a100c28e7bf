"""What came of a run: the winner, the leaderboard, where everything is, and how to go on."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetgrad.audit import Audit
from fleetgrad.calibration import Calibration
from fleetgrad.display import lessons
from fleetgrad.display.columns import INDENT, Column, fitting, indented, table
from fleetgrad.display.words import (
    UNKNOWN,
    between,
    count,
    course,
    duration,
    figure,
    percent,
    searched,
    sparkline,
    taken_over,
    value,
)
from fleetgrad.distilled import STUDENT, Distilled
from fleetgrad.doubling import Doubling
from fleetgrad.finals import FEWEST_REPLICATES
from fleetgrad.insight import Insight
from fleetgrad.leaderboard import Row
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.result import Result, Test, Validation

MOST_ROWS = 10
CURVE_WIDTH = 16
_STYLES = {"diverged": "red", "stopped": "dim", "unfinished": "", "finalist": ""}

Ranges = Mapping[str, Any]
Curves = Mapping[int, Sequence[float]]


def show(
    console: Console,
    result: Result,
    ranges: Ranges,
    *,
    state: str = "",
    curves: Curves | None = None,
    insight: Insight | None = None,
) -> None:
    """Print the outcome.

    Args:
        console: Where to.
        result: Of a run, finished or not.
        ranges: What was searched: the plain form of the space.
        state: What an unfinished run is doing, in words.
        curves: Validation scores by epoch, by candidate, to draw beside the rows.
        insight: What was learned of the hyperparameters, to tell too.
    """
    names = [name for name, span in ranges.items() if isinstance(span, Mapping)]
    console.print(_headline(result))
    console.print()
    if state:
        indented(console, _facts([("state", Text(state, "yellow"))]))
    if result.settings is not None:
        indented(console, _figures(result))
        indented(console, _winner(result, ranges, names))
    elif result.leaderboard.rows:
        indented(console, Text(f"all of {count(result.candidates, 'candidate')} diverged", "red"))
    else:
        indented(console, Text("no candidate has come through a rung yet", "dim"))
    if result.leaderboard.rows:
        indented(console, _leaderboard(result, names, curves or {}, console.width))
    if insight is not None and insight.candidates:
        lessons.show(console, insight, guessed=result.above_chance is False)
    for name, text in _places(result):
        console.print(Text.assemble(" " * INDENT, (f"{name:<8}", "dim"), text), soft_wrap=True)


def _headline(result: Result) -> Text:
    data = result.dataset
    parts = [
        f"{count(data['rows'], 'row')} of {count(data['features'], 'feature')}",
        count(result.candidates, "candidate"),
        f"{count(result.network_epochs, 'network-epoch')} in {duration(result.elapsed_s)}",
    ]
    return Text.assemble((str(data["name"]), "bold"), "  ", (" · ".join(parts), "dim"))


def _figures(result: Result) -> RenderableType:
    """The winner's id, its figures, and who cannot be told from it."""
    winner = result.leaderboard.rows[0]
    facts = [("candidate", Text.assemble((f"#{winner.id}", "bold green"), f"  {_claim(result)}"))]
    facts += _scores(result)
    guessed = result.above_chance is False
    if guessed:
        facts.append(("beware", Text(_guessing(result), "yellow")))
    facts += [(name, Text(words)) for name, words in _together(result).items()]
    if result.ties:
        ids = ", ".join(f"#{one}" for one in result.ties)
        them = "it" if len(result.ties) == 1 else "them"
        facts.append(("tied with", Text(f"{ids}: the data cannot tell {them} from #{winner.id}")))
    if result.audit is not None and result.audit.audited:
        facts.append(("audit", Text(_audit(result.audit))))
    if result.doubling is not None and result.doubling.gain is not None:
        facts.append(("doubling", Text(_doubling(result.doubling))))
    if not guessed and result.importances and any(result.importances.values()):
        facts.append(("mattered", Text(lessons.line(result.importances))))
    if result.diverged:
        facts.append(("diverged", Text(f"{result.diverged} of {result.candidates}", "red")))
    return _facts(facts)


def _scores(result: Result) -> list[tuple[str, Text]]:
    """How the winner does by the metric, on the test part if there is one, and on validation."""
    facts, metric = [], METRICS[result.metric]
    if metric.name != "accuracy":
        facts.append(("metric", Text(_direction(metric))))
    if result.dataset.get("test_rows") != 0:
        facts.append(("test", _test(result.test)))
    if result.validation is not None:
        facts.append(("validation", _validated(result.validation)))
    return facts


def _claim(result: Result) -> str:
    """What may be said of the best of the leaderboard, and no more."""
    finalists = [row for row in result.leaderboard if row.status == "finalist"]
    if result.interrupted:
        return "leads so far"
    if result.decided:
        return f"the winner of {count(len(finalists), 'finalist')}"
    if not result.ties:
        return "chosen; nobody was there to be compared with it"
    if result.leaderboard.rows[0].replicates < FEWEST_REPLICATES:
        return f"chosen; a winner takes {FEWEST_REPLICATES} repeats or more"
    if len(result.ties) + 1 == len(finalists):
        return f"chosen among {len(finalists)} equals; no winner can be named"
    return "chosen among the best; no single winner can be named"


def _direction(metric: Metric) -> str:
    return f"{metric.title}; {'greater' if metric.greater else 'less'} is better"


def _guessing(result: Result) -> str:
    metric = METRICS[result.metric]
    answer = f"the same answer for every row, whose {metric.title} is"
    if metric.name == "accuracy":
        answer = "to answer the commonest class for every row, which is right for"
    return (
        f"no better than {answer} {figure(metric, result.guess)}; search lower learning rates, or "
        "look at the data"
    )


def _together(result: Result) -> dict[str, str]:
    """Who predicts together, what one network has learned from them, or how sure it is alone."""
    facts, one = {}, result.distilled
    if result.ensemble:
        shares = [f"#{member} {100 * share:.0f} %" for member, share in result.ensemble.items()]
        place = "they are the model" if one is None else "saved beside the model"
        facts["ensemble"] = f"{', '.join(shares)}: {place}"
    if one is not None:
        facts["distilled"] = _distilled(one)
    if result.calibration is not None:
        facts["calibrated"] = _calibrated(result.calibration)
    return facts


def _distilled(distilled: Distilled) -> str:
    """Which single network the model is, and how it compared on rows that none had learned from."""
    model = f"the model is #{distilled.candidate} itself"
    if distilled.kept == STUDENT:
        model = f"the model is one network like #{distilled.candidate} that learned from them"
    why = {
        "better": "better than it",
        "no better": "a student of them was no better",
        "diverged": "a student of them diverged",
        "no time": "there was no time to learn from them",
        "no ensemble": "there is no ensemble to learn from",
    }[distilled.reason]
    if distilled.validation is None:
        return f"{model}: {why}"
    written = distilled.metric.written
    scores = [f"{name} {written(one.score)}" for name, one in distilled.validation.items()]
    return f"{model}: {why} ({', '.join(scores)} of {count(distilled.rows, 'held-out row')})"


def _calibrated(found: Calibration) -> str:
    before, after = percent(found.before), percent(found.after)
    rows = count(found.rows, "held-out row")
    return (
        f"probabilities are off by {after} on average, {before} before logits were divided by "
        f"{found.temperature:.2f} ({rows})"
    )


def _audit(audit: Audit) -> str:
    ran = f"{count(audit.audited, 'candidate')} that had been stopped ran to the end after all"
    won = "none would have won" if not audit.would_have_won else f"{audit.would_have_won} would win"
    return f"{ran}: {won}"


def _doubling(doubling: Doubling) -> str:
    assert doubling.gain is not None
    metric, gain = doubling.metric, doubling.gain
    low, high = map(metric.amount, gain.interval)
    more = metric.gain(gain.expected)
    if metric.percent:
        more = f"{metric.amount(gain.expected)} points more"
    return f"twice the budget: about {more}, by {doubling.how} ({low} to {high})"


def _test(test: Test | None) -> Text:
    if test is None:
        return Text("still sealed: it is opened once, at the end", "dim")
    if test.opening == 1:
        return _figure(
            test.metric, test.value, test.interval, f"{count(test.n, 'row')}, opened once"
        )
    text = _figure(test.metric, test.value, test.interval, count(test.n, "row"))
    warning = f"opening {test.opening}: this test part was looked at before"
    return text.append(f", {warning}", "yellow")


def _validated(found: Validation) -> Text:
    repeats = "mean of " + count(found.replicates, "repeat") + " on fresh splits"
    remark = repeats if found.interval else "one split"
    text = _figure(found.metric, found.mean, found.interval, remark)
    if found.corrected is not None:
        corrected = figure(METRICS[found.metric], found.corrected)
        text.append(f"; {corrected} without the luck of being chosen", "dim")
    return text


def _figure(name: str, value: float, interval: Any, remark: str) -> Text:
    metric = METRICS[name]
    text = Text(figure(metric, value), "bold")
    if interval is not None:
        text.append(f"   {between(metric, interval)}", "cyan")
    return text.append(f"   {remark}", "dim")


def _facts(facts: Sequence[tuple[str, Text]]) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    for name, text in facts:
        grid.add_row(name, text)
    return grid


def _winner(result: Result, ranges: Ranges, names: Sequence[str]) -> Table:
    """The settings that were searched, each with its range."""
    assert result.settings is not None
    chosen = [course(result.settings, name) for name in names]
    return table(
        [
            Column("searched", names),
            Column("best", chosen, style="bold"),
            Column("among", [searched(ranges[name]) for name in names], style="dim"),
        ]
    )


def _leaderboard(
    result: Result, names: Sequence[str], curves: Curves, width: int
) -> RenderableType:
    rows, metric = result.leaderboard.rows[:MOST_ROWS], METRICS[result.metric]
    columns = [
        Column("", [str(rank) for rank in range(1, len(rows) + 1)], "right", "dim"),
        Column("id", [f"#{row.id}" for row in rows], "right"),
        Column("validation", [figure(metric, metric.score(_score(row))) for row in rows], "right"),
        Column("95 % interval", [_interval(metric, row) for row in rows], "left", "cyan"),
        Column("epochs", [str(row.epochs) for row in rows], "right"),
        Column("status", [_status(row) for row in rows]),
    ]
    if curves:
        columns.append(Column("by epoch", _drawn(rows, curves), style="cyan"))
    columns += [
        Column(name, [value(getattr(row.settings, name)) for row in rows], style="dim")
        for name in names
    ]
    first = "bold green" if result.settings is not None else "red"
    styles = [first, *(_STYLES[row.status] for row in rows[1:])]
    made = table(fitting(columns, width), styles)
    more = len(result.leaderboard) - len(rows)
    return Group(made, Text(f"and {more} more", "dim")) if more else made


def _drawn(rows: Sequence[Row], curves: Curves) -> list[str]:
    """The curves of these rows, all on one scale."""
    shown = [curves.get(row.id, []) for row in rows]
    values = [one for curve in shown for one in curve if one == one]  # noqa: PLR0124 - no NaN
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return [sparkline(curve, low, high, CURVE_WIDTH) for curve in shown]


def _interval(metric: Metric, row: Row) -> str:
    return "" if row.interval is None else between(metric, metric.ends(row.interval))


def _score(row: Row) -> float:
    return row.score if row.mean is None else row.mean


def _status(row: Row) -> str:
    if row.status == "diverged":
        return f"diverged, step {row.diverged_step}"
    repeats = f"{row.replicates} repeats" if row.replicates else row.status
    return f"{repeats}, tied" if row.tied else repeats


def _places(result: Result) -> list[tuple[str, str]]:
    """Where all came from, where the run and the model are, and the commands to go on with."""
    run = _quoted(result.run)
    places = [("from", taken_over(one)) for one in result.warm_start]
    places.append(("run", str(result.run)))
    if result.model_path is not None:
        places.append(("model", str(result.model_path)))
    if result.interrupted and not _failed(result):
        places.append(("go on", f"fleetgrad resume {run}"))
    if result.model_path is not None:
        places.append(("predict", f"fleetgrad predict {run} FILE"))
    places.append(("look", f"fleetgrad show {run}"))
    return [(name, text or UNKNOWN) for name, text in places]


def _failed(result: Result) -> bool:
    """Whether everyone diverged, so that there is nobody to go on with."""
    return result.settings is None and result.diverged > 0


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
