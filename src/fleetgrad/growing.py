"""Learning curves of those in training, for whoever reads along between two commits.

A rung may take minutes, and its curves are on record only at its end. Until then they are in a
small file beside it (`aside.py`).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetgrad import aside
from fleetgrad.directory import GROWING
from fleetgrad.lock import Holder
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
    """Leave them in a run's directory."""
    told = {one: [float(f"{score:.{DIGITS}g}") for score in own] for one, own in curves.items()}
    aside.write(directory / GROWING, {"scores": told})


def read(directory: Path, writer: Holder | None) -> dict[int, list[float]]:
    """What the process that holds a run has left there last; nothing where there is none.

    Args:
        directory: The run's.
        writer: Who holds it.
    """
    if writer is None:
        return {}
    return aside.read(directory / GROWING, writer, BYTES, lambda said, _: _scores(said)) or {}


def clear(directory: Path) -> None:
    """Take them away."""
    aside.clear(directory / GROWING)


def _scores(said: Any) -> dict[int, list[float]]:
    return {int(one): [_score(score) for score in own] for one, own in said["scores"].items()}


def _score(said: float | None) -> float:
    return math.nan if said is None else float(said)
