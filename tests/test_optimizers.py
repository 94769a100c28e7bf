"""Optimizers and schedules: how a gradient becomes a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import reference
from fleetgrad import optimizers
from fleetgrad.optimizers import SCHEDULES
from fleetgrad.settings import OPTIMIZERS, Settings
from fleetgrad.settings import SCHEDULES as NAMES

SHARES = st.floats(1 / 128, 15 / 16, width=32)
WARMUPS = st.one_of(st.just(0.0), SHARES)
MOST_STEPS = 5000
STEPS = st.integers(1, MOST_STEPS)
PLACES = st.tuples(STEPS, st.floats(0, 1, exclude_max=True)).map(
    lambda pair: (int(pair[0] * pair[1]), pair[0])
)


def rates(learning_rate=0.1, momentum=0.0, weight_decay=0.0, beta2=0.999):
    return optimizers.Rates(*map(jnp.float32, (learning_rate, momentum, weight_decay, beta2)))


def walk(name, gradients, **changes):
    """The parameters after each gradient, from weights 1, -2 and biases 3."""
    rule = optimizers.OPTIMIZERS[name](rates(**changes))
    params = ({"weight": jnp.array([[1.0], [-2.0]]), "bias": jnp.array([3.0])},)
    state, path = rule.init(params), [params]
    for gradient in gradients:
        slopes = jax.tree.map(lambda leaf, g=gradient: jnp.full_like(leaf, g), params)
        updates, state = rule.update(slopes, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        path.append(params)
    return path


ONE = jax.jit(optimizers.scheduled)
MANY = jax.jit(jax.vmap(optimizers.scheduled, in_axes=(None, None, 0, None)))


def factor(schedule, warmup, step, steps):
    number = np.int32(SCHEDULES[schedule])
    return float(ONE(number, np.float32(warmup), np.int32(step), np.int32(steps)))


def factors(schedule, warmup, steps):
    number, every = np.int32(SCHEDULES[schedule]), np.arange(MOST_STEPS, dtype=np.int32)
    return np.asarray(MANY(number, np.float32(warmup), every, np.int32(steps)))[:steps]


def test_the_tables_have_exactly_the_names_of_the_settings():
    assert tuple(sorted(optimizers.OPTIMIZERS)) == OPTIMIZERS == tuple(sorted(reference.OPTIMIZERS))
    assert tuple(sorted(SCHEDULES)) == NAMES
    assert sorted(SCHEDULES.values()) == list(range(len(NAMES)))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("decay", "beta2"), [(0.0, 0.95), (0.3, 0.999)])
def test_an_optimizer_takes_the_steps_of_its_definition(name, decay, beta2):
    gradients = [0.5, -0.2, 1e-6, 0.0, 3.0]
    changes = {"learning_rate": 0.05, "momentum": 0.7, "weight_decay": decay,
               "beta2": beta2}  # fmt: skip
    path = walk(name, gradients, **changes)
    start = [{key: np.asarray(leaf) for key, leaf in path[0][0].items()}]
    alone = reference.Network(start, Settings(optimizer=name, **changes), steps=len(gradients))
    for gradient, (found,) in zip(gradients, path[1:], strict=True):
        slopes = {key: np.full_like(leaf, gradient) for key, leaf in alone.layers[0].items()}
        alone._update([slopes])
        for key, leaf in alone.layers[0].items():
            np.testing.assert_allclose(found[key], leaf, rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_shrinks_weights_and_leaves_biases(name):
    after = walk(name, [0.0], weight_decay=0.5)[-1][0]
    assert (abs(np.asarray(after["weight"])) < [[1], [2]]).all()
    assert after["bias"] == 3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_networks_without_biases_are_decayed_too(name):
    rule = optimizers.OPTIMIZERS[name](rates(weight_decay=0.5))
    params = ({"weight": jnp.ones((2, 2))},)
    updates, _ = rule.update(jax.tree.map(jnp.zeros_like, params), rule.init(params), params)
    assert (updates[0]["weight"] < 0).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_memory_starts_at_zero(name):
    state = optimizers.OPTIMIZERS[name](rates()).init(({"weight": jnp.ones((2, 2))},))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(state))


def test_two_taps_remember_one_step_and_no_more():
    path = walk("two_tap", [1.0, 0.0, 0.0], learning_rate=0.5, momentum=0.25)
    biases = [float(params[0]["bias"][0]) for params in path]
    assert np.diff(biases).tolist() == [-0.5, -0.125, 0.0]


def test_momentum_remembers_geometrically():
    path = walk("momentum", [1.0, 0.0, 0.0], learning_rate=1.0, momentum=0.5)
    biases = [float(params[0]["bias"][0]) for params in path]
    assert np.diff(biases).tolist() == [-1.0, -0.5, -0.25]


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("constant", 0.0, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("constant", 0.5, [0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1]),
        ("linear", 0.0, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
        ("linear", 0.5, [0.2, 0.4, 0.6, 0.8, 1, 1, 0.8, 0.6, 0.4, 0.2]),
        ("cosine", 0.0, [1, 0.97553, 0.90451, 0.79389, 0.65451, 0.5, 0.34549, 0.20611, 0.09549,
                         0.02447]),
        ("one_cycle", 0.0, [0.28, 0.76, 1, 1, 0.95048, 0.81174, 0.61126, 0.38874, 0.18826,
                            0.04952]),
        ("one_cycle", 0.5, [0.13167, 0.37167, 0.66833, 0.90833, 1, 1, 0.90451, 0.65451, 0.34549,
                            0.09549]),
        ("coslog", 0.0, [0, 0.71835, 0, 0.98384, 0.32369, 0.07362, 0.71835, 0.99453,
                         0.65319, 0.1862]),
        ("step", 0.0, [1, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ("step", 0.2, [0.5, 1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]),
    ],
)  # fmt: skip
def test_ten_steps_of_a_schedule_are_these(schedule, warmup, expected):
    np.testing.assert_allclose(factors(schedule, warmup, 10), expected, atol=2e-5)


@given(st.sampled_from(NAMES), WARMUPS, PLACES)
def test_a_factor_is_a_share_and_the_references(schedule, warmup, place):
    step, steps = place
    # There 32 and 64 bits may stand on either side.
    edges = [warmup * steps + share * (1 - warmup) * steps for share in (0, 1 / 2, 3 / 4)]
    assume(all(abs(step - edge) > 1e-2 for edge in edges))
    found = factor(schedule, warmup, step, steps)
    assert 0 <= found <= 1
    assert found == pytest.approx(reference.factor(schedule, warmup, step, steps), abs=1e-4)


@given(st.sampled_from([name for name in NAMES if name != "coslog"]), WARMUPS, STEPS)
def test_a_schedule_rises_once_to_its_peak_then_never_again(schedule, warmup, steps):
    path = factors(schedule, warmup, steps)
    top = path.argmax()
    assert (np.diff(path[: top + 1]) >= -1e-6).all()
    assert (np.diff(path[top:]) <= 1e-6).all()
    assert path.max() > 1 - 2 / max(1, steps * (1 - warmup)) or steps * (1 - warmup) < 2


@given(st.sampled_from([name for name in NAMES if name != "step"]), WARMUPS, STEPS)
def test_a_schedule_never_jumps(schedule, warmup, steps):
    share = 0.3 if schedule == "one_cycle" and warmup == 0 else warmup
    rising = share * steps
    steepest = np.pi / 2 * (1 / max(1, rising) + 1 / max(1, steps - rising))
    if schedule == "coslog":
        steepest = 15 * np.pi / np.log(2) / steps  # the slope of 2 log2(1 + 15 t) at 0
    assert (abs(np.diff(factors(schedule, warmup, steps))) <= steepest + 1e-5).all()


@given(st.sampled_from([name for name in NAMES if name != "coslog"]), SHARES, STEPS)
def test_training_starts_slowly_under_a_warmup(schedule, warmup, steps):
    rising = warmup * steps
    assume(rising >= 2)
    slow = 1 / rising if schedule != "one_cycle" else 1 / 25 + (np.pi / 2 / rising) ** 2
    assert 0 < factor(schedule, warmup, 0, steps) <= slow + 1e-5


GRADIENTS = st.lists(
    st.floats(-(2.0**100), 2.0**100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-20),
    min_size=2,
    max_size=6,
)
CLIP = jax.jit(optimizers.clipped)


def clip(values, longest):
    """The clipped gradient as one array, of two layers' parts, and whether it was finite."""
    gradient = ({"weight": np.float32(values[:1])}, {"bias": np.float32(values[1:])})
    (first, second), finite = CLIP(gradient, np.float32(longest))
    return np.concatenate([first["weight"], second["bias"]]).astype(np.float64), bool(finite)


