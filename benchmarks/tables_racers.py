"""Who races: each learns from a table for a given time, two cores, and predicts its test rows."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import ParameterSampler, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tables_data import TARGET, Set

VALIDATION = 1 / 6
REFIT = 1.3  # a refit on all rows, over the time that the fit on most of them took
Draw = Iterator[Mapping[str, Any]]


def fleetgrad(given: Set, seconds: float, seed: int, place: Path) -> np.ndarray:
    """`fleetgrad.tune` with its default space, an ensemble at its end."""
    import fleetgrad as fg  # noqa: PLC0415 - each racer loads its own libraries

    data = fg.Dataset.from_frame(given.train, TARGET, given.test, task=given.task)
    result = fg.tune(data, None, seconds, seed, place / "run", ensemble=True, page=False)
    assert result.model is not None
    return np.asarray(result.model.predict(given.test.drop(columns=TARGET)))


def boosting(given: Set, seconds: float, seed: int, place: Path) -> np.ndarray:  # noqa: ARG001
    """scikit-learn's histogram boosting, its defaults first and then a random search."""
    kind = {
        "classification": HistGradientBoostingClassifier,
        "regression": HistGradientBoostingRegressor,
    }[given.task]
    space = {
        "learning_rate": loguniform(0.02, 0.3),
        "max_leaf_nodes": randint(8, 96),
        "min_samples_leaf": randint(3, 60),
        "l2_regularization": loguniform(1e-4, 10),
        "max_features": uniform(0.4, 0.6),
    }

    def make(drawn: Mapping[str, Any]) -> Any:
        more = {"max_iter": 600, "early_stopping": True} if drawn else {}
        return kind(random_state=seed, categorical_features="from_dtype", **more, **drawn)

    return _searched(make, space, given, seconds, seed)


def mlp(given: Set, seconds: float, seed: int, place: Path) -> np.ndarray:  # noqa: ARG001
    """scikit-learn's MLP on standardized numbers and one-hot categories, by random search."""
    kind = {"classification": MLPClassifier, "regression": MLPRegressor}[given.task]
    space = {
        "hidden_layer_sizes": [(128,), (256,), (128, 128), (256, 128), (256, 256)],
        "learning_rate_init": loguniform(3e-4, 1e-2),
        "alpha": loguniform(1e-6, 1e-1),
        "batch_size": [32, 64, 128, 256],
    }

    def make(drawn: Mapping[str, Any]) -> Any:
        network = kind(random_state=seed, max_iter=200, early_stopping=True, **drawn)
        if given.task == "regression":
            from sklearn.compose import TransformedTargetRegressor  # noqa: PLC0415

            network = TransformedTargetRegressor(network, transformer=StandardScaler())
        return make_pipeline(_prepared(), network)

    return _searched(make, space, given, seconds, seed)


def realmlp(given: Set, seconds: float, seed: int, place: Path) -> np.ndarray:
    """Pytabkit's RealMLP with its tuned defaults, seed after seed, averaged."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor  # noqa: PLC0415 - an extra

    kind = {"classification": RealMLP_TD_Classifier, "regression": RealMLP_TD_Regressor}[given.task]
    began, x, y = time.perf_counter(), given.train.drop(columns=TARGET), given.train[TARGET]
    test, said, longest = given.test.drop(columns=TARGET), [], 0.0
    numbers = x.select_dtypes("number").columns  # it takes none that is missing
    if len(numbers):
        middle = x[numbers].median()
        x, test = x.fillna(middle), test.fillna(middle)
    while not said or time.perf_counter() - began + longest < seconds:
        started = time.perf_counter()
        model = kind(
            random_state=seed + len(said), n_threads=2, device="cpu", tmp_folder=str(place)
        )
        model.fit(x, y.to_numpy())
        said.append(
            model.predict(test) if given.task == "regression" else model.predict_proba(test)
        )
        longest = max(longest, time.perf_counter() - started)
    mean = np.mean(said, axis=0)
    return mean if given.task == "regression" else model.classes_[mean.argmax(axis=1)]


RACERS: Mapping[str, Callable[[Set, float, int, Path], np.ndarray]] = {
    "fleetgrad": fleetgrad,
    "boosting": boosting,
    "mlp": mlp,
    "realmlp": realmlp,
}
NEURAL = ("fleetgrad", "mlp", "realmlp")


def error(given: Set, predicted: np.ndarray) -> float:
    """Share of wrong labels, or the root of the mean squared error."""
    truth = given.test[TARGET].to_numpy()
    if given.task == "regression":
        return float(np.sqrt(np.mean((np.asarray(predicted, float).ravel() - truth) ** 2)))
    return float(np.mean(np.asarray(predicted).astype(str) != truth.astype(str)))


def _prepared() -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", min_frequency=5, sparse_output=False)
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )


def _searched(
    make: Callable[[Mapping[str, Any]], Any],
    space: Mapping[str, Any],
    given: Set,
    seconds: float,
    seed: int,
) -> np.ndarray:
    """The best of as many as there is time for, by one split, fitted again on all rows."""
    warnings.simplefilter("ignore")
    began, x, y = time.perf_counter(), given.train.drop(columns=TARGET), given.train[TARGET]
    strata = y if given.task == "classification" else None
    cut = train_test_split(x, y, test_size=VALIDATION, random_state=seed, stratify=strata)
    best, chosen, took = -np.inf, {}, 0.0
    for drawn in ({}, *ParameterSampler(space, 10_000, random_state=seed)):
        started = time.perf_counter()
        score = make(drawn).fit(cut[0], cut[2]).score(cut[1], cut[3])
        spent = time.perf_counter() - started
        if score > best:
            best, chosen, took = score, drawn, spent
        if time.perf_counter() - began + REFIT * took + spent > seconds:
            break
    return np.asarray(make(chosen).fit(x, y).predict(given.test.drop(columns=TARGET)))
