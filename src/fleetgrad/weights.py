"""The arrays of one segment as one safetensors file, known by its checksum.

A file is written before the record names it and deleted after the record has let it go, so every
file the record names is whole; what the record does not name is left over from a crash.
"""

import hashlib
import math
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fleetgrad.durable import replacing
from fleetgrad.errors import DiskError

SUFFIX = ".safetensors"
_TYPES = {"BOOL": np.bool_} | {
    f"{kind[0].upper()}{bits}": np.dtype(f"{kind}{bits}")
    for kind in ("int", "uint", "float")
    for bits in (8, 16, 32, 64)
    if (kind, bits) != ("float", 8)
}
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
        DiskError: The file is missing or differs from the one that was recorded.
    """
    return _intact(directory, known, _read)


def map_weights(directory: Path, known: WeightsFile) -> dict[str, np.ndarray]:
    """The same, left on the disk: read-only arrays whose pages come into memory as they are read.

    They are as they were found here even when another file takes this one's name, or none does.

    Raises:
        DiskError: The file is missing or differs from the one that was recorded.
    """
    return _intact(directory, known, _mapped)


def _intact(
    directory: Path, known: WeightsFile, read: Callable[[Path], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    path = directory / known.name
    try:
        _check_intact(path, known)
        return read(path)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DiskError(
            f"weights `{path}` must be as they were recorded, got: {error}; restore the file from "
            "a copy, or have the run train them again with `fleetgrad resume`."
        ) from error


def _read(path: Path) -> dict[str, np.ndarray]:
    with safe_open(path, framework="numpy") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping


def _mapped(path: Path) -> dict[str, np.ndarray]:
    """Views of the file: eight bytes, the size of the header; the header; arrays without holes."""
    arrays = {}
    with safe_open(path, framework="numpy") as file:  # has the header checked
        content = np.memmap(path, np.uint8, "r")
        end = 8 + int.from_bytes(content[:8].tobytes(), "little")
        for key in file.offset_keys():
            described = file.get_slice(key)
            kind, shape = np.dtype(_TYPES[described.get_dtype()]), described.get_shape()
            start, end = end, end + math.prod(shape) * kind.itemsize
            arrays[key] = content[start:end].view(kind).reshape(shape)
    return arrays


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
