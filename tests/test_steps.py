"""Steps in place are optax's, and who is frozen does not move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fleetgrad import optimizers, steps
from fleetgrad.kernels import adam
from fleetgrad.optimizers import Rates
from fleetgrad.settings import OPTIMIZERS
from fleetgrad.steps import Standing

RATES = Rates(*map(jnp.float32, (0.01, 0.9, 0.1, 0.95)))
compiled = pytest.mark.skipif(not adam.available(), reason="no C compiler on this machine")


def layers(seed, scale=1.0):
    """Parameters, or a gradient like them: one weight is the kernel's, all else XLA's."""
    draw = np.random.default_rng(seed).standard_normal
    shapes = ({"weight": (160, 128), "bias": (128,)}, {"weight": (128, 3), "gain": (3,)})
    assert 160 * 128 >= adam.WORTH > 128 * 3
    return tuple(
        {name: jnp.asarray(scale * draw(shape), jnp.float32) for name, shape in layer.items()}
        for layer in shapes
    )


def begin(optimizer):
    params = layers(0)
    return Standing(params, optimizers.OPTIMIZERS[optimizer](RATES).init(params))


def walk(optimizer, *, in_place, alive=(True,) * 4, grads=None, paces=steps.EVEN):
    """Where a few steps lead."""
    step = jax.jit(
        lambda before, grads, alive: steps.after(
            optimizer, RATES, grads, before, alive, in_place=in_place, paces=paces
        )
    )
    standing = begin(optimizer)
    for number, lives in enumerate(alive, start=1):
        gradient = layers(number, scale=10.0**-number) if grads is None else grads
        standing = step(standing, gradient, jnp.bool_(lives))
    return standing


def check_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@compiled
@pytest.mark.parametrize("optimizer", steps.IN_PLACE)
def test_steps_in_place_are_those_of_optax(optimizer):
    check_same(walk(optimizer, in_place=True), walk(optimizer, in_place=False))


PACES = {"bias": 0.1, "gain": 6.0, "weight": 2.0}


@compiled
@pytest.mark.parametrize("optimizer", steps.IN_PLACE)
def test_what_learns_at_a_pace_of_its_own_does_so_in_place_too(optimizer):
    check_same(
        walk(optimizer, in_place=True, paces=PACES), walk(optimizer, in_place=False, paces=PACES)
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_pace_multiplies_the_learning_rate(optimizer):
    twice = RATES._replace(learning_rate=2 * RATES.learning_rate)
    before = Standing(layers(0), optimizers.OPTIMIZERS[optimizer](RATES).init(layers(0)))
    alive = jnp.bool_(True)  # noqa: FBT003
    one = steps.after(optimizer, RATES, layers(1), before, alive, paces=dict.fromkeys(PACES, 2.0))
    check_same(one.params, steps.after(optimizer, twice, layers(1), before, alive).params)


@compiled
@pytest.mark.parametrize("optimizer", steps.IN_PLACE)
def test_a_frozen_member_stays_where_it_was(optimizer):
    spoiled = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), layers(1))
    found = walk(optimizer, in_place=True, alive=(False, False), grads=spoiled)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(begin(optimizer)), strict=True):
        np.testing.assert_array_equal(one, other)


@compiled
def test_a_pause_between_steps_leaves_no_trace():
    alive = (True, False, True)
    check_same(
        walk("adamw", in_place=True, alive=alive), walk("adamw", in_place=False, alive=alive)
    )


@compiled
def test_members_side_by_side_take_their_own_steps():
    before, grads = begin("adam"), layers(1)
    pair = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf + leaf]), (before, grads))

    def step(before, grads):
        return steps.after("adam", RATES, grads, before, jnp.bool_(True), in_place=True)  # noqa: FBT003

    found = jax.jit(jax.vmap(step))(*pair)
    alone = [jax.jit(step)(*jax.tree.map(lambda leaf, i=i: leaf[i], pair)) for i in (0, 1)]
    check_same(found, jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone))


@compiled
def test_arrays_that_do_not_fit_are_refused_by_the_kernel():
    numbers = adam.Numbers(*[jnp.float32(0)] * len(adam.Numbers._fields))
    large, small = jnp.zeros((4, 4)), jnp.zeros((4, 3))
    with pytest.raises(jax.errors.JaxRuntimeError, match="fit together"):
        jax.block_until_ready(adam.step(large, large, large, small, numbers))
