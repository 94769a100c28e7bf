"""What a hyperparameter does by itself: the score to expect at each of its values.

A forest of extremely randomized trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006) is
fitted to settings and scores; the score at a value is its prediction, averaged over the settings of
all candidates with that value put in (partial dependence; Friedman, Annals of Statistics 29, 2001).
The interval comes from doing it all again with candidates drawn anew (Efron 1979), and from what
the forest gets wrong on those that were not drawn, averaged over a value's neighbors: a forest of
few candidates flattens curves. It says where the mean lies, not how a single network will do.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from fleetgrad import keys
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Range, Space

FEWEST = 10  # candidates with a score, below which nothing is said
LEVEL = 0.9
_POINTS = 11  # values of a stretch of numbers
_RESAMPLES, _TREES = 40, 20
_NEAR = 8  # a value's neighbors are one candidate in so many
_BACKGROUND = 64  # candidates that are averaged over
_MOST_DRAWN = (
    1000  # candidates of a resample; of more, so many of n (Bickel, Goetze and van Zwet 1997)
)


class Point(NamedTuple):
    """The score to expect at a value, and where it lies with 90 % confidence."""

    value: Any
    mean: float
    low: float
    high: float


class _Column(NamedTuple):
    """One input of the forest: where a name lies in its range, or whether it has one value."""

    name: str
    value: Any  # None for a stretch of numbers


class _Question(NamedTuple):
    """A curve to draw: candidates the name mattered for, its columns, and each value's numbers."""

    rows: Int[np.ndarray, " rows"]
    places: list[int]
    codes: Float[np.ndarray, "values places"]


class _Curves(NamedTuple):
    """Curves, shape (resamples, values), by name, and what else may be wrong with each point.

    `narrower` is what their squared deviations are to be multiplied by, as resamples of fewer
    candidates vary more.
    """

    found: dict[str, NDArray[np.float64]]
    error: float
    narrower: float = 1.0


def effects(
    space: Space,
    settings: Sequence[Settings],
    scores: Sequence[float],
    *,
    seed: int = 0,
    within: tuple[float, float] = (0.0, 1.0),
) -> dict[str, tuple[Point, ...]]:
    """Curves of the score to expect, one a searched name.

    Args:
        space: What was searched; settings outside it are left out.
        settings: Of each candidate.
        scores: One a candidate, the greater, the better, comparable (see `ends`); whoever has none,
            NaN, is left out, so the curves speak of networks that train soundly.
        seed: Of the trees and the resamples.
        within: The worst and the best score there can be.

    Returns:
        Points by name, in the order of values. A name that mattered for fewer than two candidates
        has none; where fewer than `FEWEST` candidates have a score, no name has any.
    """
    values = [_mattering(space, one) for one in settings]
    known = [
        place
        for place, own in enumerate(values)
        if np.isfinite(scores[place]) and _inside(space, own)
    ]
    if len(known) < FEWEST:
        return {}
    columns = _columns(space)
    table = np.array([[_coded(space, column, values[p]) for column in columns] for p in known])
    active = {
        name: [row for row, place in enumerate(known) if name in values[place]]
        for name in space.names
    }
    grids = {name: _grid(space.ranges[name]) for name in space.names if len(active[name]) > 1}
    asked = {
        name: _question(space, columns, name, grid, active[name]) for name, grid in grids.items()
    }
    known_scores = np.array([scores[place] for place in known], np.float64)
    curves = _resampled(table, known_scores, asked, seed)
    return {
        name: _points(grid, _shrunk(curves.found[name], curves.narrower), curves.error, within)
        for name, grid in grids.items()
    }


