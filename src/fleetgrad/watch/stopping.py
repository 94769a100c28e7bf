"""Tells the process that holds a run to end in order, as Ctrl-C in its terminal would.

A pid is a number that anybody may have by now, or that a stranger may have written down. So nobody
is signaled but a process of this machine that holds the run's lock at this moment, which the
kernel itself says (`/proc/locks`, where there is one).
"""

import os
import shlex
import signal
from pathlib import Path

from fleetgrad import directory, lock
from fleetgrad.errors import RunError
from fleetgrad.lock import Holder

LOCKS = Path("/proc/locks")
PROCESSES = Path("/proc")


def stop(path: Path) -> Holder:
    """Signal whoever holds a run; returns who that is.

    Raises:
        RunError: Nobody does, or nobody that may be signaled from here.
    """
    writer = lock.holder(path / directory.LOCK)
    if writer is None:
        raise RunError(
            f"a run must be going on to be stopped, got `{path}`, which nobody is at; go on with "
            f"`fleetgrad resume {shlex.quote(str(path))}`."
        )
    if not writer.here:
        raise RunError(
            f"a run must be on this machine to be stopped from here, got {writer}; press Ctrl-C "
            f"there, or send it SIGINT: `kill -INT {writer.pid}`."
        )
    if not _holds(writer.pid, path / directory.LOCK):
        raise RunError(
            f"whoever is stopped must hold the run, got {writer}, which does not any more; look "
            "again in a moment."
        )
    _signal(writer)
    return writer


def _holds(pid: int, path: Path) -> bool:
    """Whether the kernel says that this process has the lock; True where it says nothing of it."""
    try:
        inode, lines = path.stat().st_ino, LOCKS.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return True
    # 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
    entries = [line.split() for line in lines if "FLOCK" in line and "->" not in line]
    holders = {one[4] for one in entries if one[5].rsplit(":", maxsplit=1)[-1] == str(inode)}
    return not holders or str(pid) in holders


def _signal(writer: Holder) -> None:
    number = _wanted(writer.pid)
    try:
        os.kill(writer.pid, number)
    except ProcessLookupError:
        return  # it has ended meanwhile, as it should
    except PermissionError:
        raise RunError(
            f"whoever is stopped must be a process of this user, got {writer}; ask its owner."
        ) from None


def _wanted(pid: int) -> signal.Signals:
    """SIGINT, which Python and notebooks take for Ctrl-C; SIGTERM where that is ignored.

    A shell's job in the background ignores SIGINT from its start; ours listen to SIGTERM, too.

    Raises:
        RunError: The process would not end in order by either.
    """
    try:
        lines = (PROCESSES / str(pid) / "status").read_text(encoding="utf-8").splitlines()
        masks = {
            name: int(mask, 16)
            for name, _, mask in (one.partition(":") for one in lines)
            if name in {"SigIgn", "SigCgt"}
        }
    except (OSError, ValueError):
        return signal.SIGINT
    if not masks.get("SigIgn", 0) >> (signal.SIGINT - 1) & 1:
        return signal.SIGINT
    if masks.get("SigCgt", 0) >> (signal.SIGTERM - 1) & 1:
        return signal.SIGTERM
    raise RunError(
        f"whoever is stopped must listen to SIGINT, got process {pid}, which ignores it; end it "
        f"by hand: `kill {pid}`."
    )
