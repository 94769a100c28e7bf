"""What the sealed test part says of the model: from the opening to a figure with its interval.

The figure goes on record with what its interval is made of, so that whoever looks back sees the
same.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleetgrad import answers, keys
from fleetgrad.data import Opened
from fleetgrad.finals import Interval, wilson
from fleetgrad.metrics import Metric, bootstrap
from fleetgrad.result import Test

if TYPE_CHECKING:
    from fleetgrad.predictor import Predictor


class Judged(NamedTuple):
    """What is recorded of an opening.

    figure: Counts for an accuracy, else a value and its interval.
    answers: What was said of every row (`answers`).
    """

    figure: dict[str, Any]
    answers: dict[str, np.ndarray]


def judged(model: "Predictor", opened: Opened, metric: Metric, seed: int) -> Judged:
    """What is to be recorded of an opening.

    Args:
        model: Whose predictions are judged.
        opened: The test part.
        metric: By which.
        seed: Of the rows drawn anew for the interval.
    """
    whole = metric.name != "accuracy" or opened.weights is not None
    found = answers.given(model, opened.x, opened.y, whole=whole)
    kept = answers.kept(model, opened, found, metric, seed)
    return Judged(_figure(found, opened, metric, seed), kept)


def _figure(found: answers.Answers, opened: Opened, metric: Metric, seed: int) -> dict[str, Any]:
    known, weights = {"n": len(opened.y), "opening": opened.opening}, opened.weights
    if metric.name == "accuracy" and weights is None:
        return {"correct": int((found.said == opened.y).sum()), **known}
    said = found.said if found.shares is None else found.shares
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
