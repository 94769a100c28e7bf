"""The search: generation by generation ask, rung by rung train and drop, at last tell.

    search/G_K   rung K of generation G: who stopped, who goes on, and their weights

Each rung is a segment of the record; those that are there already are taken from it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from fleetgrad import metrics
from fleetgrad.candidates import Candidates
from fleetgrad.leaderboard import Row
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.rows import best_of, leaders, rung_rows
from fleetgrad.rungs import survivors
from fleetgrad.samplers import Sampler
from fleetgrad.settings import Settings
from fleetgrad.standing import points, score, standing, trained
from fleetgrad.store import Run
from fleetgrad.trainees import Member, Trainees, Trainer, Weights


class Rung(NamedTuple):
    """One rung of one generation: train until an epoch, keep so many."""

    generation: int
    number: int
    rungs: int
    until: int
    keep: int

    @property
    def last(self) -> bool:
        """Whether the generation ends with it."""
        return self.number + 1 == self.rungs

    @property
    def name(self) -> str:
        """Of its segment."""
        return f"search/{self.generation}_{self.number}"

    @property
    def before(self) -> tuple[str, ...]:
        """The segment of the rung before, whose weights it goes on from; none for the first."""
        return (self._replace(number=self.number - 1).name,) if self.number else ()


class Search:
    """All generations of a run.

    Args:
        run: Its open record.
        sampler: Asked for candidates.
        plan: The schedule.
        trainer: Makes populations.
        pace: Says when to stop.
    """

    def __init__(
        self, run: Run, sampler: Sampler, plan: Plan, trainer: Trainer, pace: Pace
    ) -> None:
        self._run, self._sampler, self._plan = run, sampler, plan
        self._trainer, self._pace = trainer, pace
        self._metric = metrics.recorded(run.config)
        self._settings: dict[int, Settings] = {}  # of each candidate
        self._rows: dict[int, Row] = {}
        self._reach: dict[int, int] = {}  # until when whoever asked for less has been judged
        self._population: Trainees | None = None  # of the generation in hand

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is known of each candidate."""
        return tuple(self._rows.values())

    def run(self) -> None:
        """Go through the generations, until the time or the space is used up."""
        for generation in range(len(self._plan.generations)):
            if not self._generation(generation):
                break

    def best(self, count: int) -> Candidates:
        """The best of those that came furthest, best first.

        Raises:
            TrainingError: Every candidate diverged.
            BudgetError: The time ran out before anything was learned.
        """
        return self._only(leaders(self.rows, self._reach, count, self._plan.seconds))

    def stopped(self) -> dict[int, Weights]:
        """After an interrupt: bring `rows` up to date; whose weights are at hand, by id."""
        if self._population is not None:
            self._note_unfinished(self._population)
        held = _weights(self._population)
        return self._recorded(held) | held

    def _generation(self, generation: int) -> bool:
        """One generation; whether there is time, and a point of the space, for another."""
        candidates = self._sampler.ask(self._plan.generations[generation])
        if not candidates:
            return False
        self._run.put_candidates(generation, candidates)
        self._settings |= dict(candidates)
        schedule, alive, cut = self._plan.rungs(generation), candidates, False
        for position, (until, keep) in enumerate(schedule):
            rung = Rung(generation, position, len(schedule), until, keep)
            done = self._run.segment(rung.name)
            if done is None:
                done = self._train(rung, alive)
            else:
                self._note(done, last=rung.last)
            alive, cut = candidates.only(done["survivors"]), done["cut"]
            if cut or not alive:
                break
        self._population = None  # its last weights are on record
        self._sampler.tell(candidates, [self._rows[one].score for one in candidates.ids])
        return not cut

    def _train(self, rung: Rung, alive: Candidates) -> dict[str, Any]:
        """Train to the rung's epoch, decide who goes on, and record it all."""
        population = self._population = self._population or self._resumed(rung, alive)
        members = population.members
        before = {member: len(population.curve(member)) for member in members}
        began = population.network_epochs
        best = best_of(self.rows)
        stage = Stage("search", rung.number + 1, rung.rungs, trained(self._run), best)
        arrived = population.advance(rung.until, self._pace.proceed(stage, population))
        ranked = survivors(
            [score(population, member, self._metric) for member in members], rung.keep
        )
        done = {
            "rung": [standing(population, member) for member in members],
            "survivors": [members[position].candidate for position in ranked],
            "until": rung.until,
            "cut": not arrived,
            "network_epochs": population.network_epochs - began,
            "elapsed": self._pace.elapsed,
        }
        self._note(done, last=rung.last)  # now: an interrupt may come when the losers are gone
        curves = [
            point
            for member in members
            for point in points("search", population, member, before[member])
        ]
        population.keep(members[position] for position in ranked)
        weights, releases = population.state(), rung.before
        self._run.commit(rung.name, payload=done, curves=curves, weights=weights, releases=releases)
        return done

    def _resumed(self, rung: Rung, alive: Candidates) -> Trainees:
        """The population at the beginning of a rung: new, or from the record."""
        population = self._trainer.populate(_members(alive))
        if rung.number > 0:
            population.restore(self._run.weights(*rung.before))
        return population

    def _recorded(self, held: Mapping[int, Weights]) -> dict[int, Weights]:
        """Those whose weights are on record and not at hand: of generations before."""
        found: dict[int, Weights] = {}
        for name in self._run.weighted():
            done = (self._run.segment(name) or {}) if name.startswith("search/") else {}
            ids = [one for one in done.get("survivors", ()) if one not in held]
            if not ids or not self._settings.keys() >= set(ids):
                continue
            population = self._trainer.populate(_members(self._only(ids)))
            population.restore(self._run.weights(name), population.members)
            found |= _weights(population)
        return found

    def _only(self, ids: Sequence[int]) -> Candidates:
        return Candidates(tuple(ids), tuple(self._settings[one] for one in ids))

    def _note(self, done: dict[str, Any], *, last: bool) -> None:
        rows = rung_rows(done, self._settings, last=last)
        self._rows |= rows
        for candidate, row in rows.items():
            if done["until"] > row.epochs >= row.settings.epochs:
                self._reach[candidate] = done["until"]

    def _note_unfinished(self, population: Trainees) -> None:
        found = [standing(population, member) for member in population.members]
        everyone = [one["candidate"] for one in found]
        self._note({"rung": found, "survivors": everyone, "until": 0, "cut": True}, last=False)


def _members(candidates: Candidates) -> dict[Member, Settings]:
    return {Member(candidate): settings for candidate, settings in candidates}


def _weights(population: Trainees | None) -> dict[int, Weights]:
    if population is None:
        return {}
    return {one.candidate: partial(population.params, one) for one in population.members}
