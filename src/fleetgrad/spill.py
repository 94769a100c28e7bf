"""States that have no room in memory: a temporary directory, one safetensors file a member.

The directory is made when the first state is put away, in `TMPDIR` or in `/var/tmp` (`/tmp` is in
memory on many systems), and removed with the population, or when the process ends. Where a process
was killed, the next one that makes such a directory removes it: a lock in it tells who lives.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fleetgrad import durable
from fleetgrad.errors import DeviceError
from fleetgrad.trainees import Member
from fleetgrad.weights import SUFFIX, WeightsFile, map_weights, write_weights

PREFIX, OWNER = "fleetgrad-", "owner"
GRACE = 60.0  # seconds: a directory younger than that may not be locked yet


class Spill:
    """Where the states of members wait for their turn."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._files: dict[Member, tuple[WeightsFile, Any]] = {}

    def __contains__(self, member: Member) -> bool:
        return member in self._files

    def put(self, member: Member, state: Any) -> None:
        """Write a member's state, in place of an older one.

        Raises:
            DeviceError: The disk is full, or does not let us write.
        """
        leaves, structure = jax.tree.flatten(state)
        arrays = {f"{number}": np.asarray(leaf) for number, leaf in enumerate(leaves)}
        try:
            self._directory = self._directory or self._made()
            name = f"{member.candidate}-{member.replicate}{SUFFIX}"
            self._files[member] = write_weights(self._directory, name, arrays), structure
        except OSError as error:
            raise DeviceError(
                "networks that do not fit into memory must fit on the disk between their turns, "
                f"got {error}; free disk space, or set TMPDIR to a larger place."
            ) from error

    def get(self, member: Member) -> Any:
        """A member's state, bit by bit as it was put away: NumPy arrays, left on the disk.

        Raises:
            RunError: Its file was changed or removed by somebody.
        """
        file, structure = self._files[member]
        assert self._directory is not None
        arrays = map_weights(self._directory, file)
        return jax.tree.unflatten(structure, [arrays[f"{n}"] for n in range(len(arrays))])

    def drop(self, members: Iterable[Member]) -> None:
        """Remove the files of these members, of those that have one."""
        for member in members:
            if member in self:
                file, _ = self._files.pop(member)
                assert self._directory is not None
                (self._directory / file.name).unlink(missing_ok=True)

    def _made(self) -> Path:
        made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=durable.spacious()))
        weakref.finalize(self, _remove, made, owner := _Owner(made))
        with suppress(OSError):  # where there are no locks, nobody's directory is ever swept
            owner.lock()
        _sweep(made)
        return made


class _Owner:
    """The file that is locked while a directory is in use; the lock goes with its process."""

    def __init__(self, directory: Path) -> None:
        self._file = (directory / OWNER).open("ab", buffering=0)

    def lock(self) -> None:
        """Raise `OSError` where another process has it."""
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        self._file.close()


def _remove(directory: Path, owner: _Owner) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    owner.close()


def _sweep(made: Path) -> None:
    """Remove directories like this one whose process was killed."""
    young = made.stat().st_mtime - GRACE
    for other in made.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # gone meanwhile
            found = other.lstat()
            ours = found.st_uid == os.getuid() and (other / OWNER).is_file()
            if ours and found.st_mtime < young:
                _sweep_one(other)


def _sweep_one(directory: Path) -> None:
    with closing(_Owner(directory)) as owner:
        owner.lock()
        shutil.rmtree(directory)
