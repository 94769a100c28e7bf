"""Parallel coordinates: a line a candidate through its settings, to its score."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from fleetgrad.display.words import edge, value
from fleetgrad.report.facts import Candidate, Facts
from fleetgrad.report.figures import style
from fleetgrad.report.thinning import evenly

MOST_LINES = 300
MOST_AXES = 9
SHORT = 14  # letters at the ends of an axis
SHADES = {  # from the best quarter to the worst
    "best quarter": style.BLUE,
    "second": style.SKY,
    "third": style.GRAY,
    "last quarter": style.ORANGE,
}

Span = Mapping[str, Any]


class _Axes(NamedTuple):
    """The names that have an axis, and the scores at the ends of the last one."""

    names: Sequence[str]
    low: float
    high: float


def parallel(facts: Facts) -> go.Figure | None:
    """The lines, by quarters of the leaderboard; None below two of them."""
    known = [one for one in facts.candidates if one.score is not None]
    names = _ordered(facts)[:MOST_AXES]
    if len(known) < 2 or not names:  # noqa: PLR2004 - one line tells nothing
        return None
    shown, metric = evenly(known, MOST_LINES), facts.metric
    scores = [one.score for one in shown if one.score is not None]
    ends = (min(scores), max(scores)) if metric.greater else (max(scores), min(scores))
    axes = _Axes(names, *ends)
    quarters = [
        shown[len(shown) * place // 4 : len(shown) * (place + 1) // 4] for place in range(4)
    ]
    parts = zip(SHADES, quarters, strict=True)
    traces = [_lines(facts, axes, part, label) for label, part in parts if part]
    made = style.figure(
        traces[::-1],
        height=440,
        x={
            "tickvals": list(range(len(names) + 1)),
            "ticktext": [*map(_broken, names), f"<b>{metric.title}</b>"],
            "range": [-0.35, len(names) + 0.35],
            "fixedrange": True,
        },
        y={"visible": False, "range": [-0.06, 1.06], "fixedrange": True},
        showlegend=True,
        legend={"traceorder": "reversed"},
    )
    for place, name in enumerate(names):
        _draw_axis(made, place, *_labels(facts.ranges[name]))
    _draw_axis(made, len(names), *(metric.written(metric.score(end)) for end in ends))
    return made


def _ordered(facts: Facts) -> list[str]:
    """Names with more than one value, those that mattered most first."""
    told = facts.insight.importances
    names = [name for name in (told or facts.ranges) if name in facts.ranges]
    return [name for name in names if len(facts.ranges[name].get("choice", (1, 2))) > 1]


def _lines(facts: Facts, axes: _Axes, part: Sequence[Candidate], label: str) -> go.Scatter:
    """All lines of a quarter as one, with gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str | None] = []
    for one in part:
        x += [*range(len(axes.names) + 1), None]
        y += [*_height(facts, axes, one), None]
        texts += [*_told(facts, axes, one), None]
    best = label == next(iter(SHADES))
    return go.Scatter(
        x=x,
        y=y,
        text=texts,
        mode="lines",
        name=label,
        opacity=0.75 if best else 0.4,
        line={"color": SHADES[label], "width": 1.6 if best else 1},
        hovertemplate="%{text}<extra></extra>",
        connectgaps=False,
    )


def _height(facts: Facts, axes: _Axes, one: Candidate) -> list[float]:
    """Where its line meets each axis, in [0, 1]."""
    assert one.score is not None
    apart = axes.high - axes.low
    share = (one.score - axes.low) / apart if apart else 1.0
    return [*(place(facts.ranges[name], one.settings[name]) for name in axes.names), share]


def _told(facts: Facts, axes: _Axes, one: Candidate) -> list[str]:
    assert one.score is not None
    own = [f"{name} {style.escaped(value(one.settings[name]))}" for name in axes.names]
    scored = facts.metric.written(facts.metric.score(one.score))
    return [f"#{one.id} {text}" for text in (*own, scored)]


def place(span: Span, own: Any) -> float:
    """Where a value lies in its range, in [0, 1].

    >>> place({"low": 0.001, "high": 0.1, "log": True}, 0.01)
    0.5
    >>> place({"choice": [[128], [256, 128], [512]]}, (256, 128))
    0.5
    """
    if "choice" in span:
        values, wanted = [_plain(one) for one in span["choice"]], _plain(own)
        return values.index(wanted) / max(1, len(values) - 1) if wanted in values else 0.0
    scale = math.log if span.get("log") else float
    low, high, here = (scale(one) for one in (span["low"], span["high"], own))
    return round(min(1.0, max(0.0, (here - low) / (high - low))), 4) if high > low else 0.5


def _plain(one: Any) -> Any:
    return list(one) if isinstance(one, tuple) else one


def _labels(span: Span) -> tuple[str, str]:
    """What stands at both ends of an axis."""
    if "choice" in span:
        first, last = (style.escaped(value(span["choice"][end]), SHORT) for end in (0, -1))
        return first, last
    return edge(span["low"]), edge(span["high"])


def _draw_axis(made: go.Figure, at: int, low: str, high: str) -> None:
    made.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, line={"color": style.GRID, "width": 1})
    for y, text, anchor in ((0, low, "top"), (1, high, "bottom")):
        made.add_annotation(
            x=at, y=y, text=text, showarrow=False, yanchor=anchor, font={"size": 11}
        )


def _broken(name: str) -> str:
    return name.replace("_", "<br>", 1)
