"""The winner, ready for use: what it was trained on, what it predicts, and its two files.

    model.json            everything but the weights, and their checksum
    weights.safetensors   the weights and the scaling of inputs

Saving writes new weights beside the old, replaces `model.json` in one stroke, and only then gives
the new weights their name. The weights that fit the checksum are the model's, under either name,
so that a crash at any moment leaves a whole model, the old one or the new.
"""

import math
import os
import reprlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from operator import index
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from fleetgrad import inference
from fleetgrad.data.features import Features, as_features, numeric
from fleetgrad.data.inputs import WHITE, read_inputs
from fleetgrad.durable import TEMPORARY, flush_names, replacing
from fleetgrad.errors import FleetgradError, ModelError, RunError
from fleetgrad.payload import decode, encode
from fleetgrad.settings import Settings
from fleetgrad.weights import WeightsFile, read_weights, write_weights

BLOCK = 1024  # rows evaluated at once: images are never all floats, and a block stays in the cache
MODEL, WEIGHTS, FRESH = "model.json", "weights.safetensors", "weights-new.safetensors"
MOST_HEAD = 1 << 22  # bytes of model.json
FORMAT = {"format": "fleetgrad model", "version": 1}
PLAIN = ("dataset", "image_shape", "feature_names", "information")
_MALFORMED = (OSError, ValueError, TypeError, KeyError, OverflowError, FleetgradError)


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained network that predicts, from raw inputs as in training; its arrays are read-only.

    Args:
        settings: What it was trained with.
        params: Its layers, first to last, as in `network.predicting`; float32.
        shift, scale: Scaled input = (x - shift) * scale, per feature; float32.
        classes: The label each output stands for, sorted; whole numbers or text.
        dataset: The name of the data it was trained on.
        image_shape: (height, width[, channels]) of the training images, if they were images.
        feature_names: Of the training table, if it was one.
        information: What else is worth keeping (figures, seed, versions); plain values. `white`
            is the largest value in training images that were not uint8; 255 unless it says so.

    Raises:
        ModelError: These do not fit each other.
    """

    settings: Settings
    params: Sequence[Mapping[str, np.ndarray]]
    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]
    classes: Shaped[np.ndarray, " classes"]
    dataset: str = "arrays"
    image_shape: tuple[int, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    information: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        layers = tuple({name: _frozen(a) for name, a in layer.items()} for layer in self.params)
        object.__setattr__(self, "params", layers)
        for name in ("shift", "scale", "classes"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        for name in ("image_shape", "feature_names"):
            given = getattr(self, name)
            object.__setattr__(self, name, tuple(given) if isinstance(given, list) else given)
        object.__setattr__(self, "information", dict(self.information))
        self._check()

    @property
    def features(self) -> int:
        """How many features a row must have."""
        return int(np.size(self.shift))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """A model from its directory, its `model.json`, or the directory of the run that made it.

        Raises:
            ModelError: There is none, or it is not as `save` writes it.
        """
        path = Path(path)
        try:
            return cls(**_read(_directory(path)))
        except _MALFORMED as error:
            raise ModelError(
                f"`{path}` must be a model as `Model.save` writes it, or a run that has ended, got "
                f"{str(error).removesuffix('.')}; check the path, `fleetgrad resume` a run that "
                "was cut short, or restore the model from a copy."
            ) from error

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the model's two files, durably; a model that is there stays until this one is.

        Raises:
            ModelError: The directory cannot be written, or `information` is not plain.
        """
        directory, head = Path(directory), self._head()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _settle(directory)
            try:
                _write(directory, head, self._network.arrays)
            finally:
                _settle(directory)
        except OSError as error:
            raise _unwritable(directory, error) from error

    def export_onnx(self, path: str | os.PathLike[str], *, input_type: str = "float32") -> None:
        """Write the model as ONNX, whole or not at all.

        Its input is `x` (rows, features), raw and unscaled; its outputs are `probabilities`
        (rows, classes) and `label` (rows,), a position in `classes`, which its metadata holds.

        Args:
            path: Replaced if it exists.
            input_type: "float32", or "uint8" to feed images as they are.

        Raises:
            UsageError: The package `onnx` is missing, or there is no such input type.
            ModelError: The file cannot be written.
        """
        path, metadata = Path(path), {"classes": self.classes, **self._plain}
        texts = {name: encode(value) for name, value in metadata.items()}
        content = inference.onnx_bytes(self._network, input_type, texts)
        try:
            with replacing(path) as file:
                file.write_bytes(content)
        except OSError as error:
            raise _unwritable(path, error) from error

    def predict(self, X: Any) -> Shaped[np.ndarray, " rows"]:  # noqa: N803
        """The likeliest label of each row.

        Args:
            X: (rows, features), or images (rows, height, width[, channels]), of any real type,
                unscaled, as in training.

        Returns:
            Labels as they were given for training.

        Raises:
            ModelError: The rows are not of the kind that the model was trained on.
            DataError: They are no numbers, or some are missing or infinite.
        """
        numbers = [outputs.argmax(axis=1) for outputs in self._outputs(self._rows(X))]
        labels: Shaped[np.ndarray, " rows"] = self.classes[np.concatenate(numbers)]
        return labels

    def predict_proba(self, X: Any) -> Float64[np.ndarray, "rows classes"]:  # noqa: N803
        """The probability of each class, in the order of `classes`, for each row of `X`.

        Arguments and errors as for `predict`.
        """
        loss, blocks = self.settings.loss, self._outputs(self._rows(X))
        return np.concatenate([inference.probabilities(loss, outputs) for outputs in blocks])

    def predict_file(self, path: str | os.PathLike[str]) -> Shaped[np.ndarray, " rows"]:
        """The likeliest label of each row in a file; arguments and errors as for `read`."""
        return self.predict(self.read(path))

    def read(self, path: str | os.PathLike[str]) -> Features:
        """The rows in a file, ready to be predicted from.

        Args:
            path: `.npy`, `.csv`, `.csv.gz`, IDX images or a PNG picture.

        Raises:
            DataError: It is none of these, is broken, or has other features than training.
        """
        return read_inputs(
            path,
            features=self.features,
            image_shape=self.image_shape,
            feature_names=self.feature_names,
            white=self._white,
        )

    def __repr__(self) -> str:
        widths = "-".join(map(str, (self.features, *self.settings.hidden, len(self.classes))))
        return f"Model({self.dataset!r}: {widths} {self.settings.activation})"

    @property
    def _network(self) -> inference.Network:
        return inference.Network(self.settings, self.params, self.shift, self.scale)

    @property
    def _plain(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PLAIN}

    @property
    def _white(self) -> float:
        scale = float(self.scale[0])
        was_uint8 = not self.shift.any() and (self.scale == scale).all() and 1 / 256 < scale <= 1
        return round(1 / scale) if was_uint8 else self.information.get("white", WHITE)

    def _check(self) -> None:
        shape, names, white = self.image_shape, self.feature_names, self.information.get("white", 1)
        fits = {
            "dataset": ("text", _are(str, (self.dataset,))),
            "information": ("plain values, `white` a number above 0", _is_positive(white)),
            "image_shape": (
                f"(height, width[, channels]) of {self.features} features",
                shape is None
                or (
                    len(shape) in {2, 3} and _are(int, shape) and math.prod(shape) == self.features
                ),
            ),
            "feature_names": (
                f"{self.features} names",
                names is None or (_are(str, names) and len(names) == self.features),
            ),
            "classes": ("two or more labels, different and sorted", _are_classes(self.classes)),
        }
        for name, (rule, holds) in fits.items():
            if not holds:
                got = reprlib.repr(getattr(self, name))
                raise ModelError(f"`{name}` must be {rule}, got {got}; give what training had.")
        self._network.check(len(self.classes))

    def _head(self) -> dict[str, Any]:
        shape = {"features": self.features, "classes": self.classes}
        head = {**FORMAT, **self._plain, "settings": self.settings.to_dict(), **shape}
        try:
            length = len(encode(head, indent=2))
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelError(
                f"`information` must be plain values, got: {error}; leave out what is none."
            ) from error
        if length > MOST_HEAD - 1024:
            raise ModelError(
                f"a model's description must be below {MOST_HEAD:,} bytes, got {length:,}; shorten "
                "`information` or the names of features."
            )
        return head

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

    def _outputs(self, rows: Features) -> Iterator[inference.Logits]:
        network = self._network
        for start in range(0, len(rows), BLOCK):
            outputs = inference.logits(network, rows[start : start + BLOCK])
            if not np.isfinite(outputs).all():
                raise ModelError(
                    "`X` must be of the size seen in training, got numbers so large that the "
                    "network's outputs are not finite; check the units of its features."
                )
            yield outputs


