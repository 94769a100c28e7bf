"""Fleetgrad's side of the throughput benchmark: a population, trained for slices of time."""

import threading
import time
from typing import NamedTuple

from cases import Case
from fleetgrad.kernels import sparse
from fleetgrad.machine import Machine
from fleetgrad.material import Material, SeededDraws
from fleetgrad.population import Population
from fleetgrad.trainees import Member

WARM = 4  # stretches of each lane before the clock starts
LONGEST_STRETCH = 60.0  # seconds that a lane waits for the others to finish theirs


class Manner(NamedTuple):
    """How a population trains.

    Args:
        lanes: Cores or cards at work.
        skips_zeros: Whether the first layer passes over inputs that are zero.
    """

    lanes: int
    skips_zeros: bool


class Ours:
    """A population that can be trained for a slice of time, and go on later.

    Args:
        case: The networks.
        population: How many.
        material: What they learn from.
        machine: Shared by a case's populations, which run one program.

    Raises:
        BudgetError: The networks need more memory than is free.
    """

    def __init__(self, case: Case, population: int, material: Material, machine: Machine) -> None:
        members = {Member(number, 0): case.settings for number in range(population)}
        self._population = Population(material, members, SeededDraws(0), machine)
        self._epochs = case.settings.epochs
        size = case.settings.batch_size
        self._rows_per_epoch = len(material.y) // size * size
        calls = -(-population // machine.width)
        skips_zeros = machine.skips_zeros and bool(material.filled <= sparse.WORTH)
        self.manner = Manner(min(len(machine.lanes), calls), skips_zeros)
        stretches = iter(range(WARM * self.manner.lanes))
        self._population.advance(self._epochs, lambda: next(stretches, None) is not None)

    def rate(self, seconds: float) -> float:
        """Rows a second, each counted once for each network that it trained.

        Lanes stop between two stretches, each at its own moment, so each is held to its own time.
        """
        together = threading.Barrier(self.manner.lanes)
        ends: list[float] = []
        before, began = self._population.network_epochs, time.perf_counter()

        def proceed() -> bool:
            now = time.perf_counter()
            if now < began + seconds:
                return True
            ends.append(now)
            together.wait(LONGEST_STRETCH)  # or its `False` would hide when the others stop
            return False

        self._population.advance(self._epochs, proceed)
        assert not any(map(self._population.diverged_at, self._population.members))
        rows = (self._population.network_epochs - before) * self._rows_per_epoch
        return rows / (sum(end - began for end in ends) / len(ends))
