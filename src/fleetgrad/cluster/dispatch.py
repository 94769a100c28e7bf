"""Chunks on their way: to whom each goes, and what happens to those that are late.

Whoever has a lane free gets the chunk that is least far, at best one whose states it holds, or half
of one where there are too few. When there is nothing left to give, a free lane does anew what
another worker should have done long ago (the first to be done counts), or goes on with a network
that has arrived and is likely to be asked to: as asynchronous halving promotes before a rung is
over (Li et al. 2020), but without deciding anything. So a slow worker stalls nobody, and since
whatever is trained comes to the same wherever and whenever it is, results do not depend on it.
"""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from fleetgrad.cluster.chunks import Chunk

LOOK_SECONDS = 0.2  # between two looks at the clock
LATE, GRACE_SECONDS = 3.0, 15.0  # times what a chunk should take, and a compilation


class Workers(Protocol):
    """The crew, as far as chunks know it."""

    @property
    def lanes(self) -> Mapping[str, int]:
        """How many chunks each worker trains at once."""

    def check(self) -> None:
        """Raise `DeviceError` where there has been nobody for long."""

    def finished(self, timeout: float) -> Sequence[Any]:
        """Tasks that came to their end since the last call."""

    def cancel(self, futures: Sequence[Any]) -> None:
        """Have tasks not done."""

    def trust(self, worker: str) -> None:
        """Expect signs of life of a worker, which has done something."""

    def rest(self, worker: str) -> None:
        """Leave out of `lanes`, for a while, a worker that was overtaken."""


class Errand(Protocol):
    """What chunks are for."""

    def home(self, chunk: Chunk) -> str | None:
        """The worker that holds its states."""

    def launch(self, chunk: Chunk, worker: str) -> tuple[Any, Any]:
        """Give it to a worker; what will hold its states, and then its report."""

    def ahead(self, worker: str) -> bool:
        """Have a worker that has nothing to do go on with somebody; whether there is anybody."""

    def busy(self) -> Sequence[str]:
        """Workers that do so, one for each lane."""

    def land(self, chunk: Chunk, done: Any, report: Any) -> Chunk | None:
        """Take note of what it came to; what is left of it to do."""


class Flight(NamedTuple):
    """A chunk that a worker has in hand; those with one number are the same."""

    number: int
    chunk: Chunk
    worker: str
    since: float
    done: Any
    report: Any


class Dispatch:
    """The chunks of one advance.

    Args:
        workers: Who does them.
        errand: What they are for.
        chunks: Who is least far first.
        now: Tells the time.
        begun: What workers have in hand of it already: chunk, worker, and what `launch` gave.
    """

    def __init__(
        self,
        workers: Workers,
        errand: Errand,
        chunks: Sequence[Chunk],
        now: Callable[[], float] = time.monotonic,
        begun: Sequence[tuple[Chunk, str, Any, Any]] = (),
    ) -> None:
        self._workers, self._errand, self._now = workers, errand, now
        self._waiting = list(chunks)
        self._flying: dict[Any, Flight] = {}
        self._numbers = itertools.count()
        for chunk, worker, done, report in begun:
            number = next(self._numbers)
            self._flying[report] = Flight(number, chunk, worker, now(), done, report)

    def run(self, proceed: Callable[[], bool]) -> bool:
        """Until all is done, or `proceed`, asked all the while, is false; whether all is done.

        Raises:
            DeviceError: There are no workers any more, or what they need is gone.
        """
        try:
            while self._waiting or self._flying:
                if not proceed():
                    return False
                self._workers.check()
                self._launch()
                for report in self._workers.finished(LOOK_SECONDS):
                    if report in self._flying:
                        self._land(self._flying[report])
            return True
        finally:
            self._cancel(self._flying.values())

    def _launch(self) -> None:
        """Give every free lane something to do, as long as there is any."""
        free = self._free()
        while free and self._waiting:
            self._split(len(free))
            worker, chunk = self._next(free)
            self._send(next(self._numbers), chunk, worker)
            free.remove(worker)
        while free and (late := self._late(free)) is not None:
            worker = next(one for one in free if one != late.worker)
            self._send(late.number, late.chunk, worker)
            free.remove(worker)
        while free and self._flying and self._errand.ahead(free[0]):
            free.pop(0)

    def _free(self) -> list[str]:
        """A name for each free lane, those first whose worker has most of them."""
        lanes = self._workers.lanes
        busy = Counter(flight.worker for flight in self._flying.values())
        busy.update(self._errand.busy())
        turns = [(turn, worker) for worker in lanes for turn in range(lanes[worker] - busy[worker])]
        return [worker for _, worker in sorted(turns, key=lambda one: one[0])]

    def _split(self, lanes: int) -> None:
        """Make more of what waits, where lanes would be left without."""
        if len(self._waiting) < lanes:
            widest = max(self._waiting, key=lambda chunk: len(chunk.members))
            if len(widest.members) > widest.width:
                self._waiting.remove(widest)
                self._waiting += widest.halves()

    def _next(self, free: Sequence[str]) -> tuple[str, Chunk]:
        """A chunk that is least far, and who takes it."""
        least = min(chunk.start for chunk in self._waiting)
        ready = [chunk for chunk in self._waiting if chunk.start == least]
        homes = ((self._errand.home(chunk), chunk) for chunk in ready)
        worker, chunk = next((one for one in homes if one[0] in free), (free[0], ready[0]))
        self._waiting.remove(chunk)
        return worker or free[0], chunk

    def _late(self, free: Sequence[str]) -> Flight | None:
        """A chunk that should long be done, and that somebody else could do."""
        twins = Counter(flight.number for flight in self._flying.values())
        now = self._now()
        for flight in self._flying.values():
            patience = LATE * flight.chunk.expected + GRACE_SECONDS
            alone = twins[flight.number] == 1 and any(one != flight.worker for one in free)
            if alone and now - flight.since > patience:
                return flight
        return None

    def _send(self, number: int, chunk: Chunk, worker: str) -> None:
        done, report = self._errand.launch(chunk, worker)
        self._flying[report] = Flight(number, chunk, worker, self._now(), done, report)

    def _land(self, flight: Flight) -> None:
        same = [one for one in self._flying.values() if one.number == flight.number]
        for one in same:
            del self._flying[one.report]
        self._workers.trust(flight.worker)  # now: it may hang before it has brought its report here
        rest = self._errand.land(flight.chunk, flight.done, flight.report)
        overtaken = [one for one in same if one is not flight]
        self._cancel(overtaken)
        for one in overtaken:
            if one.since < flight.since:  # it may hang: what it had in hand fills its lane
                self._workers.rest(one.worker)
        if rest is not None:
            self._waiting.append(rest)

    def _cancel(self, flights: Any) -> None:
        self._workers.cancel([future for one in flights for future in (one.report, one.done)])
