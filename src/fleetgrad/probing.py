"""What the networks of a run will cost, from a trial of a few of its programs.

A program takes seconds to compile, and a search begins with one network a lane. So only as many
programs are tried before the plan as lanes compile side by side, from the cheapest to the dearest;
the others are compiled when the first network trains in them.
"""

from collections.abc import Sequence

import numpy as np

from fleetgrad.fleet import Fleet
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape

FEWEST = 2  # programs tried: the cheapest and the dearest


def epoch_seconds(fleet: Fleet, settings: Sequence[Settings]) -> list[float]:
    """What an epoch of each takes on one lane, measured or read off between two that were.

    Args:
        fleet: Where they are to train; the programs that are tried stay compiled.
        settings: Of each network, at least one.
    """
    shapes = [fleet.program(one) for one in settings]
    examples = dict(zip(shapes, settings, strict=True))
    reckoned = {shape: fleet.reckoned_cost(one) for shape, one in examples.items()}
    tried = _spread(sorted(examples, key=reckoned.__getitem__), max(FEWEST, fleet.lanes))
    measured = fleet.epoch_seconds([examples[shape] for shape in tried])
    known = dict(zip(tried, measured, strict=True))
    places = [reckoned[shape] for shape in tried]
    seconds = {
        shape: known.get(shape, float(np.interp(place, places, measured)))
        for shape, place in reckoned.items()
    }
    return [seconds[shape] for shape in shapes]


def seconds_to_compile(fleet: Fleet) -> float:
    """What compiling the programs in which nobody has trained should take, at the pace so far."""
    compiled = fleet.machine.compilations
    waiting = sum(not fleet.machine.knows(shape) for shape in fleet.programs.known)
    return waiting / fleet.lanes * fleet.compile_seconds / compiled if compiled else 0.0


def _spread(items: Sequence[Shape], most: int) -> list[Shape]:
    """As many of these, evenly spread, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items)))
    return [items[round(place)] for place in places]
