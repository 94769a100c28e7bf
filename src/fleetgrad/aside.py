"""Small files beside a record, for whoever reads along: signed, unflushed, in place.

What they say would be lost on a crash anyway. Whatever the disk refuses is left undone, and a
reader that finds half of one looks again.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from fleetgrad.lock import Holder
from fleetgrad.payload import strict

T = TypeVar("T")


def write(path: Path, said: Mapping[str, Any], room: int = 0) -> None:
    """Put a file in the place of an earlier one; never through a link.

    Args:
        path: Of the file, in a run's directory whose lock this process holds.
        said: Plain values, beside `pid`; what is no number becomes None.
        room: Bytes that it takes at least.
    """
    text = json.dumps({"pid": os.getpid(), **strict(said)}, separators=(",", ":"))
    content = text.encode().ljust(room)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(path, flags, 0o666)
        try:
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        finally:
            os.close(descriptor)


def read(path: Path, writer: Holder, most: int, understood: Callable[[Any, float], T]) -> T | None:
    """What the process that holds a run has put there last; None where it has not.

    Args:
        path: Of the file.
        writer: Who holds the run; what a dead one left counts for nothing.
        most: Bytes that are read.
        understood: Makes sense of the values, and of when they were written, in seconds since the
            epoch; may raise as anything does that is given a stranger's.
    """
    try:
        with path.open("rb") as file:
            said, at = json.loads(file.read(most)), os.fstat(file.fileno()).st_mtime
        return understood(said, at) if said["pid"] == writer.pid else None
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError):
        return None
    except (TypeError, ValueError):  # half of it, or a stranger's
        return None


def clear(path: Path) -> None:
    """Take it away."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
