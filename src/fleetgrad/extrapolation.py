"""How curves would go on: what the best of them would come to after twice as many epochs.

A curve is taken to approach a limit by a power law or exponentially (the families of Domhan,
Springenberg and Hutter, IJCAI 2015, that saturate), each with a grid of speeds. Every speed makes
the curve linear in its level at the end and in what doubling adds, so the posterior of the two is
Student's, and speeds are weighted by their evidence. What one sees on past epochs is never quite
what happens on later ones, so draws are scaled by a factor between a quarter and five quarters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from fleetgrad.ends import Curve

FEWEST_EPOCHS = 4
BEST = 3  # candidates that are followed, for the winner may be overtaken
DRAWS = 1000
_POWERS = np.geomspace(0.25, 3, 10)
_TIMES = np.geomspace(0.1, 1.2, 12)  # in trainings, over which a distance falls to a third
_SKIPPED = 5  # one epoch in so many, the first ones, on which training has yet to settle
_LAST = 3  # epochs whose mean bounds what is left to gain
_KEEP, _ANNEALED = (0.25, 1.25), (0.0, 1.0)
_TINY, _LEAST, _NEVER = 1e-12, 1e-9, 1e-300  # of a range, of a square, of a chance


class _Fits(NamedTuple):
    """Least squares of level + gain * shape, for every speed."""

    level: Float[np.ndarray, " speeds"]  # at the end
    gain: Float[np.ndarray, " speeds"]  # by doubling
    around: Float[np.ndarray, " speeds"]  # squares of the shape about its mean
    squares: Float[np.ndarray, " speeds"]  # that are left


def longer(
    curves: Sequence[Curve], draw: np.random.Generator, *, annealed: bool, top: float = 1.0
) -> Float[np.ndarray, " draws"]:
    """Draws of what the best gains when all are trained twice as long.

    Args:
        curves: Validation score after each epoch of those that were trained to the end, finite
            and equally long, `FEWEST_EPOCHS` or more.
        draw: Where chance comes from.
        annealed: Whether the learning rate fell to the end. Then part of the last rise, nobody
            knows which, comes from that, and would come once in a longer training too: the factor
            is between 0 and 1.
        top: The best score there can be.
    """
    best = sorted((np.asarray(curve, np.float64) for curve in curves), key=lambda one: -one[-1])
    factor = draw.uniform(*(_ANNEALED if annealed else _KEEP), size=DRAWS)
    levels, gains = zip(*(_drawn(curve, draw, top) for curve in best[:BEST]), strict=True)
    reached = np.max(np.array(levels) + factor * np.array(gains), axis=0)
    gained: Float[np.ndarray, " draws"] = np.maximum(reached - levels[0], 0.0)
    return gained


def _drawn(
    curve: NDArray[np.float64], draw: np.random.Generator, top: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Levels at the end, and gains by doubling, of one curve."""
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - only the end of a run needs SciPy

    most = max(top - float(curve[-_LAST:].mean()), _TINY)
    skipped = len(curve) // _SKIPPED
    seen, free = curve[skipped:], max(1, len(curve) - skipped - 2)
    fits = _fitted(_shapes(len(curve))[:, skipped:], seen)
    spread = np.sqrt(fits.squares / free / fits.around)
    inside = ndtr((most - fits.gain) / spread) - ndtr(-fits.gain / spread)  # all gains are alike
    evidence = np.log(np.maximum(inside, 0) + _NEVER)
    evidence -= 0.5 * (free * np.log(fits.squares) + np.log(fits.around))
    chances = np.exp(evidence - evidence.max())
    chosen = draw.choice(len(chances), DRAWS, p=chances / chances.sum())
    gain = fits.gain[chosen]
    spread = spread[chosen] * np.sqrt(free / draw.chisquare(free, DRAWS))
    low, high = ndtr(-gain / spread), ndtr((most - gain) / spread)
    unit = np.clip(low + (high - low) * draw.uniform(size=DRAWS), _TINY, 1 - _TINY)
    return fits.level[chosen], np.clip(gain + spread * ndtri(unit), 0, most)


def _fitted(
    shapes: Float[np.ndarray, "speeds epochs"], seen: Float[np.ndarray, " epochs"]
) -> _Fits:
    middle = shapes.mean(axis=1, keepdims=True)
    around = np.maximum(((shapes - middle) ** 2).sum(axis=1), _TINY)
    gain = ((shapes - middle) @ (seen - seen.mean())) / around
    level = seen.mean() - gain * middle[:, 0]
    left = seen - level[:, None] - gain[:, None] * shapes
    return _Fits(level, gain, around, np.maximum((left**2).sum(axis=1), _LEAST * len(seen)))


def _shapes(epochs: int) -> Float[np.ndarray, "speeds epochs"]:
    """Ways to rise, scaled to 0 after all epochs and 1 after twice as many."""
    when = np.arange(1, epochs + 1) / epochs
    powers, times = _POWERS[:, None], _TIMES[:, None]
    by_power = (1 - when**-powers) / (1 - 2**-powers)
    by_time = np.expm1((1 - when) / times) / np.expm1(-1 / times)
    return np.concatenate([by_power, by_time])
