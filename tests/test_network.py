"""The dense network: its first weights, what it computes, its noise."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import reference
from fleetgrad import keys, network
from fleetgrad.activations import ACTIVATIONS, Units
from fleetgrad.settings import INITIALIZERS, Settings

QUIET = network.Noise(np.float32(0), np.float32(0), np.float32(0))
KEY = jax.random.key(5)
SHAPE = (1000, 200)
MASK = jax.jit(network.keep_mask, static_argnums=2)


def noisy_logits(params, activation, x, key, noise, noisy):
    return network.apply_noisy(params, activation, x, key, noise, noisy)[0]


NOISY = jax.jit(noisy_logits, static_argnums=(1, 5))


def weights(settings, features=12, classes=10, replicate=0):
    return network.init(keys.generator(0, "init", replicate), settings, features, classes)


NTK = Units(ACTIVATIONS["silu"], ntk=True)


def test_the_table_has_exactly_the_names_of_the_settings():
    assert tuple(sorted(network.INITIALIZERS)) == INITIALIZERS


@pytest.mark.parametrize(
    ("init", "deviation"),
    [
        ("glorot", np.sqrt(2 / 700)),
        ("he", np.sqrt(2 / 400)),
        ("lecun", np.sqrt(1 / 400)),
        ("normal", 1.0),
        ("orthogonal", np.sqrt(1 / 400)),
    ],
)
def test_first_weights_have_the_deviation_of_their_rule(init, deviation):
    first = weights(Settings(hidden=(300,), init=init), features=400)[0]["weight"]
    assert first.mean() == pytest.approx(0, abs=4 * deviation / np.sqrt(first.size))
    assert first.std() == pytest.approx(deviation, rel=0.02)
    assert first.dtype == np.float32


def test_weights_to_be_divided_are_standard_normal_and_the_last_layer_starts_at_nothing():
    settings = Settings(hidden=(300, 200), parametrization="ntk", init_scale=2, init="orthogonal")
    *hidden, last = weights(settings, features=400)
    for layer in hidden:
        assert layer["weight"].std() == pytest.approx(2, rel=0.02)
        assert layer["bias"].std() == pytest.approx(1, rel=0.2)
    assert not last["weight"].any()
    assert not last["bias"].any()
    plain = weights(Settings(hidden=(300, 200), init="normal", init_scale=2), features=400)
    for one, other in zip(hidden, plain, strict=False):
        np.testing.assert_array_equal(one["weight"], other["weight"])


def test_factors_in_front_start_at_one_and_leave_the_draws_alone():
    plain, found = (weights(Settings(hidden=(5,), front_scale=on)) for on in (False, True))
    assert found[0].pop("front").tolist() == [1] * 12
    jax.tree.map(np.testing.assert_array_equal, plain, found)


@pytest.mark.parametrize(("features", "width"), [(12, 7), (7, 12), (9, 9), (1, 4)])
def test_an_orthogonal_layer_keeps_lengths(features, width):
    settings = Settings(hidden=(width,), init="orthogonal")
    first = weights(settings, features=features)[0]["weight"]
    gram = first @ first.T if features < width else first.T @ first
    np.testing.assert_allclose(gram, np.eye(min(features, width)), atol=1e-5)
    assert first.shape == (features, width)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_the_scale_multiplies_the_same_draw(init):
    whole = weights(Settings(hidden=(5,), init=init))
    half = weights(Settings(hidden=(5,), init=init, init_scale=0.5))
    for one, other in zip(whole, half, strict=True):
        np.testing.assert_allclose(one["weight"] / 2, other["weight"], rtol=1e-6)


def test_replicates_start_elsewhere_and_candidates_of_one_replicate_share_their_draws():
    one, other = weights(Settings(init="he")), weights(Settings(init="lecun", learning_rate=0.5))
    np.testing.assert_allclose(one[0]["weight"], other[0]["weight"] * np.sqrt(2), rtol=1e-5)
    assert not np.allclose(one[0]["weight"], weights(Settings(), replicate=1)[0]["weight"])


@pytest.mark.parametrize("hidden", [(), (7,), (7, 3, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_layers_chain_from_features_to_classes(hidden, bias):
    layers = weights(Settings(hidden=hidden, bias=bias))
    sizes = [layer["weight"].shape for layer in layers]
    assert sizes == network.layer_sizes(hidden, 12, 10)
    assert sizes[0][0] == 12
    assert sizes[-1][1] == 10
    assert all(("bias" in layer) == bias for layer in layers)
    assert not any(layer["bias"].any() for layer in layers if bias)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 3, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_logits_are_the_references(hidden, bias):
    settings = Settings(hidden=hidden, bias=bias, activation="silu")
    layers = weights(settings)
    for number, layer in enumerate(layers):
        if bias:
            layer["bias"] += np.linspace(-1, number, layer["bias"].size, dtype=np.float32)
    x = np.random.default_rng(0).standard_normal((6, 12))
    expected = reference.Network(layers, settings, steps=1).logits(x)
    found = network.apply(layers, "silu", jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [(), (7, 3)])
def test_logits_of_divided_weights_behind_factors_are_the_references(hidden):
    settings = Settings(hidden=hidden, parametrization="ntk", front_scale=True, activation="silu")
    layers = weights(settings)
    layers[-1]["weight"][:] = np.random.default_rng(1).standard_normal(layers[-1]["weight"].shape)
    layers[0]["front"][:] = np.linspace(-1, 2, 12)
    x = np.random.default_rng(0).standard_normal((6, 12))
    expected = reference.Network(layers, settings, steps=1).logits(x)
    found = network.apply(layers, NTK, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_without_noise_training_computes_what_prediction_does():
    layers, x = weights(Settings(hidden=(7, 3))), jnp.ones((4, 12))
    for noisy in (network.Noisy(*[False] * 3), network.Noisy(*[True] * 3)):
        found = NOISY(layers, "tanh", x, KEY, QUIET, noisy)
        np.testing.assert_allclose(found, network.apply(layers, "tanh", x), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.0, 1 / 65536, 0.1, 0.5, 0.9, 65535 / 65536])
def test_units_stay_with_the_probability_asked_for(rate):
    kept = np.asarray(MASK(KEY, np.float32(rate), SHAPE))
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert kept.mean() == pytest.approx(1 - rate, abs=5 * deviation)


@pytest.mark.parametrize("batch", [1, 6, 7])
def test_a_units_draw_does_not_depend_on_how_many_stand_beside_it(batch):
    widest = np.asarray(MASK(KEY, np.float32(0.4), (batch, 37)))
    assert 0.3 < widest.mean() < 0.9
    for units in (1, 2, 3, 8, 36):
        narrow = MASK(KEY, np.float32(0.4), (batch, units))
        np.testing.assert_array_equal(narrow, widest[:, :units])


def test_the_draws_of_rows_and_of_units_differ():
    kept = np.asarray(MASK(KEY, np.float32(0.5), SHAPE)).astype(float)
    for lines in (kept, kept.T):
        assert abs(np.corrcoef(lines[:200]) - np.eye(200)).max() < 0.5


def test_a_higher_rate_drops_the_same_units_and_more():
    masks = [MASK(KEY, np.float32(rate), SHAPE) for rate in (0.2, 0.5, 0.7)]
    assert all((more <= less).all() for less, more in pairwise(masks))


def test_what_stays_is_scaled_so_that_the_mean_stays():
    noise = QUIET._replace(input_dropout=np.float32(0.25))
    noisy = network.Noisy(dropout=False, input_dropout=True, input_noise=False)
    layers = ({"weight": np.eye(12, dtype=np.float32)},)
    found = NOISY(layers, "relu", jnp.ones((4000, 12)), KEY, noise, noisy)
    assert set(np.unique(found).tolist()) == {0, np.float32(4 / 3)}
    assert found.mean() == pytest.approx(1, abs=0.02)


def test_one_disturbance_never_shifts_anothers_draws():
    layers, x = weights(Settings(hidden=(), bias=False), classes=12), jnp.ones((4000, 12))
    layers[0]["weight"][:] = np.eye(12)
    noise = network.Noise(np.float32(0.5), np.float32(0.5), np.float32(0.1))
    alone = network.Noisy(dropout=False, input_dropout=True, input_noise=False)
    masked = NOISY(layers, "relu", x, KEY, noise, alone) != 0
    for others in (alone._replace(dropout=True), alone._replace(input_noise=True)):
        found = NOISY(layers, "relu", x, KEY, noise, others) != 0
        np.testing.assert_array_equal(found, masked)


def test_every_layer_draws_a_mask_of_its_own():
    fresh = [jax.random.fold_in(KEY, layer) for layer in range(3)]
    masks = [np.asarray(MASK(key, np.float32(0.5), SHAPE)) for key in fresh]
    assert all(0.4 < (masks[i] == masks[i - 1]).mean() < 0.6 for i in range(3))


def test_noise_has_the_deviation_asked_for():
    noise = QUIET._replace(input_noise=np.float32(0.3))
    noisy = network.Noisy(dropout=False, input_dropout=False, input_noise=True)
    layers = ({"weight": np.eye(12, dtype=np.float32)},)
    found = np.asarray(NOISY(layers, "relu", jnp.ones((4000, 12)), KEY, noise, noisy))
    assert found.mean() == pytest.approx(1, abs=0.01)
    assert found.std() == pytest.approx(0.3, rel=0.02)
