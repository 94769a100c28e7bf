"""What a search has learned about its hyperparameters, beside who won: `understand`.

importances  how much each had to do with being among the best
effects      the score to expect at each of its values, with an interval
divergence   where training broke: how many were tried, and diverged, in each field of a map
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from fleetgrad import ends
from fleetgrad.candidates import Candidates
from fleetgrad.divergence import Map, searched_map
from fleetgrad.effects import FEWEST, Point, effects
from fleetgrad.frames import frame, of_lines
from fleetgrad.leaderboard import Leaderboard
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.samplers.importance import importances
from fleetgrad.settings import Settings
from fleetgrad.space import Space

EVOLVED = "in a population that evolves, good settings are copied and no others have a chance."

Curves = Mapping[int, Sequence[float]]


class Evidence(NamedTuple):
    """What there is to learn from beside a leaderboard; the arguments of `understand`."""

    space: Space
    curves: Curves | None
    seed: int


@dataclass(frozen=True, slots=True)
class Insight:
    """What is known of the hyperparameters; parts are None where there is too little to say.

    Args:
        candidates: How many were tried.
        importances: The share of each searched name, greatest first; they sum to 1.
        effects: The score to expect by name, in the order of values; the greater, the better.
        divergence: The map; None also where no number was searched.
        reason: Why importances and effects are None.
        metric: Of the scores, which `to_dict` and frames give as people know them.
    """

    candidates: int
    importances: Mapping[str, float] | None
    effects: Mapping[str, tuple[Point, ...]] | None
    divergence: Map | None
    reason: str | None = None
    metric: Metric = METRICS["accuracy"]

    @classmethod
    def none(
        cls,
        candidates: int,
        divergence: Map | None,
        reason: str,
        metric: Metric = METRICS["accuracy"],
    ) -> Self:
        """Nothing but the map, and why."""
        return cls(candidates, None, None, divergence, reason, metric)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        curves = self.effects
        return {
            "candidates": self.candidates,
            "metric": self.metric.name,
            "importances": None if self.importances is None else dict(self.importances),
            "effects": None
            if curves is None
            else {
                name: [
                    {**self._shown(one)._asdict(), "value": plain(name, one.value)}
                    for one in points
                ]
                for name, points in curves.items()
            },
            "divergence": None if self.divergence is None else self.divergence.to_dict(),
            "reason": self.reason,
        }

    def importances_frame(self) -> Any:
        """A frame with a line for each name: its share."""
        return frame(of_lines(("name", "share"), (self.importances or {}).items()))

    def effects_frame(self) -> Any:
        """A frame with a line for each point; values as text, for a column is of one type."""
        points = [
            (name, str(one.value), *self._shown(one)[1:])
            for name, several in (self.effects or {}).items()
            for one in several
        ]
        return frame(of_lines(("name", *Point._fields), points))

    def _shown(self, point: Point) -> Point:
        """A point in the metric's own sign."""
        low, high = self.metric.ends((point.low, point.high))
        return point._replace(mean=self.metric.score(point.mean), low=low, high=high)


def understand(
    board: Leaderboard, space: Space, curves: Curves | None = None, *, seed: int = 0
) -> Insight:
    """What a leaderboard says of the hyperparameters of a space.

    Importances go by rank. Effects go by the scores at the end of the training: with `curves`
    those of candidates stopped early are what they would have come to (`ends`); without, they are
    the last ones, and candidates stopped early look worse than they are.

    Args:
        board: Everyone who was tried.
        space: What was searched.
        curves: Validation score after each epoch, by id, as `history.curves` gives them.
        seed: Of resampling.
    """
    board = board.tried
    settings, metric = [row.settings for row in board], METRICS[board.metric]
    if _evolved(board):
        return Insight.none(len(settings), where_broken(board, space), EVOLVED, metric)
    if curves is None:
        last = [math.nan if row.status == "diverged" else row.score for row in board]
    else:
        told = [() if row.status == "diverged" else curves.get(row.id, ()) for row in board]
        last = ends.expected(told, metric.high).tolist()
    chart = where_broken(board, space)
    found = effects(space, settings, last, seed=seed, within=(metric.low, metric.high))
    if not found:
        sound = sum(map(math.isfinite, last))
        reason = f"{FEWEST} candidates with a score are the fewest to learn from, got {sound}."
        return Insight.none(len(settings), chart, reason, metric)
    return Insight(len(settings), shares(board, space), found, chart, metric=metric)


def shares(board: Leaderboard, space: Space) -> dict[str, float] | None:
    """The importances alone, which take a tenth of the time; None where too few have a score."""
    board = board.tried
    places = [math.nan if lost else float(-rank) for rank, lost in enumerate(_broken(board))]
    if _evolved(board) or sum(map(math.isfinite, places)) < FEWEST:
        return None
    everyone = Candidates(tuple(row.id for row in board), tuple(row.settings for row in board))
    return importances(space, everyone, places)


def where_broken(board: Leaderboard, space: Space) -> Map | None:
    """The map of who diverged; None where nobody was tried, or no number was searched."""
    board = board.tried
    return searched_map(space, [row.settings for row in board], np.array(_broken(board), bool))


def _evolved(board: Leaderboard) -> bool:
    return any(row.settings.evolved for row in board)


def _broken(board: Leaderboard) -> list[bool]:
    return [row.status == "diverged" for row in board]


def plain(name: str, value: Any) -> Any:
    """A hyperparameter's value as JSON has it."""
    return replace(Settings(), **{name: value}).to_dict()[name]
