"""How sure a network may be of itself: the temperature that its logits are divided by.

Found on rows held out, for the lowest log loss there. Where several members share a network, what
they say is averaged after each was made surer, which is not quite what dividing the average would
give; so their temperature is tried, and kept only if it helps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from fleetgrad import selection
from fleetgrad.settings import Settings

SOFTMAX = "cross_entropy"  # the loss whose outputs are logits of one

Shares = Float[np.ndarray, "rows classes"]
Ask = Callable[[Settings, Any], Shares]  # what a network of these weights says


class Sure(NamedTuple):
    """What a network says at its temperature."""

    temperature: float
    said: Shares


def found(
    settings: Settings, params: Any, ask: Ask, said: Shares, labels: Int[np.ndarray, " rows"]
) -> Sure:
    """The best temperature; 1 where a network has none, or is not finite.

    Args:
        settings: Of the network.
        params: Its weights.
        ask: What weights say of the rows.
        said: What these say.
        labels: What is true of the rows.
    """
    if settings.loss != SOFTMAX or not np.isfinite(said).all():
        return Sure(1.0, said)
    degree = selection.temperature(said, labels)
    surer = at(settings, params, ask, said, degree)
    if settings.members > 1 and not selection.log_loss(surer, labels) < selection.log_loss(
        said, labels
    ):
        return Sure(1.0, said)
    return Sure(degree, surer)


def at(settings: Settings, params: Any, ask: Ask, said: Shares, temperature: float) -> Shares:
    """What a network says at a temperature; the other arguments are those of `found`."""
    if temperature == 1:
        return said
    if settings.members > 1:
        return ask(settings, cooled(params, temperature))
    return selection.tempered(said, temperature)


def cooled(params: Any, temperature: float) -> Any:
    """The weights with logits divided by a temperature."""
    if temperature == 1:
        return params
    last = {
        name: array / np.float32(temperature) if name in {"weight", "bias"} else array
        for name, array in params[-1].items()
    }
    return (*params[:-1], last)
