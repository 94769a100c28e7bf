"""What estimators take: arrays, sparse or not, and frames of columns of several kinds."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, validate_data

from fleetgrad.data import Dataset, frames
from fleetgrad.data.columns import Table
from fleetgrad.predictor import BLOCK

Inputs = np.ndarray | Table


def learned(estimator: Any, X: Any, y: Any, *, numeric: bool = False) -> tuple[Inputs, np.ndarray]:
    """Features and targets to learn from; the estimator takes note of the features' names.

    A frame of numbers without a cell missing is an array, any other is a table.

    Args:
        estimator: Its `n_features_in_` and `feature_names_in_` are set.
        X: (rows, features).
        y: A target a row.
        numeric: Whether targets must be numbers.

    Raises:
        ValueError: They do not fit, or a number is not finite.
        DataError: A column of a frame cannot be learned from.
    """
    if not frames.is_mixed(X):
        rows, y = validate_data(
            estimator,
            X,
            y,
            accept_sparse="csr",
            ensure_all_finite="allow-nan",
            ensure_min_samples=2,
            y_numeric=numeric,
        )
        return dense(rows), y
    targets: np.ndarray = validate_data(estimator, X="no_validation", y=y)
    validate_data(estimator, X, skip_check_array=True)
    check_consistent_length(X, targets)
    if numeric:
        targets = targets.astype(np.float64)
    return frames.table(X, "`X`", dict.fromkeys(map(str, X.columns))), targets


def asked(estimator: Any, X: Any) -> Any:
    """Features to predict from, as the estimator's model takes them.

    Raises:
        ValueError: They are not those of training.
    """
    named = estimator.model_.encoding is not None and hasattr(estimator, "feature_names_in_")
    if named and frames.is_frame(X):
        return validate_data(estimator, X, skip_check_array=True, reset=False)
    rows = validate_data(
        estimator, X, accept_sparse="csr", ensure_all_finite="allow-nan", reset=False
    )
    return dense(rows)


def answered(predict: Callable[[Any], np.ndarray], rows: Any) -> np.ndarray:
    """What is predicted for rows, whoever stands beside them.

    Products of single precision round differently for blocks of different sizes, and scikit-learn
    wants a row's answer to the seventh digit the same in any company: so all blocks are whole.
    """
    missing = -len(rows) % BLOCK
    if not isinstance(rows, np.ndarray) or missing == 0:
        return predict(rows)
    return predict(np.concatenate([rows, np.repeat(rows[:1], missing, axis=0)]))[: len(rows)]


def matrix(inputs: Inputs) -> np.ndarray:
    """Numbers that are equal for rows that are."""
    if isinstance(inputs, Table):
        return np.column_stack([column.values for column in inputs.columns])
    return inputs


def take(inputs: Inputs, rows: np.ndarray) -> Inputs:
    """Some rows."""
    return inputs.take(rows) if isinstance(inputs, Table) else inputs[rows]


def dataset(inputs: Inputs, y: np.ndarray, task: str, weights: np.ndarray | None = None) -> Dataset:
    """Data to learn from, nothing sealed off."""
    options: dict[str, Any] = {"test_fraction": 0, "task": task, "weights": weights}
    if isinstance(inputs, Table):
        return Dataset.from_table(inputs, y, **options)
    return Dataset.from_arrays(inputs, y, **options)


def dense(X: Any) -> np.ndarray:
    """The rows, not sparse."""
    rows: np.ndarray = X.toarray() if hasattr(X, "toarray") else X
    return rows
