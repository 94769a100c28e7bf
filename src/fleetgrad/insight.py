"""What a search has learned about its hyperparameters, beside who won: `understand`.

importances  how much each had to do with being among the best
effects      the score to expect at each of its values, with an interval
divergence   where training broke: how many were tried, and diverged, in each field of a map
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Bool

from fleetgrad import ends
from fleetgrad.candidates import Candidates
from fleetgrad.effects import FEWEST, Point, effects
from fleetgrad.errors import UsageError
from fleetgrad.frames import frame
from fleetgrad.leaderboard import Leaderboard
from fleetgrad.samplers.importance import importances
from fleetgrad.settings import NAMES, Settings
from fleetgrad.space import Choice, Space

FIELDS = 8  # along either side of the map
_WIDE = 20.0  # a greatest value over the least from which fields are equal ratios
_AXES = ("learning_rate", "momentum")  # of the map, where both are searched

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Map:
    """How many candidates were tried, and how many diverged, by two hyperparameters.

    Args:
        x, y: Their names.
        x_edges, y_edges: Where the fields of each end, one more than there are fields.
        tried, diverged: Counts, a row for each field of `x`, a number for each of `y`.
    """

    x: str
    y: str
    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    tried: tuple[tuple[int, ...], ...]
    diverged: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def to_frame(self) -> Any:
        """A frame with a line for each field: its ends on both axes, tried, diverged."""
        names = (f"{self.x}_low", f"{self.x}_high", f"{self.y}_low", f"{self.y}_high")
        return frame(_columns((*names, "tried", "diverged"), self._fields()))

    def _fields(self) -> Iterator[tuple[float, ...]]:
        for row, tried in enumerate(self.tried):
            for column, count in enumerate(tried):
                ends_x, ends_y = self.x_edges[row : row + 2], self.y_edges[column : column + 2]
                yield (*ends_x, *ends_y, count, self.diverged[row][column])


@dataclass(frozen=True, slots=True)
class Insight:
    """What is known of the hyperparameters; parts are None where there is too little to say.

    Args:
        candidates: How many were tried.
        importances: The share of each searched name, greatest first; they sum to 1.
        effects: The score to expect by name, in the order of values.
        divergence: The map; None also where fewer than two numbers were searched.
        reason: Why importances and effects are None.
    """

    candidates: int
    importances: Mapping[str, float] | None
    effects: Mapping[str, tuple[Point, ...]] | None
    divergence: Map | None
    reason: str | None = None

    @classmethod
    def none(cls, candidates: int, divergence: Map | None, reason: str) -> Self:
        """Nothing but the map, and why."""
        return cls(candidates, None, None, divergence, reason)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        curves = self.effects
        return {
            "candidates": self.candidates,
            "importances": None if self.importances is None else dict(self.importances),
            "effects": None
            if curves is None
            else {
                name: [{**one._asdict(), "value": _plain(name, one.value)} for one in points]
                for name, points in curves.items()
            },
            "divergence": None if self.divergence is None else self.divergence.to_dict(),
            "reason": self.reason,
        }

    def importances_frame(self) -> Any:
        """A frame with a line for each name: its share."""
        return frame(_columns(("name", "share"), (self.importances or {}).items()))

    def effects_frame(self) -> Any:
        """A frame with a line for each point; values as text, for a column is of one type."""
        points = [
            (name, str(one.value), *one[1:])
            for name, several in (self.effects or {}).items()
            for one in several
        ]
        return frame(_columns(("name", *Point._fields), points))


def understand(
    board: Leaderboard,
    space: Space,
    curves: Mapping[int, Sequence[float]] | None = None,
    *,
    seed: int = 0,
) -> Insight:
    """What a leaderboard says of the hyperparameters of a space.

    Importances go by rank. Effects go by the scores at the end of the training: with `curves`
    those of candidates stopped early are what they would have come to (`ends`); without, they are
    the last ones, and candidates stopped early look worse than they are.

    Args:
        board: Everyone who was tried.
        space: What was searched.
        curves: Validation accuracy after each epoch, by id, as `history.curves` gives them.
        seed: Of resampling.
    """
    rows = list(board)
    settings = [row.settings for row in rows]
    broken = np.array([row.status == "diverged" for row in rows], bool)
    chart = _chart(space, settings, broken)
    if curves is None:
        last = [math.nan if row.status == "diverged" else row.score for row in rows]
    else:
        told = [() if row.status == "diverged" else curves.get(row.id, ()) for row in rows]
        last = ends.expected(told).tolist()
    sound = sum(map(math.isfinite, last))
    found = effects(space, settings, last, seed=seed)
    if not found:
        reason = f"{FEWEST} candidates with a score are the fewest to learn from, got {sound}."
        return Insight.none(len(rows), chart, reason)
    everyone = Candidates(tuple(row.id for row in rows), tuple(settings))
    places = [math.nan if lost else float(-rank) for rank, lost in enumerate(broken)]
    return Insight(len(rows), importances(space, everyone, places), found, chart)


def divergence_map(
    settings: Sequence[Settings],
    diverged: Bool[np.ndarray, " candidates"] | Sequence[bool],
    x: str = _AXES[0],
    y: str = _AXES[1],
) -> Map:
    """Where training broke.

    Args:
        settings: Of each candidate, at least one.
        diverged: Whether each diverged.
        x: The name of a number. Fields are equal ratios where the values tried span a factor of
            20 or more, else equal differences; there is one where they are all the same.
        y: Another.

    Raises:
        UsageError: A name is no number, or there is not one answer a candidate.
    """
    if not settings or len(settings) != len(diverged):
        raise UsageError(
            f"a map needs one answer a candidate, got {len(diverged)} for {len(settings)}; give "
            "true or false for each."
        )
    sides = [_numbers(settings, name) for name in (x, y)]
    edges = [_edges(side) for side in sides]
    fields = [
        np.clip(np.searchsorted(edge, side, side="right") - 1, 0, len(edge) - 2)
        for edge, side in zip(edges, sides, strict=True)
    ]
    tried = np.zeros([len(edge) - 1 for edge in edges], int)
    lost = tried.copy()
    np.add.at(tried, tuple(fields), 1)
    np.add.at(lost, tuple(fields), np.asarray(diverged, bool).astype(int))
    counts = [tuple(map(tuple, table.tolist())) for table in (tried, lost)]
    return Map(x, y, tuple(edges[0].tolist()), tuple(edges[1].tolist()), *counts)


def _chart(space: Space, settings: Sequence[Settings], broken: np.ndarray) -> Map | None:
    """The map of a search: by rate and momentum, or else by the first two numbers searched."""
    numbers = [name for name, span in space.ranges.items() if not isinstance(span, Choice)]
    axes = [name for name in _AXES if name in numbers]
    axes += [name for name in numbers if name not in axes]
    if len(axes) < len(_AXES) or not settings:
        return None
    return divergence_map(settings, broken, axes[0], axes[1])


def _numbers(settings: Sequence[Settings], name: str) -> np.ndarray:
    values = [getattr(one, name) if name in NAMES else None for one in settings]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise UsageError(f"`{name}` must be a number to be drawn on a map; use `learning_rate`.")
    return np.array(values, np.float64)


def _edges(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low, high])
    if low > 0 and high / low >= _WIDE:
        return np.geomspace(low, high, FIELDS + 1)
    return np.linspace(low, high, FIELDS + 1)


def _columns(names: Sequence[str], lines: Any) -> Columns:
    rows = list(lines)
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it."""
    return replace(Settings(), **{name: value}).to_dict()[name]
