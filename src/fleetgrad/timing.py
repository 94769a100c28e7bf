"""The plan of a budget in time, from what a network-epoch was just measured to cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from fleetgrad import rungs
from fleetgrad.budget import Budget
from fleetgrad.errors import BudgetError
from fleetgrad.finals import FEWEST_REPLICATES
from fleetgrad.plan import (
    DISTILLED,
    FEWEST_CANDIDATES,
    FINALISTS,
    LAST,
    LAST_TOGETHER,
    MOST_LAST,
    MOST_REPLICATES,
    REPLICATES,
    Plan,
    generations_of,
)

MOST_CANDIDATES = 256
FEW_EPOCHS, MOST_EPOCHS = 4, 60
MOST_STEPS = 9_000  # a dense network learns little more in steps beyond these
MOST_FRESH = 100  # epochs, where each shows other images than the one before
LONGER = 2  # times the full training: by less it is not worth a search's time
SHORT_EPOCHS = 12  # a training shorter than this is lengthened at the cost of repeats
SEARCHED = 10  # full trainings of a typical network that a search should have
MARGIN, RECKONED_MARGIN = 1.2, 2.0  # on the smallest budget that is named, measured or reckoned
END_SECONDS = 1.5  # saving the model, opening the test part, printing


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
    ensemble: int = 0,
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
        ensemble: Most networks that are to predict together in the end.
        distill: Whether one network is to learn from them.

    Raises:
        BudgetError: The time is too short for the smallest search; the smallest that would do is
            named.
    """
    assert budget.seconds is not None
    left = budget.seconds - spent - END_SECONDS
    refits = 1 + DISTILLED * distill
    cost = Cost.of(epoch_seconds, lanes, adaptive=adaptive, refits=refits)
    if cost.longest(left, FEWEST_CANDIDATES) < 1:
        raise too_short(budget.seconds, spent + fewest_seconds(epoch_seconds, lanes), MARGIN)
    most = most_epochs(steps)
    if strategy == "thaw":
        plan = _thawing(budget.seconds, left, cost, most, fresh=fresh)
        if fresh and not distill:
            plan = _lengthened(plan, left, cost, most, ensemble)
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
        generations_of(candidates, adaptive=adaptive),
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
    epochs, replicates = cost.affordable(left, SEARCHED * cost.typical / cost.lanes)
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


def _lengthened(plan: Plan, left: float, cost: "Cost", most: int, ensemble: int) -> Plan:
    """The plan with a longer last training, where its part of the time is enough for one.

    Two networks a lane are then enough of an ensemble: more would train for less.
    """
    together = min(ensemble, 2 * cost.lanes)
    waves = math.ceil(together / cost.lanes) or 1
    each = waves * cost.alone
    last = min(MOST_LAST, int((LAST_TOGETHER if together else LAST) * left / each))
    alone = replace(cost, refits=1 if together else 0)
    before = _thawing(plan.seconds or 0.0, left - last * each, alone, most, fresh=True)
    if before.epochs < SHORT_EPOCHS or last < LONGER * before.epochs:
        return plan
    return replace(before, last_epochs=last, ensemble=together)


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
    adaptive = plan.generations != generations_of(plan.candidates, adaptive=False)
    cost = Cost.of(epoch_seconds, lanes, adaptive=adaptive)
    repeats = plan.replicates * min(plan.finalists, plan.candidates) / FINALISTS
    passes = plan.passes and plan.passes * cost.typical / lanes
    return Expected(
        passes or cost.search(plan.candidates, plan.epochs),
        plan.epochs * repeats * cost.repeat,
        plan.alone * cost.alone + math.ceil(plan.ensemble / lanes) * plan.last * cost.alone,
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
    def of(
        cls,
        epoch_seconds: Sequence[float],
        lanes: int,
        *,
        adaptive: bool = False,
        refits: int = 1,
    ) -> Self:
        """Of typical candidates, each of which takes so long for an epoch on one lane."""
        typical = sum(epoch_seconds) / len(epoch_seconds)
        return cls(typical, max(epoch_seconds), lanes, adaptive, refits)

    def affordable(self, seconds: float, search: float) -> tuple[float, int]:
        """Epochs of full training, and repeats, beside a search that takes so long for each.

        Rather fewer repeats than networks that have learned little.
        """
        for replicates in (REPLICATES, FEWEST_REPLICATES):
            epochs = seconds / (search + replicates * self.repeat + self.refit)
            if epochs >= SHORT_EPOCHS:
                break
        return epochs, replicates

    def whole(self, candidates: int, epochs: int, replicates: int = REPLICATES) -> float:
        """Of everything: search, repeats and refit."""
        ending = replicates * self.repeat + self.refit
        return self.search(candidates, epochs) + epochs * ending

    def search(self, candidates: int, epochs: int) -> float:
        """Of halving, generation by generation."""
        sizes = generations_of(candidates, adaptive=self.adaptive)
        schedules = [rungs.successive_halving(n, epochs, finalists=FINALISTS) for n in sizes]
        total = sum(one.cost(size) for one, size in zip(schedules, sizes, strict=True))
        return total * self.typical / self.lanes

    @property
    def repeat(self) -> float:
        """Of an epoch of all finalists; who wins is often one of the larger networks."""
        return FINALISTS * (self.typical + self.dearest) / 2 / self.lanes

    @property
    def refit(self) -> float:
        """Of an epoch of the refit and of those like it."""
        return self.refits * self.alone

    @property
    def alone(self) -> float:
        """Of an epoch on all rows, a fifth more, on one lane."""
        return 1.2 * self.dearest

    def longest(self, seconds: float, candidates: int) -> int:
        """Epochs that so many candidates can be given; 0 where not even one."""
        few = range(1, MOST_EPOCHS + 1)
        return max((n for n in few if self.whole(candidates, n) <= seconds), default=0)

    def replicates(self, seconds: float, candidates: int, epochs: int) -> int:
        """What is left after search and refit, in replicates."""
        more = range(REPLICATES, MOST_REPLICATES + 1)
        fits = (n for n in more if self.whole(candidates, epochs, n) <= seconds)
        return max(fits, default=REPLICATES)
