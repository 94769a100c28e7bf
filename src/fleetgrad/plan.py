"""How a budget becomes a schedule: how many candidates, for how long, repeated how often.

A budget is either counts, and then the schedule follows from them alone, or a time, and then it
follows from what a network-epoch was just measured to cost. Either way it is a plain value, fixed
and recorded before the search begins, so a resumed run goes by the same one.
"""

import bisect
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Self

from fleetgrad import rungs
from fleetgrad.errors import BudgetError
from fleetgrad.rungs import Rungs
from fleetgrad.strategies import pbt
from fleetgrad.strategies.options import Options

FINALISTS = 3
ENSEMBLE = 6  # networks that predict together, at most
DISTILLED = 2  # trainings of a student: one to see what it is worth, and one on all rows
REPLICATES = 5
MOST_REPLICATES = 20
FEWEST_CANDIDATES = 9
MOST_CANDIDATES = 256
FEW_EPOCHS, MOST_EPOCHS = 4, 60
MOST_STEPS = 9_000  # a dense network learns little more in steps beyond these
MOST_FRESH = 100  # epochs, where each shows other images than the one before
ADAPTIVE_GENERATIONS = 4
FEWEST_REPLICATES = 3  # below this no claim of rank is made
SHORT_EPOCHS = 12  # a training shorter than this is lengthened at the cost of repeats
SEARCHED = 10  # full trainings of a typical network that a search should have
MARGIN, RECKONED_MARGIN = 1.2, 2.0  # on the smallest budget that is named, measured or reckoned
END_SECONDS = 1.5  # saving the model, opening the test part, printing
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Budget:
    """How much to spend: `candidates` and `epochs`, `network_epochs` and `epochs`, or `seconds`.

    Args:
        candidates: How many settings to try, >= 1.
        epochs: Passes over the training rows of those that go all the way, >= 1.
        seconds: Wall-clock time for everything, compilation and the final test included, > 0.
        network_epochs: Passes of the search, over all its networks, >= `epochs`; repeats and refit
            are not counted.

    Raises:
        BudgetError: None or several are given, or one is out of range.

    >>> Budget(candidates=64, epochs=20).seconds is None
    True
    """

    candidates: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    network_epochs: int | None = None

    def __post_init__(self) -> None:
        timed = self.seconds is not None
        limits = (self.candidates, self.network_epochs, self.seconds)
        if sum(limit is not None for limit in limits) != 1 or timed == (self.epochs is not None):
            raise BudgetError(
                "a budget must be a time, or candidates and epochs together, or network_epochs "
                f"and epochs, got {self}; use 10m, or Budget(candidates=32, epochs=9)."
            )
        if timed and not _is_time(self.seconds):
            raise BudgetError(f"a budget must be above 0 s, got {self.seconds!r}; use 60s or 10m.")
        for name in ("candidates", "epochs", "network_epochs"):
            count = getattr(self, name)
            if count is not None and not _is_count(count):
                raise BudgetError(
                    f"`{name}` must be a whole number of at least 1, got {count!r}; use 9."
                )
        if self.network_epochs is not None and self.network_epochs < (self.epochs or 1):
            raise BudgetError(
                f"`network_epochs` must be enough for one candidate of {self.epochs} epochs, got "
                f"{self.network_epochs}; use {20 * (self.epochs or 1)}."
            )

    @classmethod
    def of(cls, budget: "str | float | Budget") -> "Budget":
        """A budget from "90s", "10m", "2h", a number of seconds, or a budget.

        Raises:
            BudgetError: It is none of these, or not above 0.

        >>> Budget.of("10m").seconds
        600.0
        """
        if isinstance(budget, Budget):
            return budget
        if isinstance(budget, int | float) and not isinstance(budget, bool):
            return cls(seconds=float(budget))
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", str(budget))
        if not found:
            raise BudgetError(
                f"a budget must be a time such as 90s, 10m or 2h, got {budget!r}; use 10m."
            )
        return cls(seconds=float(found[1]) * UNITS[found[2] or "s"])


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
        ending = self.refits + self.ensemble
        return search + (finalists * self.replicates + ending) * self.epochs

    @property
    def refits(self) -> int:
        """Trainings after the repeats that have a lane to themselves, one after the other."""
        return 1 + DISTILLED * self.distill

    @property
    def by_rounds(self) -> bool:
        """Whether a strategy decides round by round, and not rungs."""
        return self.strategy != "halving"

    @property
    def stops(self) -> tuple[int, ...]:
        """The epochs at which candidates pause."""
        if self.strategy == "pbt":
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
    return Plan(_generations(candidates, adaptive=adaptive), epochs)


