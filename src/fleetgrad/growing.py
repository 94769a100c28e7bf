"""Learning curves of those in training, for whoever reads along between two commits.

A rung may take minutes, and its curves are on record only at its end. Until then they are in a
small file beside the pulse, under the same rules: unflushed, in place, no part of the record, and
whoever finds half of it looks again.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fleetgrad.directory import GROWING
from fleetgrad.lock import Holder
from fleetgrad.payload import strict
from fleetgrad.standing import SCORE
from fleetgrad.trainees import Trainees

MOST = 200  # curves
ROOM = 50_000  # scores, over all of them
BYTES = 1 << 20  # that are read
DIGITS = 6  # of a score

Curves = Mapping[int, Sequence[float]]


def scores(population: Trainees) -> dict[int, list[float]]:
    """Validation scores after each epoch, by candidate; NaN from where one diverged.

    Of a large population those that come first, as many as there is room for.
    """
    found: dict[int, list[float]] = {}
    room = ROOM
    for member in population.members[:MOST]:
        curve = [float(score) for score in population.curve(member)[:, SCORE]]
        room -= len(curve)
        if room < 0:
            break
        found[member.candidate] = curve
    return found


def write(directory: Path, curves: Curves) -> None:
    """Leave them in a run's directory; what the disk refuses is left undone."""
    told = {one: [float(f"{score:.{DIGITS}g}") for score in own] for one, own in curves.items()}
    text = json.dumps({"pid": os.getpid(), "scores": strict(told)}, separators=(",", ":"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(directory / GROWING, flags, 0o666)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def read(directory: Path, writer: Holder | None) -> dict[int, list[float]]:
    """What the process that holds a run has left there last; nothing where there is none.

    Args:
        directory: The run's.
        writer: Who holds it.
    """
    if writer is None:
        return {}
    try:
        with (directory / GROWING).open("rb") as file:
            said = json.loads(file.read(BYTES))
        if said["pid"] != writer.pid:  # what a dead one left
            return {}
        return {int(one): [_score(score) for score in own] for one, own in said["scores"].items()}
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError):
        return {}
    except (TypeError, ValueError):  # half of it, or a stranger's
        return {}


def clear(directory: Path) -> None:
    """Take them away."""
    with suppress(OSError):
        (directory / GROWING).unlink(missing_ok=True)


def _score(said: float | None) -> float:
    return math.nan if said is None else float(said)
