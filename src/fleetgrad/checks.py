"""Checks of single values of hyperparameters, and the values as `settings` hold them.

All raise `SettingsError` with the name, the rule, what was got and what to use.
"""

import math
from typing import Any

from fleetgrad.errors import SettingsError, suggestion


def widths(hidden: Any) -> tuple[int, ...]:
    """Widths as a tuple; one number is one layer."""
    if isinstance(hidden, int):
        hidden = (hidden,)
    if not isinstance(hidden, tuple | list):
        raise SettingsError(f"`hidden` must be a list of widths, got {hidden!r}; use [128, 64].")
    found = tuple(count("hidden", width, 1) for width in hidden)
    # A choice's own tuple serves all settings that have it: a search may hold a million of them.
    return hidden if isinstance(hidden, tuple) and _same(hidden, found) else found


def _same(one: tuple[Any, ...], other: tuple[int, ...]) -> bool:
    return all(type(own) is int and own == width for own, width in zip(one, other, strict=True))


def named(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse what is not one of these names."""
    if value not in allowed:
        raise SettingsError(
            f"`{name}` must be a known name, got {value!r}; {suggestion(str(value), allowed)}"
        )


def switch(name: str, value: Any) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool):
        raise SettingsError(f"`{name}` must be true or false, got {value!r}; use true.")


def count(name: str, value: Any, least: int) -> int:
    """A whole number, of at least so much."""
    whole = not isinstance(value, bool) and hasattr(value, "__index__")
    if not whole or int(value) < least:
        raise SettingsError(
            f"`{name}` must be a whole number of at least {least}, got {value!r}; use {least}."
        )
    return int(value)


def number(name: str, value: Any, low: float, high: float, *, open_low: bool) -> float:
    """A number from `low`, which may be excluded, up to `high`, which is."""
    interval = f"{'(' if open_low else '['}{low:g}, {high:g})"
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    above = number > low if open_low else number >= low
    if not (above and number < high):
        example = low if not open_low else 0.001
        raise SettingsError(f"`{name}` must be in {interval}, got {value!r}; use {example:g}.")
    return number
