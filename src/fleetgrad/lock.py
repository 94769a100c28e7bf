"""One writer a run directory.

The lock is the kernel's (`flock`), so it goes when its process goes, however it goes. The file
stays and says who held it last; only the lock on it counts.
"""

import errno
import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from fleetgrad.errors import RunError

_last: list[Path] = []  # the directory that this process took last, if any
_PIDS = 2**31
TRIES, PAUSE = 5, 0.02  # of and between attempts, in seconds


class Holder(NamedTuple):
    """Who has the lock, as it signed: a process, and on which machine."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def here(self) -> bool:
        """Whether that is this machine."""
        return self.host == socket.gethostname()


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


def holder(path: Path) -> Holder | None:
    """Who holds the lock in this file now; None where nobody does."""
    try:
        with path.open("rb") as file:
            found = _signed(file.read(1000))
            if found.here:  # a dead one holds nothing, and no lock is asked for in vain
                _check_alive(found.pid)
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, ProcessLookupError, ValueError, TypeError, KeyError):
        return None
    except OSError as error:
        held = error.errno in {errno.EWOULDBLOCK, errno.EAGAIN}
        return found if held else None
    return None


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


def _signed(text: bytes) -> Holder:
    signature = json.loads(text)
    found = Holder(int(signature["pid"]), str(signature["host"]))
    if not 0 < found.pid < _PIDS:  # others mean groups of processes, and a file may say anything
        raise ValueError(f"process {found.pid}")
    return found


def _check_alive(pid: int) -> None:
    with suppress(PermissionError):  # another user's is alive, too
        os.kill(pid, 0)


def _holder(file: FileIO) -> str:
    try:
        return str(_signed(file.read(1000)))
    except (ValueError, TypeError, KeyError):  # it has the lock and has not signed yet
        return "another process"
