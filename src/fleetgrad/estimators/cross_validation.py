"""A search over a list, or a space, in which the folds of a cross-validation are one fleet.

`FleetSearchCV` has the results of scikit-learn's `HalvingRandomSearchCV`, with epochs as the
resource: the settings that are worst over all folds end early, the others go on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from fleetgrad import samplers
from fleetgrad.data import AUTO, Dataset, Split, targets
from fleetgrad.defaults import default_space
from fleetgrad.errors import TrainingError, UsageError, suggestion
from fleetgrad.estimators import inputs
from fleetgrad.estimators.fleet import (
    FleetClassifier,
    FleetRegressor,
    as_value_errors,
    seed_of,
)
from fleetgrad.folds import Folds, cross_validate
from fleetgrad.metrics import CLASSIFICATION, METRICS, REGRESSION
from fleetgrad.preparing import for_task
from fleetgrad.refitting import refitted
from fleetgrad.rungs import Rungs, successive_halving
from fleetgrad.settings import Settings
from fleetgrad.space import Space

SCORINGS = {  # scikit-learn's names for what we judge by
    **{name: name for name in METRICS},
    "neg_log_loss": "log_loss",
    "neg_mean_absolute_error": "mae",
    "neg_root_mean_squared_error": "rmse",
    "roc_auc": "auc",
    "roc_auc_ovr": "auc",
}


class FleetSearchCV(BaseEstimator):
    """Cross-validates settings, all of them on all folds at once, and refits the best.

    Args:
        space: What to search: a `Space`, a default one for the data (None), or a list of settings,
            each a `Settings` or a dict of hyperparameters, whose `batch_size` and `loss` suit the
            data where they are not named.
        n_candidates: How many settings to draw from a space; a list is tried whole.
        epochs: Passes over the training rows of those that go all the way.
        cv: Folds, as in scikit-learn: a number, a splitter, or pairs of rows.
        factor: One in so many goes on after a rung; None trains all to the end.
        scoring: What settings are judged by: one of `metrics.METRICS` or scikit-learn's name for
            it; accuracy for labels and RMSE for numbers by default.
        sampler: "sobol", "random" or "grid", of a space.
        task: "classification", "regression", or "auto" where what `y` holds leaves no doubt.
        refit: Whether the best settings are trained on all rows in the end.
        random_state: An int makes fits repeat.

    Attributes:
        cv_results_: Scores, times and ranks, as in scikit-learn, with `iter` and `n_resources`
            (epochs) as in its halving searches. Errors are negated, so that more is better.
        best_params_: Of the best of those that went all the way.
        best_score_: Its mean score over the folds.
        best_index_: Its place in `cv_results_`.
        best_settings_: All its hyperparameters, those too that were not searched.
        best_estimator_: A fitted `FleetClassifier` or `FleetRegressor`, where `refit` is true.
        n_splits_: How many folds there were.
        n_resources_: Epochs at which each rung ended.
        classes_: The labels, sorted, of a classification.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        space: Any = None,
        *,
        n_candidates: int = 27,
        epochs: int = 30,
        cv: Any = 5,
        factor: float | None = 3,
        scoring: str | None = None,
        sampler: str = "sobol",
        task: str = AUTO,
        refit: bool = True,
        random_state: Any = None,
    ) -> None:
        self.space = space
        self.n_candidates = n_candidates
        self.epochs = epochs
        self.cv = cv
        self.factor = factor
        self.scoring = scoring
        self.sampler = sampler
        self.task = task
        self.refit = refit
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Self:
        """Cross-validate, and refit the best.

        Args:
            X: (rows, features); arrays, frames or sparse.
            y: A label for each row, or a number.
            groups: Of rows, for splitters that keep groups together.

        Raises:
            ValueError: The data cannot be learned from, or a parameter means nothing.
        """
        with as_value_errors():
            features, y = inputs.learned(self, X, y)
            task = _task(y, self.task)
        numbers = y
        if task == CLASSIFICATION:
            check_classification_targets(y)
            self.classes_, numbers = np.unique(y, return_inverse=True)
        folds = check_cv(self.cv, y, classifier=task == CLASSIFICATION)
        splits = [_split(*pair) for pair in folds.split(np.empty((len(y), 1)), y, groups)]
        seed = seed_of(self.random_state)
        with as_value_errors():
            data = inputs.dataset(features, numbers, task)
            metric = self._metric()
            settings, varied = self._candidates(data, seed)
            rungs = self._rungs(len(settings))
            found = cross_validate(data, settings, splits, rungs, seed=seed, metric=metric)
            self._conclude(settings, varied, found, rungs)
            if self.refit:
                self.best_estimator_ = self._refitted(data, seed)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """What the best predicts, refitted."""
        predicted: np.ndarray = self._best().predict(X)
        return predicted

    @available_if(lambda self: not hasattr(self, "cv_results_") or hasattr(self, "classes_"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """(rows, classes): probabilities in the order of `classes_`."""
        shares: np.ndarray = self._best().predict_proba(X)
        return shares

    def score(self, X: Any, y: Any) -> float:
        """Accuracy, or R2 of numbers, of the best, refitted."""
        return float(self._best().score(X, y))

    def _best(self) -> Any:
        check_is_fitted(self, "cv_results_")
        if not self.refit:
            raise AttributeError(
                "predictions need the best settings refitted, got `refit=False`; fit again with "
                "`refit=True`."
            )
        return self.best_estimator_

    def _metric(self) -> str | None:
        if self.scoring is not None and self.scoring not in SCORINGS:
            raise UsageError(
                f"`scoring` must be a known name, got {self.scoring!r}; "
                f"{suggestion(str(self.scoring), SCORINGS)}"
            )
        return None if self.scoring is None else SCORINGS[self.scoring]

    def _candidates(self, data: Dataset, seed: int) -> tuple[list[Settings], list[str]]:
        """What to train, and the names of what varies."""
        space = default_space(data) if self.space is None else self.space
        if isinstance(space, Space):
            space = for_task(space, data)
            sampler = samplers.make(self.sampler, space, seed=seed, epochs=self.epochs)
            return list(sampler.ask(self.n_candidates).settings), list(space.ranges)
        usual = for_task(default_space(data), data).fixed
        suited = {name: usual[name] for name in ("batch_size", "loss") if name in usual}
        return _listed(space, {**suited, "epochs": self.epochs})

    def _rungs(self, candidates: int) -> Rungs:
        if self.factor is None:
            return Rungs((self.epochs,), (1,))
        return successive_halving(candidates, self.epochs, eta=self.factor, finalists=1)

    def _conclude(
        self, settings: Sequence[Settings], varied: Sequence[str], found: Folds, rungs: Rungs
    ) -> None:
        self.n_splits_ = found.scores.shape[1]
        self.n_resources_ = list(rungs.epochs)
        self.cv_results_ = results(settings, varied, found)
        self.best_index_ = int(np.argmin(self.cv_results_["rank_test_score"]))
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        if np.isnan(self.best_score_):
            raise TrainingError(
                "some settings must train soundly on every fold, got none of "
                f"{len(settings)}; lower `learning_rate`."
            )
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_settings_ = settings[self.best_index_]

    def _refitted(self, data: Dataset, seed: int) -> Any:
        kind = FleetClassifier if data.task == CLASSIFICATION else FleetRegressor
        searched = self.space if isinstance(self.space, Space) else None
        best = kind(space=searched, random_state=seed)
        best.model_, best.settings_ = refitted(data, self.best_settings_, seed), self.best_settings_
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(best, name, getattr(self, name))
        return best


def results(settings: Sequence[Settings], varied: Sequence[str], found: Folds) -> dict[str, Any]:
    """`cv_results_`: a dict of arrays, one entry for each of the settings."""
    params = [{name: getattr(one, name) for name in varied} for one in settings]
    means = found.scores.mean(axis=1)
    order = np.lexsort((-np.nan_to_num(means, nan=-np.inf), -found.rungs))
    ranks = np.empty(len(settings), np.int32)
    ranks[order] = np.arange(1, len(settings) + 1)
    return {
        "iter": found.rungs,
        "n_resources": found.epochs,
        "mean_fit_time": found.seconds.mean(axis=1),
        "std_fit_time": found.seconds.std(axis=1),
        **{f"param_{name}": _masked([one[name] for one in params]) for name in varied},
        "params": params,
        **{f"split{fold}_test_score": scores for fold, scores in enumerate(found.scores.T)},
        "mean_test_score": means,
        "std_test_score": found.scores.std(axis=1),
        "rank_test_score": ranks,
    }


def _task(y: Any, task: str) -> str:
    """What is to be done, where that is not said."""
    _, classes = targets.encode(y, len(y), task, "y")
    return CLASSIFICATION if len(classes) else REGRESSION


def _masked(values: Sequence[Any]) -> np.ma.MaskedArray:
    column = np.ma.MaskedArray(np.empty(len(values), object), mask=False)
    for place, value in enumerate(values):
        column[place] = value
    return column


def _split(train: Any, validation: Any) -> Split:
    return Split(np.sort(train).astype(np.int32), np.sort(validation).astype(np.int32))


def _listed(space: Any, suited: Mapping[str, Any]) -> tuple[list[Settings], list[str]]:
    if isinstance(space, Mapping | str) or not isinstance(space, Sequence) or not len(space):
        raise UsageError(
            f"`space` must be a Space or a list of settings, got {type(space).__name__}; use "
            "[{'hidden': (64,)}, {'hidden': (128, 64)}]."
        )
    plain = [one.to_dict() if isinstance(one, Settings) else dict(one) for one in space]
    settings = [Settings.from_dict({**suited, **one, "epochs": suited["epochs"]}) for one in plain]
    names = [name for name in Settings().to_dict() if name != "epochs"]
    varied = [name for name in names if len({repr(getattr(one, name)) for one in settings}) > 1]
    return settings, varied
