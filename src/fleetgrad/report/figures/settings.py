"""What the search tried, and what it learned of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fleetgrad.display.words import edge, value
from fleetgrad.insight import plain
from fleetgrad.report.facts import Candidate, Facts
from fleetgrad.report.figures import style

MOST_LINES = 300  # of parallel coordinates
MOST_MARKS = 3000  # of the map
MOST_AXES = 9
COLUMNS = 3  # of small curves side by side
SHADES = (style.BLUE, style.SKY, style.GRAY, style.ORANGE)  # best quarter to worst

CROSS = {"width": 2, "color": style.RED}
Span = Mapping[str, Any]


def parallel(facts: Facts) -> go.Figure | None:
    """A line a candidate through its settings, to its score; None below two of them."""
    known = [one for one in facts.candidates if one.score is not None]
    names = _ordered(facts)[:MOST_AXES]
    if len(known) < 2 or not names:  # noqa: PLR2004 - one line tells nothing
        return None
    few = [known[place * len(known) // MOST_LINES] for place in range(MOST_LINES)]
    shown = known if len(known) <= MOST_LINES else few
    metric = facts.metric
    scores = [one.score for one in shown if one.score is not None]
    low, high = (min(scores), max(scores)) if metric.greater else (max(scores), min(scores))
    quarters = [
        shown[len(shown) * place // 4 : len(shown) * (place + 1) // 4] for place in range(4)
    ]
    labels = ("best quarter", "second", "third", "last quarter")
    traces = []
    for part, color, label in reversed(list(zip(quarters, SHADES, labels, strict=True))):
        if part:
            traces.append(_lines(part, names, facts, (low, high), (color, label)))
    made = style.figure(
        traces,
        height=440,
        x={
            "tickvals": list(range(len(names) + 1)),
            "ticktext": [*map(_broken_name, names), f"<b>{metric.title}</b>"],
            "range": [-0.35, len(names) + 0.35],
            "fixedrange": True,
        },
        y={"visible": False, "range": [-0.06, 1.06], "fixedrange": True},
        showlegend=True,
        legend={"traceorder": "reversed"},
    )
    for place, name in enumerate(names):
        _ends(made, place, *_labels(facts.ranges[name]))
    _ends(made, len(names), metric.written(metric.score(low)), metric.written(metric.score(high)))
    return made


def importances(facts: Facts) -> go.Figure | None:
    """The share of each name; None where nothing is known."""
    found = facts.insight.importances
    if not found or not any(found.values()) or facts.result.above_chance is False:
        return None
    names, shares = list(found), list(found.values())
    return style.figure(
        [
            go.Bar(
                x=shares[::-1],
                y=names[::-1],
                orientation="h",
                marker={"color": style.BLUE},
                text=[f"{100 * share:.0f} %" for share in shares[::-1]],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y}: %{x:.1%}<extra></extra>",
            )
        ],
        height=90 + 26 * len(names),
        x={"tickformat": ".0%", "rangemode": "tozero", "range": [0, 1.15 * max(shares)]},
        y={"ticklabelstandoff": 6},
    )


def effects(facts: Facts) -> go.Figure | None:
    """The score to expect at each value of each name, with an interval; None if none is known."""
    found = facts.insight.effects
    if not found or facts.result.above_chance is False:
        return None
    names = [name for name in (facts.insight.importances or found) if found.get(name)]
    rows = -(-len(names) // COLUMNS)
    made = make_subplots(
        rows=rows,
        cols=COLUMNS,
        subplot_titles=names,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=min(0.2, 0.42 / max(rows, 1)),
    )
    for place, name in enumerate(names):
        row, column = place // COLUMNS + 1, place % COLUMNS + 1
        _effect(made, facts, name, (row, column))
    frame = style.figure([], height=70 + 210 * rows, x={}, y={})
    made.update_layout(frame.layout)
    made.update_xaxes(**style.axis())
    made.update_yaxes(**style.axis(**style.tick(facts.metric)))
    made.update_layout(margin={"t": 36, "l": 56, "r": 16, "b": 40})
    made.update_annotations(font={"size": 13})
    return made


def rates(facts: Facts) -> go.Figure | None:
    """Every candidate by learning rate and momentum, or by two other numbers, the diverged marked.

    None where no number was searched.
    """
    chart = facts.insight.divergence
    if chart is None or len(facts.candidates) < 2:  # noqa: PLR2004 - one dot tells nothing
        return None
    count = len(facts.candidates)
    few = [facts.candidates[place * count // MOST_MARKS] for place in range(MOST_MARKS)]
    shown = list(facts.candidates) if count <= MOST_MARKS else few
    sound = [one for one in shown if one.status != "diverged" and one.score is not None]
    lost = [one for one in shown if one.status == "diverged"]
    metric, y = facts.metric, chart.y
    traces = [
        go.Scatter(
            x=[_at(one, chart.x) for one in sound],
            y=[_at(one, y) for one in sound],
            customdata=[[one.id, metric.written(metric.score(_score(one)))] for one in sound],
            mode="markers",
            name="sound",
            marker={
                "color": [_score(one) for one in sound],
                "colorscale": [[0, "#b3bac4"], [0.5, "#5fa6dc"], [1, "#1a69b3"]],
                "reversescale": not metric.greater,
                "size": 9,
                "line": {"width": 0.5, "color": style.GRAY},
                "colorbar": {
                    "title": {"text": metric.title, "side": "right", "font": {"size": 13}},
                    "thickness": 10,
                    "outlinewidth": 0,
                    **style.tick(metric),
                },
                **_clipped(sound, greater=metric.greater),
            },
            hovertemplate="#%{customdata[0]}: %{customdata[1]}<br>"
            f"{chart.x} %{{x:.3g}}{f', {y} %{{y:.3g}}' if y else ''}<extra></extra>",
        ),
        go.Scatter(
            x=[_at(one, chart.x) for one in lost],
            y=[_at(one, y) for one in lost],
            customdata=[one.id for one in lost],
            mode="markers",
            name="diverged",
            marker={"color": style.RED, "size": 9, "symbol": "x-thin", "line": CROSS},
            hovertemplate=f"#%{{customdata}} diverged<br>{chart.x} %{{x:.3g}}<extra></extra>",
        ),
    ]
    return style.figure(
        [one for one in traces if len(one.x)],
        height=400,
        x={"title": chart.x, **_scale(facts.ranges.get(chart.x))},
        y={"title": y, **_scale(facts.ranges.get(y))} if y else {"visible": False},
        showlegend=bool(lost),
    )


def _ordered(facts: Facts) -> list[str]:
    """Names with more than one value, those that mattered most first."""
    told = facts.insight.importances
    names = [name for name in (told or facts.ranges) if name in facts.ranges]
    return [name for name in names if len(facts.ranges[name].get("choice", (1, 2))) > 1]


def _lines(
    part: Sequence[Candidate],
    names: Sequence[str],
    facts: Facts,
    ends: tuple[float, float],
    named: tuple[str, str],
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str | None] = []
    low, high = ends
    for one in part:
        share = (_score(one) - low) / (high - low) if high != low else 1.0
        x += [*range(len(names) + 1), None]
        y += [*(_place(facts.ranges[name], one.settings[name]) for name in names), share, None]
        texts += [
            *(f"#{one.id} {name} {style.escaped(value(one.settings[name]))}" for name in names)
        ]
        texts += [f"#{one.id} {facts.metric.written(facts.metric.score(_score(one)))}", None]
    best = named[0] == SHADES[0]
    return go.Scatter(
        x=x,
        y=y,
        text=texts,
        mode="lines",
        name=named[1],
        opacity=0.75 if best else 0.4,
        line={"color": named[0], "width": 1.6 if best else 1},
        hovertemplate="%{text}<extra></extra>",
        connectgaps=False,
    )


def _place(span: Span, own: Any) -> float:
    """Where a value lies in its range, in [0, 1]."""
    if "choice" in span:
        values = [_plain(one) for one in span["choice"]]
        place = values.index(_plain(own)) if _plain(own) in values else 0
        return place / max(1, len(values) - 1)
    scale = math.log if span.get("log") else float
    low, high, here = (scale(one) for one in (span["low"], span["high"], own))
    return min(1.0, max(0.0, (here - low) / (high - low))) if high > low else 0.5


def _plain(one: Any) -> Any:
    return list(one) if isinstance(one, tuple) else one


def _labels(span: Span) -> tuple[str, str]:
    """What stands at both ends of an axis."""
    if "choice" in span:
        return style.escaped(value(span["choice"][0])), style.escaped(value(span["choice"][-1]))
    return edge(span["low"]), edge(span["high"])


def _ends(made: go.Figure, place: int, low: str, high: str) -> None:
    made.add_shape(
        type="line", x0=place, x1=place, y0=0, y1=1, line={"color": style.GRID, "width": 1}
    )
    for y, text, anchor in ((0, low, "top"), (1, high, "bottom")):
        made.add_annotation(
            x=place, y=y, text=text, showarrow=False, yanchor=anchor, font={"size": 11}
        )


def _broken_name(name: str) -> str:
    return name.replace("_", "<br>", 1)


def _effect(made: go.Figure, facts: Facts, name: str, cell: tuple[int, int]) -> None:
    points, metric = (facts.insight.effects or {})[name], facts.metric
    span = facts.ranges.get(name, {})
    numbers = "choice" not in span
    values = [plain(name, one.value) for one in points]
    x = values if numbers else [style.escaped(value(one)) for one in values]
    mean = [metric.score(one.mean) for one in points]
    ends = [metric.ends((one.low, one.high)) for one in points]
    row, column = cell
    if numbers:
        band = [low for low, _ in ends] + [high for _, high in ends][::-1]
        made.add_scatter(
            x=[*x, *x[::-1]],
            y=band,
            fill="toself",
            fillcolor="rgba(47,127,193,0.18)",
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            row=row,
            col=column,
        )
    errors = {
        "type": "data",
        "symmetric": False,
        "array": [high - one for one, (_, high) in zip(mean, ends, strict=True)],
        "arrayminus": [one - low for one, (low, _) in zip(mean, ends, strict=True)],
        "color": style.GRAY,
        "thickness": 1.2,
        "width": 4,
    }
    made.add_scatter(
        x=x,
        y=mean,
        mode="lines+markers" if numbers else "markers",
        line={"color": style.BLUE, "width": 2},
        marker={"color": style.BLUE, "size": 4 if numbers else 8},
        error_y=None if numbers else errors,
        customdata=[
            f"{metric.written(one.mean)} ({metric.figure(one.low)} to {metric.figure(one.high)})"
            for one in points
        ],
        hovertemplate="%{x}<br>%{customdata}<extra></extra>",
        row=row,
        col=column,
    )
    if numbers and span.get("log"):
        low, high = float(values[0]), float(values[-1])
        ticks = [low, math.sqrt(low * high), high]
        made.update_xaxes(
            type="log", tickvals=ticks, ticktext=list(map(edge, ticks)), row=row, col=column
        )
    elif not numbers:
        made.update_xaxes(type="category", row=row, col=column)


def _at(one: Candidate, name: str | None) -> float:
    return float(one.settings.get(name, math.nan)) if name else 0.0


def _score(one: Candidate) -> float:
    return math.nan if one.score is None else one.score


def _scale(span: Span | None) -> style.Axis:
    """How an axis counts: by powers, where its range does."""
    if span and span.get("log"):
        return {"type": "log", "dtick": 1, "exponentformat": "power"}
    return {}


def _clipped(candidates: Sequence[Candidate], *, greater: bool) -> dict[str, float]:
    """The colors' ends, with the worst fifth alike."""
    scores = sorted(map(_score, candidates))
    if not scores:
        return {}
    fifth = len(scores) // 5
    low, high = (scores[fifth], scores[-1]) if greater else (scores[0], scores[-1 - fifth])
    return {"cmin": low, "cmax": high} if low < high else {}
