"""scikit-learn's racer: HalvingRandomSearchCV over MLPClassifier, two jobs at once.

The resource is `max_iter`, so a rung is a number of epochs; every rung trains from the start, as
scikit-learn does. A search of 27 networks is over in a minute or two, and then another begins; one
that is stopped before that returns nothing.
"""

import functools
import itertools
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the next one work
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.neural_network import MLPClassifier

import digits_data
from racing import Event, Task, write

DIFFERS = (
    "HalvingRandomSearchCV by `max_iter`, n_jobs 2, one split, search after search; MLPClassifier "
    "has Adam with an L2 penalty at a constant rate, no dropout, no smoothed labels"
)
JOBS, BATCH, REDUCTION, CANDIDATES = 2, 128, 3, 27
SPACE = {
    "hidden_layer_sizes": [(128, 128), (256, 128), (512, 256)],
    "learning_rate_init": loguniform(5e-4, 2e-2),
    "alpha": loguniform(1e-5, 1e-1),
}
QUIET = "ignore::UserWarning"  # that a rung has not converged is what rungs are about


def search(task: Task) -> None:
    """Search again and again; whoever started this ends it."""
    os.environ["PYTHONWARNINGS"] = QUIET
    warnings.simplefilter("ignore", ConvergenceWarning)  # which jobs inherit
    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.time()
    write(task.log, began=began)
    data = digits_data.dataset(task)
    split = data.split(0, task.seed)
    x = digits_data.scaled(data.x)
    scoring = functools.partial(_scored, log=task.log, began=began)
    for number in itertools.count():
        tried = HalvingRandomSearchCV(
            MLPClassifier(batch_size=BATCH, random_state=task.seed),
            SPACE,
            resource="max_iter",
            max_resources=task.epochs,
            min_resources="exhaust",
            n_candidates=CANDIDATES,
            factor=REDUCTION,
            scoring=scoring,
            cv=[(split.train, split.validation)],
            refit=False,
            return_train_score=False,
            n_jobs=JOBS,
            random_state=1000 * task.seed + number,
        ).fit(x, data.y)
        values, score = _searched(tried.best_params_), float(tried.best_score_)
        write(task.log, **Event(time.time() - began, task.epochs, score, values)._asdict())


def refit(task: Task, values: Mapping[str, Any]) -> float:
    """Test accuracy of settings trained in full on all training rows."""
    data = digits_data.dataset(task)
    model = MLPClassifier(
        **{**values, "hidden_layer_sizes": tuple(values["hidden_layer_sizes"])},
        batch_size=BATCH,
        random_state=task.seed,
        max_iter=task.epochs,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(digits_data.scaled(data.x), data.y)
    test = digits_data.opened(data)
    return float(model.score(digits_data.scaled(test.x), test.y))


def _scored(model: Any, x: np.ndarray, y: np.ndarray, *, log: Path, began: float) -> float:
    """A score, written down by the process that found it."""
    score = float(model.score(x, y))
    values, seconds = _searched(model.get_params()), time.time() - began
    event = Event(seconds, model.max_iter, score, values, returned=False)
    write(log, **event._asdict())
    return score


def _searched(params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a model's parameters that are searched, as JSON has them."""
    values = {name: params[name] for name in SPACE}
    return values | {"hidden_layer_sizes": list(values["hidden_layer_sizes"])}
