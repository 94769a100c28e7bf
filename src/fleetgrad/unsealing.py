"""What the sealed test part says of the model: from the opening to a figure with its interval.

The figure goes on record with what its interval is made of, so that whoever looks back sees the
same.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fleetgrad import keys
from fleetgrad.data import Encoded, Opened
from fleetgrad.finals import Interval, wilson
from fleetgrad.metrics import REGRESSION, Metric, bootstrap
from fleetgrad.result import Test

if TYPE_CHECKING:
    from fleetgrad.predictor import Predictor


def judged(model: "Predictor", opened: Opened, metric: Metric, seed: int) -> dict[str, Any]:
    """What is recorded of an opening: counts for an accuracy, else a value and its interval.

    Args:
        model: Whose predictions are judged.
        opened: The test part.
        metric: By which.
        seed: Of the rows drawn anew for the interval.
    """
    known, rows = {"n": len(opened.y), "opening": opened.opening}, Encoded(opened.x)
    if metric.name == "accuracy" and opened.weights is None:
        right = int((model.predict(rows) == model.classes[opened.y]).sum())
        return {"correct": right, **known}
    says = model.predict if metric.task == REGRESSION else model.predict_proba
    said, weights = np.asarray(says(rows)), opened.weights
    draw = keys.generator(seed, "bootstrap")
    interval = bootstrap(metric, said, opened.y, draw, weights=weights)
    return {"value": metric.of(said, opened.y, weights), "interval": list(interval), **known}


def read(done: Mapping[str, Any] | None, metric: Metric) -> Test | None:
    """The figure, from what was recorded; None before that.

    A share of rows that are right has Wilson's interval, all else that of rows drawn anew.
    """
    if done is None:
        return None
    n, opening = int(done["n"]), int(done["opening"])
    if "correct" in done:
        correct = int(done["correct"])
        return Test(metric.name, correct / n, wilson(correct, n), n, opening)
    interval = Interval(*map(float, done["interval"]))
    return Test(metric.name, float(done["value"]), interval, n, opening)
