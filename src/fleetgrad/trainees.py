"""What the search knows of training: two small protocols, and no arrays of weights.

`population.Population` and `fleet.Fleet` are the real ones; a stand-in over a table of learning
curves runs the same search without training anything.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from fleetgrad.settings import Settings
from fleetgrad.views import CENTER, View

Weights = Callable[[], Any]  # fetches a network's, which may lie on the disk


class Member(NamedTuple):
    """One network: a candidate's lasting id, and which replicate of it."""

    candidate: int
    replicate: int = 0  # the search's own; repeats count from 1


ALONE = Member(0)  # whoever is refitted, or learns from others


def renamed(
    arrays: Mapping[str, np.ndarray], member: Member, other: Member
) -> dict[str, np.ndarray]:
    """One member's arrays, of all that a `Trainees.state` gave, under the name of another."""
    own, new = (f"{one.candidate}.{one.replicate}" for one in (member, other))
    return {
        new + name.removeprefix(own): array
        for name, array in arrays.items()
        if f"{name}.".startswith(f"{own}.")
    }


class Trainees(Protocol):
    """A population, as far as the search knows it."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Everyone still kept."""

    @property
    def network_epochs(self) -> float:
        """Epochs trained so far, over all members."""

    def advance(self, until: int | Mapping[Member, int], proceed: Callable[[], bool]) -> bool:
        """Train all to one epoch, or each to its own, or until `proceed` is false; if all arrived.

        Those for whom no epoch is given stay where they are.
        """

    def curve(self, member: Member) -> np.ndarray:
        """(epochs, 4): train loss and score, validation loss and score."""

    def diverged_at(self, member: Member) -> int | None:
        """The step at which the loss was not finite, or None."""

    def epoch_seconds(self, member: Member) -> float:
        """What an epoch takes one lane."""

    def keep(self, members: Iterable[Member]) -> None:
        """Drop everyone else."""

    def params(self, member: Member) -> Any:
        """The weights."""

    def state(self) -> dict[str, np.ndarray]:
        """Everything `restore` needs."""

    def restore(
        self, arrays: Mapping[str, np.ndarray], members: Iterable[Member] | None = None
    ) -> None:
        """Go on from where `state` was taken: all, or these members."""


class Trainer(Protocol):
    """Where populations come from."""

    @property
    def lanes(self) -> int:
        """How many networks train at once."""

    def epoch_cost(self, settings: Settings) -> float:
        """Seconds that an epoch of such a network takes one lane, as last measured."""

    def epoch_costs(self, settings: Iterable[Settings]) -> list[float]:
        """The same of each, where those that nobody has trained here are tried for a moment."""

    def populate(self, settings: Mapping[Member, Settings]) -> Trainees:
        """Networks about to train, each replicate on its own split."""

    def refit(self, settings: Settings) -> tuple[Trainees, Any]:
        """One network, `ALONE`, about to train on every row; and what it sees."""

    def refit_all(self, settings: Mapping[Member, Settings]) -> tuple[Trainees, Any]:
        """Networks of replicate 0, about to train on every row; and what they see."""

    def pupil(
        self, settings: Settings, shares: np.ndarray, part: float, *, refitted: bool
    ) -> Trainees:
        """One network that learns what teachers say of its rows, beside the labels.

        Its rows are those of `refit` where it is refitted, else replicate 0's own.
        """

    def teach(self, settings: Settings, params: Any, *, refitted: bool) -> np.ndarray:
        """(rows, classes): what a network says of the rows it learned from, for `pupil`."""

    def probabilities(self, settings: Settings, params: Any, view: View = CENTER) -> np.ndarray:
        """(rows, classes): what a network of replicate 0 says of its validation rows.

        (rows, 1) where numbers are predicted. Images may be seen from another place.
        """

    def labels(self) -> np.ndarray:
        """(rows,): the true classes of these rows, or numbers."""

    def row_weights(self) -> np.ndarray | None:
        """(rows,): how much each of these rows counts; None where all count alike."""

    def view(self, replicate: int) -> Any:
        """What a replicate's networks see: the rows of its split, and the scaling."""


def populated(trainer: Trainer, ids: Iterable[int], settings: Mapping[int, Settings]) -> Trainees:
    """These candidates, about to be trained as the search trains them."""
    return trainer.populate({Member(one): settings[one] for one in ids})


def fetched(
    trainer: Trainer, one: int, settings: Mapping[int, Settings], arrays: Mapping[str, np.ndarray]
) -> Any:
    """The weights of a candidate's network of the search, of all that a `Trainees.state` gave."""
    population = populated(trainer, [one], settings)
    population.restore(arrays, population.members)
    return population.params(Member(one))
