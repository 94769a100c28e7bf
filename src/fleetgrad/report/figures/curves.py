"""Learning curves of all candidates, with the rungs at which they stopped."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import plotly.graph_objects as go

from fleetgrad.report.facts import Candidate, Facts
from fleetgrad.report.figures import style
from fleetgrad.report.thinning import evenly

MOST_CURVES = 400  # of those that were stopped
MOST_POINTS = 40  # of each of them
FEW = 10  # epochs, each of which has a tick
NAMED = 6  # finalists with a color of their own

COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY, style.GRAY)


def curves(facts: Facts) -> go.Figure | None:
    """Scores after each epoch; None where nobody has any."""
    known = [one for one in facts.candidates if any(score is not None for score in one.curve)]
    if not known:
        return None
    best = named(known)
    others = [one for one in known if one not in best]
    shown = evenly(others, MOST_CURVES)
    traces = [_bundle(shown), _stops(shown), _broken(known)]
    traces += [_own(one, color, facts) for one, color in zip(best, COLORS, strict=False)]
    metric = facts.metric
    return style.figure(
        [one for one in traces if one is not None],
        height=420,
        x={"title": "epoch", "rangemode": "tozero", **_steps(known)},
        y={"title": f"validation {metric.title}", **style.tick(metric), "range": within(known)},
        showlegend=True,
        hovermode="closest",
    )


def named(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Those with a color of their own: the first finalists, or who leads."""
    return [one for one in candidates if one.status == "finalist"][:NAMED] or candidates[:1]


def _steps(candidates: Sequence[Candidate]) -> style.Axis:
    """Whole epochs, where there are few."""
    return {"dtick": 1} if max(len(one.curve) for one in candidates) <= FEW else {}


def _bundle(candidates: Sequence[Candidate]) -> go.Scatter | None:
    """All curves of those that were stopped as one line with gaps."""
    if not candidates:
        return None
    x: list[int | None] = []
    y: list[float | None] = []
    for one in candidates:
        points = list(_few(one.curve))
        x += [epoch for epoch, _ in points] + [None]
        y += [score for _, score in points] + [None]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        name="stopped",
        line={"color": style.FAINT, "width": 1},
        hoverinfo="skip",
        connectgaps=False,
    )


def _stops(candidates: Sequence[Candidate]) -> go.Scatter | None:
    """A dot where each stopped."""
    return _ends(
        candidates,
        name="stopped here",
        marker={"color": style.GRAY, "size": 5, "opacity": 0.75},
        hovertemplate="#%{customdata}<br>epoch %{x}: %{y}<extra></extra>",
    )


def _broken(candidates: Sequence[Candidate]) -> go.Scatter | None:
    """A cross where training diverged."""
    return _ends(
        [one for one in candidates if one.status == "diverged"],
        name="diverged after this",
        marker={"color": style.RED, "size": 8, "symbol": "x-thin", "line": style.CROSS},
        hovertemplate="#%{customdata} diverged after epoch %{x}<extra></extra>",
    )


def _ends(candidates: Sequence[Candidate], **looks: Any) -> go.Scatter | None:
    """A mark at the last score of each that has one."""
    ends = [(one, last) for one in candidates if (last := _last(one)) is not None]
    if not ends:
        return None
    return go.Scatter(
        x=[epoch for _, (epoch, _) in ends],
        y=[score for _, (_, score) in ends],
        customdata=[one.id for one, _ in ends],
        mode="markers",
        **looks,
    )


def _own(one: Candidate, color: str, facts: Facts) -> go.Scatter:
    winner = facts.winner is not None and one.id == facts.winner.id
    role = ("winner" if facts.state is None else "leads") if winner else "finalist"
    return go.Scatter(
        x=list(range(1, len(one.curve) + 1)),
        y=list(one.curve),
        mode="lines+markers" if len(one.curve) <= MOST_POINTS else "lines",
        name=f"#{one.id}, {role}",
        line={"color": color, "width": 3 if winner else 2},
        marker={"size": 5},
        hovertemplate=f"#{one.id}<br>epoch %{{x}}: %{{y}}<extra></extra>",
    )


def _few(curve: Sequence[float | None]) -> Iterator[tuple[int, float | None]]:
    """Points at even distances, both ends among them."""
    count = len(curve)
    if count <= MOST_POINTS:
        yield from enumerate(curve, start=1)
        return
    for place in range(MOST_POINTS):
        epoch = round(place * (count - 1) / (MOST_POINTS - 1))
        yield epoch + 1, curve[epoch]


def _last(one: Candidate) -> tuple[int, float] | None:
    found = [(epoch, score) for epoch, score in enumerate(one.curve, start=1) if score is not None]
    return found[-1] if found else None


def within(candidates: Iterable[Candidate]) -> tuple[float, float]:
    """What is shown at first: all but the worst tenth of the points, which a few spoil."""
    values = sorted(score for one in candidates for score in one.curve if score is not None)
    low, high = values[len(values) // 10], values[-1]
    if values[-1 - len(values) // 10] < high / 3 and values[0] > 0:  # errors: the worst are high
        low, high = values[0], values[-1 - len(values) // 10]
    margin = 0.06 * (high - low) or abs(high) * 0.05 or 0.05
    return low - margin, high + margin
