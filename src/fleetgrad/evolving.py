"""How a budget becomes a population that evolves, and what its space must be like."""

from collections.abc import Sequence
from dataclasses import replace

from fleetgrad import timing
from fleetgrad.budget import Budget
from fleetgrad.errors import BudgetError, UsageError
from fleetgrad.plan import Plan
from fleetgrad.space import Space
from fleetgrad.stages import EVOLVING
from fleetgrad.strategies.pbt import FEWEST

NAME = "pbt"
PLANNED = 12  # networks for which a time is divided: their worst fifth is two
MOST = 40
WARMUP = 0.05  # share of training: later the rate is what evolves


def counted(budget: Budget) -> Plan:
    """The plan of a budget in counts: every place of the population trains to the end.

    Raises:
        BudgetError: The population is too small to choose from.
    """
    assert budget.epochs is not None
    epochs, passes = budget.epochs, budget.network_epochs
    size = budget.candidates or (passes or 0) // epochs
    if size < FEWEST:
        enough = (
            f"network_epochs={FEWEST * epochs}" if passes is not None else f"candidates={FEWEST}"
        )
        raise BudgetError(
            f"strategy `{NAME}` must have a population of at least {FEWEST} networks, got a budget "
            f"for {size} of {epochs} epochs; use {enough} at least."
        )
    return _plan(size, epochs)


def timed(
    budget: Budget,
    *,
    epoch_seconds: Sequence[float],
    steps: int,
    lanes: int,
    spent: float,
) -> Plan:
    """The plan of a budget in seconds: longer training first, then more networks.

    Args:
        budget: With `seconds`.
        epoch_seconds: What an epoch of typical candidates takes on one lane.
        steps: Steps an epoch of a typical candidate.
        lanes: How many work at once.
        spent: Seconds gone before the search begins.

    Raises:
        BudgetError: The time is too short for the smallest population.
    """
    assert budget.seconds is not None
    left = budget.seconds - spent - timing.END_SECONDS
    cost = timing.Cost.of(epoch_seconds, lanes)
    each = cost.typical / lanes

    longest, replicates = cost.affordable(left, PLANNED * each)
    needed = FEWEST * each + replicates * cost.repeat + cost.refit
    if left < needed:
        raise timing.too_short(budget.seconds, spent + needed + timing.END_SECONDS, timing.MARGIN)
    epochs = max(1, min(timing.most_epochs(steps), int(longest)))
    room = left / epochs - replicates * cost.repeat - cost.refit
    size = max(FEWEST, min(MOST, int(room / each)))
    plan = _plan(size, epochs)
    return replace(plan, replicates=replicates, seconds=budget.seconds, epoch_seconds=cost.typical)


def check(space: Space) -> None:
    """Refuse a space in which nothing can evolve.

    Raises:
        UsageError: It searches no number that may change while a network trains.
    """
    if not any(name in EVOLVING for name in space.ranges):
        names = ", ".join(f"`{name}`" for name in EVOLVING)
        raise UsageError(
            f"strategy `{NAME}` must have a number to change while networks train, got a space "
            f"that searches none of {names}; add a range of `learning_rate`."
        )


def suited(space: Space) -> Space:
    """A default space for a population whose rates evolve: what evolves needs no other schedule."""
    return Space.from_dict(space.to_dict() | {"schedule": "constant", "warmup": WARMUP})


def _plan(size: int, epochs: int) -> Plan:
    return Plan((size,), epochs, strategy=NAME, passes=size * epochs)
