"""How a run multiplies: whichever way was the fastest when it began, to its end.

    products     precision -> the way its products are worked out

Ways differ in how they round, and which is the fastest is measured, so a process that goes on with
a run could choose another, and come to other weights.
"""

from fleetgrad.fleet import Fleet
from fleetgrad.products import Arithmetic
from fleetgrad.space import Space
from fleetgrad.store import Run

SEGMENT = "products"
EXACT = "float32"  # there is one way


def settle(run: Run, fleet: Fleet) -> None:
    """Take the ways from the record, or measure and record them; this machine must know them."""
    asked = precisions(Space.from_dict(run.config["space"]))
    if not asked:
        return
    done = run.segment(SEGMENT)
    if done is None:
        ways = fleet.multiplying(asked)
        run.commit(SEGMENT, payload={"ways": {name: way._asdict() for name, way in ways.items()}})
    else:
        fleet.multiply({name: Arithmetic(**way) for name, way in done["ways"].items()})


def precisions(space: Space) -> list[str]:
    """Those of a space that leave a choice."""
    span = space.ranges.get("precision")
    values = span.extremes() if span else (space.fixed.get("precision", EXACT),)
    return sorted({str(one) for one in values} - {EXACT})
