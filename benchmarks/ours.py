"""Fleetgrad's side of the throughput benchmark: a population, trained for slices of time."""

from typing import NamedTuple

from cases import Case
from fleetgrad import memory
from fleetgrad.errors import BudgetError
from fleetgrad.machine import Machine
from fleetgrad.material import Material, SeededDraws
from fleetgrad.population import Population
from fleetgrad.slices import Slices
from fleetgrad.trainees import Member


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
        each = memory.member_bytes(case.settings, case.features, case.classes)
        _check(population * each, machine)
        trained = Population(material, members, SeededDraws(0), machine)
        arithmetic = machine.arithmetic(case.precision, material.filled)
        self._slices = Slices(trained, case.settings.batch_size)
        self._slices.warm()
        self.manner = Manner(self._slices.lanes, arithmetic.skips_zeros)

    def rate(self, seconds: float) -> float:
        """Rows a second, each counted once for each network that it trained."""
        return self._slices.rate(seconds)


def _check(size: int, machine: Machine) -> None:
    """Refuse networks that would take turns: the disk would be measured, and not the machine."""
    room = memory.room(machine.lanes)
    if size > room:
        raise BudgetError(
            f"networks must fit into memory together, got {size / 1e9:.3g} GB of them and room "
            f"for {room / 1e9:.3g} GB; use a smaller population."
        )
