"""How a search spends its budget: by halving generations, or by a model that pauses and goes on.

halving   generation by generation a third goes on at each rung, the rest is dropped
          (`search.py`; any sampler)
pbt       a population whose rates evolve while it trains (`rounds.py`); only if asked for
thaw      a model of all partial curves decides who goes on and who is new (`rounds.py`)
auto      thaw, but for budgets in candidates, for samplers asked for by name, and for spaces
          that search the number of epochs
"""

from fleetgrad.errors import UsageError, suggestion
from fleetgrad.space import Space

NAMES = ("auto", "halving", "pbt", "thaw")


def resolved(
    name: str,
    space: Space,
    *,
    by_candidates: bool,
    sampler: str | None,
) -> str:
    """The strategy that a name stands for.

    Args:
        name: One of `NAMES`.
        space: What is searched.
        by_candidates: Whether the budget says how many candidates there are.
        sampler: The one asked for, or None.

    Raises:
        UsageError: There is no such strategy, or it cannot do what is asked for.
    """
    if name not in NAMES:
        raise UsageError(f"`{name}` is no strategy; {suggestion(name, NAMES)}")
    reasons = {
        "a budget in candidates": by_candidates,
        f"the sampler `{sampler}`": sampler is not None,
        "a space that names `epochs`": "epochs" in {*space.ranges, *space.fixed},
    }
    against = [reason for reason, holds in reasons.items() if holds]
    if name == "thaw" and against:
        raise UsageError(
            f"strategy `thaw` finds its own candidates for a time or a number of network-epochs, "
            f"got {against[0]}; leave that out, or use strategy `halving`."
        )
    others = against[by_candidates:]  # a population has a size
    if name == "pbt" and others:
        raise UsageError(
            f"strategy `pbt` begins with evenly spread candidates, all of which train equally "
            f"long, got {others[0]}; leave that out, or use strategy `halving`."
        )
    if name == "auto":
        return "halving" if against else "thaw"
    return name
