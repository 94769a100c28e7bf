"""IDX, the format of MNIST's files: a header that promises a shape, then the numbers, big-endian.

    0 0 type rank | size of each dimension, uint32 | numbers, last dimension fastest

(Y. LeCun, "The MNIST database of handwritten digits", section "File formats".) Packed with gzip or
not, which is told by the bytes. The promise is weighed against the file before anything is
allocated, and kept to the byte.
"""

import gzip
import math
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Num

from fleetgrad.data import packing
from fleetgrad.durable import replacing
from fleetgrad.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(type_).newbyteorder("="): code for code, type_ in TYPES.items()}
MOST_DIMENSIONS = 64  # as many as a NumPy array can have
MOST_NUMBERS = 1 << 59  # of at most eight bytes each: what an array can count
DEFLATE_BEST = 1032  # bytes that one byte of deflate can unfold to, at the very best


def read(path: str | os.PathLike[str]) -> Num[np.ndarray, "..."]:
    """The array in an IDX file, in the machine's byte order.

    Raises:
        DataError: The file is missing, empty, truncated, oversized, no IDX file, or its gzip stream
            is broken.
    """
    path = Path(path)
    with packing.opened(path) as stream:
        dtype, shape = _header(path, stream)
        data = np.empty(_promised(path, dtype, shape, stream), np.uint8)
        held = packing.fill(stream, data)
        if held < data.size:
            raise _broken(path, f"{data.size:,} bytes of numbers", f"{held:,}, it is truncated")
        if stream.read(1):
            raise _broken(path, f"{data.size:,} bytes of numbers", "more, it is oversized")
    return data.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def write(path: str | os.PathLike[str], array: Num[np.ndarray, "..."]) -> None:
    """Write an array as an IDX file, whole or not at all; packed if the name ends in `.gz`.

    Args:
        path: Replaced if it exists.
        array: uint8, int8, int16, int32, float32 or float64, of at least one dimension.

    Raises:
        DataError: IDX has no such type or shape, or the file cannot be written.
    """
    path, array = Path(path), np.asarray(array)
    head = _head(array)
    body = np.ascontiguousarray(array, TYPES[head[2]])
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            if path.suffix == ".gz":  # no name and no time inside: same array, same bytes
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                    packed.write(head)
                    packed.write(body.data)
            else:
                file.write(head)
                file.write(body.data)
    except OSError as error:
        raise DataError(
            f"`{path}` must be a file that can be written, got: {error.strerror}; choose another "
            "folder."
        ) from None


def _head(array: np.ndarray) -> bytes:
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise DataError(
            f"an IDX file must hold uint8, int8, int16, int32, float32 or float64, got "
            f"{array.dtype}; convert with `array.astype('int32')`, say."
        )
    if array.ndim < 1 or max(array.shape) >= 1 << 32:
        raise DataError(
            f"an IDX file must have 1 to 255 dimensions below 2**32, got the shape {array.shape}; "
            "use `array.reshape(1)` for a single number."
        )
    return bytes((0, 0, code, array.ndim)) + np.array(array.shape, ">u4").tobytes()


def _header(path: Path, stream: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or magic[3] == 0:  # noqa: PLR2004
        raise DataError(
            f"`{path}` must be an IDX file, which starts with 0 0, a type of 8, 9, 11 to 14 and a "
            f"rank of at least 1, got {list(magic)}; check that it is the file you mean."
        )
    rank = magic[3]
    if rank > MOST_DIMENSIONS:
        raise _broken(path, f"at most {MOST_DIMENSIONS} dimensions (NumPy's limit)", f"{rank}")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise _broken(path, f"a header of {4 + 4 * rank} bytes", f"{4 + len(sizes)}")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    return np.dtype(TYPES[magic[2]]), shape


def _promised(path: Path, dtype: np.dtype, shape: tuple[int, ...], stream: BinaryIO) -> int:
    promised = dtype.itemsize * math.prod(shape)
    size = path.stat().st_size
    packed = packing.is_packed(stream)
    holds = size * DEFLATE_BEST if packed else size
    if promised > holds:
        raise _broken(path, f"{promised:,} bytes of numbers", f"a truncated file of {size:,}")
    if packed and promised > packing.most_bytes(path):
        raise _broken(
            path,
            f"{promised:,} bytes of numbers",
            f"a packed file of only {size:,}, which is refused as a trap; unpack it if it is none",
        )
    if math.prod(max(1, size) for size in shape) > MOST_NUMBERS:  # beside one that is 0
        raise _broken(path, f"at most {MOST_NUMBERS:,} numbers", f"the shape {shape}")
    return promised


def _broken(path: Path, promised: str, got: str) -> DataError:
    return DataError(
        f"`{path}` must hold what its IDX header promises, {promised}, got {got}; fetch or write "
        "it again."
    )
