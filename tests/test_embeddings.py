"""Numbers embedded before the first layer: how they begin, what they become, and its slopes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from fleetgrad import embeddings, keys, layers, network, shapes
from fleetgrad.settings import Settings

PERIODIC = Settings(
    hidden=(5,), embedding="periodic", embedding_waves=6, embedding_size=3, front_scale=True
)
COSINE = jax.jit(jax.vmap(jax.value_and_grad(embeddings.cosine)))


def begun(settings=PERIODIC, features=4):
    return network.init(keys.generator(0, "init", 0), settings, features, 3)


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50))
def test_the_cosine_and_its_slope_are_those_of_turns(turns):
    value, slope = COSINE(np.float32(turns))
    exact = 2 * np.pi * np.float64(np.float32(turns))
    np.testing.assert_allclose(value, np.cos(exact), atol=1e-6)
    np.testing.assert_allclose(slope, -2 * np.pi * np.sin(exact), atol=1e-5)


def test_the_arrays_begin_as_the_paper_says():
    settings = Settings(embedding="periodic", embedding_waves=100, embedding_scale=0.3)
    first = begun(settings, features=200)[0]
    assert first["frequency"].std() == pytest.approx(0.3, rel=0.02)
    assert abs(first["frequency"].mean()) < 0.01
    for name, most in (("phase", np.pi), ("mixture", 0.1), ("level", 0.1)):
        assert abs(first[name]).max() <= most
        assert first[name].std() == pytest.approx(most / np.sqrt(3), rel=0.1), name


def test_embedding_leaves_the_draws_of_later_layers_alone():
    _, *plain = network.init(keys.generator(0, "init", 0), Settings(hidden=(5, 4)), 12, 3)
    settings = Settings(hidden=(5, 4), embedding="periodic", embedding_size=2)
    _, *found = network.init(keys.generator(0, "init", 0), settings, 6, 3)
    jax.tree.map(np.testing.assert_array_equal, plain, found)


def test_a_number_stands_first_for_itself_then_for_its_waves():
    params = begun()
    sizes = [{name: leaf.shape for name, leaf in layer.items()} for layer in params]
    assert sizes == list(layers.learned(PERIODIC, 4, 3))
    x = np.random.default_rng(1).standard_normal((7, 4))
    found = np.asarray(embeddings.embedded(params[0], jnp.asarray(x, jnp.float32)))
    assert found.shape == (7, 4 * PERIODIC.embedding_size) == (7, layers.entering(PERIODIC, 4))
    expected = reference.Network(params, PERIODIC, steps=1)._embedded(params[0], x)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(found[:, :4], np.float32(x))


def test_only_numbers_are_embedded():
    params = network.init(keys.generator(0, "init", 0), PERIODIC, 4, 3, places=(1, 3))
    sizes = [{name: leaf.shape for name, leaf in layer.items()} for layer in params]
    assert sizes == list(layers.learned(PERIODIC, 4, 3, (1, 3)))
    x = np.random.default_rng(1).standard_normal((7, 4)).astype(np.float32)
    found = embeddings.embedded(params[0], jnp.asarray(x), (1, 3))
    assert found.shape == (7, 4 + 2 * 2) == (7, layers.entering(PERIODIC, 4, (1, 3)))
    alone = embeddings.embedded(params[0], jnp.asarray(x[:, [1, 3]]))
    np.testing.assert_array_equal(found[:, 4:], alone[:, 2:])


def test_numbers_are_what_is_bent_back():
    assert layers.numbers(None) is None
    assert layers.numbers([0.3, 0.3]) is None
    assert layers.numbers([0.0, 0.3, 0.0]) == (1,)
    assert layers.numbers([0.0, 0.0]) == ()


def test_where_there_are_no_numbers_nothing_is_embedded():
    plain = dataclasses.replace(PERIODIC, embedding="none")
    assert layers.learned(PERIODIC, 4, 3, ()) == layers.learned(plain, 4, 3)
    shape = shapes.shape_of(PERIODIC, 4, 3, 0, 1, places=())
    assert shape == shapes.shape_of(plain, 4, 3, 0, 1)


def test_a_layer_without_waves_is_given_what_there_is():
    x = jnp.ones((2, 3))
    assert embeddings.embedded({"weight": jnp.ones((3, 1))}, x) is x
