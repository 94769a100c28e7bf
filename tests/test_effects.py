"""Effect curves: what was planted is found, and the intervals hold it."""

import math

import numpy as np
import pytest

from fleetgrad import samplers
from fleetgrad.effects import FEWEST, effects
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space

SPACE = Space(
    learning_rate=Float(1e-4, 1e-1, log=True),
    hidden=Choice((64,), (128, 64), (256,)),
    dropout=Float(0, 0.5),
    batch_size=Int(16, 20),
    optimizer=Choice("adam", "momentum"),
    momentum=Float(0.5, 0.99, when={"optimizer": "momentum"}),
)


def bend(rate):
    return -0.05 * (math.log10(rate) + 2) ** 2


def quality(settings):
    """Best at a rate of 0.01 with two layers; nothing else matters."""
    return 0.9 + bend(settings.learning_rate) - 0.03 * (settings.hidden != (128, 64))


def searched(count, seed, noise=0.003):
    found = samplers.make("random", SPACE, seed=seed, epochs=9).ask(count).settings
    draw = np.random.default_rng(seed)
    return found, [quality(one) + noise * draw.normal() for one in found]


@pytest.fixture(scope="module")
def curves():
    return effects(SPACE, *searched(100, 0))


def test_every_name_has_a_curve_over_its_range(curves):
    assert set(curves) == set(SPACE.names)
    assert [point.value for point in curves["hidden"]] == [(64,), (128, 64), (256,)]
    assert [point.value for point in curves["batch_size"]] == [16, 17, 18, 19, 20]
    assert curves["learning_rate"][0].value == pytest.approx(1e-4)
    assert curves["learning_rate"][-1].value == pytest.approx(1e-1)
    assert all(p.low <= p.mean <= p.high for points in curves.values() for p in points)


def test_what_was_planted_is_found(curves):
    best = max(curves["learning_rate"], key=lambda point: point.mean)
    assert 0.003 < best.value < 0.03
    one, two, wide = curves["hidden"]
    assert two.low > max(one.high, wide.high)
    for name in ("dropout", "batch_size", "momentum", "optimizer"):
        means = [point.mean for point in curves[name]]
        assert max(means) - min(means) < 0.02


def test_intervals_hold_the_truth_in_most_studies():
    """Over the rates and the dropouts of six searches of either size."""
    rates = np.linspace(-4, -1, 1001)
    level = 0.9 - 0.02  # two choices of three have a layer
    hits = []
    for count in (16, 60):
        for seed in range(6):
            found = effects(SPACE, *searched(count, seed), seed=seed)
            hits += [p.low <= level + bend(p.value) <= p.high for p in found["learning_rate"]]
            mean = level + np.mean([bend(10**rate) for rate in rates])
            hits += [p.low <= mean <= p.high for p in found["dropout"]]
    assert np.mean(hits) > 0.75


def test_the_same_seed_gives_the_same_curves():
    study = searched(20, 1)
    assert effects(SPACE, *study, seed=3) == effects(SPACE, *study, seed=3)
    assert effects(SPACE, *study, seed=3) != effects(SPACE, *study, seed=4)


def test_few_scores_give_no_curve():
    settings, scores = searched(FEWEST, 0)
    assert effects(SPACE, settings, scores)
    assert effects(SPACE, settings, [math.nan, *scores[1:]]) == {}
    assert effects(SPACE, [], []) == {}


def test_whoever_diverged_or_lies_outside_says_nothing():
    settings, scores = searched(20, 2)
    odd = [Settings(learning_rate=1.0), settings[0]]
    assert effects(SPACE, [*settings, *odd], [*scores, 0.1, math.nan]) == effects(
        SPACE, settings, scores
    )


def test_a_name_that_never_mattered_has_no_curve():
    settings = [one for one in searched(60, 3)[0] if one.optimizer == "adam"]
    assert "momentum" not in effects(SPACE, settings, [quality(one) for one in settings])
