"""Looks again when something has changed, and never more often than that is worth.

What has changed is told by the files' times and sizes, so a look at a run that stands still opens
nothing. A look that took long is not repeated soon: following takes a twentieth of a core at most,
however many candidates there are, and whoever asks in between gets what is known.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fleetgrad import directory, growing, history, lock, pulse
from fleetgrad.clock import Progress
from fleetgrad.errors import FleetgradError
from fleetgrad.store import Run
from fleetgrad.watch import snapshot
from fleetgrad.watch.curves import grown
from fleetgrad.watch.ledger import Ledger
from fleetgrad.watch.snapshot import Known, Moment

SECONDS = 0.4  # between two looks, at least
SHARE = 20  # how many times as long as a look took is waited until the next
WINDOW = 20.0  # seconds of the study over which its speed is taken, whatever it trains
LEAST = 1.0  # of these, at least
UNREADABLE = "unreadable"
NOTHING = "null"  # where there is no record, in JSON

Place = Callable[[], Path | None]
Stamp = tuple[Any, ...]


class Look(NamedTuple):
    """What was seen: two parts of the page as JSON, with numbers that rise as they change.

    made: When the second was true, by `time.monotonic`.
    """

    number: int
    record: str
    beat: int
    now: str
    made: float


@dataclass
class _Memory:
    """What is remembered of one run.

    identity: Tells it from another in its place.
    stamp: What its record was like as `known` was read.
    marks: Seconds and network-epochs of the study, of late.
    """

    identity: Stamp = ()
    stamp: Stamp = ()
    ledger: Ledger = field(default_factory=Ledger)
    known: Known | None = None
    record: str = NOTHING
    progress: Progress | None = None
    marks: deque[tuple[float, float]] = field(default_factory=deque)


class Follower:
    """Sees a run directory for any number of pages.

    Args:
        place: Says where the run lies; None as long as that is not known.
        title: What to call it until then.
    """

    def __init__(self, place: Place, title: str) -> None:
        self._place, self._title = place, title
        self._lock = threading.Lock()
        self._look = Look(0, NOTHING, 0, _waiting(title), time.monotonic())
        self._memory = _Memory()
        self._next = 0.0

    @property
    def path(self) -> Path | None:
        """Where the run lies, if that is known."""
        return self._place()

    def look(self, *, at_once: bool = False) -> Look:
        """What is known; from any thread.

        Args:
            at_once: Whether to look again however short ago the last look was.
        """
        with self._lock:
            if at_once or time.monotonic() >= self._next:
                began = time.thread_time()  # waiting for others costs them nothing
                self._put(*self._seen())
                took = time.thread_time() - began
                self._next = time.monotonic() + max(SECONDS, SHARE * took)
            return self._look

    def _seen(self) -> tuple[str, str]:
        """Both parts of the page, as they are now."""
        path = self._place()
        if path is None or not (path / directory.CONFIG).exists():
            self._memory = _Memory()
            return NOTHING, _waiting(self._title)
        try:
            return self._followed(path)
        except FleetgradError as error:
            self._memory = _Memory()
            return NOTHING, _unreadable(path, str(error))

    def _followed(self, path: Path) -> tuple[str, str]:
        identity, stamp = _stamps(path)
        if identity != self._memory.identity:
            self._memory = _Memory(identity)
        memory, writer = self._memory, lock.holder(path / directory.LOCK)
        if memory.known is None or stamp != memory.stamp:
            with Run.open(path, write=False) as run:
                memory.known = snapshot.known(run, memory.ledger)
                curves = grown(history.curves(run), growing.read(path, writer))
                ranges = history.ranges(run)
                with run.undamaged():
                    memory.record = _text(snapshot.record(memory.known, curves, ranges))
            memory.stamp = stamp
        moment = _moment(memory, path, writer)
        return memory.record, _text(snapshot.now(memory.known, moment))

    def _put(self, record: str, now: str) -> None:
        last = self._look
        number = last.number + (record != last.record)
        if now == last.now:
            self._look = last._replace(number=number, record=record)
        else:
            self._look = Look(number, record, last.beat + 1, now, time.monotonic())


def _moment(memory: _Memory, path: Path, writer: lock.Holder | None) -> Moment:
    """The latest word of the one who is at it, and how fast that goes."""
    beat = pulse.read(path, writer, time.time()) if writer else None
    if beat is None:
        return Moment(writer, None, None)
    if beat.progress != memory.progress:
        memory.progress = beat.progress
        _mark(memory.marks, beat.progress)
    return Moment(writer, beat.progress, _speed(memory.marks))


def _mark(marks: deque[tuple[float, float]], progress: Progress) -> None:
    now = progress.elapsed, progress.network_epochs
    if marks and now < marks[-1]:  # a study that went on from an earlier rung
        marks.clear()
    marks.append(now)
    while now[0] - marks[0][0] > WINDOW:
        marks.popleft()


def _speed(marks: deque[tuple[float, float]]) -> float | None:
    """Network-epochs a second; None where too little is known."""
    if not marks:
        return None
    (began, before), (now, after) = marks[0], marks[-1]
    return (after - before) / (now - began) if now - began >= LEAST and after > before else None


def _stamps(path: Path) -> tuple[Stamp, Stamp]:
    """What tells one run from another in its place, and what changes with its record."""
    database = path / directory.DATABASE
    log = database.with_name(database.name + "-wal")
    files = (database, log, path / directory.GROWING)
    changes = (*map(_stamp, files), (path / "model").is_dir())
    return _stamp(path / directory.CONFIG), changes


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return ()
    # A reader leaves an empty log behind, which says nothing.
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found.st_size else ()


def _text(content: Any) -> str:
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def _waiting(title: str) -> str:
    said = "Waiting for the study: it loads its data, and measures this machine."
    return _bare(snapshot.WAITING, title, said)


def _unreadable(path: Path, why: str) -> str:
    return _bare(UNREADABLE, path.name, f"The record cannot be read: {why}")


def _bare(state: str, name: str, headline: str) -> str:
    """What there is to say where there is no record."""
    clock = {"elapsed": None, "left": None, "exact": False, "share": None}
    bare: dict[str, Any] = {"state": state, "name": name, "headline": headline}
    bare |= {"clock": clock, "tiles": []}
    bare |= {"counts": {}, "writer": None, "commands": [], "report": False}
    return _text(bare)
