"""What a run's SQLite file holds, in the words of the search.

Reading trusts nothing: settings pass their own check, payloads must be strict JSON, and whatever
cannot have been written by us is a damaged record, not a crash.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from sqlite3 import Connection, IntegrityError
from typing import Any, NamedTuple

from fleetgrad import database, proposals
from fleetgrad.candidates import Candidates
from fleetgrad.errors import FleetgradError, RunError
from fleetgrad.payload import decode, encode
from fleetgrad.weights import WeightsFile

_SENSELESS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class CurvePoint(NamedTuple):
    """How one network stood after one epoch; values are NaN where it had diverged.

    Scores are those of the run's metric, the greater, the better; that of training rows is NaN
    where the metric cannot be followed there.
    """

    phase: str
    candidate: int
    replicate: int
    epoch: int
    train_loss: float
    train_score: float
    validation_loss: float
    validation_score: float


class Note(NamedTuple):
    """Something that happened: when (UTC, ISO 8601), what kind, and its particulars."""

    at: str
    kind: str
    payload: dict[str, Any]


class Opening(NamedTuple):
    """An opening of the sealed test part: its number from 1, when, and by whom."""

    number: int
    at: str
    opened_by: str


class Record:
    """The tables of one run.

    Args:
        connection: To a file that `database` opened.
        path: The file, for messages.
        write: Whether the connection is the writer's.
    """

    def __init__(self, connection: Connection, path: Path, *, write: bool) -> None:
        self._connection = connection
        self._path = path
        self._write = write
        self._counted: dict[int, float] = {}  # network-epochs of each segment, by its number

    def put_candidates(self, generation: int, candidates: Candidates) -> None:
        """Record what a sampler proposed; the same proposal again changes nothing.

        Raises:
            RunError: The generation holds other candidates, or an id is taken.
        """
        query = "SELECT id, settings FROM candidates WHERE generation = ? ORDER BY position"
        known = self._candidates(self._rows(query, generation))
        if known and known != candidates:
            raise RunError(
                f"generation {generation} in `{self._path}` must be proposed as before, got other "
                "candidates; resume with the seed and the versions that the run began with."
            )
        if not known:
            texts = enumerate(proposals.written(candidates.settings))
            rows = zip(candidates.ids, texts, strict=True)
            with self._transaction():
                self._insert(
                    "candidates", 4, ((int(one), int(generation), *text) for one, text in rows)
                )

    def generations(self, since: int = 0) -> dict[int, Candidates]:
        """Candidates by generation, from this one on, each in the order of its proposal."""
        query = """SELECT generation, id, settings FROM candidates WHERE generation >= ?
            ORDER BY generation, position"""
        with self.undamaged():
            generations = groupby(self._rows(query, since), key=lambda row: int(row[0]))
            return {one: self._candidates(row[1:] for row in rows) for one, rows in generations}

    def _candidates(self, rows: Iterable[Any]) -> Candidates:
        """Those of one generation, by their ids and texts."""
        known = list(rows)
        with self.undamaged():
            settings = tuple(proposals.read(text for _, text in known))
            return Candidates(tuple(int(one) for one, _ in known), settings)

    def segments(self) -> tuple[str, ...]:
        """The names of all segments, in the order of their completion."""
        return tuple(name for (name,) in self._rows("SELECT name FROM segments ORDER BY number"))

    def segment(self, name: str) -> dict[str, Any] | None:
        """What was recorded with a segment, or None where it is not done."""
        found = self._rows("SELECT payload FROM segments WHERE name = ?", name)
        with self.undamaged():
            return dict(decode(found[0][0])) if found else None

    def network_epochs(self) -> float:
        """Epochs trained so far, over all networks of all segments."""
        numbers = [number for (number,) in self._rows("SELECT number FROM segments")]
        query = "SELECT payload FROM segments WHERE number = ?"
        with self.undamaged():
            for number in numbers:
                if number not in self._counted:  # what is recorded never changes
                    payload = decode(self._rows(query, number)[0][0])
                    self._counted[number] = float(payload.get("network_epochs", 0))
        return math.fsum(self._counted[number] for number in numbers)

    def curves(self) -> list[CurvePoint]:
        """Every point measured, ordered by phase, candidate, replicate and epoch."""
        query = "SELECT * FROM curves ORDER BY phase, candidate, replicate, epoch"
        with self.undamaged():
            return [
                CurvePoint(str(row[0]), *map(int, row[1:4]), *map(_measured, row[4:8]))
                for row in self._rows(query)
            ]

    def scores(self, phase: str) -> Iterator[tuple[int, float]]:
        """Candidate and validation score of every point of a phase, in the order of `curves`."""
        query = """SELECT candidate, validation_accuracy FROM curves WHERE phase = ?
            ORDER BY candidate, replicate, epoch"""
        with self.undamaged(), database.reading(self._path):
            for candidate, score in self._connection.execute(query, (phase,)):
                yield int(candidate), _measured(score)

    def open_test(self, opened_by: str) -> int:
        """Record, durably, that the test part is being opened; returns the opening's number."""
        with self._transaction():
            query = "INSERT INTO test_openings (at, opened_by) VALUES (?, ?) RETURNING number"
            (number,) = self._connection.execute(query, (_now(), opened_by)).fetchone()
        return int(number)

    def test_openings(self) -> list[Opening]:
        """Every opening of the test part, first to last."""
        query = "SELECT number, at, opened_by FROM test_openings ORDER BY number"
        return [Opening(*row) for row in self._rows(query)]

    def note(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Add something that happened to the run's log."""
        with self._transaction():
            self._put_note(kind, payload)

    def notes(self) -> list[Note]:
        """The run's log, first to last."""
        query = "SELECT at, kind, payload FROM notes ORDER BY number"
        with self.undamaged():
            return [Note(at, kind, dict(decode(text))) for at, kind, text in self._rows(query)]

    def _put_segment(
        self,
        name: str,
        payload: Mapping[str, Any],
        curves: Sequence[CurvePoint],
        file: WeightsFile | None,
        replaced: Sequence[str],
    ) -> None:
        known = (file.name, file.sha256, file.size) if file else (None, None, None)
        segment = (None, name, _now(), encode(payload), *known)
        with self._transaction():
            self._insert("segments", 7, [segment])
            self._insert("curves", 9, ((*_bare(point), name) for point in curves))
            query = "UPDATE segments SET file = NULL, sha256 = NULL, size = NULL WHERE name = ?"
            self._connection.executemany(query, [(other,) for other in replaced])

    def _put_file(self, segment: str, file: WeightsFile, kind: str, why: Mapping[str, Any]) -> None:
        """Name another weights file for a segment, with a note of why."""
        query = "UPDATE segments SET file = ?, sha256 = ?, size = ? WHERE name = ?"
        with self._transaction():
            self._connection.execute(query, (file.name, file.sha256, file.size, segment))
            self._put_note(kind, why)

    def _put_note(self, kind: str, payload: Mapping[str, Any]) -> None:
        query = "INSERT INTO notes (at, kind, payload) VALUES (?, ?, ?)"
        self._connection.execute(query, (_now(), kind, encode(payload)))

    def _files(self) -> dict[str, WeightsFile]:
        """The weights files that the record names, by segment, in the order of completion."""
        query = (
            "SELECT name, file, sha256, size FROM segments WHERE file IS NOT NULL ORDER BY number"
        )
        with self.undamaged():
            return {
                str(name): WeightsFile(str(file), str(sha256), int(size))
                for name, file, sha256, size in self._rows(query)
            }

    def _insert(self, table: str, columns: int, rows: Iterable[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * columns)
        try:
            query = f"INSERT INTO {table} VALUES ({places})"  # noqa: S608 - names of our own
            self._connection.executemany(query, rows)
        except IntegrityError as error:
            raise RunError(
                f"`{self._path}` takes each of its {table} once, got one again ({error}); "
                "resume from what `segments()` and `generations()` say is done."
            ) from error

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return database.rows(self._connection, self._path, query, *values)

    def _check_writer(self) -> None:
        if not self._write:
            raise RunError(
                f"`{self._path.parent}` must be open for writing, got a reader; open it with "
                "`Run.open(path, write=True)`."
            )

    def _transaction(self) -> AbstractContextManager[None]:
        self._check_writer()
        return database.transaction(self._connection, self._path)

    @contextmanager
    def undamaged(self) -> Iterator[None]:
        """A block that makes sense of what is recorded, which may be anything.

        Raises:
            RunError: It makes no sense.
        """
        try:
            yield
        except RunError:
            raise
        except (*_SENSELESS, FleetgradError) as error:
            raise database.damaged(self._path, error) from error


def _bare(point: CurvePoint) -> CurvePoint:
    """The point in Python's own numbers: SQLite would store NumPy's as bytes, or refuse them."""
    return CurvePoint(str(point[0]), *map(int, point[1:4]), *map(float, point[4:]))


def _measured(value: Any) -> float:
    return math.nan if value is None else float(value)  # SQLite keeps NaN as NULL


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
