"""What predicts, from raw inputs as in training: one network, or several that are averaged.

All of it that does not depend on how many there are: which rows are taken, how labels are named,
what is saved beside the weights.
"""

import math
import os
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Num, Shaped

from fleetgrad import graph, inference, intake, saved
from fleetgrad.data import frames
from fleetgrad.data.columns import Table
from fleetgrad.data.encoding import Encoded, Encoding
from fleetgrad.data.features import Features, as_features, numeric
from fleetgrad.data.inputs import WHITE, read_inputs, read_table
from fleetgrad.durable import replacing
from fleetgrad.errors import ModelError
from fleetgrad.forward import Logits
from fleetgrad.inference import Part
from fleetgrad.metrics import CLASSIFICATION, REGRESSION
from fleetgrad.payload import encode
from fleetgrad.views import PLAIN as PLAIN_VIEWS
from fleetgrad.views import Views

BLOCK = 1024  # rows evaluated at once: images are never all floats, and a block stays in the cache
ENCODED = 1 << 16  # rows of a table encoded at once
PLAIN = ("dataset", "image_shape", "feature_names", "information")


class Predictor(ABC):
    """Labels and probabilities for rows; `Model` and `Ensemble` are the two kinds."""

    classes: Shaped[np.ndarray, " classes"]
    dataset: str
    image_shape: tuple[int, ...] | None
    feature_names: tuple[str, ...] | None
    information: Mapping[str, Any]
    encoding: Encoding | None
    views: Views = PLAIN_VIEWS

    @property
    @abstractmethod
    def parts(self) -> Sequence[Part]:
        """The networks it is made of, each with its share."""

    @abstractmethod
    def _outputs(self, rows: Num[np.ndarray, "batch features"]) -> Float[np.ndarray, "batch cls"]:
        """Numbers of which the greatest names the label, or the one that is predicted."""

    @abstractmethod
    def _shares(
        self, outputs: Float[np.ndarray, "batch cls"]
    ) -> Float64[np.ndarray, "batch classes"]:
        """Probabilities from outputs."""

    @abstractmethod
    def _files(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What its kind alone adds to the description, and its arrays."""

    @property
    def task(self) -> str:
        """What it predicts: labels ("classification") or numbers ("regression")."""
        return CLASSIFICATION if len(self.classes) else REGRESSION

    @property
    def features(self) -> int:
        """How many features the network reads; of an encoded table, more than it has columns."""
        return int(np.size(self.parts[0].network.shift))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the two files, durably; a model that is there stays until this one is.

        Raises:
            ModelError: The directory cannot be written, or `information` is not plain.
        """
        own, arrays = self._files()
        shape = {"features": self.features, "classes": self.classes}
        encoded = {"encoding": self.encoding.to_dict() if self.encoding else None}
        saved.write(Path(directory), {**own, **self._plain, **shape, **encoded}, arrays)

    def export_onnx(self, path: str | os.PathLike[str], *, input_type: str = "float32") -> None:
        """Write it as ONNX, whole or not at all.

        Its input is `x` (rows, features), raw and unscaled; its outputs are `probabilities`
        (rows, classes) and `label` (rows,), a position in `classes`, which its metadata holds; or
        of a regression `prediction` (rows,), in the units of the target. After training on a table
        it has an input (rows, 1) for each raw column, of its name: float32, NaN where a number is
        missing, or text, empty where a word is.

        Args:
            path: Replaced if it exists.
            input_type: "float32", or "uint8" to feed images as they are.

        Raises:
            UsageError: The package `onnx` is missing, or there is no such input type.
            ModelError: The file cannot be written, or there are dates, which ONNX does not know.
        """
        path, metadata = Path(path), {"classes": self.classes, **self._plain}
        if self.encoding is not None:
            names = intake.input_names(self.encoding)
            metadata["columns"] = dict(zip(names, self.encoding.kinds.items(), strict=True))
        texts = {name: encode(value) for name, value in metadata.items()}
        seeing = graph.Seeing(self.image_shape or (), self.views, self.encoding)
        numbers = self.task == REGRESSION
        content = graph.onnx_bytes(self.parts, input_type, texts, seeing, numbers=numbers)
        try:
            with replacing(path) as file:
                file.write_bytes(content)
        except OSError as error:
            raise saved.unwritable(path, error) from error

    def predict(self, X: Any) -> Shaped[np.ndarray, " rows"]:  # noqa: N803
        """The likeliest label of each row, or of a regression its number.

        Args:
            X: (rows, features), or images (rows, height, width[, channels]), of any real type,
                unscaled, as in training. After training on a table: a frame with its columns,
                in any order, an array of them in theirs, or what `read` gives. `Encoded` rows of
                a dataset are taken as they are.

        Returns:
            Labels as they were given for training; numbers as float64, in the units of the target.

        Raises:
            ModelError: The rows are not of the kind that the model was trained on.
            DataError: They are no numbers, or some are missing or infinite; a column is missing
                or of another kind.
        """
        if self.task == REGRESSION:
            return np.concatenate([self._outputs(block)[:, 0] for block in self._blocks(X)])
        numbers = [self._outputs(block).argmax(axis=1) for block in self._blocks(X)]
        labels: Shaped[np.ndarray, " rows"] = self.classes[np.concatenate(numbers)]
        return labels

    def predict_proba(self, X: Any) -> Float64[np.ndarray, "rows classes"]:  # noqa: N803
        """The probability of each class, in the order of `classes`, for each row of `X`.

        Arguments and errors as for `predict`, and a `ModelError` where there are no classes.
        """
        if self.task == REGRESSION:
            raise ModelError(
                "probabilities must be of classes, got a model that predicts numbers; use "
                "`predict`."
            )
        return np.concatenate([self._shares(self._outputs(block)) for block in self._blocks(X)])

    def predict_file(self, path: str | os.PathLike[str]) -> Shaped[np.ndarray, " rows"]:
        """What is predicted for each row in a file; arguments and errors as for `read`."""
        return self.predict(self.read(path))

    def read(self, path: str | os.PathLike[str]) -> Features | Table:
        """The rows in a file, ready to be predicted from.

        Args:
            path: `.npy`, `.csv`, `.csv.gz`, IDX images or a PNG picture; `.csv`, `.csv.gz`,
                `.parquet` or `.npy` where training was on a table.

        Raises:
            DataError: It is none of these, is broken, or has other features than training.
        """
        if self.encoding is not None:
            return read_table(path, self.encoding)
        return read_inputs(
            path,
            features=self.features,
            image_shape=self.image_shape,
            feature_names=self.feature_names,
            white=self.white,
        )

    def answered(
        self,
        X: Any,  # noqa: N803
    ) -> Iterator[tuple[Shaped[np.ndarray, " rows"], Float64[np.ndarray, "rows classes"] | None]]:
        """Block by block, positions of the likeliest labels and all probabilities; or numbers.

        Arguments and errors as for `predict`; each row is worked out once.
        """
        for block in self._blocks(X):
            outputs = self._outputs(block)
            if self.task == REGRESSION:
                yield outputs[:, 0], None
            else:
                yield outputs.argmax(axis=1), self._shares(outputs)

    @property
    def _plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PLAIN}

    @property
    def white(self) -> float:
        """The largest value there can be in an image, as in training."""
        shift, scale = self.parts[0].network.shift, self.parts[0].network.scale
        was_uint8 = not shift.any() and (scale == scale[0]).all() and 1 / 256 < scale[0] <= 1
        return round(1 / float(scale[0])) if was_uint8 else self.information.get("white", WHITE)

    def _hold(self) -> None:
        """Make the shared fields immutable."""
        object.__setattr__(self, "classes", frozen(self.classes))
        for name in ("image_shape", "feature_names"):
            given = getattr(self, name)
            object.__setattr__(self, name, tuple(given) if isinstance(given, list) else given)
        object.__setattr__(self, "information", dict(self.information))

    def _check(self) -> None:
        """Raise `ModelError` unless the shared fields and all networks fit each other."""
        shape, names, white = self.image_shape, self.feature_names, self.information.get("white", 1)
        fits = {
            "dataset": ("text", saved.are(str, (self.dataset,))),
            "information": ("plain values, `white` a number above 0", _is_positive(white)),
            "image_shape": (
                f"(height, width[, channels]) of {self.features} features",
                shape is None or (_is_image(shape) and math.prod(shape) == self.features),
            ),
            "feature_names": (
                f"{self.features} names",
                names is None or (saved.are(str, names) and len(names) == self.features),
            ),
            "classes": (
                "two or more labels, different and sorted, or none for numbers",
                len(self.classes) == 0 or _are_classes(self.classes),
            ),
        }
        for name, (rule, holds) in fits.items():
            if not holds:
                got = reprlib.repr(getattr(self, name))
                raise ModelError(f"`{name}` must be {rule}, got {got}; give what training had.")
        if self.encoding is not None and self.encoding.features != self.features:
            raise ModelError(
                f"`encoding` must give the {self.features} features of the network, got "
                f"{self.encoding.features}; give that of training."
            )
        for part in self.parts:
            part.network.check(len(self.classes))

    def _blocks(self, X: Any) -> Iterator[Features]:  # noqa: N803
        if self.encoding is not None and not isinstance(X, Encoded):
            return self._encoded(_table(X, self.encoding), self.encoding)
        return _cut(X.x if isinstance(X, Encoded) else self._rows(X))

    def _encoded(self, table: Table, encoding: Encoding) -> Iterator[Features]:
        for start in range(0, table.rows, ENCODED):
            some = np.arange(start, min(start + ENCODED, table.rows))
            yield from _cut(encoding.apply(table.take(some)))

    def _rows(self, X: Any) -> Features:  # noqa: N803
        array, columns = numeric(X, "X"), getattr(X, "columns", None)
        shape, names = self.image_shape, self.feature_names
        if array.ndim == 1 or (array.shape == shape and shape[0] > 1):
            raise ModelError(
                f"`X` must have the shape (rows, {self.features}), got {array.shape}; use "
                "`X[np.newaxis]` for a single row."
            )
        if columns is not None and names and tuple(map(str, columns)) != names:
            raise ModelError(
                f"`X` must have the columns of training, in that order, got {list(columns)[:5]}, "
                "...; use `X[list(model.feature_names)]`."
            )
        rows, own_shape = as_features(array, "X")
        if rows.shape[1] != self.features or (own_shape and shape and own_shape != shape):
            raise ModelError(
                f"`X` must have the {self.features} features of training in each row"
                f"{f', as images {shape}' if own_shape and shape else ''}, got "
                f"{own_shape or rows.shape[1]}; give what the model was trained on."
            )
        return rows


