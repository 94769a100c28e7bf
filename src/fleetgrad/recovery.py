"""Weights that came to harm on the disk, trained again.

Every random choice in the training of a network hangs on the seed, its settings, its replicate and
the epoch alone. So one whose file was cut short, changed or lost goes through the same training
again, from the first step to where the record says it stood, and has the same weights there; what
was built on them stands. The run's log keeps that it happened.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from fleetgrad import answers, audits, ensembling
from fleetgrad.distilled import REFIT
from fleetgrad.distilling import taught
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings
from fleetgrad.standing import trained
from fleetgrad.store import Run
from fleetgrad.stretching import as_trained
from fleetgrad.trainees import Member, Trainees, Trainer, populated

KIND = "recovered"  # of the note in the log


class Recovery:
    """The recovery of a run's weights.

    Args:
        run: Its open record.
        plan: Says how long networks train.
        trainer: Makes populations.
        pace: Reports progress; nothing is cut short.
    """

    def __init__(self, run: Run, plan: Plan, trainer: Trainer, pace: Pace) -> None:
        self._run, self._plan, self._trainer, self._pace = run, plan, trainer, pace

    def run(self) -> None:
        """Look at all weights on record, and make anew those that are not as they were."""
        for segment, reason in self._run.damaged().items():
            if segment in answers.SEGMENTS:  # what was said once, of rows that are not to be asked
                continue
            population = self._trained(segment)
            why = {"segment": segment, "reason": reason}
            self._run.renew(segment, population.state(), KIND, why)

    def _trained(self, segment: str) -> Trainees:
        """Those whose weights a segment has, where it left them."""
        done = self._run.segment(segment) or {}
        if segment.startswith("search/"):
            return self._searched(segment, done)
        if segment == audits.SEGMENT:
            population = populated(self._trainer, done["kept"], self._settings)
        else:
            population = self._refitted(segment, done)
        self._advance(population, done.get("epochs", done.get("lasting", self._plan.epochs)))
        return population

    def _searched(self, segment: str, done: Mapping[str, Any]) -> Trainees:
        """Those of a rung or a round that are still wanted from there."""
        population = populated(self._trainer, self._wanted(segment), self._settings)
        stood = {one["candidate"]: one["epochs"] for one in done["rung"]}
        self._advance(population, {one: stood[one.candidate] for one in population.members})
        return population

    def _wanted(self, segment: str) -> list[int]:
        """Survivors of a rung; of a round, those who paused there and did not go on since."""
        names = [name for name in self._run.segments() if name.startswith("search/")]
        rounds = [self._run.segment(name) or {} for name in names[names.index(segment) :]]
        if "kept" not in rounds[0]:
            return list(rounds[0]["survivors"])
        later = {one for done in rounds[1:] for one in done["kept"]}
        return [one for one in rounds[0]["kept"] if one in rounds[-1]["held"] and one not in later]

    def _refitted(self, segment: str, done: Mapping[str, Any]) -> Trainees:
        """Whoever learns from all rows: the winner, an ensemble, or a student of that."""
        if segment == ensembling.SEGMENT:
            return ensembling.refit(self._trainer, self._partners(done))
        if segment == REFIT:
            joined = self._run.segment(ensembling.SEGMENT) or {}
            settings = self._partners(joined)
            teachers = ensembling.restored(self._run, self._trainer, settings)
            partners = ensembling.joined(joined, teachers, settings)
            return taught(self._trainer, self._winner, partners)
        return self._trainer.refit(self._winner)[0]

    @property
    def _winner(self) -> Settings:
        refitted = self._run.segment("refit") or {}
        settings = self._settings[refitted["candidate"]]
        return as_trained(self._run, self._plan, settings, refitted.get("lasting"))

    def _partners(self, done: Mapping[str, Any]) -> dict[int, Settings]:
        return ensembling.trained_for(self._run, done, self._plan, self._settings)

    @cached_property
    def _settings(self) -> dict[int, Settings]:
        generations = self._run.generations().values()
        return {one: own for generation in generations for one, own in generation}

    def _advance(self, population: Trainees, until: int | Mapping[Member, int]) -> None:
        stage = Stage("recovery", 1, 1, trained(self._run))
        look = self._pace.proceed(stage, population)
        population.advance(until, lambda: look() or True)


def recovered(run: Run) -> tuple[str, ...]:
    """The segments whose weights had to be trained again, from the run's log."""
    return tuple(note.payload["segment"] for note in run.notes() if note.kind == KIND)
