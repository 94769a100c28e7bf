"""One run, from the first candidate to the winner's weights.

    search/G_K   rung K of generation G (`search.py`)
    audit        some of those that were stopped (`audits.py`)
    finals/B     a block of replicates of the finalists (`repeats.py`)
    stretch      whether the last training bears a stronger disturbance (`stretching.py`)
    refit        the winner, trained on every row that is not sealed
    calibration  how sure it may be (`calibration.py`)
    ensemble     those that predict together with it (`ensembling.py`)
    distill/*    one network that learns from them (`distilling.py`)
    end          nothing is left to do; whatever only served the way here has been let go of

Each is a segment of the record. `Study.run` walks through all of them in order and takes those
that are recorded already from the record, so a resumed run is the same walk: it trains only what
is missing, from the weights of the last rung. A study never sees a test row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from fleetgrad import audits, finals, metrics
from fleetgrad.audits import Audits
from fleetgrad.calibration import Calibration, calibrated
from fleetgrad.candidates import Candidates
from fleetgrad.clock import Clock, Progress
from fleetgrad.distilled import WINNER, Distilled
from fleetgrad.distilling import Distilling
from fleetgrad.ensembling import Ensembling, Partner
from fleetgrad.errors import TrainingError
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.recovery import Recovery
from fleetgrad.repeats import Repeats
from fleetgrad.rounds import Rounds
from fleetgrad.rows import repeated_rows
from fleetgrad.samplers import Sampler
from fleetgrad.search import Search
from fleetgrad.settings import Settings
from fleetgrad.standing import points, trained
from fleetgrad.store import Run
from fleetgrad.stretching import Stretching, as_trained
from fleetgrad.temperatures import cooled
from fleetgrad.trainees import ALONE, Trainees, Trainer, Weights
from fleetgrad.trials import Strategy


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

    `scores` are the finalists' validation scores in the order of `finalists`; both are empty
    when it was interrupted before the end of the finals. `partners` predict together, where an
    ensemble was asked for; `distilled` tells of one network in place of theirs, where that was;
    `calibration` of the winner, where it stands alone.
    """

    leaderboard: Leaderboard
    winner: Winner | None
    finalists: tuple[int, ...]
    scores: Float[np.ndarray, "finalists replicates"]
    interrupted: bool
    partners: tuple[Partner, ...] = ()
    distilled: Distilled | None = None
    calibration: Calibration | None = None


