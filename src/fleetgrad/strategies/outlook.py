"""What a search knows, and what a model of it expects at the end of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from fleetgrad.strategies.cube import Cube
from fleetgrad.strategies.curves import Curves, Data
from fleetgrad.strategies.options import Options

SOFTNESS = 0.1  # scores this share of (best - median) below the best are still told apart well
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
    """The model's parameters, and how many observations they were fitted on."""

    theta: np.ndarray
    observations: int


class Outlook:
    """What the model expects at the end of training; `mean` (n,) is of each candidate."""

    def __init__(self, model: "Curves", features: np.ndarray, hints: Hints) -> None:
        self.model, self.hints = model, hints
        self.mean = model.mean(features, np.arange(len(features)))

    @classmethod
    def of(cls, cube: Cube, record: Record, options: Options, hints: Hints | None) -> Self:
        """Fit a model on all partial curves."""
        who, when, scores = _observations(record, options)
        features = cube.features(record.points)
        data = Data(features[who], np.log(when) / max(np.log(options.epochs), 1e-9), who)
        values = warped(scores)
        model = Curves(cube.groups)
        theta = model.prior if hints is None else hints.theta
        if hints is None or len(values) > FIT_GROWTH * hints.observations:
            some = _sample(record, who, options.seed)
            theta = model.fit(theta, data.only(some), values[some], 30 if hints is None else 12)
            hints = Hints(theta, len(values))
        return cls(model.conditioned(theta, data, values), features, hints)


def warped(scores: np.ndarray) -> np.ndarray:
    """Scores on a scale that tells good ones apart and bad ones hardly, with mean 0 and spread 1.

    Minus the logarithm of the distance to just above the best: half the distance counts alike
    anywhere, and networks that learned nothing are no outliers.
    """
    top = scores.max()
    scale = max(SOFTNESS * (top - np.median(scores)), 1e-5)
    values = -np.log1p((top - scores) / scale)
    found: np.ndarray = (values - values.mean()) / max(values.std(), 1e-9)
    return found


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
