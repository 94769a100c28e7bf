"""What a search knows, and what a model of it expects at the end of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from fleetgrad.strategies.cube import Cube
from fleetgrad.strategies.curves import Curves, Data
from fleetgrad.strategies.elders import BEGIN, Elders, likeness
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.warping import warped

FIT_POINTS = 300  # observations the model's parameters are fitted on; all are used to predict
FIT_GROWTH = 1.2  # parameters are fitted anew when there are so many times more observations


@dataclass(frozen=True)
class Record:
    """What is known.

    Args:
        points: (n, dimensions) settled points, a row a candidate.
        curves: For each the score after every epoch so far, higher is better, at least one; NaN
            from the epoch on at which it diverged.
        kept: (n,) who can go on from there.
    """

    points: np.ndarray
    curves: Sequence[np.ndarray]
    kept: np.ndarray

    @property
    def reached(self) -> np.ndarray:
        """(n,) epochs trained."""
        return np.array([len(curve) for curve in self.curves], int)

    @property
    def broken(self) -> np.ndarray:
        """(n,) who diverged."""
        return np.array([bool(np.isnan(curve[-1])) for curve in self.curves], bool)


class Hints(NamedTuple):
    """The model's parameters, on how many observations they were fitted, how alike tasks are."""

    theta: np.ndarray
    observations: int
    alike: tuple[float, ...] = (1.0,)


class Outlook:
    """What the model expects at the end of training; `mean` (n,) is of each candidate."""

    def __init__(self, model: "Curves", features: np.ndarray, hints: Hints) -> None:
        self.model, self.hints = model, hints
        self.mean = model.mean(features, np.arange(len(features)))

    @classmethod
    def of(
        cls,
        cube: Cube,
        record: Record,
        options: Options,
        hints: Hints | None,
        elders: Elders | None = None,
    ) -> Self:
        """Fit a model on all partial curves, and on those of earlier runs."""
        who, when, scores = _observations(record, options)
        features = cube.features(record.points)
        time = np.log(when) / max(np.log(options.epochs), 1e-9)
        data = Data(features[who], time, who, np.zeros(len(who), int))
        values = warped(scores)
        some, observations = _sample(record, who, options.seed), len(values)
        if elders:
            data, values = data.and_of(elders.data), np.concatenate([values, elders.values])
            some = np.concatenate([some, np.ones(len(elders.values), bool)])
        if hints is None or observations > FIT_GROWTH * hints.observations:
            steps = 30 if hints is None else 12
            before = hints or Hints(Curves(cube.groups).prior, 0, _begun(elders))
            theta, alike = _fitted(cube, data.only(some), values[some], steps, before)
            hints = Hints(theta, observations, alike)
        theta, model = hints.theta, Curves(cube.groups, hints.alike)
        return cls(model.conditioned(theta, data, values), features, hints)


def _begun(elders: Elders | None) -> tuple[float, ...]:
    return (1.0, *[BEGIN] * (elders.tasks if elders else 0))


def _fitted(
    cube: Cube, data: Data, values: np.ndarray, steps: int, before: Hints
) -> tuple[np.ndarray, tuple[float, ...]]:
    """The most plausible parameters, and how alike the tasks are, sought from those before."""
    model = Curves(cube.groups, before.alike)
    alike = likeness(model, before.theta, data, values, before.alike)
    model = Curves(cube.groups, alike)
    theta = model.fit(before.theta, data, values, steps)
    return theta, likeness(model, theta, data, values, alike)


def _observations(record: Record, options: Options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidate, epoch and score of all that the model is told.

    One that diverged scores as badly as anyone ever did, until the end.
    """
    worst = min(np.nanmin(curve) for curve in record.curves if not np.isnan(curve).all())
    found = []
    for one, (curve, broken) in enumerate(zip(record.curves, record.broken, strict=True)):
        for epoch in options.seen:
            if epoch <= len(curve):
                found.append((one, epoch, np.nan_to_num(curve[epoch - 1], nan=worst)))
            elif broken:
                found.append((one, epoch, worst))
    who, when, scores = zip(*found, strict=True)
    return np.array(who), np.array(when, float), np.array(scores, float)


def _sample(record: Record, who: np.ndarray, seed: int) -> np.ndarray:
    """Which observations to fit on: whole candidates by chance, those trained longer likelier."""
    if len(who) <= FIT_POINTS:
        return np.ones(len(who), bool)
    rng = np.random.default_rng([seed, len(who)])
    reached = record.reached
    order = np.argsort(-np.log(reached) - 0.7 * rng.gumbel(size=len(reached)))
    total = np.bincount(who, minlength=len(reached))[order].cumsum()
    return np.isin(who, order[: np.searchsorted(total, FIT_POINTS)])
