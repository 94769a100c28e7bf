"""A run's directory: what was asked for, what has been done, and the weights to go on from.

    runs/NAME/  config.json    what was asked for; written last, so its presence means a run
                study.db       the record: candidates, segments, curves, openings of the test part
                weights/       one file for each segment that the search can go on from
                lock           held by the one writer

A *segment* is a step that is done and need never be done again: a rung, a final, the refit. Its
name is a path, `search/2`, whose first part is its phase. `Run.commit` writes the weights first
and then, in one transaction, everything else; a crash at any moment leaves the segment before.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Self

import numpy as np

from fleetgrad import database, directory
from fleetgrad.errors import DiskError, RunError
from fleetgrad.lock import Lock
from fleetgrad.record import CurvePoint, Note, Opening, Record
from fleetgrad.weights import SUFFIX, WeightsFile, map_weights, sweep_weights, write_weights

__all__ = ["CurvePoint", "Note", "Opening", "Run"]

_SEGMENT = re.compile(r"[a-z0-9_]{1,60}(/[a-z0-9_]{1,60}){0,3}")


class Run(Record):
    """One run directory, open; made by `create` or `open`, used as a context manager."""

    def __init__(
        self, path: Path, config: dict[str, Any], connection: Connection, lock: Lock | None
    ) -> None:
        super().__init__(connection, path / directory.DATABASE, write=lock is not None)
        self.directory = path
        self.config = config
        self._weights = path / directory.WEIGHTS
        self._lock = lock

    @classmethod
    def create(cls, path: str | PathLike[str], config: Mapping[str, Any]) -> Self:
        """A new run, open for writing.

        Args:
            path: Its directory; made with its parents if missing.
            config: What was asked for, as plain values.

        Raises:
            RunError: A run is there already, or the directory cannot be written.
        """
        path = Path(path)
        with directory.writing(path), directory.new(path) as lock:
            connection = database.create(path / directory.DATABASE)
            try:
                directory.write_config(path, config)
                return cls(path, directory.read_config(path), connection, lock)
            except BaseException:
                connection.close()
                raise

    @classmethod
    def open(cls, path: str | PathLike[str], *, write: bool = True) -> Self:
        """An existing run.

        Args:
            path: Its directory.
            write: Whether to go on with the run as its one writer; readers need no lock and
                disturb nobody.

        Raises:
            RunError: There is no run, it is damaged, or another process is writing to it.
        """
        path = Path(path)
        config = directory.read_config(path)
        if not write:
            return cls(path, config, database.open_reader(path / directory.DATABASE), None)
        with directory.writing(path):
            lock = Lock(path / directory.LOCK)
        try:
            run = cls(path, config, database.open_writer(path / directory.DATABASE), lock)
        except BaseException:
            lock.release()
            raise
        run._sweep()
        return run

    def close(self) -> None:
        """Close the record and let the next writer in."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def discard(self) -> None:
        """Close the record and remove what `create` made, leaving whatever else is there."""
        self._connection.close()
        directory.remove(self.directory)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def commit(
        self,
        segment: str,
        *,
        payload: Mapping[str, Any],
        curves: Sequence[CurvePoint] = (),
        weights: Mapping[str, np.ndarray] | None = None,
        releases: Iterable[str] | None = None,
    ) -> None:
        """Record, durably and as a whole, that a segment is done.

        Args:
            segment: Its name, `phase/step`: lower-case letters, digits and `_`.
            payload: Plain values that later steps, or a resumed run, need.
            curves: What its epochs measured.
            weights: Arrays to go on from.
            releases: Segments whose weights nobody will ask for any more; by default, where this
                one has any, all earlier ones of its phase.

        Raises:
            RunError: The segment is recorded already.
            DiskError: The disk refuses. Nothing has changed.
        """
        self._check_new(segment)
        try:
            file = None if weights is None else self._write_weights(segment, weights)
            if releases is None:
                releases = [] if file is None else self._with_weights(_phase(segment))
            self._put_segment(segment, payload, curves, file, [*releases])
        finally:
            self._sweep()

    def damaged(self) -> dict[str, str]:
        """What is wrong with the weights of segments that are not as they were recorded."""
        found = {}
        for segment in self._files():
            try:
                self.weights(segment)
            except DiskError as error:
                found[segment] = str(error.__cause__)
        return found

    def renew(
        self, segment: str, weights: Mapping[str, np.ndarray], kind: str, why: Mapping[str, Any]
    ) -> None:
        """Put weights in the place of damaged ones, durably, with a note in the run's log.

        Args:
            segment: Whose.
            weights: As they were before.
            kind: Of the note.
            why: Its particulars.

        Raises:
            DiskError: The disk refuses; the record is as it was.
        """
        self._check_writer()
        try:
            self._put_file(segment, self._write_weights(segment, weights), kind, why)
        finally:
            self._sweep()

    def weighted(self) -> tuple[str, ...]:
        """The segments whose weights are kept."""
        return tuple(self._files())

    def weights(self, segment: str) -> dict[str, np.ndarray]:
        """The arrays of a segment, checked against the record; read-only, and left on the disk.

        Raises:
            RunError: The segment has none (any more).
            DiskError: The file is not as it was written.
        """
        files = self._files()
        known = files.get(segment)
        if known is None or known.name != _file_name(segment):
            held = f"use one of: {', '.join(files)}" if files else "no segment has any"
            raise RunError(
                f"segment `{segment}` of `{self.directory}` must have weights, got none (later "
                f"ones take their place); {held}."
            )
        try:
            return map_weights(self._weights, known)
        except DiskError:
            if segment in self._files():
                raise
            return self.weights(segment)  # the writer went on meanwhile: say that

    def _check_new(self, segment: str) -> None:
        self._check_writer()
        if not _SEGMENT.fullmatch(segment):
            raise RunError(
                f"a segment's name must be lower-case letters, digits, `_` and `/`, got "
                f"{segment!r}; use one like `search/2`."
            )
        done = self.segments()
        if segment in done:
            raise RunError(
                f"a segment is done once, got `{segment}` again; go on after `{done[-1]}`."
            )

    def _write_weights(self, segment: str, arrays: Mapping[str, np.ndarray]) -> WeightsFile:
        with directory.writing(self.directory):
            return write_weights(self._weights, _file_name(segment), arrays)

    def _with_weights(self, phase: str) -> list[str]:
        return [segment for segment in self._files() if _phase(segment) == phase]

    def _sweep(self) -> None:
        with suppress(OSError, RunError):  # waste does no harm; the next writer sweeps again
            sweep_weights(self._weights, [file.name for file in self._files().values()])


def _phase(segment: str) -> str:
    return segment.split("/", maxsplit=1)[0]


def _file_name(segment: str) -> str:
    return segment.replace("/", "-") + SUFFIX
