"""Freeze and thaw: a model of all partial curves decides who goes on, and who is new.

Every candidate starts with a few epochs and is then paused, never dropped. A Gaussian process over
settings and epochs (as in Swersky, Snoek and Adams 2014) predicts what each candidate, and any new
point of the space, would score in the end; each decision spends a share of the budget on the paused
and the new from whom most is expected. The first part of the budget goes to evenly spread points,
the last to promotions alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from fleetgrad.earlier import Earlier, opening
from fleetgrad.settings import Settings
from fleetgrad.space import Space
from fleetgrad.strategies.choosing import Choosing, ideas
from fleetgrad.strategies.cube import Cube, marks
from fleetgrad.strategies.elders import Elders
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.outlook import Hints, Outlook, Record
from fleetgrad.trials import Step, Trial

MOST_PAUSED = 32  # candidates at each stop whose weights are kept, the best of them
PATIENCE = 20  # times as many points of a sequence as are asked for are looked at for new ones


class Decision(NamedTuple):
    """Who trains next: rows of the record until an epoch each, and new points until `first`."""

    promote: tuple[tuple[int, int], ...]
    new: np.ndarray
    first: int
    hints: Hints | None


class Thaw:
    """The strategy over one space.

    Args:
        space: What is searched; not the number of epochs.
        options: How.
        earlier: Runs that came before.
        cost: What an epoch of settings costs, by which the first few are chosen among the evenly
            spread: the cheapest, so that there is soon a leader. Without it these come in turn.
    """

    def __init__(
        self,
        space: Space,
        options: Options,
        earlier: Sequence[Earlier] = (),
        cost: Callable[[Settings], float] | None = None,
    ) -> None:
        self._cube = cube = Cube.of(space)
        self._options = options
        best = list(opening(earlier, space, options.epochs))
        first = np.array([cube.place(one) for one in best]).reshape(-1, cube.dimensions)
        self._elders = Elders.of(cube, earlier, first, options)
        self._exactly = dict(zip(marks(first), best, strict=True))
        if cost is not None:
            self._options = replace(options, soonest=self._cheapest(cost))

    def decide(
        self, trials: Sequence[Trial], left: float, memory: Mapping[str, Any] | None
    ) -> Step:
        """The next step; see `trials.Strategy`."""
        known = [one for one in trials if one.scores or one.diverged]
        with threadpool_limits(1):  # the matrices are small: more threads only wait for each other
            record, hints = self._record(known), _hints(memory)
            decision = decide(self._cube, record, self._options, left, hints, self._elders)
        fresh = [self._settings(point) for point in decision.new]
        seen = {one.settings for one in trials}
        return Step(
            goals={known[row].id: until for row, until in decision.promote},
            fresh=tuple(one for one in dict.fromkeys(fresh) if one not in seen),
            until=decision.first,
            memory=_plain(decision.hints),
        )

    def wanted(self, trials: Sequence[Trial]) -> tuple[int, ...]:
        """Whoever came to the end, and the best of those that paused at each stop."""
        found: list[int] = []
        for epochs in sorted({one.epochs for one in trials if one.epochs and not one.diverged}):
            here = [one for one in trials if one.epochs == epochs and not one.diverged]
            here.sort(key=lambda one: (-one.scores[-1], one.id))
            most = len(here) if epochs >= self._options.epochs else MOST_PAUSED
            found += [one.id for one in here[:most]]
        return tuple(found)

    def _record(self, trials: Sequence[Trial]) -> Record:
        points = [self._cube.place(one.settings) for one in trials]
        return Record(
            points=np.array(points).reshape(-1, self._cube.dimensions),
            curves=[np.array([*one.scores, *[np.nan] * one.diverged]) for one in trials],
            kept=np.array([one.kept for one in trials], bool),
        )

    def _cheapest(self, cost: Callable[[Settings], float]) -> tuple[int, ...]:
        """Numbers of those among the evenly spread points with which the lanes begin."""
        count = self._options.start(self._cube.dimensions)
        points = self._cube.spread(0, count, self._options.seed)
        costs = [cost(self._settings(point)) for point in points]
        return tuple(sorted(range(count), key=costs.__getitem__)[: self._options.lanes])

    def _settings(self, point: np.ndarray) -> Settings:
        exact = self._exactly.get(marks(point[None])[0])
        return exact or Settings(**{"epochs": self._options.epochs, **self._cube.values(point)})


def decide(
    cube: Cube,
    record: Record,
    options: Options,
    left: float,
    hints: Hints | None = None,
    elders: Elders | None = None,
) -> Decision:
    """Who trains next, for at most `left` epochs in all; nobody at the end of the search.

    The same record, options, epochs left and hints give the same decision. `hints` are the model's
    parameters, handed on to save time; without them it takes longer and differs a little. The best
    of the `elders`, earlier runs, are the first to be trained.
    """
    count, first = len(record.points), options.stops[0]
    missing = options.start(cube.dimensions) - count
    if missing > 0 or record.broken.all():
        wanted = max(missing, options.lanes) if count else options.lanes  # soon there is a leader
        ask = int(min(wanted, _spare(record, options, left), left // first))
        best = elders.first if elders is not None else record.points[:0]
        spread = _spread(cube, record, options, ask, best)
        if len(spread) or record.broken.all():
            return Decision((), spread, first, hints)
    outlook = Outlook.of(cube, record, options, hints, elders)
    ending = left <= max(options.ending * options.budget, 2 * options.epochs)
    generator = np.random.default_rng([options.seed, count, int(record.reached.sum())])
    fresh = record.points[:0] if ending else ideas(cube, record, options, outlook, generator)
    choosing = Choosing(cube, record, options, outlook, fresh)
    promote, new = choosing.ending(left) if ending else choosing.middle(left)
    return Decision(promote, new, first, outlook.hints)


def _spare(record: Record, options: Options, left: float) -> float:
    """How many new ones leave enough for one candidate to get to the end."""
    ahead = int(record.reached[~record.broken].max(initial=0))
    if not ahead:
        return max(1, 1 + (left - options.epochs) // options.stops[0])
    return max(0, (left - options.epochs + ahead) // options.stops[0])


def _spread(
    cube: Cube, record: Record, options: Options, count: int, best: np.ndarray
) -> np.ndarray:
    """(count, dimensions) points that are new: the best known, then evenly spread ones.

    Fewer where there are no more.
    """
    start, found = len(record.points), {*marks(record.points)}
    fresh: list[np.ndarray] = []
    looked_at = start + PATIENCE * max(count, 0)
    later = [number for number in range(looked_at) if number not in options.soonest]
    turn = [*options.soonest, *later][start:looked_at]
    points = cube.spread(0, 1 + max(turn, default=-1), options.seed)
    rows = np.vstack([best, points[turn]])
    for mark, row in zip(marks(rows), rows, strict=True):
        if len(fresh) == count:
            break
        if mark not in found:
            found.add(mark)
            fresh.append(row)
    return np.array(fresh).reshape(-1, cube.dimensions)


def _hints(memory: Mapping[str, Any] | None) -> Hints | None:
    if memory is None:
        return None
    alike = tuple(memory.get("alike", (1.0,)))
    return Hints(np.array(memory["theta"]), int(memory["observations"]), alike)


def _plain(hints: Hints | None) -> dict[str, Any] | None:
    if hints is None:
        return None
    plain = {"theta": hints.theta.tolist(), "observations": hints.observations}
    return plain | {"alike": list(hints.alike)} if len(hints.alike) > 1 else plain
