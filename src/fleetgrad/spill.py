"""States that have no room in memory: a temporary directory, one safetensors file a member.

The directory is made when the first state is put away, in `TMPDIR` or in `/var/tmp` (`/tmp` is in
memory on many systems), and removed with the population, or when the process ends.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fleetgrad import durable
from fleetgrad.errors import DeviceError
from fleetgrad.trainees import Member
from fleetgrad.weights import SUFFIX, WeightsFile, map_weights, write_weights


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
        made = tempfile.mkdtemp(prefix="fleetgrad-", dir=durable.spacious())
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return Path(made)
