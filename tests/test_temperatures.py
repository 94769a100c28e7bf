"""Temperatures: of one network, of several that share their weights, and none."""

import numpy as np
import pytest

from fleetgrad import selection, temperatures
from fleetgrad.settings import Settings
from fleetgrad.temperatures import Sure, cooled

DRAW = np.random.default_rng(0)
LABELS = DRAW.integers(0, 3, 400)
X = np.eye(3)[LABELS] + 0.7 * DRAW.normal(size=(400, 3))
WEIGHTS = ({"weight": 1.5 * np.eye(3, dtype=np.float32), "bias": np.zeros(3, np.float32)},)
SHARED = ({"weight": np.float32([np.eye(3), 0.2 * np.eye(3)[[1, 0, 2]]])},)
MANY = Settings(hidden=(4,), members=2)


def ask(settings, params):
    """The mean of what members say, each from its own last layer."""
    each = [X @ weight for weight in np.reshape(params[-1]["weight"], (-1, 3, 3))]
    return np.mean([selection.tempered(np.exp(z), 1.0) for z in each], axis=0)


def loss(params):
    return selection.log_loss(ask(None, params), LABELS)


@pytest.mark.parametrize(("settings", "params"), [(Settings(), WEIGHTS), (MANY, SHARED)])
def test_at_its_temperature_a_network_says_what_the_cooled_one_does(settings, params):
    found = temperatures.found(settings, params, ask, ask(settings, params), LABELS)
    again = ask(settings, cooled(params, found.temperature))
    np.testing.assert_allclose(found.said, again, rtol=1e-5)
    assert loss(cooled(params, found.temperature)) < loss(params)


def test_what_would_not_help_those_that_share_weights_is_left():
    def stubborn(settings, params):
        return ask(settings, SHARED if params is SHARED else ({"weight": 0 * SHARED[0]["weight"]},))

    said = ask(MANY, SHARED)
    assert temperatures.found(MANY, SHARED, stubborn, said, LABELS) == Sure(1.0, said)


def test_other_losses_and_what_is_not_finite_have_no_temperature():
    said = ask(None, WEIGHTS)
    other = Settings(loss="squared_error")
    assert temperatures.found(other, WEIGHTS, ask, said, LABELS).temperature == 1
    assert temperatures.found(Settings(), WEIGHTS, ask, said * np.nan, LABELS).temperature == 1


def test_only_what_makes_logits_is_divided():
    """A linear network's only layer also holds what stands before it."""
    layer = {name: np.full(3, 2.0, np.float32) for name in ("weight", "bias", "front", "mixture")}
    ((found),) = cooled((layer,), 4.0)
    assert {name: array[0] for name, array in found.items()} == {
        "weight": 0.5, "bias": 0.5, "front": 2.0, "mixture": 2.0,
    }  # fmt: skip
