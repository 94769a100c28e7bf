"""NumPy's own files, `.npz` and `.npy`: arrays of numbers, never of objects.

Headers are weighed against the bytes that are there before anything is allocated, and nothing in
them is ever unpickled.
"""

import math
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from jaxtyping import Shaped

from fleetgrad.data import packing
from fleetgrad.data.dataset import Dataset
from fleetgrad.data.targets import AUTO
from fleetgrad.errors import DataError

KEYS = (("X", "y", "X_test", "y_test"), ("x_train", "y_train", "x_test", "y_test"))
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,  # names that are no text
)
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other ways may ask for memory as they like
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

AnyArray = Shaped[np.ndarray, "..."]


def read(path: Path, task: str = AUTO) -> Dataset:
    """The dataset in an `.npz` file: X, y[, X_test, y_test], or Keras' x_train, y_train and so on.

    Args:
        path: The file.
        task: As for `Dataset.from_arrays`.

    Raises:
        DataError: It is broken, has none of these keys, or what it holds cannot be learned from.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _arrays(path, archive)
    except _BROKEN as error:
        raise DataError(
            f"`{path}` must be a whole .npz file, got a broken one ({error}); write it again with "
            "`numpy.savez_compressed`."
        ) from None
    except OSError as error:
        raise packing.unreadable(path, error) from None
    return Dataset.from_arrays(*arrays, name=path.stem, task=task)


def read_npy(path: Path) -> AnyArray:
    """The array in an `.npy` file.

    Raises:
        DataError: It is broken, or holds objects.
    """
    with packing.opened(path) as stream:
        return _array(stream, path.stat().st_size, str(path))


def _arrays(path: Path, archive: zipfile.ZipFile) -> list[AnyArray | None]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    keys = next((keys for keys in KEYS if members.keys() >= set(keys[:2])), None)
    if keys is None:
        raise DataError(
            f"`{path}` must hold the arrays X and y[, X_test and y_test], or x_train, y_train, "
            f"x_test and y_test, got {', '.join(sorted(members)[:10]) or 'none'}; rename them."
        )
    wanted = [members.get(key) for key in keys]
    if any(info is not None and info.compress_type not in _PACKED for info in wanted):
        raise DataError(
            f"`{path}` must be packed as NumPy does, or not at all, got another way; write it "
            "again with `numpy.savez_compressed`."
        )
    unfolded = sum(info.file_size for info in wanted if info is not None)
    if unfolded > packing.most_bytes(path):
        raise DataError(
            f"`{path}` must unfold to at most {packing.most_bytes(path):,} bytes, got "
            f"{unfolded:,}, which is refused as a trap; if it is none, write it again with "
            "`numpy.savez`, unpacked."
        )
    return [None if info is None else _member(path, archive, info) for info in wanted]


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> AnyArray:
    with archive.open(info) as stream:
        return _array(stream, info.file_size, f"{info.filename}` in `{path}")


def _array(stream: IO[bytes], size: int, what: str) -> AnyArray:
    shape, fortran, dtype = _header(stream, what)
    if dtype.hasobject:
        raise DataError(
            f"`{what}` must hold numbers or text, got objects, which could run code when read; "
            "save it with a type of its own, `array.astype('float32')` say."
        )
    promised, held = dtype.itemsize * math.prod(shape), size - stream.tell()
    if promised != held or promised == 0:
        raise DataError(
            f"`{what}` must hold the {promised:,} bytes that its header promises for the shape "
            f"{shape}, got {held:,}; write it again."
        )
    data = np.empty(promised, np.uint8)
    packing.fill(cast("BinaryIO", stream), data)
    return data.view(dtype).reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers written by Python 2 are welcome
            return _HEADERS[np.lib.format.read_magic(stream)](stream)
    except Exception as error:  # noqa: BLE001 - a forged header can make the parser raise anything
        raise DataError(
            f"`{what}` must be an array as `numpy.save` writes it, got a header that cannot be "
            f"read ({error}); write it again."
        ) from None