def logits(network: inference.Network, rows: Num[np.ndarray, "batch features"]) -> Logits:
    """A network's outputs for a block of rows.

    Raises:
        ModelError: They are not finite.
    """
    outputs = inference.logits(network, rows)
    if not np.isfinite(outputs).all():
        raise ModelError(
            "`X` must be of the size seen in training, got numbers so large that the "
            "network's outputs are not finite; check the units of its features."
        )
    return outputs


def plain(head: Mapping[str, Any]) -> dict[str, Any]:
    """The shared fields of a description; those of models before there were tables lack one."""
    encoded = head.get("encoding")
    encoding = None if encoded is None else Encoding.from_dict(encoded)
    return {**{name: head[name] for name in PLAIN}, "encoding": encoding}


def _cut(rows: Features) -> Iterator[Features]:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


def _table(X: Any, encoding: Encoding) -> Table:  # noqa: N803
    if isinstance(X, Table):
        return X
    if frames.is_frame(X):
        return frames.table(X, "`X`", encoding.kinds)
    return frames.of_array(X, encoding.columns, encoding.kinds)


def frozen(array: Any) -> np.ndarray:
    """A view that cannot be written through; the caller's own array stays writable."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _is_image(shape: Any) -> bool:
    return len(shape) in {2, 3} and saved.are(int, shape)


def _are_classes(labels: np.ndarray) -> bool:
    several = labels.ndim == 1 and len(labels) > 1 and labels.dtype.kind in "iU"
    return several and bool((labels[:-1] < labels[1:]).all())


def _is_positive(value: Any) -> bool:
    return type(value) in {int, float} and 0 < value < math.inf
