"""A budget as a schedule: how many candidates, for how long, repeated how often.

A plan is a plain value, fixed and recorded before the search begins, so a resumed run goes by the
same one. That of a budget in counts follows from the counts alone (`counted`); that of a time
follows from what a network-epoch was just measured to cost (`timing.timed`).
"""

import bisect
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

from fleetgrad import rungs
from fleetgrad.budget import Budget
from fleetgrad.rungs import Rungs
from fleetgrad.strategies import pbt
from fleetgrad.strategies.options import Options

FINALISTS = 3
ENSEMBLE = 6  # networks that predict together, at most
DISTILLED = 2  # trainings of a student: one to see what it is worth, and one on all rows
MOST_LAST = 400  # epochs of the last training, where it may be longer than others
LAST, LAST_TOGETHER = 1 / 3, 1 / 2  # of a time, for a longer last training: alone, or together
REPLICATES = 5
MOST_REPLICATES = 20
FEWEST_CANDIDATES = 9
ADAPTIVE_GENERATIONS = 4
MOST_AT_ONCE = 10_000  # candidates under way together, whose weights wait for each other's rung


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of a run.

    Args:
        generations: Candidates in each, asked for one generation after the other.
        epochs: The full training.
        finalists: How many settings are repeated.
        replicates: How often each finalist is repeated; more often where a clock has time left.
        seconds: The time to keep to, or None.
        strategy: "halving", "thaw" or "pbt"; the latter two find candidates as they go, beginning
            with one generation of so many.
        passes: Network-epochs that these may spend, as far as that is known beforehand.
        epoch_seconds: What an epoch of a typical network was measured to take a lane, or None.
        ensemble: Most networks that are to predict together; 0 for the winner alone.
        distill: Whether one network is to learn from these.
        last_epochs: About how long the last training is, on all rows, where that may be longer than
            the full training before; None where it is as long.
    """

    generations: tuple[int, ...]
    epochs: int
    finalists: int = FINALISTS
    replicates: int = REPLICATES
    seconds: float | None = None
    strategy: str = "halving"
    passes: float | None = None
    epoch_seconds: float | None = None
    ensemble: int = 0
    distill: bool = False
    last_epochs: int | None = None

    @property
    def candidates(self) -> int:
        """Over all generations."""
        return sum(self.generations)

    @property
    def network_epochs(self) -> int:
        """Of search, repeats, refit and all that is learned after it, if nobody diverges."""
        sizes = enumerate(self.generations)
        search = int(self.passes or sum(self.rungs(n).cost(size) for n, size in sizes))
        finalists = min(self.finalists, self.candidates)
        ending = self.alone + self.ensemble * self.last
        return search + finalists * self.replicates * self.epochs + ending

    @property
    def refits(self) -> int:
        """Trainings after the repeats that have a lane to themselves, one after the other."""
        return 1 + DISTILLED * self.distill

    @property
    def last(self) -> int:
        """Epochs of the last training, of the winner or of those that predict with it."""
        return self.last_epochs or self.epochs

    @property
    def last_seconds(self) -> float:
        """Of a budget in time, for a last training that is longer than others."""
        return (LAST_TOGETHER if self.ensemble else LAST) * (self.seconds or math.inf)

    @property
    def alone(self) -> int:
        """Epochs of `refits`: a winner that others join need not be trained for longer."""
        return self.refits * (self.epochs if self.ensemble else self.last)

    @property
    def by_rounds(self) -> bool:
        """Whether a strategy decides round by round, and not rungs."""
        return self.strategy != "halving"

    @property
    def evolves(self) -> bool:
        """Whether candidates come from each other, so that none can be judged as a draw."""
        return self.strategy == "pbt"

    @property
    def stops(self) -> tuple[int, ...]:
        """The epochs at which candidates pause."""
        if self.evolves:
            return pbt.stops(self.epochs)
        return self.options().stops

    def options(self, seed: int = 0, lanes: int = 1) -> Options:
        """How `thaw` divides what it may spend."""
        return Options(self.epochs, self.passes or 0, seed, lanes=lanes)

    def rungs(self, generation: int) -> Rungs:
        """The halving schedule of one generation."""
        size = self.generations[generation]
        return rungs.successive_halving(size, self.epochs, finalists=self.finalists)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"generations": list(self.generations)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The plan whose `to_dict` this is."""
        return cls(**(values | {"generations": tuple(values["generations"])}))


def counted(
    budget: Budget, *, adaptive: bool, strategy: str = "halving", dimensions: int = 1
) -> Plan:
    """The plan of a budget in counts.

    Args:
        budget: Without `seconds`.
        adaptive: Whether the sampler learns between generations, and gets several.
        strategy: "halving" or "thaw".
        dimensions: How many hyperparameters are searched.
    """
    assert budget.epochs is not None
    epochs, passes = budget.epochs, budget.network_epochs
    if strategy == "thaw":
        assert passes is not None
        first = Options(epochs=epochs, budget=passes).start(dimensions)
        return Plan((first,), epochs, strategy=strategy, passes=passes)
    candidates = budget.candidates or _affordable(epochs, passes or 0, adaptive=adaptive)
    return Plan(generations_of(candidates, adaptive=adaptive), epochs)


def _affordable(epochs: int, passes: int, *, adaptive: bool) -> int:
    """The most candidates whose halving takes no more passes."""

    def cost(candidates: int) -> int:
        sizes = generations_of(candidates, adaptive=adaptive)
        schedules = {n: rungs.successive_halving(n, epochs, finalists=FINALISTS) for n in {*sizes}}
        return sum(schedules[size].cost(size) for size in sizes)

    return bisect.bisect_right(range(1, passes + 1), passes, key=cost) or 1


def generations_of(candidates: int, *, adaptive: bool) -> tuple[int, ...]:
    """How many are asked for at a time: all at once, or in parts where the sampler learns.

    Where there are more than should be under way together, in parts, too.
    """
    count = min(ADAPTIVE_GENERATIONS, candidates // FEWEST_CANDIDATES) if adaptive else 1
    count = max(1, count, math.ceil(candidates / MOST_AT_ONCE))
    size, more = divmod(candidates, count)
    return tuple(size + (number < more) for number in range(count))
