"""Scores on the scale on which a model sees them."""

import numpy as np

LEAST = 1e-5  # of the scores themselves, below which their differences say nothing
SOFTNESS = 0.1  # scores this share of (best - median) below the best are still told apart well


def warped(scores: np.ndarray) -> np.ndarray:
    """Scores on a scale that tells good ones apart and bad ones hardly, with mean 0 and spread 1.

    Minus the logarithm of the distance to just above the best: half the distance counts alike
    anywhere, and networks that learned nothing are no outliers.
    """
    top, middle = scores.max(), np.median(scores)
    least = LEAST * (max(abs(top), abs(middle)) or 1.0)
    scale = max(SOFTNESS * (top - middle), least)
    values = -np.log1p((top - scores) / scale)
    found: np.ndarray = (values - values.mean()) / max(values.std(), 1e-9)
    return found
