"""Where training broke: how many candidates were tried, and diverged, in each field of a map.

The map lies over the learning rate and the momentum where both are searched, else over other
numbers; with a single number searched it is a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from fleetgrad.errors import UsageError
from fleetgrad.frames import frame, of_lines
from fleetgrad.settings import NAMES, Settings
from fleetgrad.space import Choice, Range, Space

FIELDS = 8  # along either side
_WIDE = 20.0  # a greatest value over the least from which fields are equal ratios
_AXES = ("learning_rate", "momentum")  # where both are searched


@dataclass(frozen=True, slots=True)
class Map:
    """How many candidates were tried, and how many diverged, by one or two hyperparameters.

    Args:
        x, y: Their names; `y` is None where there is only one.
        x_edges, y_edges: Where the fields of each end, one more than there are fields; `y_edges`
            is empty where there is no `y`.
        tried, diverged: Counts, a row for each field of `x`, a number for each of `y`, or one
            number where there is no `y`.
    """

    x: str
    y: str | None
    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    tried: tuple[tuple[int, ...], ...]
    diverged: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def to_frame(self) -> Any:
        """A frame with a line for each field: its ends on every axis, tried, diverged."""
        names = [f"{axis}_{end}" for axis in (self.x, self.y) if axis for end in ("low", "high")]
        return frame(of_lines((*names, "tried", "diverged"), self._fields()))

    def _fields(self) -> Iterator[tuple[float, ...]]:
        for row, tried in enumerate(self.tried):
            for column, count in enumerate(tried):
                ends_x, ends_y = self.x_edges[row : row + 2], self.y_edges[column : column + 2]
                yield (*ends_x, *ends_y, count, self.diverged[row][column])


def divergence_map(
    settings: Sequence[Settings],
    diverged: Bool[np.ndarray, " candidates"] | Sequence[bool],
    x: str = _AXES[0],
    y: str | None = _AXES[1],
    *,
    ratios: Mapping[str, bool] | None = None,
) -> Map:
    """Where training broke.

    Args:
        settings: Of each candidate, at least one.
        diverged: Whether each diverged.
        x: The name of a number. There is one field where the values tried are all the same.
        y: Another, or None. Candidates for which it does not matter count at its default.
        ratios: Whether a name's fields are equal ratios, not equal differences; a name that is
            left out has ratios where the values tried span a factor of 20 or more.

    Raises:
        UsageError: A name is no number, or there is not one answer a candidate.
    """
    if not settings or len(settings) != len(diverged):
        raise UsageError(
            f"a map needs one answer a candidate, got {len(diverged)} for {len(settings)}; give "
            "true or false for each."
        )
    names = [name for name in (x, y) if name is not None]
    sides = [_numbers(settings, name) for name in names]
    asked = [(ratios or {}).get(name) for name in names]
    edges = [_edges(*pair) for pair in zip(sides, asked, strict=True)]
    fields = [
        np.clip(np.searchsorted(edge, side, side="right") - 1, 0, len(edge) - 2)
        for edge, side in zip(edges, sides, strict=True)
    ]
    tried = np.zeros([len(edge) - 1 for edge in edges], int)
    lost = tried.copy()
    np.add.at(tried, tuple(fields), 1)
    np.add.at(lost, tuple(fields), np.asarray(diverged, bool).astype(int))
    counts = [_rows(table) for table in (tried, lost)]
    ends = [tuple(edge.tolist()) for edge in edges]
    return Map(x, y, ends[0], ends[1] if y else (), *counts)


def searched_map(
    space: Space, settings: Sequence[Settings], diverged: Bool[np.ndarray, " candidates"]
) -> Map | None:
    """The map of a search; None where nobody was tried, or no number was searched.

    Its axes are the learning rate and the momentum where they were searched, else the first
    numbers that were; stretches go before choices.
    """
    numbers = sorted(
        (name for name, span in space.ranges.items() if _is_numeric(span)),
        key=lambda name: (name not in _AXES, isinstance(space.ranges[name], Choice)),
    )
    if not numbers or not settings:
        return None
    spans = {name: space.ranges[name] for name in numbers}
    ratios = {name: s.log for name, s in spans.items() if not isinstance(s, Choice)}
    second = numbers[1] if numbers[1:] else None
    return divergence_map(settings, diverged, numbers[0], second, ratios=ratios)


def _is_numeric(span: Range) -> bool:
    return not isinstance(span, Choice) or all(map(_is_number, span.values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(settings: Sequence[Settings], name: str) -> np.ndarray:
    values = [getattr(one, name) if name in NAMES else None for one in settings]
    if not all(map(_is_number, values)):
        raise UsageError(f"`{name}` must be a number to be drawn on a map; use `learning_rate`.")
    return np.array(values, np.float64)


def _edges(values: np.ndarray, ratios: bool | None) -> np.ndarray:  # noqa: FBT001 - of a table
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low, high])
    wide = high >= _WIDE * low if ratios is None else ratios
    if low > 0 and wide:
        return np.geomspace(low, high, FIELDS + 1)
    return np.linspace(low, high, FIELDS + 1)


def _rows(counts: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, counts.reshape(len(counts), -1).tolist()))
