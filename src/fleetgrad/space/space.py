"""All dimensions together: from a point of the unit cube to the values of one network.

A space says which values a name may take and under which conditions it matters at all; how to
choose among them is the samplers' business. A plain value fixes a name; a name left out keeps
its default in `Settings`. As TOML:

    learning_rate = { low = 1e-4, high = 1e-1, log = true }
    hidden = { choice = [[100, 100], [256, 128]] }
    momentum = { low = 0.5, high = 0.99, when = { optimizer = "momentum" } }
    optimizer = { choice = ["adam", "momentum"] }
    batch_size = 128
"""

import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from fleetgrad.errors import SettingsError, SpaceError, UsageError, suggestion
from fleetgrad.settings import NAMES, Settings
from fleetgrad.space import conditions, written
from fleetgrad.space.ranges import Choice, Float, Int, Range

_DEFAULTS = Settings()
_WHOLE = tuple(name for name in NAMES if type(getattr(_DEFAULTS, name)) is int)
_NUMBERS = tuple(name for name in NAMES if isinstance(getattr(_DEFAULTS, name), float))


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Space:
    """Hyperparameters to search, each with its range, and others that are fixed.

    Args:
        ranges: A `Float`, `Int` or `Choice` to search a name, any other value to fix it. `Int` is
            for counts such as `epochs`, `Float` for the other numbers, `Choice` for all.

    Raises:
        SpaceError: A name is unknown (the nearest is suggested), a range holds a value its name
            cannot take, a condition can never hold or runs in a circle, batch normalization may
            meet batches of one row, or nothing is searched.

    Examples:
        >>> rate = Float(1e-4, 1e-1, log=True)
        >>> space = Space(learning_rate=rate, hidden=Choice((64,), (256, 128)))
        >>> space.names
        ('hidden', 'learning_rate')
        >>> space.decode([0.9, 0.0])
        {'hidden': (256, 128), 'learning_rate': 0.0001}
    """

    ranges: Mapping[str, Range]
    fixed: Mapping[str, Any]
    _order: tuple[str, ...]

    def __init__(self, **ranges: Any) -> None:
        checked = {name: _checked(name, value) for name, value in ranges.items()}
        searched: dict[str, Range] = {}
        fixed: dict[str, Any] = {}
        for name, value in _in_order(checked):
            (searched if isinstance(value, Range) else fixed)[name] = value
        if not searched:
            raise SpaceError(
                "a space must have at least one range to search, got none; "
                "add learning_rate = Float(1e-4, 1e-1, log=True), or train fixed settings instead."
            )
        for name in searched:
            conditions.check(name, searched, fixed)
        conditions.check_batches(searched, fixed)
        searched = {name: conditions.settled(span) for name, span in searched.items()}
        object.__setattr__(self, "ranges", MappingProxyType(searched))
        object.__setattr__(self, "fixed", MappingProxyType(fixed))
        object.__setattr__(self, "_order", conditions.parents_first(searched))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:  # read-only mappings can be neither copied nor sent
        return Space.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={value!r}" for name, value in _in_order(self._everything()))
        return f"Space({held})"

    @property
    def names(self) -> tuple[str, ...]:
        """The searched names, in the order of `Settings` (so the order of writing is no matter)."""
        return tuple(self.ranges)

    @property
    def in_order(self) -> tuple[str, ...]:
        """The searched names, each after those that its conditions ask about."""
        return self._order

    @property
    def dimensions(self) -> int:
        """How many names are searched."""
        return len(self.ranges)

    def decode(self, unit: Sequence[float]) -> dict[str, Any]:
        """The values at a point of the unit cube.

        Args:
            unit: One number of [0, 1) for each of `names`, shape (dimensions,).

        Returns:
            Values for `Settings`, fixed ones among them; names whose conditions do not hold are
            left out.
        """
        if len(unit) != self.dimensions:
            raise UsageError(
                f"a point of this space has {self.dimensions} numbers, got {len(unit)}; "
                f"give one for each of {', '.join(self.names)}."
            )
        places = dict(zip(self.names, unit, strict=True))
        return self.build(lambda name, span: span.at(float(places[name])))

    def encode(self, values: Mapping[str, Any]) -> list[float]:
        """A point of the unit cube at which these values lie; NaN for names that do not matter.

        Args:
            values: Of all of `names`, as `Settings` holds them, each in its range.

        Examples:
            >>> space = Space(momentum=Float(0.0, 0.5), bias=Choice(True, False))
            >>> space.encode({"momentum": 0.125, "bias": False})
            [0.75, 0.25]
        """
        mattering = self.build(lambda name, _: values[name])
        spans = self.ranges.items()
        return [span.place(mattering[n]) if n in mattering else math.nan for n, span in spans]

    def build(self, pick: Callable[[str, Range], Any]) -> dict[str, Any]:
        """The values that `pick` gives, asked only for names whose conditions hold."""
        values = conditions.everything_else(self.ranges, self.fixed)
        for name in self._order:
            if conditions.holds(self.ranges[name].when, values):
                values[name] = pick(name, self.ranges[name])
        named = self._everything()
        return {name: values[name] for name in NAMES if name in values and name in named}

    def grid(self, n: int) -> list[dict[str, Any]]:
        """At most `n` distinct points, evenly spread.

        Every dimension gets a level in turn until the next would make more than `n` points; the
        levels of a number stand in the middle of equal parts of its range.

        Args:
            n: Most points, >= 1.
        """
        levels = _levels([span.levels or n for span in self.ranges.values()], n)
        points: dict[str, dict[str, Any]] = {}
        for places in itertools.product(*map(range, levels)):
            unit = [(place + 0.5) / level for place, level in zip(places, levels, strict=True)]
            point = self.decode(unit)
            points.setdefault(repr(point), point)
        return list(points.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` gives the space back."""
        return {name: written.plain(value) for name, value in _in_order(self._everything())}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The space of plain values, as `to_dict` or TOML has them.

        Raises:
            SpaceError: As for the class, or a range has an unknown or missing part.
        """
        found = {name: written.parse(name, value, _WHOLE) for name, value in values.items()}
        return cls(**found)

    def to_toml(self) -> str:
        """The space as TOML for a person to read and change."""
        return written.write(self.to_dict())

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """The space of a TOML file.

        Raises:
            SpaceError: The file is missing or not TOML, or means no space; names file and line.
        """
        text = written.read(Path(path))
        values: dict[str, Any] = {}
        for name, value in written.load(text, path).items():
            with written.located(text, path, name):
                _check_name(name)
                values[name] = _checked(name, written.parse(name, value, _WHOLE))
        written.check_searched(values, path)
        with written.located(text, path, *values):
            return cls(**values)

    def _everything(self) -> dict[str, Any]:
        return {**self.fixed, **self.ranges}


def _check_name(name: str) -> None:
    if name not in NAMES:
        raise SpaceError(f"`{name}` is no hyperparameter; {suggestion(name, NAMES)}")


def _checked(name: str, value: Any) -> Any:
    _check_name(name)
    return _fitted(name, value) if isinstance(value, Range) else _plain(name, value)


def _plain(name: str, value: Any) -> Any:
    """A fixed value as `Settings` holds it."""
    try:
        return conditions.held(name, value)
    except SettingsError as error:
        raise SpaceError(f"{error} To search several values, write a choice of them.") from None


def _fitted(name: str, span: Range) -> Range:
    """The range with values as `Settings` holds them, after a look at its extremes."""
    if isinstance(span, Int) and name not in _WHOLE:
        other = "Float" if name in _NUMBERS else "Choice"
        raise SpaceError(f"`{name}` cannot be searched by Int; use {other}.")
    if isinstance(span, Float) and name not in _NUMBERS:
        other = "Int" if name in _WHOLE else "Choice"
        raise SpaceError(f"`{name}` cannot be searched by Float; use {other}.")
    try:
        values = [conditions.held(name, value) for value in span.extremes()]
    except SettingsError as error:
        raise SpaceError(f"the range of `{name}` holds a value it cannot take: {error}") from None
    return Choice(*values, when=span.when) if isinstance(span, Choice) else span


def _levels(most: Sequence[int], n: int) -> list[int]:
    """Levels for each dimension, raised in turn while their product is at most `n`."""
    levels = [1] * len(most)
    growing = set(range(len(most)))
    while growing:
        dimension = min(growing, key=lambda place: (levels[place], place))
        raised = math.prod(levels) // levels[dimension] * (levels[dimension] + 1)
        if raised > n or levels[dimension] >= most[dimension]:
            growing.remove(dimension)
        else:
            levels[dimension] += 1
    return levels


def _in_order(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, values[name]) for name in NAMES if name in values]
