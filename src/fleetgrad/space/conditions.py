"""When a hyperparameter matters at all: its conditions on others, checked and put in order."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fleetgrad.errors import SettingsError, SpaceError, suggestion
from fleetgrad.settings import LEAST_NORMALIZED, NAMES, Settings
from fleetgrad.space.ranges import Choice, Float, Range

_DEFAULTS = Settings()


def holds(when: Mapping[str, tuple[Any, ...]] | None, values: Mapping[str, Any]) -> bool:
    """Whether all conditions hold, given the values of all names that matter themselves."""
    return all(values.get(parent) in allowed for parent, allowed in (when or {}).items())


def held(name: str, value: Any) -> Any:
    """A value as `Settings` holds it; raises `SettingsError` where it cannot."""
    return getattr(Settings(**{name: value}), name)


def check(name: str, ranges: Mapping[str, Range], fixed: Mapping[str, Any]) -> None:
    """Raise `SpaceError` unless the conditions of `name` can hold, each by itself."""
    for parent, allowed in (ranges[name].when or {}).items():
        if parent not in NAMES:
            raise SpaceError(
                f"the condition of `{name}` names `{parent}`, which is no hyperparameter; "
                f"{suggestion(str(parent), NAMES)}"
            )
        values = [_checked(name, parent, value) for value in allowed]
        if not any(_can_be(parent, value, ranges, fixed) for value in values):
            raise SpaceError(
                f"the condition of `{name}` needs `{parent}` = {allowed[0]!r}, which it never is "
                f"in this space; add it to a choice of `{parent}`, or drop the condition."
            )


def check_batches(ranges: Mapping[str, Range], fixed: Mapping[str, Any]) -> None:
    """Raise `SpaceError` if batch normalization may meet batches of a single row."""
    normalized = _can_be("normalization", "batch", ranges, fixed)
    least = min(ranges["batch_size"].extremes()) if "batch_size" in ranges else None
    if normalized and (fixed.get("batch_size", least) or LEAST_NORMALIZED) < LEAST_NORMALIZED:
        raise SpaceError(
            f"`batch_size` must be at least {LEAST_NORMALIZED} where `normalization` can be "
            "batch, got 1; raise it, or use layer normalization."
        )


def settled(span: Range) -> Range:
    """The range with the values of its checked conditions as `Settings` holds them."""
    if not span.when:
        return span
    when = {
        parent: tuple(held(parent, value) for value in allowed)
        for parent, allowed in span.when.items()
    }
    return Choice(*span.values, when=when) if isinstance(span, Choice) else replace(span, when=when)


def parents_first(ranges: Mapping[str, Range]) -> tuple[str, ...]:
    """Names, so that whatever a condition asks about comes before it.

    Raises:
        SpaceError: Conditions run in a circle.
    """
    order: list[str] = []
    waiting = list(ranges)
    while waiting:
        ready = [name for name in waiting if not set(ranges[name].when or ()) & set(waiting)]
        if not ready:
            circle = ", ".join(f"`{name}`" for name in waiting)
            raise SpaceError(f"conditions must not run in a circle, got {circle}; drop one.")
        order += ready
        waiting = [name for name in waiting if name not in ready]
    return tuple(order)


def everything_else(ranges: Mapping[str, Range], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Values of all names that are not searched: fixed ones and defaults."""
    defaults = {name: getattr(_DEFAULTS, name) for name in NAMES if name not in ranges}
    return {**defaults, **fixed}


def _checked(name: str, parent: str, value: Any) -> Any:
    try:
        return held(parent, value)
    except SettingsError as error:
        raise SpaceError(f"the condition of `{name}` cannot hold: {error}") from None


def _can_be(name: str, value: Any, ranges: Mapping[str, Range], fixed: Mapping[str, Any]) -> bool:
    """Whether a name is ever exactly this; a stretch of numbers never is, but by accident."""
    if name in ranges:
        span = ranges[name]
        return not isinstance(span, Float) and span.has(value)
    return bool(fixed.get(name, getattr(_DEFAULTS, name)) == value)
