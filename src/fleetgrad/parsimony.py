"""The rule of one standard error: among ways that chance cannot tell apart, the preferred one."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64


class Compared(NamedTuple):
    """The mean error of each way on the same rows, and the way that is taken."""

    errors: Mapping[str, float]
    taken: str


def compared(
    errors: Mapping[str, Float64[np.ndarray, " rows"]], counts: np.ndarray | None = None
) -> Compared:
    """The last of several ways that errs no more than the best does, but for chance.

    By the rule of one standard error (Breiman, Friedman, Olshen and Stone, Classification and
    Regression Trees, 1984, section 3.4.3), here that of the difference on the same rows.

    >>> few = np.array([0.0, 0.0, 0.0, 1.0])
    >>> compared({"plain": few, "restrained": few[::-1], "broken": few + 1}).taken
    'restrained'

    Args:
        errors: Of each row under each way, preferred ones later.
        counts: How much each row counts; None for all alike.
    """
    size = len(next(iter(errors.values())))
    share = np.ones(size) if counts is None else np.asarray(counts, np.float64)
    share = share / share.sum()
    means = {way: float(share @ own) for way, own in errors.items()}
    least = errors[min(means, key=means.__getitem__)]

    def harmless(way: str) -> bool:
        gap = errors[way] - least
        mean = float(share @ gap)
        return mean <= math.sqrt(float(share @ (gap - mean) ** 2) * float(share @ share))

    return Compared(means, next(way for way in reversed([*errors]) if harmless(way)))
