"""A run shown in a notebook: itself as HTML, and its figures one by one.

All comes from the run's directory, which is read once, when something is first asked for.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetgrad.errors import FleetgradError, UsageError
from fleetgrad.plots import Plots

if TYPE_CHECKING:
    from fleetgrad.report.facts import Facts
    from fleetgrad.report.figures import Kind

HEAD = 52  # pixels for a title above a figure
INK, PAPER = "#1f2328", "white"  # of letters that stand on colors, whatever the notebook's own are
NEEDED = {  # by the name of the figure
    "curves": "a candidate with a score",
    "parallel": "a candidate with a score",
    "rates": "a number that was searched",
    "cost": "a rung that is done",
    "audit": "somebody who had been stopped and was trained on",
    "confusion": "answers of at most 100 classes",
    "classes": "answers of at most 100 classes",
    "reliability": "probabilities of classes",
    "predicted": "numbers to predict",
    "residuals": "numbers to predict",
    "columns": "a table of columns",
}


class View:
    """Shows the run of a directory.

    Args:
        run: The directory.
    """

    def __init__(self, run: Path) -> None:
        self._run = run

    @cached_property
    def facts(self) -> "Facts":
        """What the directory says.

        Raises:
            RunError: It is not there any more, or damaged.
        """
        from fleetgrad.report import facts  # noqa: PLC0415 - most results are never looked at

        return facts.gather(self._run)

    @property
    def plot(self) -> Plots:
        """The figures."""
        return Plots(self._drawn)

    def html(self) -> str | None:
        """The chief figures, curves, and the head of the leaderboard; None if it cannot be read."""
        from fleetgrad.report import card  # noqa: PLC0415 - as above

        try:
            return card.render(self.facts)
        except FleetgradError:
            return None

    def _drawn(self, name: str) -> Any:
        """The figure of this name, under its title.

        Raises:
            UsageError: There is none of this run.
        """
        from fleetgrad.report import figures  # noqa: PLC0415 - Plotly takes a second

        kind = next(one for one in figures.KINDS if one.name == name)
        made = kind.draw(self.facts)
        if made is None:
            others = [one.name for one in figures.KINDS if one.draw(self.facts) is not None]
            raise UsageError(
                f"the figure `{name}` needs {_lacking(kind, self.facts)}; "
                f"this run has: {', '.join(others) or 'none yet'}."
            )
        return _titled(made, kind.title)


def _lacking(kind: "Kind", known: "Facts") -> str:
    """What a run would have to have, and why it has not, where that is known."""
    reason = known.missing.get(kind.part)
    if kind.part == "insight":
        reason = known.insight.reason
    needed = NEEDED.get(kind.name, {"insight": "enough candidates"}.get(kind.part, "images"))
    return f"{needed} ({reason.rstrip('.')})" if reason else needed


def _titled(made: Any, title: str) -> Any:
    """A figure that stands alone."""
    place = {"x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top"}
    made.update_layout(
        title={"text": title, "pad": {"t": 12}, **place},
        height=made.layout.height + HEAD,
        margin={"t": made.layout.margin.t + HEAD},
    )
    if (made.layout.meta or {}).get("ink"):
        made.update_layout(plot_bgcolor=PAPER)
        made.update_annotations(font_color=INK)
    return made
