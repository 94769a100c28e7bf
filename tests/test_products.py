"""Half precision rounds factors and nothing else; `auto` is whatever is faster here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digits_fleet import DRAWS, MIXED, digits, machine, members
from fleetgrad import products
from fleetgrad.kernels import bfloat16 as rounding
from fleetgrad.population import Population
from fleetgrad.products import Arithmetic
from fleetgrad.settings import PRECISIONS, Settings

has_kernel = pytest.mark.skipif(
    not rounding.available(), reason="no C compiler, or a processor without bfloat16"
)


def rounded(array):
    return np.asarray(jnp.asarray(array, jnp.bfloat16), np.float64)


@st.composite
def factors(draw):
    """Inputs, weights, and the slope of their product, of any sizes that fit together."""
    batch, inputs, outputs = (draw(st.integers(1, 140)) for _ in range(3))
    normal = np.random.default_rng(batch).standard_normal
    shapes = ((batch, inputs), (inputs, outputs), (batch, outputs))
    return tuple(normal(shape, np.float32) for shape in shapes)


HALVES = [products.bfloat16, pytest.param(rounding.product, marks=has_kernel)]


@pytest.mark.parametrize("multiply", HALVES, ids=["XLA", "kernel"])
@settings(max_examples=20)
@given(factors())
def test_factors_are_rounded_and_sums_are_not(multiply, matrices):
    x, weight, slope = matrices
    product, back = jax.vjp(multiply, x, weight)
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


EXACT = Arithmetic("float32", on_cpu=True)
ROUNDED = EXACT._replace(precision="bfloat16")
BY_KERNEL = ROUNDED._replace(by_kernel=True)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that each way's program takes; the third way is there, whatever the processor."""
    now, takes = [0.0], {}

    class Program:
        def __init__(self, way):
            self.way = way

        def __call__(self, *_):
            now[0] += takes[self.way]
            return self

        def lower(self, *_):
            return self

        compile = lower

    monkeypatch.setattr(products.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(products.jax, "jit", lambda program, **_: program)
    monkeypatch.setattr(products.jax, "block_until_ready", lambda result: result)
    monkeypatch.setattr(products, "_trial", Program)
    monkeypatch.setattr(products.rounding, "available", lambda: True)
    monkeypatch.setattr(products, "_timed", products._timed.__wrapped__)  # nothing is remembered
    return takes


@pytest.mark.parametrize(
    ("precision", "rounded", "by_kernel", "expected"),
    [
        ("auto", 1.0, 1.5, ROUNDED),
        ("auto", 1.9, 1.0, BY_KERNEL),
        ("auto", 1.9, 1.8, EXACT),
        ("bfloat16", 3.0, 2.5, BY_KERNEL),
        ("bfloat16", 2.5, 3.0, ROUNDED),
        ("float32", 0.1, 0.1, EXACT),
    ],
)
def test_the_fastest_way_is_taken_and_rounding_must_pay(
    clock, precision, rounded, by_kernel, expected
):
    clock.update({EXACT: 2.0, ROUNDED: rounded, BY_KERNEL: by_kernel})
    assert products.fastest(precision, jax.devices("cpu")[:1]) == expected


def test_without_the_kernel_there_is_one_way_to_round(clock, monkeypatch):
    monkeypatch.setattr(products.rounding, "available", lambda: False)
    assert products.fastest("bfloat16", jax.devices("cpu")[:1]) == ROUNDED


def test_auto_is_measured_once_and_shares_the_program_of_what_it_means(monkeypatch):
    asked = []
    monkeypatch.setattr(
        products, "_timed", lambda ways, *_: asked.append(ways) or dict.fromkeys(ways, 1.0)
    )
    lanes = machine()
    fleet = (MIXED[0], Settings(**MIXED[0].to_dict() | {"precision": "auto"}))
    population = Population(digits(), members(fleet), DRAWS, lanes)
    assert population.advance(1)
    assert (lanes.compilations, len(asked)) == (1, 1)


def test_every_precision_but_auto_has_a_product():
    for precision in {*PRECISIONS} - {"auto"}:
        product = Arithmetic(precision).products.others(np.eye(2), np.eye(2))
        np.testing.assert_array_equal(product, np.eye(2))
