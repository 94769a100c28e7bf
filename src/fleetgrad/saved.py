"""A predictor's two files, and what strangers may have put in their place.

    model.json            everything but the weights, and their checksum
    weights.safetensors   the weights and the scaling of inputs

Saving writes new weights beside the old, replaces `model.json` in one stroke, and only then gives
the new weights their name. The weights that fit the checksum are the model's, under either name,
so that a crash at any moment leaves a whole model, the old one or the new.
"""

import stat
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from fleetgrad.durable import TEMPORARY, flush_names, replacing
from fleetgrad.errors import FleetgradError, ModelError, RunError
from fleetgrad.payload import decode, encode
from fleetgrad.weights import WeightsFile, read_weights, write_weights

MODEL, WEIGHTS, FRESH = "model.json", "weights.safetensors", "weights-new.safetensors"
MOST_HEAD = 1 << 22  # bytes of model.json
MALFORMED = (OSError, ValueError, TypeError, KeyError, OverflowError, FleetgradError)


def find(path: Path) -> Path:
    """The directory of the model that a path means: its own, its file's, or its run's."""
    for directory in (path, path / "model", path.parent if path.name == MODEL else path):
        if (directory / MODEL).is_file():
            return directory
    raise ValueError(f"no `{MODEL}` there")


def describe(directory: Path) -> dict[str, Any]:
    """What `model.json` says, of whatever kind and version; it may be anything but too much."""
    path = directory / MODEL
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_HEAD:
        raise ValueError(f"a link, or more than {MOST_HEAD:,} bytes, as `{MODEL}`")
    head = decode(path.read_bytes())
    if not isinstance(head, dict):
        raise TypeError(f"a `{MODEL}` of another format or version")
    return head


def check_format(
    head: Mapping[str, Any], formatted: Mapping[str, Any], names: Collection[str]
) -> None:
    """Raise `ValueError` unless a description is of this format and has these names."""
    if any(head.get(name) != formatted[name] for name in formatted):
        raise ValueError(f"a `{MODEL}` of another format or version")
    missing = {*names, "weights"} - head.keys()
    if missing:
        raise ValueError(f"a `{MODEL}` without `{min(missing)}`")


def labels(values: Any) -> Shaped[np.ndarray, " classes"]:
    """Classes from a description: all whole numbers, or all text."""
    texts = are(str, values)
    if not (texts or are(int, values)):
        raise ValueError("classes that are neither all whole numbers nor all text")
    if texts and len(values) * max(map(len, values), default=0) > MOST_HEAD:
        raise ValueError("classes with too long names")  # NumPy pads all to the longest
    classes = np.array(values, np.str_ if texts else np.int64)
    if classes.tolist() != values:
        raise ValueError("classes that end in nothing")
    return classes


def target(value: Any) -> tuple[float, float]:
    """Mean and deviation of a target from a description; 0 and 1 where it says none."""
    center, spread = (0.0, 1.0) if value is None else value
    return float(center), float(spread)


def arrays(
    directory: Path, head: Mapping[str, Any], least: int, most: int
) -> dict[str, np.ndarray]:
    """The arrays that a description belongs to, of which so many bytes are expected."""
    file = _weights(head)
    if not least < file.size < most + MOST_HEAD:
        raise ValueError(f"weights of {file.size:,} bytes where the settings need {most:,}")
    try:
        return read_weights(directory, file)
    except RunError as error:
        with suppress(RunError):  # a save that was cut short: see the module's head
            return read_weights(directory, replace(file, name=FRESH))
        raise ValueError(f"weights of which {error.__cause__}") from error


def write(directory: Path, head: Mapping[str, Any], held: Mapping[str, np.ndarray]) -> None:
    """Write both files, durably; what is there stays until this is.

    Raises:
        ModelError: The directory cannot be written, or the description is not plain.
    """
    _check_plain(head)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _settle(directory)
        try:
            file = write_weights(directory, FRESH, held)
            known = {"sha256": file.sha256, "size": file.size}
            with replacing(directory / MODEL) as path:
                path.write_text(encode({**head, "weights": known}, indent=2), encoding="utf-8")
        finally:
            _settle(directory)
    except OSError as error:
        raise unwritable(directory, error) from error


def malformed(path: Path, error: Exception) -> ModelError:
    """What to say of a path that holds no model."""
    return ModelError(
        f"`{path}` must be a model as `Model.save` writes it, or a run that has ended, got "
        f"{str(error).removesuffix('.')}; check the path, `fleetgrad resume` a run that "
        "was cut short, or restore the model from a copy."
    )


def unwritable(path: Path, error: OSError) -> ModelError:
    """What to say of a path that refuses."""
    return ModelError(
        f"`{path}` must be a place that can be written, got: {error.strerror or error}; free disk "
        "space, mend its permissions, or choose another."
    )


def are(kind: type, values: Any) -> bool:
    """Whether these are a list or tuple of nothing but this very type."""
    return isinstance(values, tuple | list) and all(type(value) is kind for value in values)


def _check_plain(head: Mapping[str, Any]) -> None:
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


def _weights(head: Mapping[str, Any]) -> WeightsFile:
    match head["weights"]:
        case {"sha256": str(sha256), "size": int(size)}:
            return WeightsFile(WEIGHTS, sha256, size)
    raise ValueError("no checksum of the weights")


def _settle(directory: Path) -> None:
    """End a save: new weights take their name if `model.json` knows them, and go if it does not."""
    for name in (MODEL, FRESH):
        (directory / f"{name}{TEMPORARY}").unlink(missing_ok=True)
    fresh = directory / FRESH
    try:
        read_weights(directory, replace(_weights(describe(directory)), name=FRESH))
        fresh.replace(directory / WEIGHTS)
        flush_names(directory)
    except FileNotFoundError:
        fresh.unlink(missing_ok=True)
    except RunError as error:
        if not isinstance(error.__cause__, OSError):  # they could be read, and are others
            fresh.unlink(missing_ok=True)
    except (ValueError, TypeError, KeyError):
        pass  # no description to go by; the next save brings one
