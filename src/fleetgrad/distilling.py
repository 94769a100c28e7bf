"""One network of the winner's settings learns what the ensemble knows.

Each row's target lies between its label and what the ensemble says of it (Bucilă, Caruana and
Niculescu-Mizil 2006; Hinton, Vinyals and Dean 2015). First a trial on the search's own split, whose
held-out rows show what is kept of the ensemble's gain; then, if the student is better there than
the winner, the same with the refitted networks on all rows. `distilled` tells what is recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fleetgrad.distilled import REFIT, STUDENT, TRIAL, WINNER, Distilled, Score, on_record
from fleetgrad.ensembling import Partner
from fleetgrad.leaderboard import Row
from fleetgrad.metrics import Metric, recorded
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.rows import is_whole
from fleetgrad.selection import Counts, log_loss
from fleetgrad.settings import Settings
from fleetgrad.standing import points, trained
from fleetgrad.store import CurvePoint, Run
from fleetgrad.temperatures import cooled
from fleetgrad.trainees import ALONE, Member, Trainees, Trainer

PART = 0.5  # the teachers' share of a target

Weights = Callable[[], Mapping[int, Callable[[], Any]]]


class Distilling:
    """The distillation of a run's ensemble.

    Args:
        run: Its open record.
        plan: Says how long networks train.
        trainer: Makes populations, and knows the rows.
        pace: Says when to stop.
    """

    def __init__(self, run: Run, plan: Plan, trainer: Trainer, pace: Pace) -> None:
        self._run, self._plan, self._trainer, self._pace = run, plan, trainer, pace
        self._spent = 0.0  # network-epochs that are not on record yet

    def student(
        self,
        winner: int,
        partners: Sequence[Partner],
        rows: Mapping[int, Row],
        weights: Weights,
    ) -> tuple[Distilled, Any]:
        """What came of it, and the student's weights if it takes the winner's place.

        Args:
            winner: Its id.
            partners: The ensemble, refitted; nothing is learned where there is none.
            rows: What the search knows of everyone.
            weights: Gives the search's weights that are at hand, by id.
        """
        trial = self._run.segment(TRIAL)
        if trial is None:
            trial = self._trial(winner, partners, rows, weights())
        settings, params = rows[winner].settings, None
        if trial["kept"] == STUDENT:
            params = self._refitted(winner, settings, partners)
        found = on_record(self._run)
        assert found is not None
        return found, params

    def _trial(
        self,
        winner: int,
        partners: Sequence[Partner],
        rows: Mapping[int, Row],
        weights: Mapping[int, Callable[[], Any]],
    ) -> dict[str, Any]:
        """Compare a student with winner and ensemble, all on one split, and record it."""
        wanted = {winner, *(partner.candidate for partner in partners)}
        known = self._trained(wanted, rows, weights) if partners else None
        teachers: list[Partner] = []
        pupil = None
        if known is not None:
            teachers = [_as_searched(partner, known[partner.candidate]) for partner in partners]
            pupil = self._taught(teachers, rows[winner].settings)
        scores, kept, reason = None, WINNER, "no time" if partners else "no ensemble"
        if known is not None and pupil is not None:
            scores = self._scores(known[winner], teachers, rows[winner].settings, pupil)
            kept, reason = _judged(scores)
        done = {
            "candidate": winner,
            "teachers": {str(partner.candidate): partner.weight for partner in partners},
            "part": PART,
            "validation": scores,
            "rows": len(self._trainer.labels()),
            "kept": kept,
            "reason": reason,
        }
        curves = _curves("distill_trial", winner, pupil) if pupil is not None else []
        return self._commit(TRIAL, done, curves)

    def _taught(self, teachers: Sequence[Partner], settings: Settings) -> Trainees | None:
        """A student of the search's networks; None where there is no time for it and a refit."""
        said = _together(teachers, partial(self._trainer.teach, refitted=False))
        pupil = self._trainer.pupil(settings, said, PART, refitted=False)
        return pupil if self._pace.affords(pupil) and self._train(pupil) else None

    def _trained(
        self,
        wanted: set[int],
        rows: Mapping[int, Row],
        weights: Mapping[int, Callable[[], Any]],
    ) -> dict[int, Any] | None:
        """These networks' weights after the search; None where there is no time to get them.

        Those whose weights are not at hand go through the same training again.
        """
        epochs = self._plan.epochs
        held = {one for one in wanted if one in weights and is_whole(rows[one], epochs)}
        found = {one: weights[one]() for one in held}
        again = {Member(one): rows[one].settings for one in sorted(wanted - held)}
        if again:
            population = self._trainer.populate(again)
            if not (self._pace.affords(population) and self._train(population)):
                return None
            found |= {member.candidate: population.params(member) for member in again}
        return found

    def _scores(
        self, winner: Any, teachers: Sequence[Partner], settings: Settings, pupil: Trainees
    ) -> dict[str, Score]:
        """Of winner, ensemble and, if it has not diverged, student."""
        ask = self._trainer.probabilities
        asked = {WINNER: ask(settings, winner), "ensemble": _together(teachers, ask)}
        if pupil.diverged_at(ALONE) is None:
            asked[STUDENT] = ask(settings, pupil.params(ALONE))
        known = self._trainer.labels(), self._trainer.row_weights()
        metric = recorded(self._run.config)
        return {name: _score(metric, one, *known) for name, one in asked.items()}

    def _refitted(self, winner: int, settings: Settings, partners: Sequence[Partner]) -> Any:
        """The weights of the student of all rows; None where it came to nothing."""
        done = self._run.segment(REFIT)
        if done is None:
            population = taught(self._trainer, settings, partners)
            arrived = self._train(population)
            kept, reason = _fate(population, arrived=arrived)
            done = {"kept": kept, "reason": reason}
            state = population.state() if kept == STUDENT else None
            self._commit(REFIT, done, _curves("distill_refit", winner, population), state)
        elif done["kept"] == STUDENT:
            population = self._trainer.refit(settings)[0]
            population.restore(self._run.weights(REFIT))
        return population.params(ALONE) if done["kept"] == STUDENT else None

    def _train(self, population: Trainees) -> bool:
        """Train for as long as in the search; whether there was time."""
        stage = Stage("distill", 1, 1, trained(self._run) + self._spent)
        arrived = population.advance(self._plan.epochs, self._pace.proceed(stage, population))
        self._spent += population.network_epochs
        return arrived

    def _commit(
        self,
        segment: str,
        done: Mapping[str, Any],
        curves: Sequence[CurvePoint],
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, Any]:
        whole = {**done, "network_epochs": self._spent, "elapsed": self._pace.elapsed}
        self._run.commit(segment, payload=whole, curves=curves, weights=weights)
        self._spent = 0.0
        return whole


