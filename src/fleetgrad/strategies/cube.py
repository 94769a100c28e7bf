"""A space as a model sees it: points of the unit cube, and numbers with meaningful distances."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float as Floats
from scipy.stats import qmc

from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space
from fleetgrad.space.ranges import Range

Points = Floats[np.ndarray, "points dimensions"]
Values = Floats[np.ndarray, "points columns"]

_LARGEST = math.nextafter(1.0, 0.0)


@dataclass(frozen=True)
class Cube:
    """The unit cube of a space, whose points are settled.

    Where a hyperparameter takes few values, a settled point lies in the middle of the part that
    belongs to its value; where its conditions do not hold it is NaN.

    Args:
        space: What is searched.
        tables: (values, columns) for each choice: what stands for each of its values; None for
            numbers, which stand for themselves.
    """

    space: Space
    tables: tuple[Values | None, ...]

    @classmethod
    def of(cls, space: Space) -> Self:
        """The cube of a space."""
        return cls(space, tuple(_table(name, span) for name, span in space.ranges.items()))

    @property
    def dimensions(self) -> int:
        """How many hyperparameters."""
        return self.space.dimensions

    @property
    def groups(self) -> np.ndarray:
        """(columns,) which of the model's lengths belongs to each column of `features`."""
        groups: list[int] = []
        for table in self.tables:
            first = groups[-1] + 1 if groups else 0
            if table is None:
                groups.append(first)
            elif _is_one_of(table):
                groups += [first] * table.shape[1]
            else:
                groups += range(first, first + table.shape[1])
        return np.array(groups)

    def features(self, points: Points) -> Values:
        """What stands for points; a number that does not matter stands in the middle."""
        columns = []
        for table, place in zip(self.tables, points.T, strict=True):
            if table is None:
                columns.append(np.nan_to_num(place, nan=0.5)[:, None])
            else:
                row = np.floor(np.nan_to_num(place) * len(table)).astype(int)
                rows = table[row]
                rows[np.isnan(place)] = table.mean(axis=0)
                columns.append(rows)
        return np.hstack(columns)

    def settle(self, points: Points) -> Points:
        """Points, each at the one place for its values."""
        settled = np.empty_like(points)
        values: dict[str, np.ndarray] = {}
        for name in self.space.in_order:
            span, column = self.space.ranges[name], self.space.names.index(name)
            place = np.nan_to_num(points[:, column], nan=0.5)
            matters = _matters(self.space, span, values, len(points))
            values[name], middle = _snapped(span, place)
            values[name][~matters] = None
            settled[:, column] = np.where(matters, middle, np.nan)
        return settled

    def spread(self, start: int, count: int, seed: int) -> Points:
        """`count` points of a scrambled Sobol sequence (Owen 1998) from number `start` on."""
        sequence = qmc.Sobol(self.dimensions, scramble=True, rng=np.random.default_rng(seed))
        points = sequence.random_base2(max(0, start + count - 1).bit_length())
        return self.settle(np.minimum(points[start : start + count], _LARGEST))

    def random(self, count: int, generator: np.random.Generator) -> Points:
        """Independent points."""
        return self.settle(generator.random((count, self.dimensions)))

    def near(
        self,
        parents: Points,
        steps: tuple[float, float],
        shares: Sequence[float],
        generator: np.random.Generator,
    ) -> Points:
        """A point near each parent: some of its hyperparameters moved, others kept.

        Args:
            parents: Where to begin.
            steps: Least and greatest standard deviation of a move, log-uniform between.
            shares: A hyperparameter moves with a probability that is one of these.
            generator: Its chance; half of a choice's moves go anywhere.
        """
        shape, count = parents.shape, len(parents)
        low, high = map(math.log, steps)
        step = np.exp(generator.uniform(low, high, size=(count, 1)))
        moves = generator.random(shape) < generator.choice(shares, size=(count, 1))
        moves[np.arange(count), generator.integers(self.dimensions, size=count)] = True
        choice = np.array([table is not None for table in self.tables])
        anywhere = np.isnan(parents) | (moves & choice & (generator.random(shape) < 0.5))  # noqa: PLR2004 - half
        moved = parents + moves * step * generator.standard_normal(shape)
        moved = np.where(anywhere, generator.random(shape), moved)
        return self.settle(np.clip(moved, 0.0, _LARGEST))

    def place(self, settings: Settings) -> np.ndarray:
        """(dimensions,) the settled point of settings that lie in the space.

        Raises:
            ValueError: They do not.
        """
        values = {name: getattr(settings, name) for name in self.space.names}
        point: np.ndarray = self.settle(np.array([self.space.encode(values)]))[0]
        return point

    def values(self, point: np.ndarray) -> dict[str, Any]:
        """What `Settings` takes, at a settled point."""
        return self.space.decode(np.nan_to_num(point, nan=0.5).tolist())


def marks(points: Points) -> list[bytes]:
    """What tells points apart: not the last digits, which the way through settings may change."""
    return [row.tobytes() for row in np.round(points, 9) + 0.0]


def _table(name: str, span: Range) -> Values | None:
    """What stands for the values of a choice."""
    if not isinstance(span, Choice):
        return None
    if name == "hidden" and all(span.values):
        sizes = [(len(widths), *np.log([widths[0], widths[-1]])) for widths in span.values]
        return _scaled(np.array(sizes, float))
    numbers = [value for value in span.values if isinstance(value, int | float)]
    if len(numbers) == len(span.values) > 2 and not {bool} & set(map(type, numbers)):  # noqa: PLR2004 - two are as far apart either way
        order = np.argsort(np.argsort(numbers))
        return _scaled(order[:, None].astype(float))
    apart: Values = np.eye(len(span.values)) * 0.5**0.5  # any two are 1 apart
    return apart


def _scaled(table: Values) -> Values:
    """Columns from 0 to 1; those that say nothing are left out."""
    low, high = table.min(axis=0), table.max(axis=0)
    says = high > low
    scaled: Values = (table - low) / np.where(says, high - low, 1)
    return scaled[:, says if says.any() else [0]]


def _is_one_of(table: Values) -> bool:
    """Whether the columns together say which value it is, and none of them how much."""
    return len(table) == table.shape[1] and bool((np.count_nonzero(table, axis=1) == 1).all())


def _snapped(span: Range, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values at places, as objects, and the one place of each."""
    if isinstance(span, Float):
        return np.array([None] * len(place), object), place  # nothing can depend on them
    if isinstance(span, Int):
        values = np.array([span.at(float(one)) for one in place], object)
        return values, np.array([span.place(one) for one in values])
    rows = np.minimum((place * len(span.values)).astype(int), len(span.values) - 1)
    objects = np.empty(len(span.values), object)
    objects[:] = span.values
    return objects[rows], (rows + 0.5) / len(span.values)


def _matters(space: Space, span: Range, values: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """(count,) whether the conditions of a range hold."""
    holds = np.ones(count, bool)
    for parent, allowed in (span.when or {}).items():
        if parent in values:
            holds &= np.array([value in allowed for value in values[parent]])
        else:
            holds &= space.fixed.get(parent, getattr(Settings(), parent)) in allowed
    return holds
