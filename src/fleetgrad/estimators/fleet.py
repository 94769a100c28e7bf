"""The estimators: `fit` searches, repeats, refits; `predict` is the winner.

Nothing is sealed off: whoever cuts off a test part, or cross-validates, does it outside. Equal rows
with equal targets are joined before the search, with the sum of their weights. So a row that counts
twice is the same as the row given twice, and no row stands on both sides of a split.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
)

from fleetgrad import api
from fleetgrad.budget import Budget
from fleetgrad.data import Dataset
from fleetgrad.display import live
from fleetgrad.errors import FleetgradError
from fleetgrad.estimators import inputs, packed
from fleetgrad.estimators.inputs import Inputs
from fleetgrad.estimators.joined import joined
from fleetgrad.predictor import Predictor
from fleetgrad.space import Space

SMALL = 1 << 16  # numbers in all: data of which a whole search takes seconds
SMALL_BUDGET = Budget(candidates=12, epochs=40)
BUDGET = "60s"
MOST_SEED = 2**31 - 1


class FleetEstimator(BaseEstimator):
    """What both estimators share; not for use by itself."""

    _task: str
    model_: Predictor

    def __init__(
        self,
        budget: str | float | Budget = "auto",
        *,
        space: Space | None = None,
        strategy: str = "auto",
        metric: str | None = None,
        ensemble: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.budget = budget
        self.space = space
        self.strategy = strategy
        self.metric = metric
        self.ensemble = ensemble
        self.random_state = random_state
        self.verbose = verbose

    def _search(self, features: Inputs, y: np.ndarray, weights: np.ndarray | None) -> None:
        """Find the settings and the model; everything learned ends with an underscore."""
        rows, weights = joined(inputs.matrix(features), y, weights)
        data = inputs.dataset(inputs.take(features, rows), y[rows], self._task, weights)
        showing = live.watching("fit", quiet=not self.verbose, verbose=True)
        with tempfile.TemporaryDirectory() as place, showing as report:
            result = api.tune(
                data,
                self.space,
                self._budget(data),
                seed_of(self.random_state),
                Path(place) / "run",
                strategy=self.strategy,
                metric=self.metric,
                ensemble=self.ensemble,
                report=report,
                page=False,
            )
        if result.interrupted or result.model is None:
            raise KeyboardInterrupt
        self.model_ = result.model
        self.settings_ = result.settings
        self.leaderboard_ = result.leaderboard
        self.validation_ = result.validation

    def _budget(self, data: Dataset) -> str | float | Budget:
        if isinstance(self.budget, str) and self.budget == "auto":
            return SMALL_BUDGET if data.x.size <= SMALL else BUDGET
        return self.budget

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "model_" in state:
            state = {**state, "model_": packed.pack(state["model_"])}
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        if "model_" in state:
            state = {**state, "model_": packed.unpack(state["model_"])}
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags


class FleetClassifier(ClassifierMixin, FleetEstimator):
    """A classifier whose hyperparameters are found while it is fitted.

    Args:
        budget: As for `tune`: "90s", "10m", seconds, `Budget(...)`; "auto" takes seconds for small
            data and a minute for others.
        space: What to search; a default by the size and kind of the data.
        strategy: As for `tune`.
        metric: What the search goes by: "accuracy", "log_loss", "balanced_accuracy" or "auc".
        ensemble: Whether the best networks of the search predict together.
        class_weight: How much each class counts: a dict, "balanced" for the inverse of its share,
            or None.
        random_state: An int makes fits repeat, where the budget is no time.
        verbose: Whether to show how the search goes on.

    Attributes:
        classes_: The labels, sorted.
        settings_: The winner's hyperparameters.
        leaderboard_: All candidates, ranked.
        validation_: The winner's score on held-out rows, with its interval.
        model_: The network, which can be saved and exported.
        n_features_in_: As in scikit-learn.
        feature_names_in_: As in scikit-learn.
    """

    _task = "classification"

    def __init__(
        self,
        budget: str | float | Budget = "auto",
        *,
        space: Space | None = None,
        strategy: str = "auto",
        metric: str | None = None,
        ensemble: bool = False,
        class_weight: Any = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            budget,
            space=space,
            strategy=strategy,
            metric=metric,
            ensemble=ensemble,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search and refit on all rows.

        Args:
            X: (rows, features); arrays, frames or sparse.
            y: A label for each row.
            sample_weight: How much each row counts, >= 0.

        Raises:
            ValueError: The data cannot be learned from, or a parameter means nothing.
        """
        with as_value_errors():
            features, y = inputs.learned(self, X, y)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        weights = _weights(sample_weight, X)
        if self.class_weight is not None:
            by_class = compute_class_weight(
                self.class_weight, classes=self.classes_, y=y, sample_weight=weights
            )
            weights = by_class[numbers] * (1 if weights is None else weights)
        with as_value_errors():
            self._search(features, numbers, weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each row."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[likeliest]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """(rows, classes): the probability of each class, in the order of `classes_`."""
        check_is_fitted(self)
        with as_value_errors():
            return inputs.answered(self.model_.predict_proba, inputs.asked(self, X))


class FleetRegressor(RegressorMixin, FleetEstimator):
    """A regressor whose hyperparameters are found while it is fitted.

    Parameters and attributes are those of `FleetClassifier` but for what is about classes; `metric`
    is "rmse", "mae" or "r2".
    """

    _task = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search and refit on all rows; arguments and errors as for `FleetClassifier.fit`.

        Args:
            X: (rows, features).
            y: A number for each row.
            sample_weight: How much each row counts, >= 0.
        """
        with as_value_errors():
            features, y = inputs.learned(self, X, y, numeric=True)
            self._search(features, y.astype(np.float64), _weights(sample_weight, X))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(rows,): the expected target of each row, in its own units."""
        check_is_fitted(self)
        with as_value_errors():
            return inputs.answered(self.model_.predict, inputs.asked(self, X))


def seed_of(random_state: Any) -> int:
    """The seed that `random_state` means, as scikit-learn reads it."""
    return int(check_random_state(random_state).randint(MOST_SEED))


def _weights(given: Any, X: Any) -> np.ndarray | None:
    if given is None:
        return None
    weights: np.ndarray = _check_sample_weight(given, X, ensure_non_negative=True)
    if not weights.any():
        raise ValueError("`sample_weight` must not be all zero; leave it out to count all alike.")
    return weights


@contextlib.contextmanager
def as_value_errors() -> Iterator[None]:
    """Our errors as what scikit-learn's contract asks for."""
    try:
        yield
    except FleetgradError as error:
        raise ValueError(str(error)) from error
