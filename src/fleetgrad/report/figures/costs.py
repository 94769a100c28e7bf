"""What was spent, what stopping early saved, and whether it lost a winner."""

import plotly.graph_objects as go

from fleetgrad.report.facts import Facts
from fleetgrad.report.figures import style

COLORS = {
    "search": style.BLUE,
    "audit": style.PURPLE,
    "repeats": style.GREEN,
    "trial of a longer training": style.RED,
    "refit": style.ORANGE,
    "ensemble": style.SKY,
    "student": style.GRAY,
}


def cost(facts: Facts) -> go.Figure | None:
    """Passes of one network over its rows, beside running each alone; None before a rung."""
    if facts.cost is None:
        return None
    spent = facts.cost.spent
    traces = [
        go.Bar(
            x=[passes],
            y=["as it was run"],
            name=phase,
            orientation="h",
            marker={"color": COLORS[phase]},
            hovertemplate=f"{phase}: %{{x:,.0f}} network-epochs<extra></extra>",
        )
        for phase, passes in spent.items()
    ]
    traces.append(
        go.Bar(
            x=[facts.cost.alone],
            y=["search with<br>nobody stopped"],
            orientation="h",
            marker={"color": "rgba(47,127,193,0.4)"},
            showlegend=False,
            hovertemplate="%{x:,.0f} network-epochs<extra></extra>",
        )
    )
    return style.figure(
        traces,
        height=240,
        x={"title": "network-epochs", "rangemode": "tozero"},
        y={"autorange": "reversed", "ticklabelstandoff": 6},
        barmode="stack",
        showlegend=True,
        bargap=0.35,
    )


def audit(facts: Facts) -> go.Figure | None:
    """The share of would-be winners among those stopped, with its interval; None without audit."""
    found = facts.result.audit
    if found is None or not found.audited or found.interval is None:
        return None
    share, (low, high) = found.would_have_won / found.audited, found.interval
    return style.figure(
        [
            go.Scatter(
                x=[share],
                y=["would have won"],
                mode="markers",
                marker={"color": style.BLUE, "size": 11},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [high - share],
                    "arrayminus": [share - low],
                    "color": style.BLUE,
                    "thickness": 2,
                    "width": 8,
                },
                customdata=[f"{100 * low:.1f} to {100 * high:.1f} %"],
                hovertemplate="%{x:.1%} of those stopped, %{customdata}<extra></extra>",
            )
        ],
        height=150,
        x={"tickformat": ".0%", "range": [-0.02, 1.02], "title": "of those that were stopped"},
        y={"ticklabelstandoff": 6},
    )
