"""Whether a longer last training bears more restraint than the search found best.

How strongly images should be disturbed, and weights pulled towards zero, hangs on how long a
network learns: at the length of a search little of both is best, with which a longer training only
learns its images by heart. So the winner is trained on the search's split once more, at a length
between, as it is and under the strongest disturbance of the space and a decay that suits the
length, and the validation rows say whether that does harm.

    stretch      how much each erred, and the restraint of the last training
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from fleetgrad import metrics
from fleetgrad.augmentation import NONE, PARTS, Augmentation
from fleetgrad.lengthening import Restraint
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Space
from fleetgrad.standing import points, trained
from fleetgrad.store import Run
from fleetgrad.trainees import Member, Trainees, Trainer

SEGMENT = "stretch"
REPLICATE = 0  # of the search
OWN, STRONGEST = Member(0, REPLICATE), Member(1, REPLICATE)  # in a population of their own
PHASES = {OWN: "stretch_own", STRONGEST: "stretch_strongest"}  # of their curves


class Compared(NamedTuple):
    """Mean errors on the same rows, and the standard error of their difference."""

    own: float
    strongest: float
    error: float

    @property
    def harmless(self) -> bool:
        """Whether the restraint does no harm that chance would not do."""
        return self.strongest - self.own <= self.error


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

    def restraint(self, candidate: int, settings: Settings) -> Restraint | None:
        """That of the last training; None where each network keeps its own.

        Args:
            candidate: The winner's id.
            settings: The winner's.
        """
        if self._plan.last_epochs is not None and self._run.segment(SEGMENT) is None:
            self._try(candidate, settings)
        return recorded(self._run)

    def _try(self, candidate: int, settings: Settings) -> None:
        strongest = strongest_of(self._run.config.get("space"))
        own = settings.epochs != self._plan.epochs or settings.evolved
        if own or strongest in (None, settings.augment) or settings.augment == NONE:
            return
        epochs = self._pace.stretched([self._trainer.epoch_cost(settings)] * len(PHASES))
        if epochs is None:
            return
        longer = replace(settings, epochs=epochs)
        learned = max(0, rows_of(self._run) - len(self._trainer.labels()))
        both = {OWN: longer, STRONGEST: Restraint(strongest, learned).on(longer)}
        population = self._trainer.populate(both)
        stage = Stage(SEGMENT, 1, 1, trained(self._run))
        arrived = population.advance(epochs, self._pace.proceed(stage, population))
        sound = arrived and all(population.diverged_at(one) is None for one in both)
        found = self._compared(both, population) if sound else None
        self._commit(candidate, longer, population, found, strongest)

    def _compared(self, both: dict[Member, Settings], population: Trainees) -> Compared:
        """How much both err on the validation rows."""
        ask = self._trainer.probabilities
        own, strongest = (
            self._errors(ask(settings, population.params(member)))
            for member, settings in both.items()
        )
        return compared(own, strongest, self._trainer.row_weights())

    def _errors(self, said: np.ndarray) -> Float64[np.ndarray, " rows"]:
        """Of each row: whether its class is wrong, or how far off its number is, squared."""
        truth = self._trainer.labels()
        if metrics.recorded(self._run.config).task == metrics.REGRESSION:
            return np.asarray((said[:, 0] - truth) ** 2, np.float64)
        return np.asarray(said.argmax(axis=1) != truth, np.float64)

    def _commit(
        self,
        candidate: int,
        settings: Settings,
        population: Trainees,
        found: Compared | None,
        strongest: Augmentation | None,
    ) -> None:
        taken = strongest is not None and found is not None and found.harmless
        done = {
            "candidate": candidate,
            "epochs": settings.epochs,
            "errors": None if found is None else found._asdict(),
            "augment": asdict(strongest) if strongest is not None and taken else None,
            "rows": rows_of(self._run),
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [
            point._replace(candidate=candidate)
            for member, phase in PHASES.items()
            for point in points(phase, population, member)
        ]
        self._run.commit(SEGMENT, payload=done, curves=curves)


def recorded(run: Run) -> Restraint | None:
    """The restraint of the last training that is on record."""
    done: dict[str, Any] = run.segment(SEGMENT) or {}
    if not done.get("augment"):
        return None
    return Restraint(Augmentation.of(done["augment"]), done.get("rows", 0))


def rows_of(run: Run) -> int:
    """From which a model of this run learns in the end; 0 where the record does not know."""
    return int((run.config.get("data") or {}).get("rows", 0))


def compared(
    own: Float64[np.ndarray, " rows"],
    strongest: Float64[np.ndarray, " rows"],
    counts: np.ndarray | None = None,
) -> Compared:
    """Two networks on the same rows, which count as `counts` says, or alike."""
    share = np.ones(len(own)) if counts is None else np.asarray(counts, np.float64)
    share = share / share.sum()
    gap = strongest - own
    mean = float(share @ gap)
    spread = float(share @ (gap - mean) ** 2)
    error = math.sqrt(spread * float(share @ share))
    return Compared(float(share @ own), float(share @ strongest), error)


def strongest_of(space: Any) -> Augmentation | None:
    """The disturbance of a recorded space that goes as far as each other in every way, if any.

    >>> strongest_of({"augment": {"choice": ["none", "shift", {"shift": 1, "rotation": 5}]}})
    """
    asked = Space.from_dict(space).ranges.get("augment") if space else None
    if not isinstance(asked, Choice):
        return None
    known = [Augmentation.of(value) for value in asked.values]

    def beyond(one: Augmentation, others: Sequence[Augmentation]) -> bool:
        return all(getattr(one, part) >= getattr(other, part) for other in others for part in PARTS)

    return next((one for one in known if beyond(one, known)), None)
