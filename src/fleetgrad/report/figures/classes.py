"""How well classes are told apart, on rows that the model had never seen."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fleetgrad.finals import wilson
from fleetgrad.report.facts import Facts
from fleetgrad.report.figures import style

FINE = 0.9  # from here on an axis counts in tenths of a percent
MOST_TEXTS = 12  # classes whose counts are written into the matrix

Counts = Sequence[Sequence[int]]


def confusion(facts: Facts) -> go.Figure | None:
    """Rows by their class and by what was said; None without answers, or for numbers."""
    counts = None if facts.answers is None else facts.answers.confusion
    if facts.answers is None or counts is None:
        return None
    names = list(map(style.escaped, facts.answers.classes))
    labels = distinct(names)
    right, wrong = _shares(counts, same=True), _shares(counts, same=False)
    most = max((share for row in wrong for share in row if share), default=1.0)
    traces = [
        _tiles(right, counts, labels, (1.0, "47,127,193")),
        _tiles(wrong, counts, labels, (most, "213,94,0")),
    ]
    made = style.figure(
        traces,
        height=min(900, 160 + 34 * max(len(names), 6)),
        x={"title": "predicted", "type": "category", "showgrid": False, "constrain": "domain"},
        y={
            "title": "true",
            "type": "category",
            "autorange": "reversed",
            "showgrid": False,
            "ticklabelstandoff": 4,
        },
        meta={"ink": True},  # letters stand on colors
    )
    if len(names) <= MOST_TEXTS:
        for row, own in enumerate(counts):
            for column, count in enumerate(own):
                if count:
                    made.add_annotation(
                        x=labels[column],
                        y=labels[row],
                        text=f"{count:,}",
                        showarrow=False,
                        font={"size": 12},
                    )
    return made


def precision_and_recall(facts: Facts) -> go.Figure | None:
    """Of each class, how often it is said rightly and how much of it is found; None for numbers."""
    counts = None if facts.answers is None else facts.answers.confusion
    if facts.answers is None or counts is None:
        return None
    labels = distinct(list(map(style.escaped, facts.answers.classes)))
    precision, recall = rates(counts)
    told = [one for one in (*precision, *recall) if one is not None]
    lowest = min(told, default=0.0)
    traces = [
        go.Scatter(
            x=labels,
            y=values,
            mode="markers",
            name=name,
            marker={"color": color, "size": 10, "symbol": symbol},
            hovertemplate=f"%{{x}}: {name} %{{y:.2%}}<extra></extra>",
        )
        for name, values, color, symbol in (
            ("precision", precision, style.BLUE, "circle"),
            ("recall", recall, style.ORANGE, "diamond"),
        )
    ]
    margin = 0.08 * (1 - lowest) or 0.01
    return style.figure(
        traces,
        height=320,
        x={"type": "category"},
        y={"tickformat": ".0%" if lowest < FINE else ".1%", "range": [lowest - margin, 1 + margin]},
        showlegend=True,
    )


def rates(counts: Counts) -> tuple[list[float | None], list[float | None]]:
    """Precision and recall of each class; None where it was never said, or does not occur."""
    said = [sum(row[one] for row in counts) for one in range(len(counts))]
    precision = [counts[one][one] / said[one] if said[one] else None for one in range(len(counts))]
    recall = [row[one] / sum(row) if sum(row) else None for one, row in enumerate(counts)]
    return precision, recall


def reliability(facts: Facts) -> go.Figure | None:
    """How often it is right, by how sure it is; None for numbers."""
    if facts.answers is None or not facts.answers.bins:
        return None
    bins = facts.answers.bins
    most = max(one.rows for one in bins)
    bounds = [wilson(round(one.right * one.rows), one.rows) for one in bins]
    return style.figure(
        [
            go.Scatter(
                x=[0, 1],
                y=[0, 1],
                mode="lines",
                line={"color": style.GRAY, "width": 1, "dash": "dot"},
                hoverinfo="skip",
            ),
            go.Scatter(
                x=[one.sure for one in bins],
                y=[one.right for one in bins],
                mode="markers",
                marker={
                    "color": style.BLUE,
                    "size": [6 + 14 * (one.rows / most) ** 0.5 for one in bins],
                    "opacity": 1,
                    "line": {"width": 0},
                },
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [
                        high - one.right for one, (_, high) in zip(bins, bounds, strict=True)
                    ],
                    "arrayminus": [
                        one.right - low for one, (low, _) in zip(bins, bounds, strict=True)
                    ],
                    "color": style.BLUE,
                    "thickness": 1.2,
                    "width": 0,
                },
                customdata=[one.rows for one in bins],
                hovertemplate="sure %{x:.1%}, right %{y:.1%}"
                "<br>%{customdata:,} rows<extra></extra>",
            ),
        ],
        height=380,
        x={"title": "how sure it is", "tickformat": ".0%", "range": [0, 1.03]},
        y={"title": "how often it is right", "tickformat": ".0%", "range": [0, 1.05]},
    )


def distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart where two look the same."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _shares(counts: Counts, *, same: bool) -> list[list[float | None]]:
    """What share of its class each field holds, of the diagonal or of the rest."""
    return [
        [
            count / sum(own) if (row == column) == same and count else None
            for column, count in enumerate(own)
        ]
        for row, own in enumerate(counts)
    ]


def _tiles(
    shares: Sequence[Sequence[float | None]],
    counts: Counts,
    labels: Sequence[str],
    tone: tuple[float, str],
) -> go.Heatmap:
    most, color = tone
    return go.Heatmap(
        z=shares,
        x=labels,
        y=labels,
        customdata=counts,
        zmin=0,
        zmax=most,
        colorscale=[[0, f"rgba({color},0.08)"], [1, f"rgba({color},0.5)"]],
        showscale=False,
        xgap=2,
        ygap=2,
        hoverongaps=False,
        hovertemplate="true %{y}, predicted %{x}<br>%{customdata:,} rows, "
        "%{z:.2%} of the class<extra></extra>",
    )
