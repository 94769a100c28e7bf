"""Files that may be packed with gzip: told by their first bytes, not by their names, and bounded.

A file of a few kilobytes can unfold to terabytes. No reader here takes more than was promised, nor
more than `most_bytes`: a hundred times the file's size, or a gibibyte where that is more.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from jaxtyping import UInt8

from fleetgrad.errors import DataError

GZIP = b"\x1f\x8b"
MOST_TIMES = 100
MOST_BYTES = 1 << 30
PIECE = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it is packed.

    Raises:
        DataError: It is missing, unreadable, empty, or its gzip stream is broken (the last is found
            while reading, inside the block).
    """
    try:
        with path.open("rb") as raw:
            head = raw.read(len(GZIP))
            raw.seek(0)
            _check_not_empty(path, head)
            if head == GZIP:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield raw
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"`{path}` must be a whole gzip file, got a broken one ({error}); fetch it again."
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def is_packed(stream: BinaryIO) -> bool:
    """Whether a stream from `opened` is being unpacked."""
    return isinstance(stream, gzip.GzipFile)


def most_bytes(path: Path) -> int:
    """The most that a packed file may unfold to."""
    return max(MOST_BYTES, MOST_TIMES * path.stat().st_size)


def fill(stream: BinaryIO, data: UInt8[np.ndarray, " bytes"]) -> int:
    """Read into `data` until it is full or the stream ends; returns how many bytes came."""
    view, held = memoryview(data.data), 0
    while held < len(view):
        piece = stream.readinto(view[held : held + PIECE])  # type: ignore[attr-defined]
        if not piece:
            break
        held += piece
    return held


def unreadable(path: Path, error: OSError) -> DataError:
    """What to say of a file that the system does not let us read."""
    return DataError(
        f"`{path}` must be a file that can be read, got: {error.strerror or error}; check the path "
        "and its permissions."
    )


def _check_not_empty(path: Path, head: bytes) -> None:
    if not head:
        raise DataError(f"`{path}` must hold data, got an empty file; fetch or write it again.")