def _frozen(array: Any) -> np.ndarray:
    view = np.asarray(array).view()  # the caller's own array stays writable
    view.flags.writeable = False
    return view


def _are(kind: type, values: Any) -> bool:
    return isinstance(values, tuple | list) and all(type(value) is kind for value in values)


def _are_classes(labels: np.ndarray) -> bool:
    several = labels.ndim == 1 and len(labels) > 1 and labels.dtype.kind in "iU"
    return several and bool((labels[:-1] < labels[1:]).all())


def _is_positive(value: Any) -> bool:
    return type(value) in {int, float} and 0 < value < math.inf


def _unwritable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"`{path}` must be a place that can be written, got: {error.strerror or error}; free disk "
        "space, mend its permissions, or choose another."
    )


def _directory(path: Path) -> Path:
    for directory in (path, path / "model", path.parent if path.name == MODEL else path):
        if (directory / MODEL).is_file():
            return directory
    raise ValueError(f"no `{MODEL}` there")


def _read(directory: Path) -> dict[str, Any]:
    """What `Model` is made from."""
    head = _description(directory)
    settings, classes = Settings.from_dict(head["settings"]), _classes(head["classes"])
    features = index(head["features"])
    shapes = inference.array_shapes(settings, features, len(classes))
    arrays = _arrays(directory, _weights(head), 4 * sum(map(math.prod, shapes.values())))
    network = inference.Network.of(settings, arrays)
    if np.shape(network.shift) != (features,):
        raise ValueError(f"weights of other than the {features} features described")
    return {**network._asdict(), "classes": classes, **{name: head[name] for name in PLAIN}}


