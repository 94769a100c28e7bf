"""How sure a network may be of itself: the temperature that its logits are divided by.

Found on rows held out, for the lowest log loss there. Where several members share a network, what
they say is averaged after each was made surer, which is not quite what dividing the average would
give; so their temperature is tried, and kept only if it helps.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from fleetgrad import inference
from fleetgrad.selection import Counts, log_loss
from fleetgrad.settings import Settings

TEMPERATURES = (0.2, 5.0)  # the lowest and the highest
SOFTMAX = "cross_entropy"  # the loss whose outputs are logits of one
_TINY = 1e-300  # has a logarithm

Shares = Float[np.ndarray, "rows classes"]
Ask = Callable[[Settings, Any], Shares]  # what a network of these weights says


class Sure(NamedTuple):
    """What a network says at its temperature."""

    temperature: float
    said: Shares


def found(
    settings: Settings,
    params: Any,
    ask: Ask,
    said: Shares,
    labels: Int[np.ndarray, " rows"],
    counts: Counts = None,
) -> Sure:
    """The best temperature; 1 where a network has none, or is not finite.

    Args:
        settings: Of the network.
        params: Its weights.
        ask: What weights say of the rows.
        said: What these say.
        labels: What is true of the rows.
        counts: How much each row counts; None for all alike.
    """
    if settings.loss != SOFTMAX or not np.isfinite(said).all():
        return Sure(1.0, said)
    degree = best(said, labels, counts)
    surer = at(settings, params, ask, said, degree)
    before, after = (log_loss(one, labels, counts) for one in (said, surer))
    if settings.members > 1 and not after < before:
        return Sure(1.0, said)
    return Sure(degree, surer)


def at(settings: Settings, params: Any, ask: Ask, said: Shares, temperature: float) -> Shares:
    """What a network says at a temperature; the other arguments are those of `found`."""
    if temperature == 1:
        return said
    if settings.members > 1:
        return ask(settings, cooled(params, temperature))
    return tempered(said, temperature)


def cooled(params: Any, temperature: float) -> Any:
    """The weights with logits divided by a temperature."""
    if temperature == 1:
        return params
    last = {
        name: array / np.float32(temperature) if name in {"weight", "bias"} else array
        for name, array in params[-1].items()
    }
    return (*params[:-1], last)


def best(shares: Shares, labels: Int[np.ndarray, " rows"], counts: Counts = None) -> float:
    """By how much logits are to be divided for the lowest log loss (Guo et al., ICML 2017).

    Below 1 for a network that is less sure than it may be, as label smoothing makes it. Without
    this, networks that were smoothed alike look as if they had nothing to add to each other.

    Args:
        shares: A softmax's probabilities, each row's summing to 1.
        labels: The true class of each row, from 0.
        counts: How much each row counts; None for all alike.

    Returns:
        A number of `TEMPERATURES`.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - only the end of a run needs SciPy

    low, high = map(math.log, TEMPERATURES)
    found = minimize_scalar(
        lambda t: log_loss(tempered(shares, math.exp(t)), labels, counts), bounds=(low, high)
    )
    return float(math.exp(found.x))


def tempered(shares: Shares, temperature: float) -> Shares:
    """The probabilities where logits are divided by a temperature."""
    return inference.probabilities("cross_entropy", np.log(np.maximum(shares, _TINY)) / temperature)
