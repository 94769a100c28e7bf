"""One candidate's training: what is compiled in, what a step does, what a curve says."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from digits_fleet import DRAWS, MIXED, digits
from fleetgrad import batches, optimizers, shapes, states, training
from fleetgrad.feeds import Feeds
from fleetgrad.settings import ACTIVATIONS, OPTIMIZERS, Settings
from fleetgrad.settings import CLASS_LOSSES as LOSSES
from strategies_settings import rates, trainable

MATERIAL = digits()
ROWS = batches.Rows(jnp.asarray(MATERIAL.x), jnp.asarray(MATERIAL.y))
FEED = Feeds(MATERIAL, DRAWS).of(0, 0, 2, 10)
KEY = jax.random.key(3)
SMALL = Settings(hidden=(5,), batch_size=16)
VALUES = shapes.rates_of(SMALL, steps_per_epoch=10)


def shape_of(settings, validation_rows=40):
    return shapes.shape_of(settings, 64, 10, validation_rows, epochs=2, image_shape=(8, 8))


def started(settings):
    shape = shape_of(settings)
    return shape, states.begin(shape, DRAWS.initial(settings, 0, 64, 10))


def batches(size=16, count=2):
    """Scaled rows and labels of the first steps."""
    x, y = MATERIAL.x / np.float32(16), MATERIAL.y
    return [(x[i * size : (i + 1) * size], y[i * size : (i + 1) * size]) for i in range(count)]


STEP = jax.jit(training._step, static_argnums=0)
FINISH = jax.jit(training._finish_epoch, static_argnums=0)


@given(st.data(), trainable())
def test_values_need_no_other_program(data, settings):
    noise = {
        name: data.draw(st.floats(0.01, 0.9)) if getattr(settings, name) else 0.0
        for name in ("dropout", "input_dropout", "input_noise", "ema", "gradient_clipping")
    }
    values = data.draw(rates(settings.optimizer, settings.loss))
    assert shape_of(dataclasses.replace(settings, **values, **noise)) == shape_of(settings)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": (6,)},
        {"activation": "tanh"},
        {"bias": False},
        {"loss": "squared_error"},
        {"optimizer": "sgd"},
        {"batch_size": 17},
        {"dropout": 0.1},
        {"input_dropout": 0.1},
        {"input_noise": 0.1},
        {"normalization": "batch"},
        {"normalization": "layer"},
        {"gradient_clipping": 0.1},
        {"ema": 0.1},
        {"augment": "shift"},
        {"parametrization": "ntk"},
        {"front_scale": True},
        {"members": 2},
        {"parametric": True},
        {"embedding": "periodic"},
    ],
)
def test_what_changes_the_arithmetic_needs_another_program(change):
    assert shape_of(dataclasses.replace(SMALL, **change)) != shape_of(SMALL)


@pytest.mark.parametrize(("hidden", "multiplications"), [((), 640), ((5,), 370), ((7, 3), 499)])
def test_arithmetic_is_counted_as_done(hidden, multiplications):
    shape = shape_of(Settings(hidden=hidden, batch_size=16))
    assert shape.multiplications == multiplications
    first = 64 * (hidden or (10,))[0]
    assert shape.step_flops == 2 * 16 * (3 * multiplications - first)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_beginning_is_what_the_optimizer_would_begin_with(optimizer):
    settings = dataclasses.replace(SMALL, optimizer=optimizer)
    _, state = started(settings)
    rule = optimizers.OPTIMIZERS[optimizer](optimizers.Rates(0.1, 0.5, 0.0, 0.9))
    expected = rule.init(state.params)
    assert jax.tree.structure(state.optimizer) == jax.tree.structure(expected)
    for found, leaf in zip(*map(jax.tree.leaves, (state.optimizer, expected)), strict=True):
        np.testing.assert_array_equal(found, leaf)
        assert found.dtype == leaf.dtype
    assert (state.step, state.diverged_at, state.loss, state.correct) == (0, -1, 0, 0)


PARTS = [{"normalization": "batch"}, {"ema": 0.9}, {"normalization": "batch", "ema": 0.9}]


@pytest.mark.parametrize("changes", [{}, {"normalization": "layer"}, *PARTS])
def test_a_beginning_holds_what_its_settings_use_and_no_more(changes):
    _, state = started(dataclasses.replace(SMALL, **changes))
    _, plain = started(SMALL)
    moments = {"mean": np.zeros(5), "variance": np.ones(5)}
    running = (moments,) if changes.get("normalization") == "batch" else ()
    assert len(state.running) == len(running)
    jax.tree.map(np.testing.assert_array_equal, tuple(state.running), running)
    assert bool(state.average) == ("ema" in changes)
    # Runs saved before there was any of this are restored by the number of the leaf.
    if not changes:
        assert len(jax.tree.leaves(state)) == len(jax.tree.leaves(plain[:6]))
    for layer, whole in zip(state.params, states.predicting(state), strict=True):
        assert whole.keys() - layer.keys() <= {"mean", "variance"}
        for name, leaf in layer.items():
            np.testing.assert_array_equal(whole[name], leaf)
            # A program takes over the memory of its arguments: none may stand for two of them.
            assert (whole[name] is leaf) == ("ema" not in changes)


@pytest.mark.parametrize("kind", ["batch", "layer"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_steps_with_everything_on_are_the_references(activation, kind):
    for loss, bias, optimizer in (("cross_entropy", True, "adamw"), ("notebook", False, "sgd")):
        settings = Settings(
            hidden=(6, 5), batch_size=16, activation=activation, bias=bias, loss=loss,
            optimizer=optimizer, learning_rate=0.002, weight_decay=0.1, normalization=kind,
            ema=0.3, gradient_clipping=0.7, init="lecun",
        )  # fmt: skip
        shape, state = started(settings)
        values = shapes.rates_of(settings, steps_per_epoch=3)
        alone = reference.Network(state.params, settings, steps=30)
        for x, y in batches(count=4):
            state = STEP(shape, state, values, x, y, KEY)
            alone.learn(x.astype(np.float64), y, KEY)
        for layers, exact in (
            (state.params, alone.layers),
            (state.running, alone.running),
            (states.predicting(state), alone.kept),
        ):
            assert len(layers) == len(exact)
            for number, (found, layer) in enumerate(zip(layers, exact, strict=True)):
                assert found.keys() == layer.keys()
                for name, leaf in layer.items():
                    note = f"{loss} {number} {name}"
                    np.testing.assert_allclose(found[name], leaf, 2e-4, 2e-5, err_msg=note)


def test_a_gradient_that_is_not_finite_diverges_though_it_would_be_clipped():
    # Hidden units are 0, so the huge weights do not show in the loss, only in the slopes behind.
    settings = Settings(
        hidden=(5,), batch_size=16, activation="tanh", gradient_clipping=1.0, optimizer="sgd",
        loss="cross_entropy", ema=0.5,
    )  # fmt: skip
    shape, state = started(settings)
    [(x, y)] = batches(count=1)
    state.params[0]["weight"][:] = 0
    state.params[1]["weight"][:] = np.where(np.arange(10) % 2, 3e38, -3e38)
    after = STEP(shape, state, shapes.rates_of(settings, 10), x * np.float32(1e3), y, KEY)
    assert np.isfinite(after.loss)
    assert (after.step, after.diverged_at) == (0, 0)
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, after.average, state.average)


def test_a_variance_that_overflows_diverges_though_the_loss_is_finite():
    settings = dataclasses.replace(SMALL, normalization="batch", ema=0.5)
    shape, state = started(settings)
    [(x, y)] = batches(count=1)
    state.params[0]["weight"][:] *= np.float32(1e25)
    after = STEP(shape, state, shapes.rates_of(settings, 10), x, y, KEY)
    assert np.isfinite(after.loss)
    assert (after.step, after.diverged_at) == (0, 0)
    jax.tree.map(np.testing.assert_array_equal, after.running, state.running)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_are_the_references_for_every_pair_of_activation_loss_and_optimizer(loss, optimizer):
    first = 2 * LOSSES.index(loss) + OPTIMIZERS.index(optimizer)
    for number in (first, first + 1):
        activation = ACTIVATIONS[number % len(ACTIVATIONS)]
        settings = Settings(
            hidden=(5,), batch_size=16, activation=activation, loss=loss, optimizer=optimizer,
            learning_rate=0.001, momentum=0.5, weight_decay=0.01, init="lecun",
            label_smoothing=0.1 * (number % 2),
        )  # fmt: skip
        shape, state = started(settings)
        values = shapes.rates_of(settings, steps_per_epoch=2)
        alone = reference.Network(state.params, settings, steps=20)
        for x, y in batches():
            state = training._step(shape, state, values, x, y, KEY)
            alone.learn(x.astype(np.float64), y, KEY)
        for found, layer in zip(state.params, alone.layers, strict=True):
            for name, leaf in layer.items():
                np.testing.assert_allclose(
                    found[name], leaf, rtol=1e-4, atol=2e-5, err_msg=f"{activation} {name}"
                )


def test_loss_and_accuracy_are_those_before_the_update():
    shape, state = started(SMALL)
    [(x, y)] = batches(count=1)
    alone = reference.Network(state.params, SMALL, steps=20)
    logits = alone.logits(x.astype(np.float64))
    after = STEP(shape, state, shapes.rates_of(SMALL, 10), x, y, KEY)
    assert after.correct == (logits.argmax(1) == y).sum()
    targets = reference.smooth(y, 10, 0.0)
    assert after.loss == pytest.approx(reference.LOSSES["cross_entropy"][0](logits, targets))


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, 3e38])
def test_a_member_whose_loss_is_not_finite_stands_still_from_that_step_on(spoiled):
    shape, state = started(SMALL)
    values, [first, second, third] = shapes.rates_of(SMALL, 10), batches(count=3)
    state = STEP(shape, state, values, *first, KEY)
    state.params[0]["weight"] = state.params[0]["weight"].at[:, 0].set(spoiled)
    frozen = STEP(shape, state, values, *second, KEY)
    later = STEP(shape, frozen, values, *third, KEY)
    for found in (frozen, later):
        assert (found.step, found.diverged_at) == (1, 1)
        same = jax.tree.map(np.array_equal, found.optimizer, state.optimizer)
        assert all(jax.tree.leaves(same))
        for one, other in zip(*map(jax.tree.leaves, (found.params, state.params)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_that_the_last_step_of_an_epoch_spoils_are_noticed():
    shape, state = started(SMALL)
    state = state._replace(step=np.int32(10))
    blind = dataclasses.replace(shape, validation_rows=0)  # a refit may have nothing to score
    for value, expected in ((0.0, (-1, -1)), (3e38, (10, -1)), (np.nan, (10, 10))):
        state.params[1]["weight"][:] = value
        state.params[1]["bias"][3] = value
        for one, diverged_at in zip((shape, blind), expected, strict=True):
            assert FINISH(one, state, VALUES, FEED, ROWS)[0].diverged_at == diverged_at
            earlier = state._replace(diverged_at=np.int32(4))
            assert FINISH(one, earlier, VALUES, FEED, ROWS)[0].diverged_at == 4


def test_an_average_that_is_not_finite_is_noticed_with_nothing_to_score():
    shape, state = started(dataclasses.replace(SMALL, ema=0.5))
    blind = dataclasses.replace(shape, validation_rows=0)
    assert FINISH(blind, state, VALUES, FEED, ROWS)[0].diverged_at == -1
    state.average[0]["weight"][0, 0] = np.inf
    assert FINISH(blind, state, VALUES, FEED, ROWS)[0].diverged_at == 0


def test_a_curve_has_rows_for_the_epochs_completed_and_no_others():
    settings = dataclasses.replace(MIXED[0], batch_size=16)
    shape, state = started(settings)
    values = shapes.rates_of(settings, 10)
    program = jax.jit(training.advance, static_argnums=0)
    whole, curve = program(shape, state, values, FEED, ROWS, 0, 20)
    assert np.isfinite(curve).all()
    half, first = program(shape, state, values, FEED, ROWS, 0, 13)
    rest, second = program(shape, half, values, FEED, ROWS, 13, 20)
    assert np.isfinite(first).all(1).tolist() == [True, False]
    assert np.isnan(second).all(1).tolist() == [True, False]
    np.testing.assert_allclose(np.where(np.isnan(first), second, first), curve, rtol=1e-5)
    for one, other in zip(*map(jax.tree.leaves, (rest, whole)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
