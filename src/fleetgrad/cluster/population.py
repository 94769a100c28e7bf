"""Networks that train on a cluster, as the search knows them.

The driver keeps what is small: curves, how far each network is, where its state lies. States stay
on the workers, as Dask's futures, and come here only when they are asked for. A chunk is a task;
its result is a state for each network, from which the next chunk goes on. Everything random follows
from seed, replicate and epoch, so a chunk that is done again, anywhere, comes to the same.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fleetgrad.cluster import tasks
from fleetgrad.cluster.chunks import Chunk, Waiting, cut
from fleetgrad.cluster.dispatch import Dispatch
from fleetgrad.cluster.shared import Held, Lead, Lesson, Shared
from fleetgrad.cluster.work import Done, Job, Report, Saved, Work
from fleetgrad.machine import Machine
from fleetgrad.material import Draws, Material
from fleetgrad.population import Population, by_member, key, named
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape
from fleetgrad.standing import SCORE
from fleetgrad.trainees import Member

if TYPE_CHECKING:
    from distributed import Future


class ClusterPopulation(Population):
    """Members in training, elsewhere; arguments as for `Population`, and where, and what from."""

    def __init__(
        self,
        material: Material,
        settings: Mapping[Member, Settings],
        draws: Draws,
        machine: Machine,
        serving: Callable[[Shape], Shape],
        *,
        shared: Shared,
        lesson: Lesson,
    ) -> None:
        super().__init__(material, settings, draws, machine, serving)
        self._shared, self._lesson = shared, lesson
        self._places: dict[Member, Held] = {}
        self._network_epochs = 0.0

    @property
    def network_epochs(self) -> float:
        """Epochs trained so far, over all members, as far as they were not in vain."""
        return self._network_epochs

    def advance(
        self, until: int | Mapping[Member, int], proceed: Callable[[], bool] = lambda: True
    ) -> bool:
        """Train as `Population` does; a stop leaves each member at the last epoch heard of.

        Raises:
            DeviceError: The cluster is gone, or has no workers any more.
        """
        for member, one in self._training.items():
            one.goal = until if isinstance(until, int) else until.get(member, 0)
        crew, begun = self._shared.crew, self._overtaken()
        flying = {member for chunk, *_ in begun for member in chunk.members}
        waiting = [
            self._waiting(member)
            for member, one in self._training.items()
            if one.needs and member not in flying
        ]
        chunks = cut(waiting, sum(crew.lanes.values()), self.machine.width)
        return Dispatch(crew, self, chunks, begun=begun).run(proceed)

    def ahead(self, worker: str) -> bool:
        """Have a worker go on with the best of those that have arrived; whether there is one.

        No further than twice as far, where rungs and rounds do not come before.
        """
        found = max(filter(self._may_lead, self._training), key=self._score, default=None)
        if found is None or not self._lesson.plain:
            return False
        one, waiting = self._training[found], self._waiting(found)
        goal = min(one.settings.epochs, 2 * one.epochs)
        (chunk,) = cut([waiting._replace(goal=goal)], 1, self.machine.width)
        lead = Lead(chunk.start, chunk.until, worker, *self.launch(chunk, worker))
        self._shared.send(one.settings, found.replicate, lead)
        return True

    def busy(self) -> list[str]:
        """Workers that have such a network in hand."""
        return [one.worker for one in self._shared.leads.values() if not one.report.done()]

    def _may_lead(self, member: Member) -> bool:
        one = self._training[member]
        arrived = one.diverged_at is None and not one.needs and one.epochs
        more = one.epochs < one.settings.epochs and one.position % one.steps_per_epoch == 0
        return bool(arrived and more and (one.settings, member.replicate) not in self._shared.leads)

    def _score(self, member: Member) -> float:
        score = float(self._training[member].curve[-1][SCORE])
        return score if math.isfinite(score) else -math.inf

    def _overtaken(self) -> list[tuple[Chunk, str, Any, Any]]:
        """What is asked for of that which was done ahead: taken note of, or still in hand.

        What is in hand and not asked for is called off.
        """
        leads, begun = self._shared.leads, []
        for member, one in self._training.items() if self._lesson.plain else ():
            lead = leads.pop((one.settings, member.replicate), None) if one.needs else None
            if lead is None or not lead.fits(one):
                continue
            (chunk,) = cut([self._waiting(member)], 1, self.machine.width)
            chunk = chunk._replace(until=lead.until)
            if not lead.report.done():
                begun.append((chunk, lead.worker, lead.done, lead.report))
            elif lead.report.status == "finished":
                self._shared.crew.trust(lead.worker)
                self.land(chunk, lead.done, lead.report)
        idle = [place for place, lead in leads.items() if not lead.report.done()]
        called_off = [leads.pop(place) for place in idle]
        self._shared.crew.cancel(
            [future for one in called_off for future in (one.report, one.done)]
        )
        return begun

    def home(self, chunk: Chunk) -> str | None:
        """The worker that holds the first of its states."""
        held = self._places.get(chunk.members[0])
        return held.worker if held else None

    def launch(self, chunk: Chunk, worker: str) -> "tuple[Future[Done], Future[Report]]":
        """Give a chunk to a worker; its states as they will be, and the report of it."""
        shared, lesson = self._shared, self._lesson
        jobs = tuple(self._job(member) for member in chunk.members)
        work = Work(jobs, chunk.program, chunk.until, lesson.whole)
        held = [self._places.get(member, Held(None)) for member in chunk.members]
        sources, places = [one.source for one in held], [one.place for one in held]
        done = shared.crew.submit(
            tasks.train, shared.site, work, sources, places, lesson.targets, worker=worker
        )
        report = shared.crew.submit(tasks.report, done)
        shared.crew.tell(report)
        return done, report

    def land(self, chunk: Chunk, done: "Future[Done]", report: "Future[Report]") -> Chunk | None:
        """Take note of a chunk that is done; what is left of it to do."""
        (found,) = self._shared.crew.gather([report])
        self._network_epochs += found.network_epochs
        for place, (member, standing) in enumerate(
            zip(chunk.members, found.standings, strict=True)
        ):
            one = self._training[member]
            one.curve, one.position = list(standing.curve), standing.position
            one.diverged_at = standing.diverged_at
            self._places[member] = Held(done, place, found.worker)
        first = self._training[chunk.members[0]]
        steps = (chunk.until - chunk.start) * first.steps_per_epoch
        self._shared.heard(found, self.machine, first.shape, steps)
        left = [member for member in chunk.members if self._training[member].needs]
        return chunk.rest(left, self.epoch_seconds(chunk.members[0]))

    def params(self, member: Member) -> Any:
        """A member's layers as they are scored and predicted with, as NumPy arrays."""
        if member in self._places:
            self._training[member].load(self._fetched([member])[member])
        try:
            return super().params(member)
        finally:
            self._training[member].state = None

    def keep(self, members: Iterable[Member]) -> None:
        """Drop everyone else; their states are let go of, wherever they lie."""
        before = dict(self._training)
        super().keep(members)
        for one in before.keys() - self._training.keys():
            self._shared.leads.pop((before[one].settings, one.replicate), None)
        self._places = {one: held for one, held in self._places.items() if one in self._training}

    def state(self) -> dict[str, np.ndarray]:
        """Everything `restore` needs to go on, as named arrays, brought here from the workers."""
        fetched = self._fetched([one for one in self._training if one in self._places])
        found: dict[str, np.ndarray] = {}
        for member, one in self._training.items():
            own = fetched.get(member) or one.saved(self._state(one))
            found |= named(member, own)
            if self._lesson.plain and member in fetched and self._places[member].afar:
                self._shared.keep(
                    one.settings, member.replicate, one.position, self._places[member]
                )
        return found

    def restore(
        self, arrays: Mapping[str, np.ndarray], members: Iterable[Member] | None = None
    ) -> None:
        """Put every member, or each of these, where `state` left it.

        Raises:
            RunError: A member is missing, or its arrays do not fit its settings.
        """
        members = self.members if members is None else tuple(members)
        saved = by_member(arrays)
        for member in members:
            one, own = self._training[member], saved[key(member)]
            one.load(own)
            one.state = None
            recalled = self._shared.recall(one.settings, member.replicate, one.position)
            there = recalled if self._lesson.plain else None
            self._places[member] = (there or Held(own))._replace(arrays=own)

    def _waiting(self, member: Member) -> Waiting:
        one, held = self._training[member], self._places.get(member)
        goal = min(one.goal, one.settings.epochs)
        seconds, program = self.epoch_seconds(member), replace(one.shape, epochs=1)
        return Waiting(member, program, one.epochs, goal, seconds, held and held.source)

    def _job(self, member: Member) -> Job:
        """A network as workers are told of it: all multiply in the way that was decided on."""
        one = self._training[member]
        precision = one.shape.arithmetic.precision
        return Job(replace(one.settings, precision=precision), member.replicate)

    def _fetched(self, members: Iterable[Member]) -> dict[Member, Saved]:
        """Arrays of these, which are held somewhere."""
        found: dict[Member, Saved] = {}
        afar: dict[Any, list[Member]] = defaultdict(list)
        for member in members:
            held = self._places[member]
            if held.arrays is None:
                afar[held.source].append(member)
            else:
                found[member] = held.arrays
        crew = self._shared.crew
        picks = [
            crew.submit(tasks.picked, source, [self._places[one].place for one in group])
            for source, group in afar.items()
        ]
        for group, arrays in zip(afar.values(), crew.gather(picks), strict=True):
            found |= dict(zip(group, arrays, strict=True))
        return found
