"""Whether a longer last training bears more restraint than the search found best.

How strongly images should be disturbed, and weights pulled towards zero, hangs on how long a
network learns: at the length of a search little of both is best, with which a longer training may
only learn its images by heart. So the winner is trained on the search's split once more, at a
length between, in up to three ways: as it is, under a decay that suits the length, and under that
and the next stronger disturbance of the space. The validation rows say how much does no harm; who
joins the winner is then disturbed no less than it is.

    stretch      how much each erred, and the restraint of the last training
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from fleetgrad import metrics, parsimony
from fleetgrad.augmentation import NONE, Augmentation
from fleetgrad.lengthening import STRONGER, Restraint, keeps_its_length, lengthened
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Space
from fleetgrad.standing import points, trained
from fleetgrad.store import Run
from fleetgrad.trainees import Member, Trainees, Trainer

SEGMENT = "stretch"
OWN, DECAY = "own", "decay"
WAYS = (OWN, DECAY, STRONGER)  # with ever more restraint


class Stretching:
    """The trial of a run.

    Args:
        run: Its open record.
        plan: Says how long networks train.
        trainer: Makes populations, and knows the validation rows.
        pace: Says how long a trial may be, and when to stop.
    """

    def __init__(self, run: Run, plan: Plan, trainer: Trainer, pace: Pace) -> None:
        self._run, self._plan, self._trainer, self._pace = run, plan, trainer, pace

    def settle(self, candidate: int, settings: Settings) -> None:
        """Have it on record under which restraint networks train at last, if not their own.

        Args:
            candidate: The winner's id.
            settings: The winner's.
        """
        if self._plan.last_epochs is not None and self._run.segment(SEGMENT) is None:
            self._try(candidate, settings)

    def _try(self, candidate: int, settings: Settings) -> None:
        if keeps_its_length(settings, self._plan) or settings.augment == NONE:
            return
        epochs = self._pace.stretched(self._trainer.epoch_costs([settings]) * len(WAYS))
        ways = {} if epochs is None else self._ways(replace(settings, epochs=epochs))
        if epochs is None or ways.keys() <= {OWN}:
            return
        population = self._trainer.populate({_member(way): own for way, own in ways.items()})
        stage = Stage(SEGMENT, 1, 1, trained(self._run))
        arrived = population.advance(epochs, self._pace.proceed(stage, population))
        sound = arrived and all(population.diverged_at(_member(way)) is None for way in ways)
        found = self._compared(ways, population) if sound else None
        self._commit(candidate, ways, population, found)

    def _compared(self, ways: Mapping[str, Settings], population: Trainees) -> parsimony.Compared:
        """How much each way errs on the validation rows."""
        ask = self._trainer.probabilities
        said = {
            way: self._errors(ask(own, population.params(_member(way))))
            for way, own in ways.items()
        }
        return parsimony.compared(said, self._trainer.row_weights())

    def _ways(self, longer: Settings) -> dict[str, Settings]:
        """The winner at this length, in each way that is one of its own."""
        stronger = stronger_than(longer.augment, self._run.config.get("space"))
        rows = max(0, rows_of(self._run) - len(self._trainer.labels()))
        ways = {OWN: longer, DECAY: Restraint(None, rows).on(longer)}
        if stronger is not None:
            ways[STRONGER] = Restraint(stronger, rows).on(longer)
        found: dict[str, Settings] = {}
        for way, own in ways.items():
            if own not in found.values():
                found[way] = own
        return found

    def _errors(self, said: np.ndarray) -> Float64[np.ndarray, " rows"]:
        """Of each row: whether its class is wrong, or how far off its number is, squared."""
        truth = self._trainer.labels()
        if metrics.recorded(self._run.config).task == metrics.REGRESSION:
            return np.asarray((said[:, 0] - truth) ** 2, np.float64)
        return np.asarray(said.argmax(axis=1) != truth, np.float64)

    def _commit(
        self,
        candidate: int,
        ways: Mapping[str, Settings],
        population: Trainees,
        found: parsimony.Compared | None,
    ) -> None:
        taken = OWN if found is None else found.taken
        done = {
            "candidate": candidate,
            "epochs": ways[OWN].epochs,
            "errors": None if found is None else found.errors,
            "taken": taken,
            "augment": None if found is None else asdict(ways[taken].augment),
            "rows": 0 if taken == OWN else rows_of(self._run),
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [
            point._replace(candidate=candidate)
            for way in ways
            for point in points(f"stretch_{way}", population, _member(way))
        ]
        self._run.commit(SEGMENT, payload=done, curves=curves)


def _member(way: str) -> Member:
    """Who trains in a way; the trial's population is its own."""
    return Member(WAYS.index(way))


def recorded(run: Run) -> Restraint | None:
    """The restraint of the last training that is on record."""
    done: dict[str, Any] = run.segment(SEGMENT) or {}
    augment, rows = done.get("augment"), done.get("rows", 0)
    if not augment and not rows:
        return None
    return Restraint(Augmentation.of(augment) if augment else None, rows)


def as_trained(run: Run, plan: Plan, settings: Settings, lasting: int | None) -> Settings:
    """A network as it is trained at last, for so many epochs, under the restraint on record.

    Arguments as for `lengthened`.
    """
    return lengthened(settings, lasting, plan, recorded(run))


def rows_of(run: Run) -> int:
    """From which a model of this run learns in the end; 0 where the record does not know."""
    return int(run.config.get("dataset", {}).get("rows", 0))


def stronger_than(own: Augmentation, space: Any) -> Augmentation | None:
    """The next disturbance of a recorded space that goes beyond one's own in every way, if any.

    >>> space = {"augment": {"choice": ["none", "shift", "elastic", "affine"]}}
    >>> stronger_than(Augmentation.of("shift"), space) == Augmentation.of("affine")
    True
    """
    asked = Space.from_dict(space).ranges.get("augment") if space else None
    known = map(Augmentation.of, asked.values) if isinstance(asked, Choice) else ()
    beyond = [one for one in known if one != own and one.reaches(own)]
    return next((one for one in beyond if all(other.reaches(one) for other in beyond)), None)
