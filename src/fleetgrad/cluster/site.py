"""What a worker process keeps of a study.

A `Site` brings the rows, once; each process builds its fleet from them, and keeps the programs it
compiles, for the studies that come after too.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from distributed import WorkerPlugin, get_worker

from fleetgrad import soundness
from fleetgrad.cluster.work import Work
from fleetgrad.data import Dataset
from fleetgrad.errors import RunError
from fleetgrad.fleet import Fleet
from fleetgrad.machine import Machine
from fleetgrad.population import Population
from fleetgrad.programs import Programs
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape
from fleetgrad.trainees import Member


class SiteFleet(Fleet):
    """A worker's own fleet: it trains what it is told to, in the program it is told."""

    def __init__(self, data: Dataset, seed: int, machine: Machine, metric: str) -> None:
        super().__init__(data, seed, machine, metric)
        self._before = machine.compile_seconds  # spent on other studies

    @property
    def compile_seconds(self) -> float:
        """Spent on compilation so far."""
        return super().compile_seconds - self._before

    def trainees(
        self, work: Work, targets: np.ndarray | None, members: Sequence[Member]
    ) -> Population:
        """The networks of a chunk, not yet trained."""
        settings = dict(zip(members, (job.settings for job in work.jobs), strict=True))
        views = {job.replicate: self.view(job.replicate) for job in work.jobs}
        if work.whole:
            views = {0: self._whole}
        one = copy(self)
        one.programs = Programs((self._fitted(work.program, work.jobs[0].settings),))
        return one._population(views, settings, targets)  # noqa: SLF001 - its own copy

    def _fitted(self, program: Shape, settings: Settings) -> Shape:
        """The program with this worker's own arithmetic, which may have other kernels."""
        own = self.shape(settings).arithmetic
        skips = own.skips_zeros and program.arithmetic.skips_zeros
        return replace(program, arithmetic=own._replace(skips_zeros=skips))


class Site(WorkerPlugin):
    """A study, as each worker has it; workers that come later are given it as they come.

    Args:
        name: Its own, on the cluster.
        data: The rows, without the test part.
        seed: Of splits, weights, shuffles and noise.
        metric: What networks are scored by.
    """

    def __init__(self, name: str, data: Dataset, seed: int, metric: str) -> None:
        self.name = name
        self._data, self._seed, self._metric = data, seed, metric
        self._fleets: queue.Queue[SiteFleet] | None = None
        self._lock: threading.Lock  # each worker's own

    def setup(self, worker: Any) -> None:  # noqa: ARG002 - Dask's
        """Be found by tasks."""
        self._lock = threading.Lock()
        _sites[self.name] = self

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask's
        """Let the rows go."""
        _sites.pop(self.name, None)

    @contextmanager
    def fleet(self) -> Iterator[SiteFleet]:
        """A fleet over one lane: a core, which is the caller's own, or a card, when one is free."""
        with self._lock:
            if self._fleets is None:
                self._fleets = self._built()
        fleet = self._fleets.get()
        on_card = fleet.machine.width > 1
        if not on_card:
            self._fleets.put(fleet)  # all threads share it, and its programs
        try:
            yield fleet
        finally:
            if on_card:
                self._fleets.put(fleet)

    def _built(self) -> "queue.Queue[SiteFleet]":
        fleets = queue.Queue[SiteFleet]()
        for machine in machines():
            fleets.put(SiteFleet(self._data, self._seed, machine, self._metric))
        return fleets


_sites: dict[str, Site] = {}


def found(name: str) -> Site:
    """The study of this name.

    Raises:
        RunError: This worker was not given it.
    """
    if name not in _sites:
        raise RunError(
            f"worker {get_worker().address} must hold the rows of a study before it trains for it, "
            "got none; start the worker anew."
        )
    return _sites[name]


@cache
def machines() -> tuple[Machine, ...]:
    """One of a lane for the cores of this process, or for each of its cards; all studies' alike."""
    here = soundness.here()
    return tuple(Machine((device,), here.width) for device in dict.fromkeys(here.lanes))
