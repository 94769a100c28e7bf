"""The figures of a run, by name, each a Plotly figure: `result.plot`."""

from collections.abc import Callable
from typing import Any

Draw = Callable[[str], Any]


class Plots:
    """Figures of a run, drawn when they are asked for; one that it cannot have says why.

    They are Plotly's (`plotly.graph_objects.Figure`): a notebook shows them, `write_html` keeps
    them, and `update_layout` changes them.

    Args:
        draw: Makes the figure of a name, one of `report.figures.KINDS`, or raises `UsageError`.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def __repr__(self) -> str:
        names = [name for name in vars(Plots) if not name.startswith("_")]
        return f"Plots({', '.join(names)})"

    def curves(self) -> Any:
        """Learning curves of all candidates, and where they stopped."""
        return self._draw("curves")

    def parallel(self) -> Any:
        """Settings side by side, a line a candidate, through to its score."""
        return self._draw("parallel")

    def importances(self) -> Any:
        """How much each setting had to do with being among the best."""
        return self._draw("importances")

    def effects(self) -> Any:
        """The score to expect at each value of each setting."""
        return self._draw("effects")

    def rates(self) -> Any:
        """A map of all candidates, by learning rate and momentum where both were searched."""
        return self._draw("rates")

    def cost(self) -> Any:
        """What was spent, beside a search in which nobody is stopped."""
        return self._draw("cost")

    def audit(self) -> Any:
        """The share of those that were stopped who would have won."""
        return self._draw("audit")

    def confusion(self) -> Any:
        """Rows by their class and by what was said of them."""
        return self._draw("confusion")

    def classes(self) -> Any:
        """Precision and recall of each class."""
        return self._draw("classes")

    def reliability(self) -> Any:
        """How often the model is right, by how sure it is."""
        return self._draw("reliability")

    def predicted(self) -> Any:
        """What was predicted against what is true, of numbers."""
        return self._draw("predicted")

    def residuals(self) -> Any:
        """What is left of the truth, of numbers."""
        return self._draw("residuals")

    def layer(self) -> Any:
        """What the first layer looks for, in images."""
        return self._draw("layer")

    def columns(self) -> Any:
        """What shuffling each column of a table costs."""
        return self._draw("columns")
