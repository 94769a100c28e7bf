"""Where a run stands between two commits, for whoever reads along: a small file, gone at its end.

The record holds what is done and safe. What is under way (who is alive, how fast, how long still)
would be lost on a crash anyway, so it is no part of the record: it is written once a second,
unflushed, in place, and a reader that finds half of it looks again.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fleetgrad import aside, growing
from fleetgrad.clock import Progress, Throttle
from fleetgrad.directory import PULSE
from fleetgrad.lock import Holder
from fleetgrad.metrics import METRICS

SECONDS = 1.0  # between two
GROWTH = 2.0  # between two of the curves that grow
ROOM = 512  # bytes; always as many, so that a shorter one leaves nothing of a longer

Report = Callable[[Progress], None]


class Pulse(NamedTuple):
    """The latest progress, and its age in seconds."""

    progress: Progress
    age: float


@contextmanager
def beating(directory: Path, report: Report) -> Iterator[Report]:
    """A block with a function to report to, which also leaves the latest word in a directory.

    Whatever the disk refuses is left undone: the run needs none of it.

    Args:
        directory: The run's, whose lock this process holds.
        report: Told as before.
    """
    path, throttle, seldom = directory / PULSE, Throttle(SECONDS), Throttle(GROWTH)
    _clear(directory)

    def told(progress: Progress) -> None:
        throttle(lambda: _write(path, progress))
        seldom(lambda: _grow(directory, progress))
        report(progress)

    try:
        yield told
    finally:
        _clear(directory)


def read(directory: Path, writer: Holder, now: float) -> Pulse | None:
    """The latest word of the process that holds a run; None where there is none.

    Args:
        directory: The run's.
        writer: Who holds it.
        now: Seconds since the epoch.
    """

    def understood(said: Any, at: float) -> Pulse:
        return Pulse(_progress(said["progress"]), max(0.0, now - at))

    return aside.read(directory / PULSE, writer, ROOM, understood)


def _progress(said: Mapping[str, Any]) -> Progress:
    """What was written, in the types it should have.

    Raises:
        ValueError: It cannot be ours; as do ArithmeticError, KeyError and TypeError.
    """
    best, left = said["best"], said["left"]
    metric = METRICS[said["metric"]].name
    return Progress(
        phase=str(said["phase"]),
        rung=int(said["rung"]),
        rungs=int(said["rungs"]),
        alive=int(said["alive"]),
        best=math.nan if best is None else float(best),
        network_epochs=float(said["network_epochs"]),
        elapsed=float(said["elapsed"]),
        left=None if left is None else float(left),
        metric=metric,
    )


def _clear(directory: Path) -> None:
    growing.clear(directory)
    aside.clear(directory / PULSE)


def _grow(directory: Path, progress: Progress) -> None:
    """Leave the curves that grow; once none do, they are all on record."""
    if progress.growing is None:
        growing.clear(directory)
    else:
        growing.write(directory, progress.growing())


def _write(path: Path, progress: Progress) -> None:
    plain = {name: value for name, value in progress._asdict().items() if name != "growing"}
    aside.write(path, {"progress": plain}, ROOM)