@given(GRADIENTS, st.floats(1e-3, 1e3))
def test_a_clipped_gradient_points_as_before_and_is_no_longer_than_allowed(values, longest):
    found, finite = clip(values, longest)
    exact = np.float64(np.float32(values))
    [expected] = reference.shortened([{"all": exact}], longest)
    assert finite
    np.testing.assert_allclose(found, expected["all"], rtol=1e-5, atol=1e-30)
    assert np.sqrt((found**2).sum()) <= longest * (1 + 1e-5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 2])
def test_what_is_not_finite_is_told_not_clipped_away(wrong, place):
    values = [1.0, -2.0, 3.0]
    values[place] = wrong
    assert not clip(values, 1.0)[1]


def test_a_gradient_of_zeros_stays():
    found, finite = clip([0.0, 0.0], 1.0)
    assert finite
    assert (found == 0).all()


@pytest.mark.parametrize("ema", [0.05, 0.5, 0.999])
def test_an_average_forgets_as_its_decay_says_after_a_quick_start(ema):
    average, exact = np.float32(5), 5.0
    follow = jax.jit(optimizers.averaged)
    for step, value in enumerate([1.0, -2.0, 0.5, 4.0] * 30):
        average = follow(average, np.float32(value), np.float32(1 - ema), np.int32(step))
        decay = min(ema, (1 + step) / (10 + step))
        exact = decay * exact + (1 - decay) * value
        assert average == pytest.approx(exact, rel=1e-4, abs=1e-5)
