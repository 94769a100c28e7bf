"""What the model looks at: pixels by its first layer's weights, columns by shuffling them."""

import numpy as np
import plotly.graph_objects as go

from fleetgrad.report.facts import Facts
from fleetgrad.report.figures import style

ACROSS = 8  # images side by side
MOST_COLUMNS = 30
TONES = [
    [0, "rgba(213,94,0,0.95)"],
    [0.5, "rgba(125,133,144,0.1)"],
    [1, "rgba(47,127,193,0.95)"],
]


def layer(facts: Facts) -> go.Figure | None:
    """The first layer's weights, an image a unit; None where they are none."""
    if facts.layer is None:
        return None
    images = facts.layer.images
    units, height, width = images.shape
    across = min(ACROSS, units)
    down = -(-units // across)
    sheet = np.full((down * (height + 1), across * (width + 1)), np.nan, np.float32)
    for place, image in enumerate(images):
        top, left = place // across * (height + 1), place % across * (width + 1)
        sheet[top : top + height, left : left + width] = image
    rounded = [[None if np.isnan(one) else round(float(one), 2) for one in row] for row in sheet]
    return style.figure(
        [
            go.Heatmap(
                z=rounded,
                zmin=-1,
                zmax=1,
                colorscale=TONES,
                showscale=False,
                hoverinfo="skip",
            )
        ],
        height=min(760, 40 + 100 * down),
        x={"visible": False, "constrain": "domain"},
        y={"visible": False, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        meta={"ratio": sheet.shape[0] / sheet.shape[1]},  # for whoever makes it narrower
    )


def columns(facts: Facts) -> go.Figure | None:
    """How much worse the score is with a column shuffled; None where rows are no table."""
    found = () if facts.answers is None else facts.answers.columns
    if not found:
        return None
    shown = found[:MOST_COLUMNS][::-1]
    metric = facts.metric
    return style.figure(
        [
            go.Bar(
                x=[one.mean for one in shown],
                y=[style.escaped(one.name) for one in shown],
                orientation="h",
                marker={"color": style.BLUE},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [one.high - one.mean for one in shown],
                    "arrayminus": [one.mean - one.low for one in shown],
                    "color": style.GRAY,
                    "thickness": 1.2,
                    "width": 3,
                },
                customdata=[metric.amount(one.mean) for one in shown],
                hovertemplate=f"%{{y}}: %{{customdata}} {metric.title} worse<extra></extra>",
            )
        ],
        height=90 + 26 * len(shown),
        x={
            "title": f"{metric.title} lost by shuffling the column",
            "rangemode": "tozero",
            **style.tick(metric),
        },
        y={"type": "category", "ticklabelstandoff": 6},
    )
