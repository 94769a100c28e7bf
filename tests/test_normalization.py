"""Normalization: what it computes in training and for prediction, its slopes, its statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference
from fleetgrad import keys, layers, network, normalization
from fleetgrad.settings import NORMALIZATIONS, Settings

KINDS = ("batch", "layer")
UNITS = 5
SUMS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 9), st.just(UNITS)),
    elements=st.floats(-100, 100, width=16),
)
FOUND = jax.jit(lambda kind, layer, x: normalization.KINDS[kind](layer, x), static_argnums=0)
QUIET = network.Noise(np.float32(0), np.float32(0), np.float32(0))


def learned(seed=0):
    draw = np.random.default_rng(seed)
    return {name: draw.standard_normal(UNITS, np.float32) for name in ("gain", "offset")}


def exact(layer):
    return {name: leaf.astype(np.float64) for name, leaf in layer.items()}


def some(rows=7, seed=1, scale=1.0):
    draw = np.random.default_rng(seed)
    return (scale * draw.standard_normal((rows, UNITS)) + np.arange(UNITS)).astype(np.float32)


def test_the_table_has_exactly_the_names_of_the_settings():
    assert tuple(sorted(normalization.KINDS)) == NORMALIZATIONS


@pytest.mark.parametrize("kind", KINDS)
@given(x=SUMS)
def test_training_normalizes_as_defined_whatever_the_sums(kind, x):
    by_hand = reference.Normalization(kind, exact(learned()))
    expected = by_hand.forward(x.astype(np.float64))
    found, moments = FOUND(kind, learned(), x)
    # Where all values of an axis are alike, a rounding is divided by the root of EPSILON.
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-2)
    if kind == "batch":
        np.testing.assert_allclose(moments["mean"], x.mean(0, np.float64), 1e-4, 1e-4)
        np.testing.assert_allclose(moments["variance"], x.var(0, np.float64, ddof=1), 1e-3, 1e-3)
    else:
        assert moments is None


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])  # beside EPSILON, and far above
@pytest.mark.parametrize("kind", KINDS)
def test_slopes_are_those_derived_by_hand(kind, scale):
    x, error = some(scale=scale), np.random.default_rng(2).standard_normal((7, UNITS))

    def objective(layer, x):
        return (normalization.KINDS[kind](layer, x)[0] * error).sum()

    for_layer, for_x = jax.grad(objective, argnums=(0, 1))(learned(), x)
    by_hand = reference.Normalization(kind, exact(learned()))
    by_hand.forward(x.astype(np.float64))
    slopes, behind = by_hand.backward(error)
    np.testing.assert_allclose(for_x, behind, rtol=1e-3, atol=1e-4 * abs(behind).max())
    for name, leaf in slopes.items():
        np.testing.assert_allclose(for_layer[name], leaf, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_by_hand_are_the_differences_of_the_function(kind):
    layer, x = exact(learned()), some(scale=0.01).astype(np.float64)
    error = np.random.default_rng(2).standard_normal(x.shape)
    by_hand = reference.Normalization(kind, layer)
    by_hand.forward(x)
    _, behind = by_hand.backward(error)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-7
        change = by_hand.forward(x + step) - by_hand.forward(x - step)
        assert (change * error).sum() / 2e-7 == pytest.approx(behind[place], rel=1e-4, abs=1e-5)


def test_a_normalized_layer_has_mean_offset_and_deviation_gain():
    layer = {"gain": np.full(UNITS, 3, np.float32), "offset": np.full(UNITS, -2, np.float32)}
    for kind, axis in (("batch", 0), ("layer", 1)):
        found, _ = FOUND(kind, layer, some(rows=50))
        np.testing.assert_allclose(np.mean(found, axis), -2, atol=1e-4)
        np.testing.assert_allclose(np.std(found, axis), 3, rtol=1e-3)


def test_running_statistics_come_to_those_of_all_rows():
    rows = some(rows=4000, scale=2.0)
    running = normalization.begin("batch", (UNITS,))
    follow = jax.jit(normalization.follow)
    means, variances = [], []
    for start in range(0, 4000, 8):
        _, moments = FOUND("batch", learned(), rows[start : start + 8])
        running, sound = follow(running, (moments,))
        assert sound
        means.append(running[0]["mean"])
        variances.append(running[0]["variance"])
    np.testing.assert_allclose(np.mean(means[50:], 0), rows.mean(0), atol=0.1)
    # Biased ones would come to 7/8 of it.
    np.testing.assert_allclose(np.mean(variances[50:], 0), rows.var(0), rtol=0.06)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["mean", "variance"])
def test_statistics_that_are_not_finite_are_told(name, wrong):
    running = normalization.begin("batch", (UNITS, 3))
    found = normalization.begin("batch", (UNITS, 3))
    found[1][name][2] = wrong
    assert not normalization.follow(running, found)[1]


def test_only_batch_normalization_keeps_statistics():
    assert normalization.begin("layer", (3,)) == normalization.begin("none", (3,)) == ()
    assert normalization.begin("batch", ()) == ()


@pytest.mark.parametrize("hidden", [(), (4,), (6, 4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_first_arrays_are_those_of_the_plan(hidden, bias, kind):
    settings = Settings(hidden=hidden, bias=bias, normalization=kind)
    first = network.init(keys.generator(0, "init", 0), settings, 12, 10)
    shapes = [{name: leaf.shape for name, leaf in layer.items()} for layer in first]
    assert shapes == list(layers.learned(settings, 12, 10))
    whole = network.predicting(first, normalization.begin(kind, hidden))
    shapes = [{name: leaf.shape for name, leaf in layer.items()} for layer in whole]
    assert shapes == list(layers.predicting(settings, 12, 10))
    for layer in whole[:-1]:
        expected = {"weight"} | ({"bias"} if bias and kind != "batch" else set())
        expected |= {"gain", "offset"} if kind != "none" else set()
        expected |= {"mean", "variance"} if kind == "batch" else set()
        assert layer.keys() == expected
        for name in {"gain", "variance"} & expected:
            assert (layer[name] == 1).all()
        for name in {"bias", "offset", "mean"} & expected:
            assert (layer[name] == 0).all()
    assert whole[-1].keys() == ({"weight", "bias"} if bias else {"weight"})
    assert whole[-1]["weight"].dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_normalization_changes_no_draw_of_weights(kind):
    plain, other = (
        network.init(keys.generator(0, "init", 0), Settings(normalization=name), 12, 10)
        for name in ("none", kind)
    )
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_array_equal(one["weight"], two["weight"])


def trained(kind, rows=16, steps=20):
    """A reference network after some steps, and the inputs it has seen."""
    settings = Settings(hidden=(6, UNITS), normalization=kind, batch_size=rows, learning_rate=0.05)
    initial = network.init(keys.generator(0, "init", 0), settings, 12, 10)
    alone, draw = reference.Network(initial, settings, steps), np.random.default_rng(3)
    x, labels = draw.standard_normal((steps, rows, 12)), draw.integers(0, 10, (steps, rows))
    for batch, label in zip(x, labels, strict=True):
        alone.learn(batch, label, jax.random.key(0))
    return alone, x.reshape(-1, 12)


def single(layer):
    return {name: jnp.asarray(leaf, jnp.float32) for name, leaf in layer.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_the_references_and_each_row_by_itself(kind):
    alone, x = trained(kind)
    params = tuple(map(single, alone.kept))
    found = network.apply(params, "relu", x.astype(np.float32))
    np.testing.assert_allclose(found, alone.logits(x), rtol=1e-3, atol=1e-4)
    one = network.apply(params, "relu", x[3:4].astype(np.float32))
    np.testing.assert_allclose(one, found[3:4], rtol=1e-4, atol=1e-5)


def test_training_normalizes_by_the_batch_and_prediction_by_the_past():
    alone, x = trained("batch")
    rows = (2 * x[:16] + 1).astype(np.float32)
    noisy = network.Noisy(dropout=False, input_dropout=False, input_noise=False)
    params, key = tuple(map(single, alone.layers)), jax.random.key(0)
    logits, moments = network.apply_noisy(params, "relu", rows, key, QUIET, noisy, "batch")
    by_hand = alone._forward(rows.astype(np.float64), lambda _layer, _shape: 1.0)[-1]
    np.testing.assert_allclose(logits, by_hand, rtol=1e-3, atol=1e-4)
    assert len(moments) == 2
    assert not np.allclose(logits, alone.logits(rows), atol=0.1)
