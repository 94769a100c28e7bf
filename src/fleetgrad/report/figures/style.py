"""What all figures share: colors that the color-blind tell apart, and a quiet frame.

The colors are Okabe and Ito's (2008), a little darkened where they would be faint on white.
"""

from typing import Any

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#2f7fc1",
    "#d98a00",
    "#1a9a78",
    "#d55e00",
    "#b9629a",
    "#56b4e9",
)
GRAY, FAINT = "#7d8590", "rgba(125,133,144,0.35)"
GRID = "rgba(125,133,144,0.22)"
TRANSPARENT = "rgba(0,0,0,0)"
STATUS = {"finalist": BLUE, "stopped": GRAY, "unfinished": SKY, "diverged": RED}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
ROOM = {"l": 56, "r": 16, "t": 12, "b": 48}

CROSS = {"width": 2, "color": RED}  # the line of a thin cross, which has no inside

Axis = dict[str, Any]


def figure(traces: Any, *, height: int = 380, x: Axis, y: Axis, **layout: Any) -> go.Figure:
    """A figure in the common frame.

    Args:
        traces: To draw.
        height: In pixels.
        x: What the horizontal axis has beside the common.
        y: The same for the vertical axis.
        layout: Of the whole.
    """
    common: dict[str, Any] = {
        "height": height,
        "margin": dict(ROOM),
        "paper_bgcolor": TRANSPARENT,
        "plot_bgcolor": TRANSPARENT,
        "font": {"family": FONT, "size": 13, "color": GRAY},
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
        "showlegend": False,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "template": "none",
        "xaxis": axis(**x),
        "yaxis": axis(**y),
    }
    return go.Figure(list(traces), layout=_within(common, layout))


def _within(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """All that is common, but for what a figure has of its own: as `update_layout`, but at once."""
    both = {
        name: _within(common[name], value)
        for name, value in own.items()
        if isinstance(value, dict) and isinstance(common.get(name), dict)
    }
    return common | own | both


def axis(**own: Any) -> Axis:
    """An axis with a faint grid and no frame."""
    common: Axis = {
        "gridcolor": GRID,
        "ticks": "",
        "zeroline": False,
        "linecolor": GRID,
        "automargin": True,
        "fixedrange": False,
    }
    title = own.pop("title", None)
    named = {"title": {"text": title, "standoff": 8, "font": {"size": 13}}} if title else {}
    return common | named | own


def tick(metric: Any) -> Axis:
    """How an axis of a metric counts."""
    return {"tickformat": ".1%"} if metric.percent else {}


def escaped(text: object, most: int = 40) -> str:
    """Text that Plotly is to draw as it is, of so many letters: it reads a few tags of HTML.

    >>> escaped("<b>&", 3)
    '&lt;b…'
    """
    short = str(text) if len(str(text)) <= most else f"{str(text)[: most - 1]}…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
