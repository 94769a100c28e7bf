"""What a chunk of networks is to do, and what comes of it: all that driver and workers exchange."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape

Saved = Mapping[str, np.ndarray]  # a member's arrays, as a population's `state` names them


class Job(NamedTuple):
    """One network of a chunk: its settings, and which replicate of them."""

    settings: Settings
    replicate: int


class Work(NamedTuple):
    """What a chunk of networks is to do.

    jobs: The networks, all equally far.
    program: That they train in.
    until: The epoch at which they come to rest.
    whole: Whether they learn from every row, or from their replicate's split.
    """

    jobs: tuple[Job, ...]
    program: Shape
    until: int
    whole: bool


class Standing(NamedTuple):
    """Where a network stands after a chunk.

    curve: A row an epoch, from the first; columns as `training.CURVE`.
    position: Steps taken.
    diverged_at: The step at which its loss was not finite, or None.
    """

    curve: np.ndarray
    position: int
    diverged_at: int | None


class Report(NamedTuple):
    """What the driver learns of a chunk that is done.

    standings: Of each network.
    network_epochs: Trained, over all of them.
    step_seconds: What a step took of late.
    worker: Who did it.
    compile_seconds: Spent by it on compilation so far.
    """

    standings: tuple[Standing, ...]
    network_epochs: float
    step_seconds: float
    worker: str
    compile_seconds: float


class Done(NamedTuple):
    """What a chunk leaves on its worker: the networks' states, and the report."""

    states: tuple[Saved, ...]
    report: Report