def timed(  # noqa: PLR0913 - all that makes a schedule
    budget: Budget,
    *,
    epoch_seconds: Sequence[float],
    steps: int,
    lanes: int,
    spent: float,
    adaptive: bool,
    strategy: str = "halving",
    dimensions: int = 1,
    fresh: bool = False,
    distill: bool = False,
) -> Plan:
    """The plan of a budget in seconds.

    A few candidates come first, then longer training, up to `MOST_STEPS` steps; only when that is
    paid for come more candidates, and then more replicates. Half of the time or more goes to the
    end: repeating the finalists, and the refit, which fills one lane alone.

    Args:
        budget: With `seconds`.
        epoch_seconds: What an epoch of typical candidates takes on one lane.
        steps: Steps an epoch of a typical candidate.
        lanes: How many work at once.
        spent: Seconds gone before the search begins.
        adaptive: Whether the sampler learns between generations.
        strategy: "halving" or "thaw".
        dimensions: How many hyperparameters are searched.
        fresh: Whether every epoch shows other images, so that a long training goes on learning.
        distill: Whether one network is to learn from an ensemble in the end.

    Raises:
        BudgetError: The time is too short for the smallest search; the smallest that would do is
            named.
    """
    assert budget.seconds is not None
    left = budget.seconds - spent - END_SECONDS
    typical = sum(epoch_seconds) / len(epoch_seconds)
    refits = 1 + DISTILLED * distill
    cost = Cost(typical, max(epoch_seconds), lanes, adaptive=adaptive, refits=refits)
    if cost.longest(left, FEWEST_CANDIDATES) < 1:
        raise too_short(budget.seconds, spent + fewest_seconds(epoch_seconds, lanes), MARGIN)
    most = most_epochs(steps)
    if strategy == "thaw":
        plan = _thawing(budget.seconds, left, cost, most, fresh=fresh)
        return replace(plan, generations=(plan.options(lanes=lanes).start(dimensions),))
    candidates = 2 * FEWEST_CANDIDATES
    if cost.longest(left, candidates) < FEW_EPOCHS:
        candidates = FEWEST_CANDIDATES
    epochs = min(most, cost.longest(left, candidates))
    while epochs == most and candidates < MOST_CANDIDATES:
        if cost.whole(candidates + 1, epochs) > left:
            break
        candidates += 1
    return Plan(
        _generations(candidates, adaptive=adaptive),
        epochs,
        replicates=cost.replicates(left, candidates, epochs),
        seconds=budget.seconds,
    )


