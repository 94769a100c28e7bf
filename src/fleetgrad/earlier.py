"""What earlier runs found, as a later one is told of it: plain values on its own record.

A run of the same or of other data is a hint, no proof. Its best settings are tried first, and a
model hears of its candidates as of a task that resembles the present one more or less.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from fleetgrad.settings import NAMES, Settings
from fleetgrad.space import Choice, Space
from fleetgrad.space.ranges import Range

T = TypeVar("T")

MOST = 200  # candidates of a run that go on record: half of them the best, the others spread
FIRST = 3  # of its best settings that are tried before anything else
APART = 0.1  # of a range, by which two of them differ in some name
POINTS = 5  # epochs, from a tenth of the whole to its end, whose scores go on record


class Seen(NamedTuple):
    """A candidate of an earlier run.

    Args:
        settings: Its own.
        at: Some of the epochs it came through, ascending; none where it diverged before them.
        scores: Validation score after each of these; the greater, the better.
        diverged: Whether it did.
    """

    settings: Settings
    at: tuple[int, ...]
    scores: tuple[float, ...]
    diverged: bool = False

    @classmethod
    def of(cls, settings: Settings, curve: Sequence[float], epochs: int, *, diverged: bool) -> Self:
        """What is kept of a curve, of a run whose full training is so long."""
        sound = [score for score in curve if math.isfinite(score)]
        marks = {max(1, round(epochs * 10.0 ** (-place))) for place in np.linspace(0, 1, POINTS)}
        at = sorted({mark for mark in marks if mark <= len(sound)} | {len(sound)} - {0})
        scores = tuple(float(f"{sound[epoch - 1]:.6g}") for epoch in at)
        return cls(settings, tuple(at), scores, diverged)


class Fitted(NamedTuple):
    """Settings as near as a space has them, and the names for which it has nothing near."""

    settings: Settings
    unknown: frozenset[str]


@dataclass(frozen=True)
class Earlier:
    """A run that came before.

    Args:
        run: Its directory, for people to read.
        dataset: The name of its data.
        epochs: Its full training.
        candidates: Whoever was trained, the best first.
    """

    run: str
    dataset: str
    epochs: int
    candidates: tuple[Seen, ...]

    def of_use(self, space: Space) -> "Earlier":
        """The same with those candidates alone that a space can place."""
        found = [one for one in self.candidates if fitted(space, one.settings, 1)]
        return Earlier(self.run, self.dataset, self.epochs, tuple(thinned(found, MOST)))

    def fitted(self, space: Space, epochs: int, most: int = MOST) -> list[tuple[Fitted, Seen]]:
        """Candidates as a space has them, thinned to so many, the best first."""
        pairs = ((fitted(space, one.settings, epochs), one) for one in self.candidates)
        return thinned([(place, one) for place, one in pairs if place is not None], most)

    def first(self, space: Space, epochs: int) -> list[Settings]:
        """The best settings, none of them near a better one."""
        found: list[Settings] = []
        for place, one in self.fitted(space, epochs):
            sound = one.scores and not one.diverged
            if sound and all(_apart(space, place.settings, other) for other in found):
                found.append(place.settings)
        return found[:FIRST]

    def standings(self, space: Space, epochs: int, most: int) -> list[tuple[Settings, float]]:
        """How each did on the run's own scale: 1 as its best, 0 as its median, NaN diverged."""
        pairs = self.fitted(space, epochs, most)
        last = [math.nan if one.diverged else one.scores[-1] for _, one in pairs]
        sound = [score for score in last if math.isfinite(score)]
        if not sound:
            return []
        middle, top = median(sound), max(sound)
        scale = (top - middle) or 1.0
        return [
            (place.settings, (score - middle) / scale)
            for (place, _), score in zip(pairs, last, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what all candidates have in common is written once."""
        every = [one.settings.to_dict() for one in self.candidates]
        shared = {n: v for n, v in every[0].items() if all(one[n] == v for one in every)}
        return {
            "run": self.run,
            "dataset": self.dataset,
            "epochs": self.epochs,
            "shared": shared,
            "candidates": [
                {
                    "settings": {n: values[n] for n in NAMES if n not in shared},
                    "at": list(one.at),
                    "scores": list(one.scores),
                    "diverged": one.diverged,
                }
                for one, values in zip(self.candidates, every, strict=True)
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        found = tuple(
            Seen(
                Settings.from_dict({**values["shared"], **one["settings"]}),
                tuple(one["at"]),
                tuple(one["scores"]),
                one["diverged"],
            )
            for one in values["candidates"]
        )
        return cls(values["run"], values["dataset"], values["epochs"], found)


def recorded(config: Mapping[str, Any]) -> tuple[Earlier, ...]:
    """The earlier runs that a run was told of."""
    return tuple(Earlier.from_dict(one) for one in config.get("earlier", ()))


def opening(earlier: Sequence[Earlier], space: Space, epochs: int) -> dict[Settings, int]:
    """What is tried before anything else, each with the number of the run that it is from.

    The best of each run come first, then the second best, and so on.
    """
    owners: dict[Settings, int] = {}
    each = [one.first(space, epochs) for one in earlier]
    for turn in range(FIRST):
        for number, found in enumerate(each):
            if turn < len(found):
                owners.setdefault(found[turn], number)
    return owners


def summary(config: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """What a run took over, in short: run, dataset, how many candidates, how many tried first."""
    runs = recorded(config)
    if not runs:
        return ()
    owners = opening(runs, Space.from_dict(config["space"]), 1)
    tried = Counter(owners.values())
    return tuple(
        {
            "run": one.run,
            "dataset": one.dataset,
            "candidates": len(one.candidates),
            "enqueued": tried[number],
        }
        for number, one in enumerate(runs)
    )


def fitted(space: Space, settings: Settings, epochs: int) -> Fitted | None:
    """Settings as near as a space has them; None if more than half of its names lie outside."""
    held: dict[str, bool] = {}
    unknown: set[str] = set()

    def pick(name: str, span: Range) -> Any:
        value = getattr(settings, name)
        held[name] = span.has(value)
        near = value if held[name] else _nearest(name, span, value)
        if near is None:
            unknown.add(name)
            return span.at(0.5)
        return near

    values = space.build(pick)
    if 2 * sum(held.values()) < len(held):
        return None
    return Fitted(Settings(**{"epochs": epochs, **values}), frozenset(unknown))


def thinned(ranked: Sequence[T], most: int) -> list[T]:
    """So many of a ranking: half of these from its head, the others from all the rest."""
    if len(ranked) <= most:
        return list(ranked)
    head = most // 2
    rest = np.linspace(head, len(ranked) - 1, most - head).round().astype(int)
    return [*ranked[:head], *(ranked[place] for place in rest)]


def _apart(space: Space, one: Settings, other: Settings) -> bool:
    """Whether two settings of a space differ in more than a small step of any name."""
    places = zip(_point(space, one), _point(space, other), strict=True)
    return any(math.isnan(a) != math.isnan(b) or abs(a - b) > APART for a, b in places)


def _point(space: Space, settings: Settings) -> list[float]:
    return space.encode({name: getattr(settings, name) for name in space.names})


def _nearest(name: str, span: Range, value: Any) -> Any:
    """The value of a range that is nearest; None where nothing can be called near."""
    if not isinstance(span, Choice):
        return min(max(value, span.low), span.high)
    if name == "hidden":
        return min(span.values, key=lambda one: abs(math.log1p(sum(one)) - math.log1p(sum(value))))
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in span.values):
        return None
    return min(span.values, key=lambda one: abs(one - value))
