"""One writer a run directory.

The lock is the kernel's (`flock`), so it goes when its process goes, however it goes. The file
stays and says who held it last; only the lock on it counts.
"""

import fcntl
import json
import os
import socket
import time
from io import FileIO
from pathlib import Path

from fleetgrad.errors import RunError

_last: list[Path] = []  # the directory that this process took last, if any
TRIES, PAUSE = 5, 0.02  # of and between attempts, in seconds


class Lock:
    """The exclusive right to write to a run, held from construction until `release`.

    Args:
        path: The lock file, made where it is missing; a link is refused.

    Raises:
        RunError: Another process holds it; the message names its pid and host.
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        self._file: FileIO = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            _take(self._file)
            _check_still_there(self._file, path)
            _sign(self._file)
            _last[:] = [path.parent]
        except BlockingIOError:
            holder = _holder(self._file)
            self._file.close()
            raise RunError(
                f"a run must have one writer, got a second: `{path.parent}` is being written by "
                f"{holder}; wait for it or stop it, or read with `fleetgrad show`."
            ) from None
        except BaseException:
            self._file.close()
            raise

    def release(self) -> None:
        """Let the next writer in."""
        self._file.close()


def last() -> Path | None:
    """The directory that this process is writing to, or last was."""
    return _last[0] if _last else None


def _take(file: FileIO) -> None:
    """Lock the file; a reader that looks whether anyone holds it has it for a moment."""
    for _ in range(TRIES - 1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)
        else:
            return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _check_still_there(file: FileIO, path: Path) -> None:
    # A creation that failed removes its directory: a lock on a deleted file would bar nobody.
    if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        raise BlockingIOError


def _sign(file: FileIO) -> None:
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())


def _holder(file: FileIO) -> str:
    try:
        signature = json.loads(file.read(1000))
        return f"process {int(signature['pid'])} on {signature['host']}"
    except (ValueError, TypeError, KeyError):  # it has the lock and has not signed yet
        return "another process"