def _resampled(
    table: Float[np.ndarray, "candidates columns"],
    scores: Float[np.ndarray, " candidates"],
    asked: Mapping[str, _Question],
    seed: int,
) -> _Curves:
    """All curves of all resamples."""
    from sklearn.ensemble import ExtraTreesRegressor  # noqa: PLC0415 - takes a second

    draw = keys.generator(seed, "bootstrap", len(scores))
    curves: dict[str, list[NDArray[np.float64]]] = {name: [] for name in asked}
    missed: list[float] = []
    for _ in range(_RESAMPLES):
        rows = draw.integers(0, len(scores), min(len(scores), _MOST_DRAWN))
        forest = ExtraTreesRegressor(_TREES, random_state=int(draw.integers(2**31)))
        forest.fit(table[rows], scores[rows])
        unseen = np.setdiff1d(np.arange(len(scores)), rows)
        if len(unseen):
            missed.append(float(np.mean((forest.predict(table[unseen]) - scores[unseen]) ** 2)))
        inputs = [_inputs(table, one, draw) for one in asked.values()]
        ends = np.cumsum([len(one) for one in inputs])
        outputs = np.split(forest.predict(np.concatenate(inputs)), ends[:-1])
        for (name, one), output in zip(asked.items(), outputs, strict=True):
            curves[name].append(output.reshape(len(one.codes), -1).mean(axis=1))
    error = math.sqrt(np.mean(missed) * min(1, _NEAR / len(scores))) if missed else 0.0
    found = {name: np.array(several) for name, several in curves.items()}
    return _Curves(found, error, min(1.0, _MOST_DRAWN / len(scores)))


def _inputs(
    table: Float[np.ndarray, "candidates columns"], asked: _Question, draw: np.random.Generator
) -> Float[np.ndarray, "inputs columns"]:
    """Settings drawn from those it mattered for, with each value put in, value by value."""
    chosen = table[draw.choice(asked.rows, min(len(asked.rows), _BACKGROUND))]
    inputs = np.repeat(chosen[None], len(asked.codes), axis=0)
    inputs[:, :, asked.places] = asked.codes[:, None]
    return inputs.reshape(-1, table.shape[1])


def _shrunk(curves: NDArray[np.float64], narrower: float) -> NDArray[np.float64]:
    """Curves of small resamples, as near their mean as those of large ones would be."""
    if narrower == 1:
        return curves
    mean = curves.mean(axis=0)
    shrunk: NDArray[np.float64] = mean + math.sqrt(narrower) * (curves - mean)
    return shrunk


def _points(
    grid: Sequence[Any], curves: NDArray[np.float64], error: float, within: tuple[float, float]
) -> tuple[Point, ...]:
    mean = curves.mean(axis=0)
    ends = np.quantile(curves, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    reach = np.hypot(ends - mean, NormalDist().inv_cdf((1 + LEVEL) / 2) * error)
    rows = zip(grid, mean, *np.clip([mean - reach[0], mean + reach[1]], *within), strict=True)
    return tuple(Point(value, *map(float, numbers)) for value, *numbers in rows)


def _mattering(space: Space, settings: Settings) -> dict[str, Any]:
    """The values of the names whose conditions hold."""
    return space.build(lambda name, _: getattr(settings, name))


def _question(
    space: Space, columns: Sequence[_Column], name: str, grid: Sequence[Any], rows: Sequence[int]
) -> _Question:
    places = [place for place, column in enumerate(columns) if column.name == name]
    codes = [[_coded(space, columns[place], {name: value}) for place in places] for value in grid]
    return _Question(np.array(rows), places, np.array(codes))


def _inside(space: Space, values: dict[str, Any]) -> bool:
    return all(span.has(values[name]) for name, span in space.ranges.items() if name in values)


def _columns(space: Space) -> tuple[_Column, ...]:
    return tuple(
        _Column(name, value)
        for name, span in space.ranges.items()
        for value in (span.values if isinstance(span, Choice) else (None,))
    )


def _coded(space: Space, column: _Column, values: dict[str, Any]) -> float:
    """A column's number; the middle, or no choice at all, for a name that does not matter."""
    span = space.ranges[column.name]
    if isinstance(span, Choice):
        return float(column.name in values and values[column.name] == column.value)
    if column.name not in values:
        return 0.5
    scale = np.log if span.log else np.asarray
    low, high, here = (float(scale(x)) for x in (span.low, span.high, values[column.name]))
    return (here - low) / (high - low)


def _grid(span: Range) -> tuple[Any, ...]:
    """Values to ask about: all choices, or numbers evenly spread over the range."""
    if isinstance(span, Choice):
        return span.values
    return tuple(dict.fromkeys(span.at(unit) for unit in np.linspace(0, 1, _POINTS).tolist()))
