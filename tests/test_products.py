"""Half precision rounds factors and nothing else; `auto` is whatever is faster here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digits_fleet import DRAWS, MIXED, digits, machine, members
from fleetgrad import products
from fleetgrad.population import Population
from fleetgrad.settings import PRECISIONS, Settings


def rounded(array):
    return np.asarray(jnp.asarray(array, jnp.bfloat16), np.float64)


@st.composite
def factors(draw):
    """Inputs, weights, and the slope of their product, of any sizes that fit together."""
    batch, inputs, outputs = (draw(st.integers(1, 70)) for _ in range(3))
    normal = np.random.default_rng(batch).standard_normal
    shapes = ((batch, inputs), (inputs, outputs), (batch, outputs))
    return tuple(normal(shape, np.float32) for shape in shapes)


@settings(max_examples=20)
@given(factors())
def test_factors_are_rounded_and_sums_are_not(matrices):
    x, weight, slope = matrices
    product, back = jax.vjp(products.bfloat16, x, weight)
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(product, rounded(x) @ rounded(weight), **close)
    for_x, for_weight = back(slope)
    np.testing.assert_allclose(for_x, rounded(slope) @ rounded(weight).T, **close)
    np.testing.assert_allclose(for_weight, rounded(x).T @ rounded(slope), **close)
    assert {leaf.dtype for leaf in (product, for_x, for_weight)} == {np.dtype("float32")}


@settings(max_examples=20)
@given(factors())
def test_laying_a_factor_out_anew_changes_no_product(matrices):
    x, weight, slope = matrices
    product, back = jax.vjp(products.by_rows, x, weight)
    found = (product, *back(slope))
    exact = (x @ weight, slope @ weight.T, x.T @ slope)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_a_network_in_half_precision_learns_as_in_full():
    full = Settings(hidden=(16,), batch_size=20, epochs=4)
    half = Settings(hidden=(16,), batch_size=20, epochs=4, precision="bfloat16")
    population = Population(digits(), members((full, half)), DRAWS, machine(lanes=2))
    assert population.advance(4)
    first, second = (population.curve(member)[-1] for member in population.members)
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(first, second, atol=0.03)
    params = (population.params(member) for member in population.members)
    for one, other in zip(*map(jax.tree.leaves, params), strict=True):
        assert other.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=0.02)


@pytest.mark.parametrize(("half", "expected"), [(1.0, "bfloat16"), (1.9, "float32")])
def test_the_faster_precision_must_be_faster_by_a_margin(monkeypatch, half, expected):
    clock = {"now": 0.0}

    class Program:
        def __init__(self, seconds):
            self.seconds = seconds

        def __call__(self, *_):
            clock["now"] += self.seconds
            return self

    monkeypatch.setattr(products.time, "perf_counter", lambda: clock["now"])
    monkeypatch.setattr(products.jax, "jit", lambda program, **_: program)
    monkeypatch.setattr(products.jax, "block_until_ready", lambda result: result)
    monkeypatch.setattr(
        products, "_trial", lambda one: Program(half if one.precision == "bfloat16" else 2.0)
    )
    assert products.fastest(jax.devices("cpu")[0]) == expected


def test_auto_is_measured_once_and_shares_the_program_of_what_it_means(monkeypatch):
    asked = []
    monkeypatch.setattr(products, "fastest", lambda *given: asked.append(given) or "float32")
    lanes = machine()
    fleet = (MIXED[0], Settings(**MIXED[0].to_dict() | {"precision": "auto"}))
    population = Population(digits(), members(fleet), DRAWS, lanes)
    assert population.advance(1)
    assert (lanes.compilations, len(asked)) == (1, 1)


def test_every_precision_but_auto_has_a_product():
    assert {*products.PRECISIONS, "auto"} == set(PRECISIONS)
