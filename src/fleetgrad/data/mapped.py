"""Features that lie in a file and stay there: data may be larger than memory.

What `numpy.load(..., mmap_mode="r")` or `numpy.memmap` gives is read where it lies, by every pass
over the data and by the programs that train: on a CPU they take an array over without a copy where
it begins at a multiple of 64 bytes, as those of `.npy` files do. Rows cut out of such an array, or
numbers of another type, are written to a file of their own, which has no name and is gone with the
process, however it ends.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import Int, Num

from fleetgrad import durable
from fleetgrad.errors import DataError

ALIGNED = 64  # bytes
CHUNK = 1 << 24  # bytes worked on at once

Rows = Num[np.ndarray, "rows features"]


def is_mapped(x: np.ndarray) -> bool:
    """Whether an array lies in a file."""
    base: object = x
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return isinstance(base, mmap.mmap)


def cut(x: Rows, rows: Int[np.ndarray, " rows"]) -> Rows:
    """Some rows: in a file where all are in one, else in memory.

    Raises:
        DataError: The disk has no room for them.
    """
    if not is_mapped(x) or not len(rows):
        some: Rows = x[rows]
        return some
    size = _chunk(x)
    pieces = (x[rows[start : start + size]] for start in range(0, len(rows), size))
    return _filed(pieces, (len(rows), x.shape[1]), x.dtype)


def resting(x: Rows, dtype: type[np.number]) -> Rows:
    """An array as programs take it over: of this type, whole, and in a file where it was in one.

    In a file it begins at an even address. One that is all that already is given back.

    Raises:
        DataError: The disk has no room for it.
    """
    if not is_mapped(x):
        return np.ascontiguousarray(x, dtype)
    if x.dtype == dtype and x.flags.c_contiguous and x.ctypes.data % ALIGNED == 0:
        return x
    size = _chunk(x)
    with np.errstate(over="ignore", invalid="ignore"):
        pieces = (x[start : start + size].astype(dtype) for start in range(0, len(x), size))
        return _filed(pieces, x.shape, np.dtype(dtype))


def _chunk(x: Rows) -> int:
    return max(1, CHUNK // max(1, int(x.shape[1]) * x.itemsize))


def _filed(pieces: Iterator[Rows], shape: tuple[int, ...], dtype: np.dtype) -> Rows:
    """The pieces, one after the other, in a file without a name."""
    try:
        with tempfile.TemporaryFile(dir=durable.spacious()) as file:
            _reserve(file, dtype.itemsize * int(np.prod(shape)))
            for piece in pieces:
                file.write(np.ascontiguousarray(piece).data)
            file.flush()
            # The mapping outlives the file's handle, and the file its name.
            return np.memmap(file, dtype, "r", shape=tuple(shape))
    except OSError as error:
        raise DataError(
            f"rows of data in a file must fit on the disk once more, got {error}; free disk space, "
            "set TMPDIR to a larger place, or give a test part, and uint8 or float32, so that "
            "nothing is copied."
        ) from error


def _reserve(file: BinaryIO, size: int) -> None:
    """Take all room now: a full disk would later end the process at the first look."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
