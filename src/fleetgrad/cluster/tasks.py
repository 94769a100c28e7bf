"""What a worker is asked to do: Dask's tasks.

A task names its study, its networks, and the states that these go on from, which usually lie on the
same worker.
"""

from collections.abc import Callable, Sequence

import numpy as np
from distributed import Reschedule, Status, get_worker

from fleetgrad.cluster.site import SiteFleet, found, machines
from fleetgrad.cluster.work import Done, Job, Report, Saved, Standing, Work
from fleetgrad.fleet import tried
from fleetgrad.material import steps_per_epoch
from fleetgrad.population import Population, by_member, key, named
from fleetgrad.products import Arithmetic
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape
from fleetgrad.trainees import Member

ALIVE = {Status.running, Status.paused}  # in which a worker's tasks go on


def arithmetic(precision: str, filled: float) -> Arithmetic:
    """How networks multiply here; arguments as for `Machine.arithmetic`."""
    return machines()[0].arithmetic(precision, filled)


def dense(precision: str) -> Arithmetic:
    """The same before it heeds zeros, as `Machine.dense`."""
    return machines()[0].dense(precision)


def measure(site: str, settings: Settings, program: Shape) -> Report:
    """Train such a network for a moment, to learn what a step takes a lane of this worker."""
    with found(site).fleet() as fleet:
        work, member = Work((Job(settings, 0),), program, 1, whole=False), Member(0, 0)
        probe = fleet.trainees(work, None, (member,))
        tried(probe)
        return _report(fleet, probe, settings, ())


def train(
    site: str,
    work: Work,
    sources: Sequence["Done | Saved | None"],
    places: Sequence[int],
    targets: np.ndarray | None = None,
) -> Done:
    """Train a chunk.

    Args:
        site: The study's.
        work: What is to be done.
        sources: What each network goes on from: a chunk that is done, its arrays, or nothing.
        places: Which network of its source each is.
        targets: What rows are to be taken for, where networks are taught.
    """
    members = tuple(Member(place, job.replicate) for place, job in enumerate(work.jobs))
    with found(site).fleet() as fleet:
        population = fleet.trainees(work, targets, members)
        begun: dict[str, np.ndarray] = {}
        for member, source, place in zip(members, sources, places, strict=True):
            held = source.states[place] if isinstance(source, Done) else source or {}
            begun |= named(member, held)
        population.restore(
            begun, [m for m, one in zip(members, sources, strict=True) if one is not None]
        )
        if not population.advance(work.until, _wanted()):
            raise Reschedule  # nobody waits for this any more; or if so, then anew
        saved = by_member(population.state())
        states = tuple(saved[key(member)] for member in members)
        standings = tuple(
            Standing(population.curve(m), int(own["position"]), population.diverged_at(m))
            for m, own in zip(members, states, strict=True)
        )
        return Done(states, _report(fleet, population, work.jobs[0].settings, standings))


def same(targets: np.ndarray) -> np.ndarray:
    """What networks are taught, on its way to a worker: once, however many chunks need it."""
    return targets


def report(done: Done) -> Report:
    """What is told of a chunk."""
    return done.report


def picked(done: Done, places: Sequence[int]) -> list[Saved]:
    """The arrays of some of a chunk's networks."""
    return [done.states[place] for place in places]


def _report(
    fleet: SiteFleet, population: Population, settings: Settings, standings: tuple[Standing, ...]
) -> Report:
    member = population.members[0]
    rows = len(population.material.views[member.replicate].train)
    steps = steps_per_epoch(settings.batch_size, rows)
    return Report(
        standings,
        population.network_epochs,
        population.epoch_seconds(member) / steps,
        get_worker().address,
        fleet.compile_seconds,
    )


def _wanted() -> Callable[[], bool]:
    """Asked between two stretches: whether anybody still waits for the task in hand."""
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled" and worker.status in ALIVE

    return wanted
