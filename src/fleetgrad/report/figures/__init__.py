"""One function a figure: from facts to a Plotly figure, or None where there is nothing to draw.

    curves      learning curves of all candidates, with the rungs at which they stopped
    parallel    settings side by side, candidate by candidate
    settings    importances, effects, where training diverged
    costs       what was spent and saved; the audit of early stopping
    classes     confusion matrix, precision and recall, reliability
    numbers     predicted against true, and what is left
    inputs      the first layer's weights, and what shuffling a column costs

Nothing here knows of a page. Backgrounds are transparent and colors of middle brightness, so a
figure can stand on light and dark alike.
"""

from typing import TYPE_CHECKING, NamedTuple

from fleetgrad.report.figures import classes, costs, curves, inputs, numbers, parallel, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from fleetgrad.report.facts import Facts


class Kind(NamedTuple):
    """A figure that there may be.

    Args:
        name: Short, for addresses and `result.plot`.
        title: Above it.
        draw: Makes it; None where there is nothing to draw.
        part: The part of the facts without which there is none, as `Facts.missing` calls it.
    """

    name: str
    title: str
    draw: "Callable[[Facts], go.Figure | None]"
    part: str = ""


KINDS = (
    Kind("curves", "Learning curves", curves.curves),
    Kind("parallel", "Settings side by side", parallel.parallel),
    Kind("importances", "Importance of each setting", settings.importances, "insight"),
    Kind("effects", "What each setting does", settings.effects, "insight"),
    Kind("rates", "Map of all candidates", settings.rates),
    Kind("cost", "Compute spent and saved", costs.cost),
    Kind("audit", "Audit of early stopping", costs.audit, "audit"),
    Kind("confusion", "Confusion matrix", classes.confusion, "answers"),
    Kind("classes", "Precision and recall of each class", classes.precision_and_recall, "answers"),
    Kind("reliability", "How far probabilities can be trusted", classes.reliability, "answers"),
    Kind("predicted", "Predicted against true", numbers.predicted, "answers"),
    Kind("residuals", "Residuals", numbers.residuals, "answers"),
    Kind("layer", "What the first layer looks for", inputs.layer, "layer"),
    Kind("columns", "Importance of each column", inputs.columns, "answers"),
)
