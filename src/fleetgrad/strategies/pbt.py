"""Population-based training: the rates of a whole population evolve while it trains.

All networks train side by side for an interval of epochs. Then the worst fifth gives way: each of
its places is taken by a copy of one of the best fifth, weights and optimizer included, whose rates
are moved a little (exploit by truncation selection, then explore; Jaderberg et al. 2017,
arXiv:1711.09846). What is found is no fixed rate but a schedule of rates, and each candidate's
settings hold all of its own, so that it can be trained again from the start.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Space
from fleetgrad.space.ranges import Range
from fleetgrad.stages import EVOLVING, SWITCHES
from fleetgrad.trials import Step, Trial

FEWEST = 4  # networks: among fewer there is nobody to choose
INTERVALS = 10
TRUNCATED = 5  # one in so many gives way, to one of the best in so many
RESAMPLED = 0.25  # how often a rate is drawn anew, not moved
FACTORS = (0.8, 1.25)
PATIENCE = 10  # draws, until one is known not to be there already
_TO_ONE = ("momentum", "ema")  # what counts is how far they are from 1


class Pbt:
    """The strategy over one space.

    Args:
        space: What is searched; not the number of epochs.
        first: The settings that the population begins with.
        epochs: The full training.
        seed: Of all chance.
    """

    def __init__(self, space: Space, first: Sequence[Settings], epochs: int, seed: int) -> None:
        self._space, self._first, self._epochs, self._seed = space, tuple(first), epochs, seed

    @property
    def stops(self) -> tuple[int, ...]:
        """Epochs at which some give way, and the last."""
        return stops(self._epochs)

    def decide(
        self, trials: Sequence[Trial], left: float, memory: Mapping[str, Any] | None
    ) -> Step:
        """The next step; see `trials.Strategy`."""
        del memory
        if not trials:
            return Step(fresh=self._first, until=self.stops[0])
        alive = _alive(trials)
        if not alive or alive[0].epochs >= self._epochs or left < 1:
            return Step()
        now = alive[0].epochs
        until = next(stop for stop in self.stops if stop > now)
        rng = np.random.default_rng([self._seed, now, len(trials)])
        chance = rng.permutation(len(alive))  # decides between equals
        order = sorted(range(len(alive)), key=lambda n: (-alive[n].scores[-1], chance[n]))
        ranked = [alive[place] for place in order]
        size = len(self._first)
        share = max(1, size // TRUNCATED) if size > 1 else 0
        staying = ranked[: min(size - share, len(ranked))]
        known = {one.settings for one in trials}
        fresh, parents = [], []
        for _ in range(size - len(staying)):
            parent = ranked[rng.integers(min(share, len(ranked)))]
            child = self._explored(parent.settings, now, known, rng)
            known.add(child)
            fresh.append(child)
            parents.append(parent.id)
        goals = {one.id: until for one in staying}
        return Step(goals=goals, fresh=tuple(fresh), until=until, parents=tuple(parents))

    def wanted(self, trials: Sequence[Trial]) -> tuple[int, ...]:
        """Whoever came furthest."""
        sound = [one for one in trials if one.scores and not one.diverged]
        furthest = max((one.epochs for one in sound), default=0)
        return tuple(one.id for one in sound if one.epochs == furthest)

    def _explored(
        self, parent: Settings, now: int, known: set[Settings], rng: np.random.Generator
    ) -> Settings:
        """The parent's settings, and from now on others that nobody has yet."""
        names = evolving(self._space, parent)
        child = parent
        for _ in range(PATIENCE):
            values = {
                name: moved(name, self._space.ranges[name], getattr(parent, name), rng)
                for name in names
            }
            child = parent.then(now, values)
            if child not in known:
                break
        return child


def stops(epochs: int) -> tuple[int, ...]:
    """Epochs at which some of a population give way, and the last: a tenth of all apart.

    >>> stops(25)
    (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 25)
    """
    interval = max(1, round(epochs / INTERVALS))
    return (*range(interval, epochs, interval), epochs)


def evolving(space: Space, settings: Settings) -> tuple[str, ...]:
    """The searched names that may move: numbers that matter here, and that nothing depends on."""
    mattering = space.build(lambda name, _: getattr(settings, name))
    asked = {parent for span in space.ranges.values() for parent in span.when or ()}
    return tuple(
        name for name in space.names if name in EVOLVING and name in mattering and name not in asked
    )


def moved(name: str, span: Range, value: float, rng: np.random.Generator) -> float:
    """Another value of the range: a factor away, one choice further, or drawn anew.

    At an end of the range it moves away from it; 0 stays 0 where a network that has none of
    something is another program.
    """
    anew, up = rng.random() < RESAMPLED, bool(rng.integers(2))
    drawn = span.at(rng.random())
    if anew:
        found = drawn
    elif isinstance(span, Choice):
        places = sorted(span.values)
        place = places.index(value) + (1 if up else -1)
        found = places[place if 0 <= place < len(places) else places.index(value) - (2 * up - 1)]
    else:
        found = _scaled(name, span.low, span.high, value, up=up)
    switched = name in SWITCHES and (found > 0) != (value > 0)
    return value if switched else float(found)


def _alive(trials: Sequence[Trial]) -> list[Trial]:
    """Those that can go on, of those the furthest."""
    sound = [one for one in trials if one.scores and one.kept and not one.diverged]
    furthest = max((one.epochs for one in sound), default=0)
    return [one for one in sound if one.epochs == furthest]


def _scaled(name: str, low: float, high: float, value: float, *, up: bool) -> float:
    """A value a factor away, within the range; the other way where that leads nowhere."""
    whole = 1.0 if name in _TO_ONE else 0.0
    for factor in (FACTORS[up], FACTORS[not up]):
        away = abs(whole - value) * factor
        found = min(max(whole - away if whole else away, low), high)
        if not math.isclose(found, value, rel_tol=1e-12):
            return found
    return value
