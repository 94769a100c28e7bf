"""What a trainer without rows says of them: the part that stand-ins for `fleetgrad.Fleet` share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from fleetgrad.settings import Settings
from fleetgrad.trainees import Member, Trainees

Networks = TypeVar("Networks", bound=Trainees)


class Rowless(ABC, Generic[Networks]):
    """`fleetgrad.trainees.Trainer`, but for who trains."""

    @abstractmethod
    def populate(self, settings: Mapping[Member, Settings]) -> Networks:
        """Networks about to go along their curves."""

    def epoch_cost(self, settings: Settings) -> float:  # noqa: ARG002 - as the protocol has it
        """A second, for everyone."""
        return 1.0

    def epoch_costs(self, settings: Iterable[Settings]) -> list[float]:
        """A second, for each."""
        return [self.epoch_cost(one) for one in settings]

    def refit(self, settings: Settings) -> tuple[Networks, None]:
        """One to be learned from every row, which nobody here can tell from others."""
        return self.populate({Member(0, 0): settings}), None

    def refit_all(self, settings: Mapping[Member, Settings]) -> tuple[Networks, None]:
        """Several of these."""
        return self.populate(settings), None

    def pupil(
        self, settings: Settings, shares: np.ndarray, part: float, *, refitted: bool
    ) -> Networks:
        """There are no rows to be taught."""
        raise NotImplementedError

    def teach(self, settings: Settings, params: Any, *, refitted: bool) -> np.ndarray:
        """Nor any to speak of."""
        raise NotImplementedError

    def probabilities(self, settings: Settings, params: Any, view: Any = None) -> np.ndarray:
        """Nor any to be asked of."""
        raise NotImplementedError

    def labels(self) -> np.ndarray:
        """Nor any whose classes were known."""
        raise NotImplementedError

    def row_weights(self) -> None:
        """All would count alike."""

    def view(self, replicate: int) -> None:
        """There are no rows to see."""