def _description(directory: Path) -> dict[str, Any]:
    path = directory / MODEL
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_HEAD:
        raise ValueError(f"a link, or more than {MOST_HEAD:,} bytes, as `{MODEL}`")
    head = decode(path.read_bytes())
    if not isinstance(head, dict) or any(head.get(name) != FORMAT[name] for name in FORMAT):
        raise ValueError(f"a `{MODEL}` of another format or version")
    missing = {*PLAIN, "settings", "features", "classes", "weights"} - head.keys()
    if missing:
        raise ValueError(f"a `{MODEL}` without `{min(missing)}`")
    return head


def _classes(values: Any) -> np.ndarray:
    texts = _are(str, values)
    if not (texts or _are(int, values)):
        raise ValueError("classes that are neither all whole numbers nor all text")
    if texts and len(values) * max(map(len, values), default=0) > MOST_HEAD:
        raise ValueError("classes with too long names")  # NumPy pads all to the longest
    classes = np.array(values, np.str_ if texts else np.int64)
    if classes.tolist() != values:
        raise ValueError("classes that end in nothing")
    return classes


def _weights(head: Mapping[str, Any]) -> WeightsFile:
    match head["weights"]:
        case {"sha256": str(sha256), "size": int(size)}:
            return WeightsFile(WEIGHTS, sha256, size)
    raise ValueError("no checksum of the weights")


def _arrays(directory: Path, file: WeightsFile, held: int) -> dict[str, np.ndarray]:
    if not held < file.size < held + MOST_HEAD:
        raise ValueError(f"weights of {file.size:,} bytes where the settings need {held:,}")
    try:
        return read_weights(directory, file)
    except RunError as error:
        with suppress(RunError):  # a save that was cut short: see the module's head
            return read_weights(directory, replace(file, name=FRESH))
        raise ValueError(f"weights of which {error.__cause__}") from error


def _settle(directory: Path) -> None:
    """End a save: new weights take their name if `model.json` knows them, and go if it does not."""
    for name in (MODEL, FRESH):
        (directory / f"{name}{TEMPORARY}").unlink(missing_ok=True)
    fresh = directory / FRESH
    try:
        read_weights(directory, replace(_weights(_description(directory)), name=FRESH))
        fresh.replace(directory / WEIGHTS)
        flush_names(directory)
    except FileNotFoundError:
        fresh.unlink(missing_ok=True)
    except RunError as error:
        if not isinstance(error.__cause__, OSError):  # they could be read, and are others
            fresh.unlink(missing_ok=True)
    except (ValueError, TypeError):
        pass  # no description to go by; the next save brings one


def _write(directory: Path, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    file = write_weights(directory, FRESH, arrays)
    known = {"sha256": file.sha256, "size": file.size}
    with replacing(directory / MODEL) as path:
        path.write_text(encode({**head, "weights": known}, indent=2), encoding="utf-8")
