"""Earlier runs as a model sees them: tasks of their own, that resemble the present one or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fleetgrad.earlier import Earlier, Fitted, Seen
from fleetgrad.strategies.cube import Cube
from fleetgrad.strategies.curves import Curves, Data
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.warping import warped

TOLD = 30  # candidates of each run that the model hears of: what it costs grows with the cube
LEVELS = (0.0, 0.3, 0.5, 0.7)  # correlations an earlier run may have with this one
BEGIN = 0.5


@dataclass(frozen=True)
class Elders:
    """What is known of earlier runs; false where there are none.

    Args:
        first: (points, dimensions) what is tried before anything else.
        data: Where they were observed.
        values: What was, for each run on a scale of its own.
    """

    first: np.ndarray
    data: Data
    values: np.ndarray

    @classmethod
    def of(
        cls, cube: Cube, earlier: Sequence[Earlier], first: np.ndarray, options: Options
    ) -> Self:
        """The candidates of earlier runs that a space can place."""
        nothing = np.empty(0)
        nowhere = Data(np.empty((0, len(cube.groups))), nothing, *[nothing.astype(int)] * 2)
        parts, count = [(nowhere, nothing)], 0
        for task, run in enumerate(earlier, start=1):
            told = run.fitted(cube.space, options.epochs, TOLD)
            parts.append(_observed(cube, told, run.epochs, options.epochs, task, count))
            count += len(told)
        data = Data(*map(np.concatenate, zip(*(part for part, _ in parts), strict=True)))
        return cls(first, data, np.concatenate([values for _, values in parts]))

    def __bool__(self) -> bool:
        return bool(len(self.values))

    @property
    def tasks(self) -> int:
        """How many runs."""
        return int(self.data.task.max(initial=0))


def _observed(
    cube: Cube,
    told: Sequence[tuple[Fitted, Seen]],
    whole: int,
    epochs: int,
    task: int,
    before: int,
) -> tuple[Data, np.ndarray]:
    """All observations of one run; the same share of the training counts as the same time."""
    features = cube.features(np.array([_place(cube, fitted) for fitted, _ in told]))
    worst = min(score for _, seen in told for score in seen.scores)
    rows: list[int] = []
    when: list[int] = []
    scores: list[float] = []
    for row, (_, seen) in enumerate(told):
        known = dict(zip(seen.at, seen.scores, strict=True))
        if seen.diverged:
            known |= {whole: worst}
        rows += [row] * len(known)
        when += known
        scores += known.values()
    time = 1 + np.log(np.array(when) / whole) / max(np.log(epochs), 1e-9)
    who = -2 - before - np.array(rows)  # never anybody of this search, nor nobody, who is -1
    data = Data(features[rows], time, who, np.full(len(rows), task))
    return data, warped(np.array(scores))


def _place(cube: Cube, fitted: Fitted) -> np.ndarray:
    """The point of settings; NaN for names of which nothing is known."""
    point = cube.place(fitted.settings)
    point[[name in fitted.unknown for name in cube.space.names]] = np.nan
    return point


def likeness(
    model: Curves, theta: np.ndarray, data: Data, values: np.ndarray, alike: Sequence[float]
) -> tuple[float, ...]:
    """For each task the most plausible of a few correlations with the first, in turn."""
    found = list(alike)
    for task in range(1, len(found)):
        losses = {}
        for level in LEVELS:
            found[task] = level
            losses[level] = Curves(model.groups, found).loss(theta, data, values)[0]
        found[task] = min(losses, key=losses.__getitem__)
    return tuple(found)
