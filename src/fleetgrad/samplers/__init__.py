"""Which settings to try next: four ways of proposing behind one small protocol.

`ask(n)` proposes, `tell` reports what came of it (higher is better, NaN means diverged). The
same seed and the same asks and tells give the same candidates, so a resumed run replays them.
No sampler proposes the same settings twice: equal settings give equal curves, a second look
would buy nothing. A space of few points therefore runs out: fewer come back, then none.
"""

from collections.abc import Callable, Sequence

from fleetgrad.earlier import Earlier, opening
from fleetgrad.errors import UsageError, suggestion
from fleetgrad.samplers.led import Led
from fleetgrad.samplers.protocol import Sampler
from fleetgrad.samplers.streams import grid, random, sobol
from fleetgrad.samplers.tpe import HEARD, TPE
from fleetgrad.space import Space

__all__ = ["NAMES", "Sampler", "make"]


_MAKERS: dict[str, Callable[[Space, int, int, int], Sampler]] = {
    "grid": grid,
    "random": random,
    "sobol": sobol,
    "tpe": TPE,
}
NAMES = tuple(_MAKERS)


def make(
    name: str,
    space: Space,
    *,
    seed: int,
    epochs: int,
    first_id: int = 0,
    earlier: Sequence[Earlier] = (),
) -> Sampler:
    """A sampler by its name.

    Args:
        name: One of `NAMES`.
        space: What to search.
        seed: The run's seed, >= 0.
        epochs: Full training, put in all settings unless the space names `epochs`.
        first_id: Id of the first candidate; the others count up from it.
        earlier: Runs whose best settings are proposed first, by all but the grid; TPE hears of
            their other candidates too.

    Raises:
        UsageError: No sampler has this name; the nearest is suggested.
    """
    if name not in _MAKERS:
        raise UsageError(f"`{name}` is no sampler; {suggestion(name, NAMES)}")
    sampler = _MAKERS[name](space, seed, epochs, first_id)
    if not earlier or name == "grid":
        return sampler
    if isinstance(sampler, TPE):
        sampler.hear(one.standings(space, epochs, HEARD) for one in earlier)
    return Led(sampler, opening(earlier, space, epochs), first_id)
