"""Earlier runs, read once from their directories, for a new run to begin with.

All that a new run uses of them goes on its own record, so the old directories may be moved or
deleted as soon as it has begun.
"""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from fleetgrad import history
from fleetgrad.earlier import Earlier, Seen
from fleetgrad.errors import RunError, UsageError
from fleetgrad.leaderboard import Row
from fleetgrad.plan import Plan
from fleetgrad.space import Space
from fleetgrad.store import Run

Path_ = str | PathLike[str]


def taken(sources: Path_ | Sequence[Path_], space: Space, out: Path_ | None) -> list[Earlier]:
    """What earlier runs found that a space can place.

    Args:
        sources: Their directories, or the one.
        space: What the new run searches.
        out: The new run's own directory, if it is known.

    Raises:
        RunError: There is no run, or nobody in it came through an epoch.
        UsageError: It is the new run itself, or nothing of it lies near the space.
    """
    several = [sources] if isinstance(sources, str | PathLike) else sources
    distinct = {Path(one).resolve(): Path(one) for one in several}
    if out is not None and Path(out).resolve() in distinct:
        raise UsageError(
            f"a run begins with what other runs found, got its own directory `{out}`; give it "
            f"another one, or go on with the old run by `fleetgrad resume {shlex.quote(str(out))}`."
        )
    return [_of_use(read(one), space) for one in distinct.values()]


def read(path: Path) -> Earlier:
    """Everyone of a run who came through an epoch, the best first.

    Raises:
        RunError: There is no run, or nobody did.
    """
    with Run.open(path, write=False) as run:
        done, curves = run.segment("plan"), history.curves(run)
        board = history.leaderboard(run)
        with run.undamaged():
            name = str(run.config["dataset"]["name"])
            epochs = Plan.from_dict(done["plan"]).epochs if done else 1
            found = [_seen(row, curves.get(row.id, ()), epochs) for row in board]
    known = tuple(one for one in found if one.scores or one.diverged)
    if not any(one.scores for one in known):
        raise RunError(
            f"an earlier run must have trained somebody, got `{path}`, where nobody came through "
            f"an epoch; go on with it by `fleetgrad resume {shlex.quote(str(path))}`, or leave it "
            "out."
        )
    return Earlier(str(path), name, epochs, known)


def _seen(row: Row, curve: Sequence[float], epochs: int) -> Seen:
    """A candidate; of rates that evolved it is told where they came to."""
    own = replace(row.settings, evolved=())
    return Seen.of(own, curve, epochs, diverged=row.status == "diverged")


def _of_use(earlier: Earlier, space: Space) -> Earlier:
    found = earlier.of_use(space)
    if not any(one.scores for one in found.candidates):
        raise UsageError(
            f"an earlier run must have tried settings near the space that is searched, got "
            f"`{earlier.run}`, all of whose {len(earlier.candidates)} candidates lie outside in "
            f"more than half of {', '.join(f'`{name}`' for name in space.names)}; leave it out, or "
            "widen the space."
        )
    return found
