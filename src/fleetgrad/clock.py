"""Time, as a run sees it: how much is gone, how much is left, and when to say where it stands."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

REPORT_SECONDS = 0.25
REST = 9  # times as long as a report took, before the next


class Progress(NamedTuple):
    """What a run is doing: for a display, reported from any thread, a few times a second.

    phase is "search", "audit", "finals", "stretch", "refit", "ensemble", "distill", "recovery" (of
    damaged weights) or "notebook"; rung counts from 1, of the rounds of a search or the blocks in
    the finals, where nobody knows how many come, of 0 rungs; best is the best value of the metric
    until now; left is in seconds, or None; growing, in a search, says the scores after each epoch
    of those in training, by candidate.
    """

    phase: str
    rung: int
    rungs: int
    alive: int
    best: float
    network_epochs: float
    elapsed: float
    left: float | None
    metric: str = "accuracy"
    growing: Callable[[], Mapping[int, Sequence[float]]] | None = None


class Clock:
    """Seconds this run has taken, over all its processes, and how many it has left.

    Args:
        seconds: The budget, or None.
        elapsed: Seconds gone before now.
        now: Tells the time.
    """

    def __init__(
        self,
        seconds: float | None,
        elapsed: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.now = now
        self._began = now() - elapsed

    @property
    def elapsed(self) -> float:
        """Seconds gone."""
        return self.now() - self._began

    @property
    def left(self) -> float:
        """Seconds left; infinite without a budget in time."""
        return math.inf if self.seconds is None else self.seconds - self.elapsed


class Throttle:
    """Calls a function at most a few times a second, from whichever thread asks.

    One that took long (of very many networks) is not called soon again, so that it takes a tenth of
    the time at most.
    """

    def __init__(
        self, seconds: float = REPORT_SECONDS, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._now = now
        self._next = -math.inf

    def __call__(self, act: Callable[[], None]) -> None:
        """Call `act` unless something was called within the last moments."""
        began = self._now()
        if began < self._next:
            return
        self._next = began + self._seconds
        act()
        done = self._now()
        self._next = max(self._next, done + REST * (done - began))
