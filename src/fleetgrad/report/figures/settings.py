"""What the search learned of its settings: what mattered, what each does, and where it broke."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fleetgrad.display.words import edge, value
from fleetgrad.divergence import Map
from fleetgrad.effects import Point
from fleetgrad.insight import plain
from fleetgrad.metrics import Metric
from fleetgrad.report.facts import Candidate, Facts
from fleetgrad.report.figures import style
from fleetgrad.report.thinning import evenly

MOST_MARKS = 3000  # of the map
COLUMNS = 3  # of small curves side by side
TONES = [[0, "#b3bac4"], [0.5, "#5fa6dc"], [1, "#1a69b3"]]  # worst to best

Span = Mapping[str, Any]


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
    shown, y = evenly(facts.candidates, MOST_MARKS), chart.y
    sound = [one for one in shown if one.status != "diverged" and one.score is not None]
    lost = [one for one in shown if one.status == "diverged"]
    parts = [(sound, _sound), (lost, _lost)]
    return style.figure(
        [draw(facts, chart, part) for part, draw in parts if part],
        height=400,
        x={"title": chart.x, **_scale(facts.ranges.get(chart.x))},
        y={"title": y, **_scale(facts.ranges.get(y))} if y else {"visible": False},
        showlegend=bool(lost),
    )


def _sound(facts: Facts, chart: Map, part: Sequence[Candidate]) -> go.Scatter:
    metric = facts.metric
    scores = [one.score for one in part if one.score is not None]
    where = f"{chart.x} %{{x:.3g}}" + (f", {chart.y} %{{y:.3g}}" if chart.y else "")
    return go.Scatter(
        **_places(chart, part),
        customdata=[
            [one.id, metric.written(metric.score(score))]
            for one, score in zip(part, scores, strict=True)
        ],
        mode="markers",
        name="sound",
        marker={
            "color": scores,
            "colorscale": TONES,
            "reversescale": not metric.greater,
            "size": 9,
            "line": {"width": 0.5, "color": style.GRAY},
            "colorbar": {
                "title": {"text": metric.title, "side": "right", "font": {"size": 13}},
                "thickness": 10,
                "outlinewidth": 0,
                **style.tick(metric),
            },
            **_clipped(scores, greater=metric.greater),
        },
        hovertemplate=f"#%{{customdata[0]}}: %{{customdata[1]}}<br>{where}<extra></extra>",
    )


def _lost(_: Facts, chart: Map, part: Sequence[Candidate]) -> go.Scatter:
    return go.Scatter(
        **_places(chart, part),
        customdata=[one.id for one in part],
        mode="markers",
        name="diverged",
        marker={"color": style.RED, "size": 9, "symbol": "x-thin", "line": style.CROSS},
        hovertemplate=f"#%{{customdata}} diverged<br>{chart.x} %{{x:.3g}}<extra></extra>",
    )


def _places(chart: Map, part: Sequence[Candidate]) -> dict[str, list[float]]:
    return {"x": [_at(one, chart.x) for one in part], "y": [_at(one, chart.y) for one in part]}


def _effect(made: go.Figure, facts: Facts, name: str, cell: tuple[int, int]) -> None:
    """One name's curve into its cell."""
    points, span = (facts.insight.effects or {})[name], facts.ranges.get(name, {})
    values = [plain(name, one.value) for one in points]
    where = {"row": cell[0], "col": cell[1]}
    if "choice" in span:
        texts = [style.escaped(value(one), 120).replace(", ", "<br>") for one in values]
        made.add_trace(_steps(facts.metric, texts, points), **where)
        made.update_xaxes(type="category", tickangle=0, **where)
        return
    for trace in _curve(facts.metric, values, points):
        made.add_trace(trace, **where)
    if span.get("log"):
        low, high = float(values[0]), float(values[-1])
        ticks = [low, math.sqrt(low * high), high]
        made.update_xaxes(type="log", tickvals=ticks, ticktext=list(map(edge, ticks)), **where)


def _curve(metric: Metric, x: Sequence[Any], points: Sequence[Point]) -> list[go.Scatter]:
    """A line through numbers, in its band."""
    ends = [metric.ends((one.low, one.high)) for one in points]
    band = go.Scatter(
        x=[*x, *x[::-1]],
        y=[low for low, _ in ends] + [high for _, high in ends][::-1],
        fill="toself",
        fillcolor="rgba(47,127,193,0.18)",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
    )
    line = go.Scatter(
        mode="lines+markers",
        line={"color": style.BLUE, "width": 2},
        marker={"color": style.BLUE, "size": 4},
        **_means(metric, x, points),
    )
    return [band, line]


def _steps(metric: Metric, x: Sequence[str], points: Sequence[Point]) -> go.Scatter:
    """A dot a choice, with its bar."""
    means = [metric.score(one.mean) for one in points]
    ends = [metric.ends((one.low, one.high)) for one in points]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [high - one for one, (_, high) in zip(means, ends, strict=True)],
        "arrayminus": [one - low for one, (low, _) in zip(means, ends, strict=True)],
        "color": style.GRAY,
        "thickness": 1.2,
        "width": 4,
    }
    return go.Scatter(
        mode="markers",
        marker={"color": style.BLUE, "size": 8},
        error_y=bars,
        **_means(metric, x, points),
    )


def _means(metric: Metric, x: Sequence[Any], points: Sequence[Point]) -> dict[str, Any]:
    told = [
        f"{metric.written(one.mean)} ({metric.figure(one.low)} to {metric.figure(one.high)})"
        for one in points
    ]
    return {
        "x": list(x),
        "y": [metric.score(one.mean) for one in points],
        "customdata": told,
        "hovertemplate": "%{x}<br>%{customdata}<extra></extra>",
    }


def _at(one: Candidate, name: str | None) -> float:
    return float(one.settings.get(name, math.nan)) if name else 0.0


def _scale(span: Span | None) -> style.Axis:
    """How an axis counts: by powers, where its range does."""
    if span and span.get("log"):
        return {"type": "log", "dtick": 1, "exponentformat": "power"}
    return {}


def _clipped(scores: Sequence[float], *, greater: bool) -> dict[str, float]:
    """The colors' ends, with the worst fifth alike."""
    ranked, fifth = sorted(scores), len(scores) // 5
    low, high = (ranked[fifth], ranked[-1]) if greater else (ranked[0], ranked[-1 - fifth])
    return {"cmin": low, "cmax": high} if low < high else {}