def most_epochs(steps: int) -> int:
    """The longest training that is worth while, where an epoch has so many steps."""
    return int(min(MOST_EPOCHS, max(10, MOST_STEPS // max(steps, 1))))


def fewest_seconds(epoch_seconds: Sequence[float], lanes: int) -> float:
    """What the smallest search takes, its final and the refit included.

    Args:
        epoch_seconds: What an epoch of typical candidates takes on one lane.
        lanes: How many work at once.
    """
    cost = Cost.of(epoch_seconds, lanes)
    return END_SECONDS + cost.whole(FEWEST_CANDIDATES, 1)


def too_short(seconds: float, needed: float, margin: float) -> BudgetError:
    """The error of a budget in time that is too short, naming one that will do."""
    return BudgetError(
        f"the budget must be enough for one rung and the final, got {seconds:g} s; use at least "
        f"{math.ceil(margin * needed)}s here."
    )


def _thawing(seconds: float, left: float, cost: "Cost", most: int, *, fresh: bool) -> Plan:
    """The plan of a search that freezes and thaws.

    Training is as long as leaves the search `SEARCHED` full trainings of a typical network beside
    the repeats and the refit, but not longer than `most`. Where longer training goes on learning,
    what time there is beyond that is shared: both training and search grow as its square root.
    """
    whole, replicates = SEARCHED * cost.typical / cost.lanes, REPLICATES
    epochs = left / (whole + replicates * cost.repeat + cost.refit)
    if epochs < SHORT_EPOCHS:  # rather fewer repeats than networks that have learned little
        replicates = FEWEST_REPLICATES
        epochs = left / (whole + replicates * cost.repeat + cost.refit)
    if fresh and epochs > most:
        most = min(MOST_FRESH, int(math.sqrt(most * epochs)))
    epochs = max(1, min(most, int(epochs)))
    searching = left - epochs * (replicates * cost.repeat + cost.refit)
    passes = max(epochs, cost.lanes * searching / cost.typical)
    return Plan(
        (),
        epochs,
        replicates=replicates,
        seconds=seconds,
        strategy="thaw",
        passes=passes,
        epoch_seconds=cost.typical,
    )


class Expected(NamedTuple):
    """Seconds that the parts of a run should take."""

    search: float
    finals: float
    refit: float


def expected(plan: Plan, epoch_seconds: Sequence[float], lanes: int) -> Expected:
    """What a plan should take, as `timed` reckons.

    Args:
        plan: The schedule.
        epoch_seconds: What an epoch of each candidate, or of typical ones, takes on one lane.
        lanes: How many work at once.
    """
    typical = sum(epoch_seconds) / len(epoch_seconds)
    adaptive = len(plan.generations) > 1
    cost = Cost(typical, max(epoch_seconds), lanes, adaptive=adaptive, refits=plan.refits)
    repeats = plan.replicates * min(plan.finalists, plan.candidates) / FINALISTS
    passes = plan.passes and plan.passes * typical / lanes
    return Expected(
        passes or cost.search(plan.candidates, plan.epochs),
        plan.epochs * repeats * cost.repeat,
        plan.epochs * cost.refit,
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that training takes: an epoch of a typical network and of the dearest, on a lane."""

    typical: float
    dearest: float
    lanes: int
    adaptive: bool = False
    refits: int = 1

    @classmethod
    def of(cls, epoch_seconds: Sequence[float], lanes: int) -> Self:
        """Of typical candidates, each of which takes so long for an epoch on one lane."""
        return cls(sum(epoch_seconds) / len(epoch_seconds), max(epoch_seconds), lanes)

    def whole(self, candidates: int, epochs: int, replicates: int = REPLICATES) -> float:
        """Of everything: search, repeats and refit."""
        ending = replicates * self.repeat + self.refit
        return self.search(candidates, epochs) + epochs * ending

    def search(self, candidates: int, epochs: int) -> float:
        """Of halving, generation by generation."""
        sizes = _generations(candidates, adaptive=self.adaptive)
        schedules = [rungs.successive_halving(n, epochs, finalists=FINALISTS) for n in sizes]
        total = sum(one.cost(size) for one, size in zip(schedules, sizes, strict=True))
        return total * self.typical / self.lanes

    @property
    def repeat(self) -> float:
        """Of an epoch of all finalists; who wins is often one of the larger networks."""
        return FINALISTS * (self.typical + self.dearest) / 2 / self.lanes

    @property
    def refit(self) -> float:
        """Of an epoch of the refit, on a fifth more rows and one lane, and of those like it."""
        return 1.2 * self.refits * self.dearest

    def longest(self, seconds: float, candidates: int) -> int:
        """Epochs that so many candidates can be given; 0 where not even one."""
        few = range(1, MOST_EPOCHS + 1)
        return max((n for n in few if self.whole(candidates, n) <= seconds), default=0)

    def replicates(self, seconds: float, candidates: int, epochs: int) -> int:
        """What is left after search and refit, in replicates."""
        more = range(REPLICATES, MOST_REPLICATES + 1)
        fits = (n for n in more if self.whole(candidates, epochs, n) <= seconds)
        return max(fits, default=REPLICATES)


def _affordable(epochs: int, passes: int, *, adaptive: bool) -> int:
    """The most candidates whose halving takes no more passes."""

    def cost(candidates: int) -> int:
        sizes = _generations(candidates, adaptive=adaptive)
        schedules = [rungs.successive_halving(n, epochs, finalists=FINALISTS) for n in sizes]
        return sum(one.cost(size) for one, size in zip(schedules, sizes, strict=True))

    return bisect.bisect_right(range(1, passes + 1), passes, key=cost) or 1


def _generations(candidates: int, *, adaptive: bool) -> tuple[int, ...]:
    count = min(ADAPTIVE_GENERATIONS, candidates // FEWEST_CANDIDATES) if adaptive else 1
    size, more = divmod(candidates, max(1, count))
    return tuple(size + (number < more) for number in range(max(1, count)))


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= 1
