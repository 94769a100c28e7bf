"""A dataset: checked arrays ready for training, with the test part sealed off.

Everything that can be wrong with data is found here, once. After that the arrays are read-only,
labels are class numbers, and what is left to choose (which rows to learn from, how to scale them)
is a pure function of the data and a seed.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from jaxtyping import Float32, Int, Int32, Int64, UInt8

from fleetgrad import keys
from fleetgrad.data import frames, labels, mapped, scaling, targets
from fleetgrad.data.columns import Names, Table
from fleetgrad.data.encoding import Encoding
from fleetgrad.data.features import (
    Features,
    agreed_shape,
    as_features,
    feature_names_of,
    frozen,
)
from fleetgrad.data.scaling import Scaling
from fleetgrad.data.sealed import SealedTest
from fleetgrad.data.splits import RowNumbers, Split, stratified
from fleetgrad.data.targets import Standard, Target
from fleetgrad.errors import DataError, UsageError
from fleetgrad.metrics import CLASSIFICATION, REGRESSION

TEST_FRACTION = 1 / 5
VALIDATION_FRACTION = 1 / 6
_SEALING = (0, 1)  # counters of the sealing's draw, which no replicate's split has


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled rows to learn from, and a sealed test part.

    Args:
        name: What reports call it.
        x: Features of the training part, uint8 or float32, C-contiguous, read-only.
        y: Class numbers of the training part, int32; of a regression float32 in the user's units.
        classes: The label each class number stands for, sorted; none for a regression.
        image_shape: (height, width[, channels]) where rows are images.
        feature_names: One for each feature, where they are known.
        test: The test part, sealed.
        task: "classification" or "regression".
        weights: How much each row of the training part counts, 1 on average; None for all alike.
        encoding: What made the features of a raw table, where there was one.
    """

    name: str
    x: Features
    y: Target
    classes: labels.Classes
    image_shape: tuple[int, ...] | None
    feature_names: tuple[str, ...] | None
    test: SealedTest
    task: str = CLASSIFICATION
    weights: Float32[np.ndarray, " rows"] | None = None
    encoding: Encoding | None = None

    @classmethod
    def from_arrays(  # noqa: PLR0913 - all that can be said of arrays
        cls,
        X: Any,  # noqa: N803
        y: Any,
        X_test: Any = None,  # noqa: N803
        y_test: Any = None,
        *,
        name: str = "arrays",
        image_shape: tuple[int, ...] | None = None,
        feature_names: tuple[str, ...] | None = None,
        seed: int = 0,
        task: str = targets.AUTO,
        weights: Any = None,
        test_fraction: float = TEST_FRACTION,
    ) -> Self:
        """A dataset from arrays; without a test part, a fifth of the rows is sealed off.

        A fifth of each class, or of all rows of a regression.

        Args:
            X: (rows, features), or images (rows, height, width[, channels]), of any real type. NaN
                where a number is missing makes it a table, as of `from_frame`, and so does a frame
                with more than numbers.
            y: A label for each row: whole numbers, truth values, or text; or a number to predict.
            X_test: Test features, of the same kind as `X`.
            y_test: Their labels, each of which must occur in `y`, or numbers.
            name: What reports call it.
            image_shape: (height, width[, channels]) where `X` has images as flat rows.
            feature_names: One for each feature; a data frame brings its own.
            seed: Decides which rows are sealed off. Leave it: then the test part is a property of
                the data, and results on the same data can be compared.
            task: "classification", "regression", or "auto": text, truth values and whole numbers
                that look like classes are classified, other numbers predicted as such.
            weights: How much each row of `X` counts, at least 0; only ratios matter, and a row of
                weight 0 is left out. Rows of `X_test` count alike.
            test_fraction: Share of the rows to seal off where no test part is given, in [0, 1);
                0 where the test is elsewhere: then nothing is opened in the end.

        Raises:
            DataError: The data cannot be learned from; the message says where and what to do.
        """
        if image_shape is None and frames.is_raw(X):
            table = frames.raw(X, "`X`", feature_names)
            tested = None if X_test is None else frames.raw(X_test, "`X_test`", like=table)
            options = {"name": name, "seed": seed, "task": task, "weights": weights}
            options["test_fraction"] = test_fraction
            return cls.from_table(table, y, tested, y_test, **options)
        x, own_shape = as_features(X, "X")
        shape = agreed_shape(own_shape, image_shape, x.shape[1])
        names = feature_names_of(X, feature_names, x.shape[1])
        numbers, classes = targets.encode(y, len(x), task, "y")
        if weights is not None:
            x, numbers, weights = _weighted(x, numbers, targets.as_weights(weights, len(x)))
        if (X_test is None) != (y_test is None):
            raise UsageError(
                "`X_test` and `y_test` must be given together, got one of them; give both, or "
                "neither to have a fifth of the rows sealed off."
            )
        if X_test is None:
            train, test = _cut_off(_strata(numbers, classes), test_fraction, seed)
            sealed = SealedTest(_rows(x, test), numbers[test], _even(_only(weights, test)))
            x, numbers, weights = _rows(x, train), numbers[train], _only(weights, train)
        else:
            sealed = _sealed(X_test, y_test, x, classes)
        _check_enough(numbers, classes)
        task = CLASSIFICATION if len(classes) else REGRESSION
        return cls(
            name, x, numbers, classes, shape, names, sealed, task=task, weights=_even(weights)
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        target: str,
        test: Any = None,
        *,
        name: str = "frame",
        ignore: Names = (),
        **options: Any,
    ) -> Self:
        """A dataset from a frame of pandas, Polars, or another library that narwhals knows.

        Columns may be numbers, categories (text), truth values or dates, with cells missing; what
        is made of them is fitted on training rows, and is `encoding`.

        Args:
            frame: A row for each label.
            target: The column of labels.
            test: A frame of test rows with the same columns; without, a fifth is sealed off.
            name: What reports call it.
            ignore: Columns not to learn from, by name; the test frame need not have them.
            options: As for `from_arrays`.

        Raises:
            DataError: The data cannot be learned from; the message says where and what to do.
        """
        known = frames.learned(frame, target, ignore=ignore)
        tested: tuple[Table | None, Any] = (None, None)
        if test is not None:
            tested = frames.learned(test, target, "the test frame", known[0])
        return cls.from_table(*known, *tested, name=name, **options)

    @classmethod
    def from_table(
        cls,
        table: Table,
        y: Any,
        test: Table | None = None,
        y_test: Any = None,
        **options: Any,
    ) -> Self:
        """A dataset from columns of several kinds.

        Args:
            table: The columns.
            y: A label for each row.
            test: The same columns of test rows; without, a fifth of the rows is sealed off.
            y_test: Their labels.
            options: As for `from_arrays`.

        Raises:
            DataError: The data cannot be learned from.
        """
        # All that has to do with labels is done over the rows' numbers, which then give way.
        tested = None if test is None else _row_numbers(test.rows)
        rows = cls.from_arrays(_row_numbers(table.rows), y, tested, y_test, **options)
        train = table.take(_numbered(rows.x))
        encoding = Encoding.fit(train)
        x = frozen(encoding.apply(train))
        source = table if test is None else test
        sealed = rows.test.exchanged(lambda x: frozen(encoding.apply(source.take(_numbered(x)))))
        names = encoding.feature_names
        return replace(rows, x=x, feature_names=names, test=sealed, encoding=encoding)

    @property
    def rows(self) -> int:
        """How many rows there are to learn from."""
        return len(self.y)

    @property
    def features(self) -> int:
        """How many features a row has."""
        return int(self.x.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of all that the data is, the test part too; not of its name."""
        head = [
            str(self.x.dtype),
            self.x.shape,
            self.classes.tolist(),
            self.image_shape,
            self.feature_names,
            self.test.fingerprint,
            *([] if self.encoding is None else [self.encoding.to_dict()]),
        ]
        if self.task == REGRESSION:  # others are as they were before there was any
            head.append(self.task)
        digest = hashlib.sha256(json.dumps(head).encode())
        digest.update(self.x.data)
        digest.update(np.ascontiguousarray(self.y).data)
        if self.weights is not None:
            digest.update(np.ascontiguousarray(self.weights).data)
        return digest.hexdigest()

    def split(self, replicate: int, seed: int, fraction: float | None = None) -> Split:
        """Cut the rows into training and validation, class by class; by chance for a regression.

        Args:
            replicate: Which of the equally sized cuts, >= 0.
            seed: The run's seed, >= 0.
            fraction: Share of the rows to validate on, in (0, 1); a sixth by default.

        Returns:
            Row numbers; how many depends on the labels and the fraction alone.

        Raises:
            UsageError: The fraction is no share.
        """
        fraction = VALIDATION_FRACTION if fraction is None else fraction
        if not 0 < fraction < 1:
            raise UsageError(
                f"`fraction` must be in (0, 1), got {fraction!r}; use 0.2 to validate on a fifth."
            )
        strata, draw = _strata(self.y, self.classes), keys.generator(seed, "split", replicate)
        return Split(*stratified(strata, fraction, draw))

    def scaling(self, rows: Int[np.ndarray, " rows"]) -> Scaling:
        """How to scale features, fitted on these rows alone."""
        weights = _only(self.weights, rows)
        if self.encoding is not None:
            return scaling.robust(self.x, rows, self.encoding.numeric, weights)
        return scaling.fit(self.x, rows, weights)

    def standard(self, rows: Int[np.ndarray, " rows"]) -> Standard:
        """How to standardize the target of a regression, fitted on these rows alone."""
        return targets.standard(self.y[rows], _only(self.weights, rows))

    def __repr__(self) -> str:
        kind = f"{len(self.classes)} classes" if len(self.classes) else self.task
        test = f"{self.test.rows:,} test rows, sealed" if self.test.rows else "no test part"
        return (
            f"Dataset({self.name!r}: {self.rows:,} rows of {self.features} features, "
            f"{kind}; {test})"
        )


def _row_numbers(rows: int) -> UInt8[np.ndarray, "rows 8"]:
    """The number of each row as eight bytes, which every step leaves as they are."""
    return np.arange(rows, dtype=np.int64).view(np.uint8).reshape(rows, -1)


def _numbered(x: Features) -> Int64[np.ndarray, " rows"]:
    return np.ascontiguousarray(x).view(np.int64)[:, 0]


def _sealed(X_test: Any, y_test: Any, x: Features, classes: labels.Classes) -> SealedTest:  # noqa: N803
    x_test, _ = as_features(X_test, "X_test")
    if x_test.shape[1] != x.shape[1]:
        raise DataError(
            f"`X_test` must have the features of `X`, {x.shape[1]} a row, got {x_test.shape[1]}; "
            "give both the same columns."
        )
    if x_test.dtype != x.dtype:
        raise DataError(
            f"`X_test` must be of the same kind as `X`, got {x_test.dtype} and {x.dtype}: one may "
            "be scaled and the other not; give both as uint8, or both as floats scaled alike."
        )
    if len(classes) == 0:
        return SealedTest(x_test, targets.as_numbers(y_test, len(x_test), "y_test"))
    return SealedTest(x_test, labels.encode_as(y_test, len(x_test), classes, "y_test"))


def _cut_off(
    numbers: Int32[np.ndarray, " rows"], fraction: float, seed: int
) -> tuple[RowNumbers, RowNumbers]:
    """Which rows to learn from, and which to seal off."""
    if not 0 <= fraction < 1:
        raise UsageError(
            f"`test_fraction` must be in [0, 1), got {fraction!r}; use 0.2 to seal off a fifth, or "
            "0 for no test part."
        )
    if fraction == 0:
        return np.arange(len(numbers), dtype=np.int32), np.arange(0, dtype=np.int32)
    return stratified(numbers, fraction, keys.generator(seed, "split", *_SEALING))


def _rows(x: Features, rows: Int32[np.ndarray, " rows"]) -> Features:
    return frozen(mapped.cut(x, rows))


def _strata(y: Target, classes: labels.Classes) -> Int32[np.ndarray, " rows"]:
    """What a split divides evenly: the classes; of a regression all rows alike.

    Splits by quantiles of the target would be a little evener, but the intervals over splits take
    these for draws that know nothing of the target.
    """
    return y.astype(np.int32) if len(classes) else np.zeros(len(y), np.int32)


def _weighted(
    x: Features, y: Target, weights: Float32[np.ndarray, " rows"]
) -> tuple[Features, Target, Float32[np.ndarray, " rows"]]:
    """The rows that count at all."""
    if weights.all():
        return x, y, weights
    counting = np.flatnonzero(weights).astype(np.int32)
    return _rows(x, counting), y[counting], weights[counting]


def _only(weights: Any, rows: Int[np.ndarray, " rows"]) -> Any:
    return None if weights is None else weights[rows]


def _even(weights: Any) -> Any:
    """Weights with the mean 1."""
    if weights is None or len(weights) == 0:
        return None
    even = (weights / weights.mean(dtype=np.float64)).astype(np.float32)
    even.flags.writeable = False
    return even


def _check_enough(y: Target, classes: labels.Classes) -> None:
    if len(classes) == 0:
        if len(y) < 2:  # noqa: PLR2004
            raise DataError(
                "`y` must leave at least two rows to learn from and validate on, got "
                f"{len(y)} besides the test part; give at least three rows."
            )
        return
    if np.bincount(y).max() < 2:  # noqa: PLR2004
        raise DataError(
            f"`y` must leave at least two rows of some class to learn from and validate on, got "
            f"{len(y)} rows of {len(classes)} classes besides the test part; give at least three "
            "rows a class."
        )
