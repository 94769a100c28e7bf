"""Networks by the ten thousand that train nothing, on lanes by the thousand.

Learning curves are invented: a score that the learning rate decides, and noise. What they cost is a
few arrays, so that whatever else a study takes, of time and of memory, is its bookkeeping.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fleetgrad.settings import Settings
from fleetgrad.trainees import Member
from rowless import Rowless

BEST_RATE, BROKEN_RATE = 0.01, 0.5  # the planted optimum; from here on nothing is finite
NOISE = 0.01
EVERY = 4  # stretches an epoch, before each of which a lane looks at the clock


class Crowd(Rowless["Throng"]):
    """`fleetgrad.trainees.Trainer`.

    Args:
        lanes: How many networks train at once.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes

    def populate(self, settings: Mapping[Member, Settings]) -> "Throng":
        """Networks about to go along their curves."""
        return Throng(settings, self.lanes)

    def probabilities(self, settings: Settings, params: Any, view: Any = None) -> np.ndarray:  # noqa: ARG002 - as the protocol has it
        """Of two rows, both right."""
        return np.array([[0.1, 0.9], [0.2, 0.8]])

    def labels(self) -> np.ndarray:
        """Of these."""
        return np.ones(2, int)


class Throng:
    """`fleetgrad.trainees.Trainees`, whose whole state is the epoch each has come to."""

    def __init__(self, settings: Mapping[Member, Settings], lanes: int) -> None:
        self._lanes, self.network_epochs = lanes, 0.0
        self._places = {member: place for place, member in enumerate(settings)}
        rates = np.array([one.learning_rate for one in settings.values()])
        self._top = 0.95 - 0.2 * np.abs(np.log10(rates / BEST_RATE))
        self._broken = rates >= BROKEN_RATE
        self._goals = np.array([one.epochs for one in settings.values()], int)
        self._epoch = np.zeros(len(rates), np.int32)
        self._luck = np.random.default_rng(len(rates)).uniform(-NOISE, NOISE, len(rates))

    @property
    def members(self) -> tuple[Member, ...]:
        """Everyone still kept."""
        return tuple(self._places)

    def advance(self, until: int | Mapping[Member, int], proceed: Callable[[], bool]) -> bool:
        """Train all so far, a lane taking the next as soon as it is free."""
        places = np.fromiter(self._places.values(), int, len(self._places))
        if isinstance(until, Mapping):
            wanted = np.array([until.get(member, 0) for member in self._places])
        else:
            wanted = np.full(len(places), until)
        goals = np.minimum(wanted, self._goals[places])
        left = np.maximum(goals - self._epoch[places], 0)
        free = [0.0] * self._lanes
        for epochs in left.tolist():
            if epochs:
                heapq.heapreplace(free, free[0] + epochs)
                if not all(proceed() for _ in range(EVERY * epochs)):
                    return False
        self._epoch[places] += left.astype(np.int32)
        self.network_epochs += float(left.sum())
        return True

    def curve(self, member: Member) -> np.ndarray:
        """(epochs, 4): train loss and accuracy, validation loss and accuracy."""
        place = self._places[member]
        if self._broken[place]:
            return np.empty((0, 4), np.float32)
        epochs = np.arange(1, self._epoch[place] + 1)
        score = self._top[place] * (1 - 0.5**epochs) + self._luck[place]
        return np.stack([1 - score, score + 0.01, 1.1 - score, score], axis=1).astype(np.float32)

    def diverged_at(self, member: Member) -> int | None:
        """At once, where the rate is too high."""
        place = self._places[member]
        return 7 if self._broken[place] and self._epoch[place] else None

    def epoch_seconds(self, member: Member) -> float:  # noqa: ARG002 - as the protocol has it
        """All cost the same."""
        return 1.0

    def keep(self, members: Iterable[Member]) -> None:
        """Drop everyone else."""
        self._places = {member: self._places[member] for member in members}

    def params(self, member: Member) -> Any:
        """In place of weights: the epoch."""
        return ({"weight": np.full((1, 2), self._epoch[self._places[member]], np.float32)},)

    def state(self) -> dict[str, np.ndarray]:
        """Everything `restore` needs."""
        epochs = self._epoch[list(self._places.values())]
        return {"epochs": epochs}

    def restore(
        self, arrays: Mapping[str, np.ndarray], members: Iterable[Member] | None = None
    ) -> None:
        """Go on from where `state` was taken."""
        for member, epoch in zip(members or self.members, arrays["epochs"], strict=True):
            self._epoch[self._places[member]] = epoch
