"""Temperatures: of one network, of several that share their weights, and none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fleetgrad import selection, temperatures
from fleetgrad.settings import Settings
from fleetgrad.temperatures import Sure, best, cooled, tempered

DRAW = np.random.default_rng(0)
LABELS = DRAW.integers(0, 3, 400)
X = np.eye(3)[LABELS] + 0.7 * DRAW.normal(size=(400, 3))
WEIGHTS = ({"weight": 1.5 * np.eye(3, dtype=np.float32), "bias": np.zeros(3, np.float32)},)
SHARED = ({"weight": np.float32([np.eye(3), 0.2 * np.eye(3)[[1, 0, 2]]])},)
MANY = Settings(hidden=(4,), members=2)


def ask(settings, params):
    """The mean of what members say, each from its own last layer."""
    each = [X @ weight for weight in np.reshape(params[-1]["weight"], (-1, 3, 3))]
    return np.mean([tempered(np.exp(z), 1.0) for z in each], axis=0)


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


def test_rows_count_as_much_as_they_weigh():
    said, counts = ask(None, WEIGHTS), DRAW.integers(0, 4, 400)
    again = np.repeat(said, counts, axis=0), np.repeat(LABELS, counts)
    assert best(said, LABELS, counts / 3) == pytest.approx(best(*again), rel=1e-3)
    found = temperatures.found(Settings(), WEIGHTS, ask, said, LABELS, counts)
    assert found.temperature == best(said, LABELS, counts) != best(said, LABELS)


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


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("planted", [0.4, 1.0, 2.5])
def test_the_planted_temperature_is_found(planted):
    """Labels are drawn from what the network would say at that temperature."""
    draws = np.random.default_rng(5)
    logits = draws.normal(0, 2, (20_000, 4))
    labels = (softmax(logits / planted).cumsum(1) < draws.random((20_000, 1))).sum(1)
    assert best(softmax(logits), labels) == pytest.approx(planted, rel=0.05)


@given(hnp.arrays(float, (6, 3), elements=st.floats(-50, 50)), st.floats(0.2, 5))
def test_a_temperature_divides_logits_and_changes_no_answer(logits, degrees):
    shares = softmax(logits)
    found = tempered(shares, degrees)
    np.testing.assert_allclose(found, softmax(logits / degrees), atol=1e-9)
    np.testing.assert_allclose(found.sum(1), 1)


def test_networks_smoothed_unlike_each_other_join_once_they_are_as_sure_as_they_may_be():
    """All are wrong about other rows; the more a network is smoothed, the less sure it is."""
    draws = np.random.default_rng(6)
    labels = draws.integers(0, 10, 2000)
    said = []
    for smoothing in (0.0, 0.05, 0.1):
        wrong = draws.random(2000) < 0.02
        sides = np.where(wrong, (labels + 1) % 10, labels)
        unsure = np.where(draws.random(2000) < 0.5, 0.3, 0.02)[:, None]  # of the wrong ones, most
        peak = np.eye(10)[sides] * (1 - np.where(wrong[:, None], 0.3, unsure / 10)) + 0.003
        said.append((1 - smoothing) * peak / peak.sum(1, keepdims=True) + smoothing / 10)
    degrees = [best(one, labels) for one in said]
    sure = np.stack([tempered(*pair) for pair in zip(said, degrees, strict=True)])
    assert (selection.select(np.stack(said), labels) > 0).sum() < (
        selection.select(sure, labels) > 0
    ).sum()
