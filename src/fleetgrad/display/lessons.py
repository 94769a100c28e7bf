"""What a search has learned of its hyperparameters: what mattered, what to expect, what broke."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from rich.console import Console, Group, RenderableType
from rich.text import Text

from fleetgrad.display.columns import INDENT, Column, fitting, indented, table
from fleetgrad.display.words import UNKNOWN, between, count, edge, sparkline, value
from fleetgrad.divergence import Map
from fleetgrad.effects import Point
from fleetgrad.insight import Insight, plain
from fleetgrad.metrics import Metric

BAR = 6  # characters of the longest bar
NAMED = 3  # names in the one line
COUNTS, SHARES = "diverged / tried, in each field", "the share that diverged, in each field"
_READ = (
    "share: how much its values set the best tenth apart from the rest. {title}: to expect at the "
    "end of training near its best value, all else as it was tried, within these bounds at 90 % "
    "confidence. curve: that {title} from the lowest value, or the first choice, to the last; all "
    "curves are on one scale{upwards}."
)


def line(importances: Mapping[str, float]) -> str:
    """The names that mattered most, with their shares.

    >>> line({"learning_rate": 0.61, "dropout": 0.39})
    'learning_rate 61 %, dropout 39 % of what set the best tenth apart'
    """
    most = list(importances.items())[:NAMED]
    named = ", ".join(f"{name} {100 * share:.0f} %" for name, share in most)
    return f"{named} of what set the best tenth apart"


def show(console: Console, insight: Insight, *, guessed: bool = False) -> None:
    """Print all that was learned; where the best only `guessed`, nothing set them apart."""
    if guessed:
        indented(console, Text("what mattered: nothing, for nobody is better than guessing", "dim"))
    elif insight.importances is None or insight.effects is None:
        if insight.reason:
            indented(console, Text(f"what mattered: {insight.reason}", "dim"))
    else:
        indented(console, _mattered(insight, console.width))
    if insight.divergence is not None:
        broken(console, insight.divergence)


def broken(console: Console, chart: Map, *, apart: bool = False) -> None:
    """Print where training diverged, or that nobody did; `apart` leaves a line free before it."""
    if apart:
        console.print()
    lost, tried = (sum(map(sum, counts)) for counts in (chart.diverged, chart.tried))
    if not lost:
        indented(console, Text(f"none of {count(tried, 'candidate')} diverged", "dim"))
        return
    body, figures = _line(chart) if chart.y is None else _square(chart, chart.y, console.width)
    head = Text.assemble(("where training diverged", "bold"), (f"   {figures}", "dim"))
    indented(console, Group(head, Text(), body))


def _mattered(insight: Insight, width: int) -> RenderableType:
    importances, effects, metric = insight.importances or {}, insight.effects or {}, insight.metric
    names, most = list(importances), max(importances.values(), default=0.0)
    best = [max(effects.get(name, ()), key=lambda one: one.mean, default=None) for name in names]
    means = [one.mean for several in effects.values() for one in several]
    scale = (min(means, default=0.0), max(means, default=1.0))
    curves = [[one.mean for one in effects.get(name, ())] for name in names]
    columns = [
        Column("what mattered", names),
        Column("share", [_share(share, most) for share in importances.values()], style="cyan"),
        Column("best near", [_value(*pair) for pair in zip(names, best, strict=True)]),
        Column(metric.title, [_mean(metric, one) for one in best], "right", "bold"),
        Column("90 % within", [_interval(metric, one) for one in best]),
        Column("curve", [sparkline(one, *scale, 11) for one in curves], style="cyan"),
    ]
    words = _READ.format(title=metric.title, upwards="" if metric.greater else ", less is higher")
    return Group(table(fitting(columns, width)), Text(words, "dim"))


def _share(share: float, most: float) -> str:
    bar = "█" * round(BAR * share / most) if most else ""
    return f"{bar:<{BAR}} {100 * share:2.0f} %"


def _value(name: str, point: Point | None) -> str:
    return UNKNOWN if point is None else value(plain(name, point.value))


def _mean(metric: Metric, point: Point | None) -> str:
    if point is None:
        return UNKNOWN
    return f"{100 * point.mean:.1f} %" if metric.percent else metric.written(point.mean)


def _interval(metric: Metric, point: Point | None) -> str:
    if point is None:
        return ""
    if metric.percent:
        return f"{100 * point.low:.1f} to {100 * point.high:.1f}"
    return between(metric, metric.ends((point.low, point.high)))


def _line(chart: Map) -> tuple[RenderableType, str]:
    """One axis, a row for each field; and what its figures are."""
    counts = [(lost[0], tried[0]) for lost, tried in zip(chart.diverged, chart.tried, strict=True)]
    columns = [
        Column(chart.x, _stretches(chart.x_edges), "right"),
        Column("diverged", [_field(*one).plain for one in counts], "right"),
        Column("", ["█" * round(BAR * lost / max(tried, 1)) for lost, tried in counts], "left"),
    ]
    return table(columns, [_style(*one) for one in counts]), COUNTS


def _square(chart: Map, y: str, width: int) -> tuple[Text, str]:
    """Two axes, the second upwards, where a reader looks for it; and what the figures are.

    Counts too long for the width become shares.
    """
    labels = _stretches(chart.y_edges)
    indent, figures, fields = max(map(len, labels)), COUNTS, _fields(chart, _field)
    wide = _widest(fields) + 2
    if INDENT + indent + 3 + wide * len(fields) > width:
        figures, fields = SHARES, _fields(chart, _part)
        wide = _widest(fields) + 2
    text = Text.assemble((f"{y}\n", "bold"))
    for place in reversed(range(len(labels))):
        text.append(f"{labels[place]:>{indent}} │", "dim")
        for row in fields:
            text.append(" " * (wide - len(row[place]))).append_text(row[place])
        text.append("\n")
    text.append(f"{'':{indent}} └{'─' * (wide * len(fields) + 1)}\n", "dim")
    text.append(f"{'':{indent}} {_ruler(chart.x_edges, wide)}\n", "dim")
    return text.append(f"{'':{indent}}  {chart.x}", "bold"), figures


def _fields(chart: Map, draw: Callable[[int, int], Text]) -> list[list[Text]]:
    return [
        [draw(*one) for one in zip(*both, strict=True)]
        for both in zip(chart.diverged, chart.tried, strict=True)
    ]


def _widest(fields: Sequence[Sequence[Text]]) -> int:
    return max(len(field) for row in fields for field in row)


def _field(lost: int, tried: int) -> Text:
    return Text(f"{lost}/{tried}" if tried else "·", _style(lost, tried))


def _part(lost: int, tried: int) -> Text:
    return Text(f"{100 * lost / tried:.0f}%" if tried else "·", _style(lost, tried))


def _style(lost: int, tried: int) -> str:
    if not lost:
        return "dim"
    return "bold red" if lost == tried else "yellow"


def _stretches(edges: Sequence[float]) -> list[str]:
    """The fields' ends, in words."""
    if len(edges) == 2 and edges[0] == edges[1]:  # noqa: PLR2004 - both ends
        return [edge(edges[0])]
    return [f"{edge(low)} to {edge(high)}" for low, high in pairwise(edges)]


def _ruler(edges: Sequence[float], wide: int) -> str:
    """Where the fields end, each number beginning at its place, as many as there is room for."""
    drawn = ""
    for place, one in enumerate(edges):
        start = place * wide + 1
        if not drawn or len(drawn) < start:
            drawn = f"{drawn:<{start}}{edge(one)}"
    return drawn
