"""What hidden units compute: the table of activations, a choice among several, real units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference
from fleetgrad.activations import ACTIVATIONS, Units, chosen, rounded_sigmoid
from fleetgrad.settings import ACTIVATIONS as NAMES

# Programs take subnormal numbers to be 0, where a slope may be another.
FLOATS = hnp.arrays(np.float32, 16, elements=st.floats(-30, 30, width=32, allow_subnormal=False))
POINTS = np.array([-30, -8.5, -2.5, -1.5, -0.6, -0.5, -1e-3, 1e-3, 0.5, 0.7, 1.5, 2.5, 3.5, 30])
SEVERAL = ("gelu", "relu", "rounded_sigmoid", "tanh")


def slope(function, z):
    return jax.jit(jax.vmap(jax.grad(function)))(np.asarray(z, np.float32))


FORWARD = jax.jit(lambda z: jax.jvp(rounded_sigmoid, (z,), (jnp.full_like(z, 2),)))
BACKWARD = jax.jit(jax.vmap(jax.grad(rounded_sigmoid)))


def both(number, z):
    """Values and slopes of the activation with this number, in a program that serves several."""
    value, back = jax.vjp(chosen(SEVERAL, number), z)
    return value, back(jnp.full_like(z, 2))[0]


CHOSEN, CHOSEN_SIDE_BY_SIDE = jax.jit(both), jax.jit(jax.vmap(both, (0, None)))


def test_the_table_has_exactly_the_names_of_the_settings():
    assert tuple(sorted(ACTIVATIONS)) == NAMES == tuple(sorted(reference.ACTIVATIONS))


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_and_its_slope_are_as_defined(name):
    value, derivative = reference.ACTIVATIONS[name]
    found = ACTIVATIONS[name](jnp.asarray(POINTS, jnp.float32))
    np.testing.assert_allclose(found, value(POINTS), rtol=1e-5, atol=1e-6)
    found = slope(ACTIVATIONS[name], POINTS)
    np.testing.assert_allclose(found, derivative(POINTS), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("z", "nearest"), [(-2.5, -2), (-0.5, 0), (0.5, 0), (1.5, 2), (2.5, 2)])
def test_the_rounded_slope_rounds_a_half_to_even(z, nearest):
    share = 1 / (1 + np.exp(-nearest))
    assert slope(rounded_sigmoid, [z])[0] == pytest.approx(share * (1 - share), rel=1e-6)


@given(FLOATS)
def test_the_rounded_slope_changes_only_the_slope(z):
    value, tangent = FORWARD(z)
    np.testing.assert_array_equal(value, jax.nn.sigmoid(z))
    expected = reference.logistic_slope(np.rint(z.astype(np.float64)))
    np.testing.assert_allclose(tangent, 2 * expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(BACKWARD(z), expected, rtol=1e-4, atol=1e-6)


@given(FLOATS)
def test_one_of_several_is_what_it_is_alone_values_and_slopes(z):
    numbers = np.array([NAMES.index(name) for name in SEVERAL], np.int32)
    values, slopes = CHOSEN_SIDE_BY_SIDE(numbers, z)
    for place, name in enumerate(SEVERAL):
        value, derivative = reference.ACTIVATIONS[name]
        wide = z.astype(np.float64)
        for found, back in ((values[place], slopes[place]), CHOSEN(numbers[place], z)):
            np.testing.assert_allclose(found, value(wide), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(back, 2 * derivative(wide), rtol=1e-3, atol=1e-5)


def test_a_single_one_is_no_choice():
    assert chosen(("relu",), np.int32(3)) is ACTIVATIONS["relu"]


def test_units_are_real_up_to_the_networks_own_width():
    assert Units(jnp.tanh).real(0, 5) is None
    units = Units(jnp.tanh, (np.int32(3), np.int32(5)))
    assert units.real(0, 5).tolist() == [True, True, True, False, False]
    assert units.real(1, 5).all()
