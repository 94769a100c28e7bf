"""Scores on the device: law 1 for every metric, every loss of numbers, and weights of rows."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from digits_fleet import DRAWS, LOSSES_CLOSE, digits, machine, members
from fleetgrad import losses, scoring, validation
from fleetgrad.errors import SettingsError
from fleetgrad.material import Material, View
from fleetgrad.metrics import METRICS
from fleetgrad.population import Population
from fleetgrad.settings import NUMBER_LOSSES, Settings
from fleetgrad.trainees import Member

CLASSES = [name for name, one in METRICS.items() if one.task == "classification"]
FLEET = (
    Settings(hidden=(7,), batch_size=20, epochs=4, learning_rate=0.01),
    Settings(hidden=(7,), batch_size=20, epochs=4, learning_rate=0.003, label_smoothing=0.1),
)


def weights_of(rows, seed=5):
    return np.random.default_rng(seed).uniform(0.2, 2, rows).astype(np.float32)


def classes(metric, *, pair=False, weighted=False):
    whole = digits()
    made = dataclasses.replace(
        whole, metric=metric, weights=weights_of(len(whole.y)) if weighted else None
    )
    return dataclasses.replace(made, y=whole.y % 2, classes=2) if pair else made


def numbers(metric="rmse", *, weighted=False, mean=1000.0, deviation=50.0):
    """The ink of a digit, in units of one's own, with noise."""
    whole = digits()
    noise = np.random.default_rng(0).standard_normal(len(whole.y))
    y = mean + deviation * (whole.x[:, 20:44].mean(axis=1) - 5 + 0.3 * noise)
    y, views = y.astype(np.float32), {}
    for replicate, view in whole.views.items():
        seen = y[view.train].astype(np.float64)
        views[replicate] = dataclasses.replace(view, center=seen.mean(), spread=seen.std())
    return dataclasses.replace(
        whole,
        y=y,
        classes=1,
        views=views,
        metric=metric,
        weights=weights_of(len(y)) if weighted else None,
    )


def as_by_hand(material, fleet, lanes, epochs=2):
    """Train, and hold everyone against the reference; the curve of the first."""
    population = Population(material, members(fleet, 2), DRAWS, lanes)
    assert population.advance(epochs)
    for member in population.members:
        one = population._training[member].settings
        curve, layers = reference.train(material, one, DRAWS, epochs, member.replicate)
        found = population.curve(member)
        np.testing.assert_allclose(found, curve, **LOSSES_CLOSE, err_msg=f"{member} {one}")
        for layer, exact in zip(population.params(member), layers, strict=True):
            for name, leaf in layer.items():
                np.testing.assert_allclose(leaf, exact[name], rtol=2e-3, atol=5e-4)
    return population.curve(Member(0, 0))


@pytest.mark.parametrize(("metric", "weighted"), [*zip(CLASSES, (True, False) * 2, strict=True)])
def test_a_metric_of_classes_is_scored_as_by_hand(metric, weighted, monkeypatch):
    monkeypatch.setattr(validation, "ROWS", 25)  # blocks, the last of which reaches back
    curve = as_by_hand(classes(metric, weighted=weighted), FLEET, machine(width=2))
    assert np.isnan(curve[:, 1]).all() == (metric in {"auc", "balanced_accuracy"})
    assert METRICS[metric].low <= curve[0, 3] < curve[1, 3] <= METRICS[metric].high


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_of_two_classes_the_area_is_one(loss):
    fleet = [dataclasses.replace(one, loss=loss) for one in FLEET]
    as_by_hand(classes("auc", pair=True, weighted=True), fleet, machine())


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "notebook", "squared_error"])
def test_weights_of_rows_count_in_every_loss_of_classes(loss):
    fleet = [dataclasses.replace(one, loss=loss, learning_rate=0.002) for one in FLEET]
    as_by_hand(classes("accuracy", weighted=True), fleet, machine())


