"""Scores on the scale on which a model sees them."""

import numpy as np

SOFTNESS = 0.1  # scores this share of (best - median) below the best are still told apart well


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