def taught(trainer: Trainer, settings: Settings, partners: Sequence[Partner]) -> Trainees:
    """One network about to learn what an ensemble, refitted, says of all rows."""
    said = _together(partners, partial(trainer.teach, refitted=True))
    return trainer.pupil(settings, said, PART, refitted=True)


def _together(
    teachers: Sequence[Partner], ask: Callable[[Settings, Any], np.ndarray]
) -> np.ndarray:
    """What an ensemble says of the rows that each of its networks is asked of."""
    said = [one.weight * ask(one.settings, one.params) for one in teachers]
    together: np.ndarray = np.sum(said, axis=0)
    return together


def _as_searched(partner: Partner, params: Any) -> Partner:
    """A network of the ensemble with the weights that the search gave it."""
    return partner._replace(params=cooled(params, partner.temperature))


def _judged(scores: Mapping[str, Score]) -> tuple[str, str]:
    """Who is kept after a trial, and why."""
    if STUDENT not in scores:
        return WINNER, "diverged"
    if scores[STUDENT].above(scores[WINNER]):
        return STUDENT, "better"
    return WINNER, "no better"


def _fate(population: Trainees, *, arrived: bool) -> tuple[str, str]:
    """The same of the student of all rows; one that is half trained would disappoint."""
    if population.diverged_at(ALONE) is not None:
        return WINNER, "diverged"
    return (STUDENT, "better") if arrived else (WINNER, "no time")


def _score(metric: Metric, shares: np.ndarray, labels: np.ndarray, counts: Counts) -> Score:
    value = metric.of(shares, labels, counts)
    return Score(metric.score(value), log_loss(shares, labels, counts))


def _curves(phase: str, winner: int, population: Trainees) -> list[CurvePoint]:
    found = points(phase, population, ALONE)
    return [one._replace(candidate=winner) for one in found]