class Study:
    """One run of the search.

    Args:
        run: Its open record.
        proposer: The sampler that halving asks for candidates, or the strategy that decides.
        plan: The schedule.
        trainer: Makes populations.
        seed: Of the bootstrap.
        clock: Kept to where the plan has a time.
        report: Told of progress.
    """

    def __init__(
        self,
        run: Run,
        proposer: Sampler | Strategy,
        plan: Plan,
        trainer: Trainer,
        *,
        seed: int,
        clock: Clock,
        report: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._run, self._plan, self._trainer, self._seed = run, plan, trainer, seed
        metric = metrics.recorded(run.config)
        self._pace = Pace(plan, clock, trainer.lanes, report, metric)
        self._search = _search(run, proposer, plan, trainer, self._pace)
        self._stretching = Stretching(run, plan, trainer, self._pace)
        self._audits = Audits(run, plan, trainer, self._pace, seed)
        self._audited: dict[int, Row] = {}
        self._finalists: dict[int, Row] = {}

    @property
    def network_epochs(self) -> float:
        """Epochs trained and recorded, over all networks and processes of this run."""
        return trained(self._run)

    def run(self) -> Outcome:
        """Search, repeat the finalists, refit the winner; damaged weights are made anew before.

        Raises:
            TrainingError: Every candidate diverged, or the winner did in the end.
            BudgetError: The time ran out before anything was learned.
        """
        Recovery(self._run, self._plan, self._trainer, self._pace).run()
        chosen, table = Candidates((), ()), np.empty((0, 0))
        try:
            self._search.run()
            ahead = self._search.best(self._plan.finalists)
            self._audited = self._audits.rows({row.id: row for row in self._search.rows})
            chosen = self._chosen(ahead)
            table = Repeats(self._run, self._plan, self._trainer, self._pace).table(chosen)
            winner = self._refit(*self._ranked(chosen, table))
            partners = self._partners()
            winner, distilled = self._distilled(winner, partners)
            alone = distilled.kept == WINNER if distilled else not partners
            winner, calibration = self._calibrated(winner) if alone else (winner, None)
        except KeyboardInterrupt:
            leader = self._so_far()
            return Outcome(self._leaderboard(), leader, chosen.ids, table, interrupted=True)
        board = self._leaderboard()
        return Outcome(
            board,
            winner,
            chosen.ids,
            table,
            interrupted=False,
            partners=partners,
            distilled=distilled,
            calibration=calibration,
        )

    def end(self, compile_seconds: float) -> None:
        """Record that all is done, and let go of the search's weights.

        Args:
            compile_seconds: What compiling took.
        """
        if self._run.segment("end") is not None:
            return
        halfway = [
            name
            for name in self._run.weighted()
            if name.startswith("search/") or name == audits.SEGMENT
        ]
        done = {"elapsed": self._pace.elapsed, "compile_s": compile_seconds}
        self._run.commit("end", payload=done, releases=halfway)

    def apart(self, candidate: int) -> Winner | None:
        """The search's own network of a candidate, which has not seen replicate 0's validation.

        None where its weights are not at hand (any more).
        """
        held = self._weights()
        if candidate not in held:
            return None
        settings, view = self._rows()[candidate].settings, self._trainer.view(0)
        return Winner(candidate, settings, held[candidate](), view, refitted=False)

    def _partners(self) -> tuple[Partner, ...]:
        """Those that predict together, where that was asked for."""
        if not self._plan.ensemble:
            return ()
        ensembling = Ensembling(self._run, self._plan, self._trainer, self._pace, self._seed)
        return ensembling.partners(self._at_hand, self._weights)

    def _distilled(
        self, winner: Winner, partners: tuple[Partner, ...]
    ) -> tuple[Winner, Distilled | None]:
        """The winner, with the weights of a student of its partners where that is better."""
        if not self._plan.distill:
            return winner, None
        distilling = Distilling(self._run, self._plan, self._trainer, self._pace)
        found, params = distilling.student(winner.candidate, partners, self._at_hand, self._weights)
        return (winner if params is None else replace(winner, params=params)), found

    def _calibrated(self, winner: Winner) -> tuple[Winner, Calibration | None]:
        """The winner, as sure as it may be."""
        row, epochs = self._at_hand[winner.candidate], self._plan.epochs
        found = calibrated(self._run, self._trainer, row, self._weights, epochs)
        if found is None:
            return winner, None
        return replace(winner, params=cooled(winner.params, found.temperature)), found

    def _leaderboard(self) -> Leaderboard:
        rows = (self._rows() | self._finalists).values()
        return Leaderboard(rows, metrics.recorded(self._run.config).name)

    def _rows(self) -> dict[int, Row]:
        """What search and audit know of each candidate."""
        return self._searched | self._audited

    @property
    def _searched(self) -> dict[int, Row]:
        """What the search alone knows of each candidate."""
        return {row.id: row for row in self._search.rows}

    @property
    def _at_hand(self) -> dict[int, Row]:
        """What is known of each candidate as far as `_weights` go: of those audited, some are kept.

        The others' lie where the search had paused, if anywhere.
        """
        kept = audits.kept(self._run)
        return self._searched | {one: self._audited[one] for one in kept}

    def _weights(self) -> dict[int, Weights]:
        """The weights at hand of networks that have not seen replicate 0's validation; by id."""
        everyone = {one: row.settings for one, row in self._searched.items()}
        return self._search.stopped() | self._audits.weights(everyone)

    def _chosen(self, ahead: Candidates) -> Candidates:
        """The finalists: the best of those ahead in the search and of those that were audited."""
        rows, epochs = self._rows(), self._plan.epochs
        audited = [row.id for row in self._audited.values() if not math.isnan(row.score)]
        if not audited:
            return ahead
        pool = [*ahead.ids, *(one for one in audited if one not in ahead.ids)]

        def place(one: int) -> tuple[float, float]:
            row = rows[one]
            return -min(1.0, row.epochs / min(epochs, row.settings.epochs)), -row.score

        pool.sort(key=place)
        pool = pool[: self._plan.finalists]
        return Candidates(tuple(pool), tuple(rows[one].settings for one in pool))

    def _ranked(self, chosen: Candidates, table: np.ndarray) -> tuple[int, Settings]:
        """Write the finals into the leaderboard; returns the winner.

        Where the time was up before the finals, the search alone has decided.
        """
        if table.size == 0:
            return chosen.ids[0], chosen.settings[0]
        rows = self._rows()
        metric = metrics.recorded(self._run.config)
        self._finalists = repeated_rows(rows, chosen.ids, table, metric, seed=self._seed)
        best = finals.rank(table)[0]
        if not np.isfinite(table[best]).all():
            raise TrainingError(
                "a winner must train soundly from every seed, got none of the finalists that "
                "does; lower the range of `learning_rate`."
            )
        return chosen.ids[best], chosen.settings[best]

    def _refit(self, candidate: int, settings: Settings) -> Winner:
        done = self._run.segment("refit")
        if done is None:
            self._stretching.settle(candidate, settings)
            lasting = self._lasting(settings)
            settings = as_trained(self._run, self._plan, settings, lasting)
            population, view = self._trainer.refit(settings)
            self._learn_all(candidate, population, lasting)
        else:
            settings = as_trained(self._run, self._plan, settings, done.get("lasting"))
            population, view = self._trainer.refit(settings)
            population.restore(self._run.weights("refit"))
        return Winner(candidate, settings, population.params(ALONE), view, refitted=True)

    def _lasting(self, settings: Settings) -> int:
        """Epochs of the winner's last training; others that join it are what a long one is for."""
        if self._plan.ensemble:
            return self._plan.epochs
        return self._pace.lasting(self._trainer.epoch_costs([settings]))

    def _learn_all(self, candidate: int, population: Trainees, lasting: int) -> None:
        """Train the winner on all rows, and record it."""
        stage = Stage("refit", 1, 1, trained(self._run))
        population.advance(lasting, self._pace.proceed(stage, population))
        if population.diverged_at(ALONE) is not None:
            raise TrainingError(
                f"the winner must train soundly on all rows too, got candidate {candidate}, which "
                "diverged; lower the range of `learning_rate`."
            )
        done = {
            "candidate": candidate,
            "lasting": lasting,
            "epochs": len(population.curve(ALONE)),
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [one._replace(candidate=candidate) for one in points("refit", population, ALONE)]
        self._run.commit("refit", payload=done, curves=curves, weights=population.state())

    def _so_far(self) -> Winner | None:
        """After an interrupt: whoever leads of those whose weights are at hand."""
        weights = self._weights()
        for row in self._leaderboard():
            if row.id in weights and not math.isnan(row.score):
                view = self._trainer.view(0)
                return Winner(row.id, row.settings, weights[row.id](), view, refitted=False)
        return None


def _search(
    run: Run, proposer: Sampler | Strategy, plan: Plan, trainer: Trainer, pace: Pace
) -> Search | Rounds:
    if isinstance(proposer, Strategy):
        return Rounds(run, proposer, plan, trainer, pace)
    return Search(run, proposer, plan, trainer, pace)
