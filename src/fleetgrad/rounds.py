"""The search that pauses and goes on, round by round, as a strategy decides.

    search/N     round N: some candidates go on from where they had paused, others are new
    searched     there are no more

Nobody is given up for good: a candidate pauses with its weights on the disk, and goes on when the
strategy wants to know more of it (freeze and thaw: Swersky, Snoek and Adams 2014). Each round is a
segment of the record; those that are there already are taken from it.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fleetgrad.candidates import Candidates
from fleetgrad.leaderboard import Row
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.rows import best_of, furthest, leaders, rung_rows
from fleetgrad.standing import points, standing
from fleetgrad.store import CurvePoint, Run
from fleetgrad.trainees import Member, Trainees, Trainer, Weights, fetched, populated, renamed
from fleetgrad.trials import Step, Strategy, Trial

if TYPE_CHECKING:
    from fleetgrad.settings import Settings

OVER = "searched"  # the segment that says so


class Rounds:
    """All rounds of a run.

    Args:
        run: Its open record.
        strategy: Decides what each round trains.
        plan: Says how much may be spent.
        trainer: Makes populations.
        pace: Says when to stop.
    """

    def __init__(
        self, run: Run, strategy: Strategy, plan: Plan, trainer: Trainer, pace: Pace
    ) -> None:
        self._run, self._strategy, self._plan = run, strategy, plan
        self._trainer, self._pace = trainer, pace
        self._asked: dict[int, Candidates] = {}  # new ones of each round, as found on record
        self._settings: dict[int, Settings] = {}
        self._rows: dict[int, Row] = {}
        self._scores: dict[int, list[float]] = {}
        self._held: dict[int, str] = {}  # the segment that has each one's weights
        self._files: dict[str, Mapping[str, np.ndarray]] = {}  # segments' weights, on the disk
        self._memory: Mapping[str, Any] | None = None
        self._spent = 0.0
        self._population: Trainees | None = None  # of the round in hand

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is known of each candidate."""
        return tuple(self._rows.values())

    def run(self) -> None:
        """Go through the rounds, until the strategy or the budget ends them."""
        self._recall()
        if self._run.segment(OVER) is not None:
            return
        for number in itertools.count():
            done = self._run.segment(f"search/{number}") or self._round(number)
            if done is None or done["cut"]:
                break
        # A clock that is asked again might find time for more.
        self._run.commit(OVER, payload={"elapsed": self._pace.elapsed})

    def best(self, count: int) -> Candidates:
        """The best of those that came furthest, best first.

        Raises:
            TrainingError: Every candidate diverged.
            BudgetError: The time ran out before anything was learned.
        """
        chosen = leaders(self.rows, {}, count, self._plan.seconds)
        return Candidates(tuple(chosen), tuple(self._settings[one] for one in chosen))

    def stopped(self) -> dict[int, Weights]:
        """After an interrupt: bring `rows` up to date; whose weights are at hand, by id."""
        found: dict[int, Weights] = {one: partial(self._params, one) for one in self._held}
        population = self._population
        if population is not None:
            members = population.members
            states = [standing(population, member) for member in members]
            everyone = [member.candidate for member in members]
            done = {"rung": states, "survivors": everyone, "until": 0, "cut": True}
            self._rows |= rung_rows(done, self._settings, last=False)
            found |= {one.candidate: partial(population.params, one) for one in members}
        return found

    def _recall(self) -> None:
        """Take what is on record."""
        self._asked = self._run.generations()
        for candidates in self._asked.values():
            self._settings |= dict(candidates)
        for name in self._run.segments():
            if name.startswith("search/"):
                done = self._run.segment(name) or {}
                self._learn(done)
                held = self._held | dict.fromkeys(done["kept"], name)
                self._held = {one: held[one] for one in done["held"]}
        self._follow([point for point in self._run.curves() if point.phase == "search"])

    def _round(self, number: int) -> dict[str, Any] | None:
        """Decide, train, record; None where there is nothing left to do."""
        step = self._strategy.decide(self._trials(), self._left(), self._memory)
        if not step:
            return None
        population = self._population = self._begun(number, step)
        members = population.members
        # Whoever goes on with another's training has that one's epochs for its own.
        before = {m: len(population.curve(m)) if m.candidate in self._rows else 0 for m in members}
        goals = {member: step.goals.get(member.candidate, step.until) for member in members}
        best = best_of(self.rows)
        stage = Stage("search", number + 1, 0, self._spent, best, self._leading(), goals)
        arrived = population.advance(goals, self._pace.proceed(stage, population))
        done = {
            "rung": [standing(population, member) for member in members],
            "survivors": [],
            "until": min(goals.values()) if not arrived else 0,
            "cut": not arrived,
            "memory": step.memory,
            "parents": list(step.parents),
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [p for m in members for p in points("search", population, m, before[m])]
        self._commit(f"search/{number}", done, curves, population)
        self._population = None
        return done

    def _left(self) -> float:
        """Epochs of a typical network that may still be spent."""
        if self._plan.seconds is None:
            return (self._plan.passes or 0) - self._spent
        return self._pace.spendable(self._spent, self._leading())

    def _leading(self) -> float | None:
        """What an epoch of those ahead takes a lane; None before there are any."""
        costs = [self._trainer.epoch_cost(self._settings[one]) for one in self._ahead()]
        return sum(costs) / len(costs) if costs else None

    def _begun(self, number: int, step: Step) -> Trainees:
        """The round's networks: new ones, and those that go on from where they paused."""
        fresh = self._asked.get(number)  # of a round that was cut short
        if fresh is None:
            fresh = Candidates.numbered(step.fresh, len(self._settings))
            self._run.put_candidates(number, fresh)
        self._settings |= dict(fresh)
        again = [one for one in step.goals if one not in fresh.ids]
        population = populated(self._trainer, (*again, *fresh.ids), self._settings)
        begun = {one: one for one in again if one in self._held}
        begun |= dict(zip(fresh.ids, step.parents, strict=False))  # most strategies have none
        arrays = [self._arrays(source, one) for one, source in begun.items()]
        paused = [Member(one) for one in begun]
        population.restore({name: a for held in arrays for name, a in held.items()}, paused)
        return population

    def _commit(
        self,
        name: str,
        done: dict[str, Any],
        curves: Sequence[CurvePoint],
        population: Trainees,
    ) -> None:
        """Record the round, and let go of weights that nobody will ask for any more."""
        self._follow(curves)
        self._learn(done)
        wanted = {*self._strategy.wanted(self._trials()), *self._ahead()}
        sound = [one for one in population.members if population.diverged_at(one) is None]
        staying = [member for member in sound if member.candidate in wanted]
        done["kept"] = [member.candidate for member in staying]
        held = {one: segment for one, segment in self._held.items() if one in wanted}
        held |= dict.fromkeys(done["kept"], name)
        done["held"] = list(held)
        released = {*self._held.values()} - {*held.values()}
        population.keep(staying)
        weights = population.state() if staying else None
        self._run.commit(name, payload=done, curves=curves, weights=weights, releases=released)
        self._held = held
        self._files = {one: self._files[one] for one in self._files if one in held.values()}

    def _learn(self, done: Mapping[str, Any]) -> None:
        """What a round's payload says of its candidates, and of what it cost."""
        self._spent += done["network_epochs"]
        self._memory = done["memory"]
        self._rows |= rung_rows(done, self._settings, last=True)

    def _follow(self, curves: Sequence[CurvePoint]) -> None:
        for point in curves:
            self._scores.setdefault(point.candidate, []).append(point.validation_score)

    def _trials(self) -> list[Trial]:
        return [
            Trial(
                row.id,
                row.settings,
                tuple(score for score in self._scores.get(row.id, ()) if math.isfinite(score)),
                diverged=row.status == "diverged",
                kept=row.id in self._held,
            )
            for row in sorted(self.rows, key=lambda row: row.id)
        ]

    def _ahead(self) -> list[int]:
        """Those that would be the finalists if the search ended now."""
        return furthest(self.rows, {}, self._plan.finalists)

    def _arrays(self, candidate: int, own: int) -> dict[str, np.ndarray]:
        """A paused candidate's arrays as they lie on the disk, under the name of another."""
        segment = self._held[candidate]
        if segment not in self._files:
            self._files[segment] = self._run.weights(segment)
        return renamed(self._files[segment], Member(candidate), Member(own))

    def _params(self, candidate: int) -> Any:
        arrays = self._arrays(candidate, candidate)
        return fetched(self._trainer, candidate, self._settings, arrays)
