"""The arrays of one segment as one safetensors file, known by its checksum.

A file is written before the record names it and deleted after the record has let it go, so every
file the record names is whole; what the record does not name is left over from a crash.
"""

import hashlib
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fleetgrad.durable import replacing
from fleetgrad.errors import RunError

SUFFIX = ".safetensors"
# The second kind is the library's: it writes to `.tmpXXXXXX` beside its target before renaming.
_OURS = re.compile(r"[a-z0-9_]+(-[a-z0-9_]+)*\.safetensors(\.tmp)?|\.tmp[A-Za-z0-9]{6}")


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """What the record keeps of a file: its name, its checksum (sha256, hex), its bytes."""

    name: str
    sha256: str
    size: int


def write_weights(directory: Path, name: str, arrays: Mapping[str, np.ndarray]) -> WeightsFile:
    """Write `arrays` durably to `directory/name`, without copying those in C order.

    Raises:
        OSError: The disk is full or the directory cannot be written; no such file is left.
    """
    dense = {key: np.asarray(value, order="C") for key, value in arrays.items()}
    with replacing(directory / name) as path:
        try:
            save_file(dense, path)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        path.chmod(directory.stat().st_mode & 0o666)  # the library would have the owner alone read
        return WeightsFile(name, _checksum(path), path.stat().st_size)


def read_weights(directory: Path, known: WeightsFile) -> dict[str, np.ndarray]:
    """The arrays of a file, after its size and checksum were found right.

    Raises:
        RunError: The file is missing or differs from the one that was recorded.
    """
    path = directory / known.name
    try:
        _check_intact(path, known)
        with safe_open(path, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(
            f"weights `{path}` must be as they were recorded, got: {error}; restore the file from "
            "a copy, or start the run anew in another directory."
        ) from error


def sweep_weights(directory: Path, keep: Iterable[str]) -> None:
    """Delete what crashes left over: temporary files, and weights whose name is not in `keep`."""
    kept = set(keep)
    for path in directory.iterdir():
        if path.name not in kept and _OURS.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _check_intact(path: Path, known: WeightsFile) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("no file but a link or a device")
    if found.st_size != known.size:
        raise ValueError(f"{found.st_size} bytes instead of {known.size}")
    if _checksum(path) != known.sha256:
        raise ValueError("other content, its checksum differs")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