@pytest.mark.parametrize(
    ("metric", "loss", "weighted"),
    [("rmse", "squared_error", False), ("mae", "huber", True), ("r2", "squared_error", True)],
)
def test_numbers_are_learned_and_scored_as_by_hand(metric, loss, weighted):
    fleet = [dataclasses.replace(one, loss=loss, label_smoothing=0.0) for one in FLEET]
    curve = as_by_hand(numbers(metric, weighted=weighted), fleet, machine(width=2))
    assert (curve[:, 1::2] < METRICS[metric].high).all()


def test_a_score_is_in_the_units_of_the_target():
    fleet = [dataclasses.replace(FLEET[0], loss="squared_error")]
    small, large = (
        as_by_hand(numbers(mean=mean, deviation=deviation), fleet, machine())
        for mean, deviation in ((0.0, 0.01), (0.0, 1e6))
    )
    np.testing.assert_allclose(large[:, 1::2], 1e8 * small[:, 1::2], rtol=1e-3)
    np.testing.assert_allclose(large[:, ::2], small[:, ::2], rtol=1e-3)


def test_a_program_for_numbers_is_compiled_once_whatever_the_target():
    lanes = machine()
    for mean in (0.0, 1e4):
        settings = [dataclasses.replace(one, loss="huber") for one in FLEET]
        population = Population(numbers(mean=mean), members(settings, 2), DRAWS, lanes)
        assert population.advance(2)
    assert lanes.compilations == 1


def test_a_loss_of_the_other_task_is_refused():
    for material, loss in ((numbers(), "cross_entropy"), (digits(), "huber")):
        with pytest.raises(SettingsError, match="use one of: "):
            Population(material, {Member(0, 0): Settings(loss=loss)}, DRAWS, machine())


@pytest.mark.parametrize("loss", NUMBER_LOSSES)
@given(st.integers(0, 1000), st.booleans())
def test_a_loss_of_numbers_is_what_it_says_and_follows_its_slope(loss, seed, weighted):
    draw = np.random.default_rng(seed)
    z, t = draw.normal(size=(6, 1)), 2 * draw.normal(size=(6, 1))
    weights = draw.uniform(0.5, 2, 6) if weighted else None
    reported, slope = reference.NUMBERS[loss]
    error = slope(z, t)
    if weighted:
        reported, error = reference.weighed(reported, weights), weights[:, None] * error
        weights = jnp.float32(weights)
    of = losses.of(loss, numbers=True)
    value, found = jax.value_and_grad(of.objective)(jnp.float32(z), jnp.float32(t), weights)
    np.testing.assert_allclose(value, reported(z, t), rtol=1e-4)
    np.testing.assert_allclose(found, error, rtol=1e-3, atol=1e-5)


AREA = jax.jit(scoring._area)


@given(st.integers(0, 1000))
def test_an_area_counts_equals_half(seed):
    draw = np.random.default_rng(seed)
    scores, truth = draw.integers(0, 6, 30), np.concatenate([[0, 1], draw.integers(0, 2, 28)])
    weights = draw.uniform(0.1, 2, 30)
    pairs = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    counts = np.outer(weights * truth, weights * (1 - truth))
    exact = (pairs * counts).sum() / counts.sum()
    found = AREA(jnp.float32(scores), jnp.asarray(truth == 1), jnp.float32(weights))
    assert found == pytest.approx(exact, abs=1e-5)


def test_a_held_out_part_that_is_all_equal_leaves_nothing_to_explain():
    whole = numbers("r2")
    view = whole.views[0]
    y = whole.y.copy()
    y[view.validation] = 7
    flat = dataclasses.replace(whole, y=y, views={0: view})
    population = Population(
        flat, {Member(0, 0): Settings(loss="squared_error", batch_size=20)}, DRAWS, machine()
    )
    population.advance(1)
    assert population.curve(Member(0, 0))[0, 3] == 0
    assert isinstance(flat, Material)
    assert isinstance(view, View)
