"""How well numbers are predicted, on rows that the model had never seen."""

import plotly.graph_objects as go

from fleetgrad.report.facts import Facts
from fleetgrad.report.figures import style

MARKER = {"color": style.BLUE, "size": 5, "opacity": 0.55}


def predicted(facts: Facts) -> go.Figure | None:
    """What was said against what is true; None for classes."""
    if facts.answers is None or not facts.answers.points:
        return None
    truth, said = zip(*facts.answers.points, strict=True)
    ends = [min(*truth, *said), max(*truth, *said)]
    return style.figure(
        [
            go.Scatter(
                x=ends,
                y=ends,
                mode="lines",
                line={"color": style.GRAY, "width": 1, "dash": "dot"},
                hoverinfo="skip",
            ),
            go.Scatter(
                x=truth,
                y=said,
                mode="markers",
                marker=MARKER,
                hovertemplate="true %{x:.4g}, predicted %{y:.4g}<extra></extra>",
            ),
        ],
        height=420,
        x={"title": "true"},
        y={"title": "predicted"},
    )


def residuals(facts: Facts) -> go.Figure | None:
    """What was said too much, by what was said; None for classes."""
    if facts.answers is None or not facts.answers.points:
        return None
    points = facts.answers.points
    return style.figure(
        [
            go.Scatter(
                x=[said for _, said in points],
                y=[said - truth for truth, said in points],
                mode="markers",
                marker=MARKER,
                hovertemplate="predicted %{x:.4g}, off by %{y:.4g}<extra></extra>",
            )
        ],
        height=320,
        x={"title": "predicted"},
        y={"title": "predicted less true", "zeroline": True, "zerolinecolor": style.GRAY},
    )
