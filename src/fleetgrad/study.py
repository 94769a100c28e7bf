"""One run of the search, and its only loop: ask, train, rung, tell, record.

    search/G_K   rung K of generation G: who stopped, who goes on
    finals/B     a block of replicates of the finalists
    refit        the winner, trained on every row that is not sealed

Each is a segment of the record. `Study.run` walks through all of them in order and takes those
that are recorded already from the record, so a resumed run is the same walk: it trains only what
is missing, from the weights of the last rung. A study never sees a test row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fleetgrad import finals
from fleetgrad.candidates import Candidates
from fleetgrad.clock import Clock, Progress, Throttle
from fleetgrad.errors import BudgetError, TrainingError
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.plan import REPLICATES, Plan
from fleetgrad.rungs import survivors
from fleetgrad.samplers import Sampler
from fleetgrad.settings import Settings
from fleetgrad.standing import accuracy, number, points, score, standing
from fleetgrad.store import Run
from fleetgrad.trainees import Member, Trainees, Trainer

END_SECONDS = 1.0  # kept back for saving the model and opening the test part


@dataclass(frozen=True)
class Winner:
    """The winner's weights, from the refit (or, after an interrupt, from the search)."""

    candidate: int
    settings: Settings
    params: Any
    view: Any
    refitted: bool


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    `scores` are the finalists' validation accuracies, shape (finalists, replicates), in the order
    of `finalists`; empty when it was interrupted before the finals.
    """

    leaderboard: Leaderboard
    winner: Winner | None
    finalists: tuple[int, ...]
    scores: np.ndarray
    interrupted: bool


class Study:
    """One run of the search.

    Args:
        run: Its open record.
        sampler: Asked for candidates.
        plan: The schedule.
        trainer: Makes populations.
        seed: Of the bootstrap.
        clock: Kept to where the plan has a time.
        report: Told of progress.
    """

    def __init__(
        self,
        run: Run,
        sampler: Sampler,
        plan: Plan,
        trainer: Trainer,
        *,
        seed: int,
        clock: Clock,
        report: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._run, self._sampler, self._plan = run, sampler, plan
        self._trainer, self._seed, self._clock, self._report = trainer, seed, clock, report
        self._candidates: dict[int, Settings] = {}
        self._rows: dict[int, Row] = {}
        self._population: Trainees | None = None
        self._trained = sum(
            (run.segment(name) or {}).get("network_epochs", 0.0) for name in run.segments()
        )

    @property
    def network_epochs(self) -> float:
        """Epochs trained over all networks and processes of this run."""
        return self._trained

    def run(self) -> Outcome:
        """Search, repeat the finalists, refit the winner.

        Raises:
            TrainingError: Every candidate diverged.
            BudgetError: The time ran out before anything was learned.
        """
        table = np.empty((0, 0))
        chosen: tuple[int, ...] = ()
        try:
            for generation in range(len(self._plan.generations)):
                self._search(generation)
            chosen = self._choose()
            table = self._finals(chosen)
            winner = self._refit(self._ranked(chosen, table))
        except KeyboardInterrupt:
            return Outcome(Leaderboard(self._rows.values()), self._so_far(), chosen, table, True)
        return Outcome(Leaderboard(self._rows.values()), winner, chosen, table, False)

    def _search(self, generation: int) -> None:
        """One generation: ask, then rung by rung train, drop, record; at last tell."""
        size = self._plan.generations[generation]
        candidates = self._sampler.ask(size)
        self._run.put_candidates(generation, candidates)
        self._candidates |= dict(candidates)
        schedule = self._plan.rungs(generation)
        alive = candidates.ids
        self._population = None
        for rung, (until, keep) in enumerate(schedule):
            name = f"search/{generation}_{rung}"
            done = self._run.segment(name)
            if done is None:
                place = (rung + 1, len(schedule))
                done = self._rung(name, generation, candidates.only(alive), (until, keep), place)
            self._note_rung(done, last=rung + 1 == len(schedule))
            alive = tuple(done["survivors"])
            if not alive or done["cut"]:
                break
        scores = [self._rows[candidate].score for candidate in candidates.ids]
        self._sampler.tell(candidates, scores)

    def _rung(
        self,
        name: str,
        generation: int,
        candidates: Candidates,
        goal: tuple[int, int],
        place: tuple[int, int],
    ) -> dict[str, Any]:
        """Train to the rung's epoch, decide who goes on, and record it all."""
        population = self._resumed(generation, candidates, place[0] - 1)
        members = population.members
        before = {member: len(population.curve(member)) for member in members}
        trained = population.network_epochs
        arrived = population.advance(goal[0], self._proceed("search", population, place))
        ranked = survivors([score(population, member) for member in members], goal[1])
        done = {
            "rung": [standing(population, member) for member in members],
            "survivors": [members[position].candidate for position in ranked],
            "until": goal[0],
            "cut": not arrived,
            "network_epochs": population.network_epochs - trained,
            "elapsed": self._clock.elapsed,
        }
        curves = [
            point
            for member in members
            for point in points("search", population, member, before[member])
        ]
        population.keep(Member(candidate, 0) for candidate in done["survivors"])
        self._run.commit(name, payload=done, curves=curves, weights=population.state())
        self._trained += done["network_epochs"]
        return done

    def _resumed(self, generation: int, candidates: Candidates, rung: int) -> Trainees:
        """The population at the beginning of a rung, from memory or from the record."""
        if self._population is None:
            settings = {Member(candidate, 0): one for candidate, one in candidates}
            self._population = self._trainer.populate(settings)
            if rung > 0:
                saved = self._run.weights(f"search/{generation}_{rung - 1}")
                self._population.restore(saved)
        return self._population

    def _note_rung(self, done: dict[str, Any], *, last: bool) -> None:
        for found in done["rung"]:
            candidate = found["candidate"]
            goes_on = candidate in done["survivors"]
            status = "unfinished" if goes_on and not last else "stopped"
            if done["cut"] and found["epochs"] < done["until"]:
                status = "unfinished"
            if found["diverged_step"] is not None:
                status = "diverged"
            self._rows[candidate] = Row(
                id=candidate,
                settings=self._candidates[candidate],
                status=status,  # type: ignore[arg-type]
                epochs=found["epochs"],
                score=number(found["score"]),
                best_epoch=found["best_epoch"],
                diverged_step=found["diverged_step"],
            )

    def _choose(self) -> tuple[int, ...]:
        """The finalists: the best of those trained longest."""
        sound = [row for row in self._rows.values() if not math.isnan(row.score)]
        if not sound:
            if self._rows and all(row.status == "diverged" for row in self._rows.values()):
                raise TrainingError(
                    f"a search needs a candidate that learns, got {len(self._rows)} that all "
                    "diverged; lower the range of `learning_rate`."
                )
            raise BudgetError(
                f"the budget must be enough for one epoch of one candidate, got "
                f"{self._clock.seconds:g} s; double it."
            )
        furthest = max(row.epochs for row in sound)
        best = sorted(sound, key=lambda row: (row.epochs < furthest, -row.score, row.id))
        return tuple(row.id for row in best[: self._plan.finalists])

    def _finals(self, chosen: tuple[int, ...]) -> np.ndarray:
        """The finalists' accuracies over replicates on fresh splits, block by block of replicates.

        Replicate 0 was the search's own; finals count from 1. A block that would not be over in
        time is not begun, except the first.
        """
        table = np.empty((len(chosen), 0))
        block = 0
        while table.shape[1] < self._plan.replicates:
            first = 1 + table.shape[1]
            last = min(first + self._block(), 1 + self._plan.replicates)
            members = tuple(Member(c, r) for r in range(first, last) for c in chosen)
            done = self._run.segment(f"finals/{block}")
            if done is None:
                done = self._final(block, members, optional=block > 0)
            if done["stopped"]:
                break
            found = np.array([number(score) for score in done["scores"]])
            table = np.hstack([table, found.reshape(last - first, len(chosen)).T])
            block += 1
        return table

    def _block(self) -> int:
        """Replicates a block: all at once, or few where a clock may end it."""
        return self._plan.replicates if self._clock.seconds is None else self._trainer.lanes

    def _final(self, block: int, members: tuple[Member, ...], *, optional: bool) -> dict[str, Any]:
        settings = {member: self._candidates[member.candidate] for member in members}
        population = self._population = self._trainer.populate(settings)
        waves = math.ceil(len(members) / self._trainer.lanes)
        cost = waves * self._slowest(members) + self._refit_seconds(members)
        stopped = optional and self._clock.left < cost + END_SECONDS
        if not stopped:
            proceed = self._proceed("finals", population, (block + 1, 0))
            stopped = not population.advance(self._plan.epochs, proceed) and optional
        done = {
            "members": [list(member) for member in members],
            "scores": [] if stopped else [accuracy(population, member) for member in members],
            "stopped": stopped,
            "network_epochs": population.network_epochs,
            "elapsed": self._clock.elapsed,
        }
        curves = [] if stopped else [p for m in members for p in points("finals", population, m)]
        self._run.commit(f"finals/{block}", payload=done, curves=curves)
        self._trained += population.network_epochs
        return done

    def _ranked(self, chosen: tuple[int, ...], table: np.ndarray) -> int:
        """Write the finals into the leaderboard; returns the winner's id."""
        order = finals.rank(table)
        tied = finals.ties(table, seed=self._seed)
        for position, candidate in enumerate(chosen):
            scores = table[position]
            self._rows[candidate] = replace(
                self._rows[candidate],
                status="finalist",
                mean=float(scores.mean()) if np.isfinite(scores).all() else math.nan,
                interval=finals.mean_interval(scores),
                replicates=len(scores),
                tied=position in tied,
            )
        if not np.isfinite(table[order[0]]).all():
            raise TrainingError(
                "a winner must train soundly from every seed, got none of the finalists that "
                "does; lower the range of `learning_rate`."
            )
        return chosen[order[0]]

    def _refit(self, candidate: int) -> Winner:
        settings = self._candidates[candidate]
        population, view = self._trainer.refit(settings)
        self._population = population
        member = population.members[0]
        if self._run.segment("refit") is None:
            proceed = self._proceed("refit", population, (1, 1))
            population.advance(settings.epochs, proceed)
            done = {
                "candidate": candidate,
                "epochs": len(population.curve(member)),
                "network_epochs": population.network_epochs,
                "elapsed": self._clock.elapsed,
            }
            curves = points("refit", population, member)
            self._run.commit("refit", payload=done, curves=curves, weights=population.state())
            self._trained += population.network_epochs
        else:
            population.restore(self._run.weights("refit"))
        return Winner(candidate, settings, population.params(member), view, refitted=True)

    def _so_far(self) -> Winner | None:
        """After an interrupt: the best network at hand, as far as it was trained."""
        population = self._population
        if population is None:
            return None
        scores = [score(population, member) for member in population.members]
        ranked = survivors(scores, 1)
        if not ranked:
            return None
        best = population.members[ranked[0]]
        view = self._trainer.view(best.replicate)
        settings = self._candidates[best.candidate]
        return Winner(best.candidate, settings, population.params(best), view, refitted=False)

    def _proceed(
        self, phase: str, population: Trainees, place: tuple[int, int]
    ) -> Callable[[], bool]:
        """The question lanes ask before every stretch; it reports progress on the way."""
        throttle = Throttle()
        members = population.members
        reserve = {"search": self._ending(members), "finals": self._refit_seconds(members)}
        kept_back = END_SECONDS + reserve.get(phase, 0.0)

        def report() -> None:
            nonlocal kept_back
            if phase == "search":
                kept_back = END_SECONDS + self._ending(members)
            self._report(self._progress(phase, population, place))

        def proceed() -> bool:
            throttle(report)
            return self._clock.left > kept_back

        return proceed

    def _progress(self, phase: str, population: Trainees, place: tuple[int, int]) -> Progress:
        members = population.members
        scores = [accuracy(population, member) for member in members]
        scores += [row.score for row in self._rows.values()] if phase == "search" else []
        left = self._clock.left
        return Progress(
            phase=phase,
            rung=place[0],
            rungs=place[1],
            alive=sum(population.diverged_at(member) is None for member in members),
            best=max((one for one in scores if not math.isnan(one)), default=math.nan),
            network_epochs=self._trained + population.network_epochs,
            elapsed=self._clock.elapsed,
            left=None if math.isinf(left) else max(0.0, left),
        )

    def _ending(self, members: tuple[Member, ...]) -> float:
        """Seconds to keep back for the fewest replicates of the finals, and the refit."""
        fewest = min(REPLICATES, self._plan.replicates)
        waves = math.ceil(self._plan.finalists * fewest / self._trainer.lanes)
        return waves * self._slowest(members) + self._refit_seconds(members)

    def _refit_seconds(self, members: tuple[Member, ...]) -> float:
        return 1.25 * self._slowest(members)  # a fifth more rows, on one lane

    def _slowest(self, members: tuple[Member, ...]) -> float:
        """Seconds a lane needs to train the most expensive of these from start to end."""
        assert self._population is not None
        return self._plan.epochs * max(map(self._population.epoch_seconds, members))
