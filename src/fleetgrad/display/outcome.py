"""What came of a run: the winner, the leaderboard, where everything is, and how to go on."""

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleetgrad.directory import REPORT
from fleetgrad.display import lessons, sentences, summary
from fleetgrad.display.columns import INDENT, Column, fitting, indented, table
from fleetgrad.display.words import (
    BARS,
    UNKNOWN,
    between,
    count,
    course,
    duration,
    figure,
    searched,
    sparkline,
    taken_over,
    value,
)
from fleetgrad.insight import Insight
from fleetgrad.leaderboard import Row
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.report.costs import Cost
from fleetgrad.result import Result, Test, Validation

MOST_ROWS = 10
BY_EPOCH = "by epoch"
CURVE_WIDTH = 12  # so that the table is no wider than 80
LOST = "\u00d7"  # a cross ends the curve of one that diverged
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
    cost: Cost | None = None,
) -> None:
    """Print the outcome.

    Args:
        console: Where to.
        result: Of a run, finished or not.
        ranges: What was searched: the plain form of the space.
        state: What an unfinished run is doing, in words.
        curves: Validation scores by epoch, by candidate, to draw beside the rows.
        insight: What was learned of the hyperparameters, to tell too.
        cost: What the run has cost so far, to tell too.
    """
    names = [name for name, span in ranges.items() if isinstance(span, Mapping)]
    console.print(_headline(result, console.width))
    console.print()
    if state:
        indented(console, _facts([("state", Text(state, "yellow"))]))
    if result.settings is not None:
        indented(console, _figures(result, cost))
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
    console.print(Text("\nin five lines, to pass on:", "dim"))
    for line in summary.lines(result):
        console.print(Text(line), soft_wrap=True)


def _headline(result: Result, width: int) -> Text:
    """What was searched, and how; a part that does not fit begins a line."""
    data = result.dataset
    parts = [
        f"{count(data['rows'], 'row')} of {count(data['features'], 'feature')}",
        count(result.candidates, "candidate"),
        f"{count(result.network_epochs, 'network-epoch')} in {duration(result.elapsed_s)}",
    ]
    told = f"{data['name']}  "
    for part in parts:
        gap = "" if told.endswith("  ") else " · "
        line = told.rpartition("\n")[2]
        fits = len(line) + len(gap) + len(part) <= width
        told += f"{gap}{part}" if fits else f"\n  {part}"
    found = Text(told, "dim")
    found.stylize("not dim bold", 0, len(str(data["name"])))
    return found


def _figures(result: Result, cost: Cost | None) -> RenderableType:
    """The winner's id, its figures, and who cannot be told from it."""
    winner = result.leaderboard.rows[0]
    facts = [
        (
            "candidate",
            Text.assemble((f"#{winner.id}", "bold green"), f"  {sentences.claim(result)}"),
        )
    ]
    facts += _scores(result)
    guessed = result.above_chance is False
    if guessed:
        facts.append(("beware", Text(sentences.guessing(result), "yellow")))
    facts += [(name, Text(words)) for name, words in sentences.together(result).items()]
    if result.ties:
        facts.append(("tied with", Text(sentences.tied(result))))
    if result.audit is not None and result.audit.audited:
        facts.append(("audit", Text(sentences.audited(result.audit))))
    if result.doubling is not None and result.doubling.gain is not None:
        facts.append(("doubling", Text(sentences.doubled(result.doubling))))
    if not guessed and result.importances and any(result.importances.values()):
        facts.append(("mattered", Text(lessons.line(result.importances))))
    if cost is not None:
        facts += [(name, Text(words)) for name, words in _spent(result, cost)]
    if result.recovered:
        facts.append(("recovered", Text(_recovered(result.recovered), "yellow")))
    if result.diverged:
        facts.append(("diverged", Text(f"{result.diverged} of {result.candidates}", "red")))
    return _facts(facts)


def _scores(result: Result) -> list[tuple[str, Text]]:
    """How the winner does by the metric, on the test part if there is one, and on validation."""
    facts, metric = [], METRICS[result.metric]
    if metric.name != "accuracy":
        facts.append(("metric", Text(sentences.direction(metric))))
    if result.dataset.get("test_rows") != 0:
        facts.append(("test", _test(result.test)))
    if result.validation is not None:
        facts.append(("validation", _validated(result.validation)))
    return facts


def _spent(result: Result, cost: Cost) -> list[tuple[str, str]]:
    """What it has cost, and what stopping early has saved."""
    phases = [f"{phase} {passes:,.0f}" for phase, passes in cost.spent.items()]
    told = f"{', '.join(phases)} network-epochs"
    if result.compile_s:
        told += f"; {duration(result.compile_s)} of compiling"
    facts = [("cost", told)] if phases else []
    if cost.saved:
        share, alone = f"{100 * cost.saved:.0f} %", f"{cost.alone:,.0f}"
        facts.append(("saved", f"{share} of the {alone} of a search in which nobody is stopped"))
    return facts


def _recovered(segments: Sequence[str]) -> str:
    """What came to harm on the disk."""
    names = ", ".join(dict.fromkeys(segments))
    return f"damaged weights were trained again, with the same result: {names}"


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
            Column("best", chosen, style="bold", wraps=True),
            Column("among", [searched(ranges[name]) for name in names], style="dim", wraps=True),
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
        columns.append(Column(BY_EPOCH, _drawn(rows, curves), style="cyan"))
    columns += [
        Column(name, [value(getattr(row.settings, name)) for row in rows], style="dim")
        for name in names
    ]
    first = "bold green" if result.settings is not None else "red"
    styles = [first, *(_STYLES[row.status] for row in rows[1:])]
    chosen = fitting(columns, width)
    parts: list[RenderableType] = [table(chosen, styles)]
    more = len(result.leaderboard) - len(rows)
    if more:
        parts.append(Text(f"and {more} more", "dim"))
    if BY_EPOCH in [column.title for column in chosen]:
        parts.append(Text(_scaled(metric, *_scale(rows, curves)), "dim"))
    return Group(*parts)


def _drawn(rows: Sequence[Row], curves: Curves) -> list[str]:
    """The curves of these rows, all on one scale; of who diverged, up to where it did."""
    scale = _scale(rows, curves)
    return [_curve(row, curves.get(row.id, []), scale) for row in rows]


def _curve(row: Row, scores: Sequence[float], scale: tuple[float, float]) -> str:
    if row.status != "diverged":
        return sparkline(scores, *scale, CURVE_WIDTH)
    sound = [score for score in scores if math.isfinite(score)]
    return f"{sparkline(sound, *scale, CURVE_WIDTH - 1)}{LOST}"


def _scale(rows: Sequence[Row], curves: Curves) -> tuple[float, float]:
    """The best score of all these curves, and one that all but a tenth of them are above."""
    found = [one for row in rows for one in curves.get(row.id, []) if math.isfinite(one)]
    scores = sorted(found)
    return (scores[len(scores) // 10], scores[-1]) if scores else (0.0, 1.0)


def _scaled(metric: Metric, low: float, high: float) -> str:
    ends = f"{BARS[0]} {metric.written(low)} or worse, {BARS[-1]} {metric.written(high)}"
    return f"{BY_EPOCH}: validation {metric.title}, {ends}, {LOST} diverged"


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
    if (result.run / REPORT).exists():
        places.append(("report", str(result.run / REPORT)))
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
