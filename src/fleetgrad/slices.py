"""A population trained for slices of time, and how many rows a second that was."""

import threading
import time
from collections.abc import Callable

from fleetgrad.population import Population

EPOCHS = 1_000_000  # more than any measurement reaches
WARM = 4  # stretches of each lane before the clock starts
LONGEST_STRETCH = 60.0  # seconds that a lane waits for the others to finish theirs


class Slices:
    """A population that can be trained for a slice of time, and go on later.

    Args:
        population: Its members' settings ask for `EPOCHS` epochs.
        batch_size: Of every member.
    """

    def __init__(self, population: Population, batch_size: int) -> None:
        machine, members = population.machine, population.members
        self.lanes = min(len(machine.lanes), -(-len(members) // machine.width))  # at work
        self._population = population
        self._rows_per_epoch = len(population.material.y) // batch_size * batch_size

    def warm(self) -> None:
        """Compile, and fill the caches."""
        stretches = iter(range(WARM * self.lanes))
        self._population.advance(EPOCHS, lambda: next(stretches, None) is not None)

    def rate(self, seconds: float, tell: Callable[[float], None] = lambda _: None) -> float:
        """Rows a second, each counted once for each network that it trained.

        Lanes stop between two stretches, each at its own moment, so each is held to its own time.

        Args:
            seconds: At least so long, or one stretch.
            tell: Told before each stretch of the network-epochs so far.
        """
        asked, ends, changed = set[int](), dict[int, float](), threading.Condition()
        before, began = self._population.network_epochs, time.perf_counter()

        def proceed() -> bool:
            lane, now = threading.get_ident(), time.perf_counter()
            with changed:
                asked.add(lane)
                if now < began + seconds:
                    tell(self._population.network_epochs)
                    return True
                ends[lane] = now
                changed.notify_all()
                # Its `False` stops the others too, and would hide when they would have stopped.
                changed.wait_for(lambda: len(ends) == len(asked), LONGEST_STRETCH)
                return False

        self._population.advance(EPOCHS, proceed)
        members = self._population.members
        assert all(self._population.diverged_at(member) is None for member in members)
        rows = (self._population.network_epochs - before) * self._rows_per_epoch
        return rows / (sum(end - began for end in ends.values()) / len(ends))
