"""What one hyperparameter may be: a stretch of numbers, of whole numbers, or a few choices.

A range turns a number of [0, 1) into one of its values (`at`), which is all a sampler needs to
know of it. It does not know which hyperparameter it belongs to; the space does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from fleetgrad.errors import SpaceError

Conditions = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Float:
    """Numbers from `low` to `high`.

    Args:
        low: Least value.
        high: Greatest value, above `low`.
        log: Whether equal ratios, not equal differences, are equally likely; then `low` > 0.
        when: Other hyperparameters and the value (or tuple of values) each must have for this
            one to matter, such as `{"optimizer": ("momentum", "nesterov")}`.

    Raises:
        SpaceError: The range is empty, reversed, infinite, or logarithmic through 0.
    """

    low: float
    high: float
    log: bool = False
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _check_ends(self)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        object.__setattr__(self, "when", _conditions(self.when))

    @property
    def levels(self) -> None:
        """How many values there are: no end of them."""
        return

    def at(self, unit: float) -> float:
        """The value at a place of [0, 1)."""
        value = _between(self.low, self.high, unit, log=self.log)
        return min(max(value, self.low), self.high)

    def place(self, value: float) -> float:
        """The place of [0, 1) at which a value lies."""
        return _place(self.low, self.high, value, log=self.log)

    def has(self, value: Any) -> bool:
        """Whether the range holds this value."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def extremes(self) -> tuple[float, ...]:
        """Values that are allowed if and only if all others are."""
        return (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Int:
    """Whole numbers from `low` to `high`, both included; arguments as for `Float`.

    Raises:
        SpaceError: The range is empty, reversed, not whole, or logarithmic through 0.
    """

    low: int
    high: int
    log: bool = False
    when: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, end in (("low", self.low), ("high", self.high)):
            if isinstance(end, bool) or not hasattr(end, "__index__"):
                raise SpaceError(f"`{name}` of Int must be a whole number, got {end!r}; use 32.")
        _check_ends(self)
        object.__setattr__(self, "low", int(self.low))
        object.__setattr__(self, "high", int(self.high))
        object.__setattr__(self, "when", _conditions(self.when))

    @property
    def levels(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1

    def at(self, unit: float) -> int:
        """The value at a place of [0, 1)."""
        value = _between(self.low, self.high + 1, unit, log=self.log)
        return min(max(int(value), self.low), self.high)

    def place(self, value: int) -> float:
        """The middle of the part of [0, 1) at which a value lies."""
        return _place(self.low, self.high + 1, value + 0.5, log=self.log)

    def has(self, value: Any) -> bool:
        """Whether the range holds this value."""
        return isinstance(value, int) and self.low <= value <= self.high

    def extremes(self) -> tuple[int, ...]:
        """Values that are allowed if and only if all others are."""
        return (self.low, self.high)


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of a few values, all equally likely.

    Args:
        values: The values, distinct; lists become tuples (`hidden` takes tuples of widths).
        when: As for `Float`.

    Raises:
        SpaceError: There is no value, or one is given twice.
    """

    values: tuple[Any, ...]
    when: Mapping[str, Any] | None

    def __init__(self, *values: Any, when: Mapping[str, Any] | None = None) -> None:
        frozen = tuple(tuple(value) if isinstance(value, list) else value for value in values)
        if not frozen:
            raise SpaceError("`Choice` must have at least one value, got none; name some.")
        if any(value in frozen[:place] for place, value in enumerate(frozen)):
            raise SpaceError(f"`Choice` must have distinct values, got {frozen}; drop the double.")
        object.__setattr__(self, "values", frozen)
        object.__setattr__(self, "when", _conditions(when))

    @property
    def levels(self) -> int:
        """How many values there are."""
        return len(self.values)

    def at(self, unit: float) -> Any:
        """The value at a place of [0, 1)."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def place(self, value: Any) -> float:
        """The middle of the part of [0, 1) at which a value lies."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def has(self, value: Any) -> bool:
        """Whether the value is one of the choices."""
        return value in self.values

    def extremes(self) -> tuple[Any, ...]:
        """Values that are allowed if and only if all others are: every one."""
        return self.values


Range = Float | Int | Choice


def _between(low: float, high: float, unit: float, *, log: bool) -> float:
    if log:
        return low * math.exp(unit * (math.log(high) - math.log(low)))
    return low + unit * (high - low)


def _place(low: float, high: float, value: float, *, log: bool) -> float:
    if log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(max((value - low) / (high - low), 0.0), math.nextafter(1.0, 0.0))


def _check_ends(span: Float | Int) -> None:
    kind = type(span).__name__
    _check_number(f"`low` of {kind}", span.low)
    _check_number(f"`high` of {kind}", span.high)
    _check_log(kind, span.log)
    if span.low >= span.high:
        raise SpaceError(
            f"`low` must be below `high`, got low = {span.low!r} and high = {span.high!r}; "
            "swap them, or give the plain value to fix it."
        )
    if span.log and span.low <= 0:
        raise SpaceError(
            f"a logarithmic range must stay above 0, got low = {span.low!r}; "
            f"use low = {min(1e-6, span.high / 2) if kind == 'Float' else 1}."
        )


def _check_number(what: str, end: Any) -> None:
    if isinstance(end, bool) or not isinstance(end, Real):
        raise SpaceError(f"{what} must be a number, got {end!r}; use 0.1.")
    if not math.isfinite(end):
        raise SpaceError(f"{what} must be finite, got {end!r}; use 1000.")


def _check_log(kind: str, log: Any) -> None:
    if not isinstance(log, bool):
        raise SpaceError(f"`log` of {kind} must be true or false, got {log!r}; use true.")


def _conditions(when: Any) -> Conditions | None:
    if when is None:
        return None
    if not isinstance(when, Mapping) or not when:
        raise SpaceError(
            "`when` must name other hyperparameters and their values, "
            f'got {when!r}; use {{"optimizer": "momentum"}}.'
        )
    return {name: _alternatives(name, value) for name, value in when.items()}


def _alternatives(name: str, value: Any) -> tuple[Any, ...]:
    """The values that satisfy a condition; one list of widths is one value of `hidden`."""
    several = isinstance(value, tuple | list)
    if name == "hidden" and several and not any(isinstance(item, tuple | list) for item in value):
        several = False
    values = value if several else (value,)
    if not values:
        raise SpaceError(
            f"`when` must name a value of `{name}` at least, got none; drop the condition."
        )
    return tuple(tuple(item) if isinstance(item, list) else item for item in values)
