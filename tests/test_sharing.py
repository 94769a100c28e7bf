"""Members that share weights: how they begin, and that each is a network of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fleetgrad import keys, layers, losses, network
from fleetgrad.settings import CLASS_LOSSES, NUMBER_LOSSES, Settings

THREE = Settings(hidden=(7, 5), members=3, front_scale=True)
X = np.random.default_rng(0).standard_normal((6, 12)).astype(np.float32)


def begun(settings):
    return network.init(keys.generator(0, "init", 0), settings, 12, 4)


def drawn(settings):
    """Parameters of which nothing is as it begins."""
    draw = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: draw.standard_normal(leaf.shape).astype(np.float32), begun(settings)
    )


def alone(params, member):
    """One member's layers, as those of a network by itself."""
    *hidden, last = params
    found = []
    for layer in hidden:
        inward, outward = layer["inward"][member], layer["outward"][member]
        weight = inward[:, None] * layer["weight"] * outward
        found.append({"weight": weight, "bias": layer["bias"][member]})
    found.append({name: last[name][member] for name in ("weight", "bias")})
    if "front" in params[0]:
        found[0]["front"] = params[0]["front"]
    return tuple(found)


def test_members_begin_apart_by_the_signs_of_their_inputs_and_their_last_layers():
    params = begun(THREE)
    sizes = [{name: leaf.shape for name, leaf in layer.items()} for layer in params]
    assert sizes == list(layers.learned(THREE, 12, 4))
    first, second, last = params
    assert set(np.unique(first["inward"])) == {-1, 1}
    assert len({row.tobytes() for row in first["inward"]}) == 3
    for factors in (second["inward"], first["outward"], second["outward"]):
        assert (factors == 1).all()
    assert len({row.tobytes() for row in last["weight"]}) == 3


def test_everybodys_weights_are_those_of_one_network():
    one = begun(Settings(hidden=(7, 5), front_scale=True))
    three = begun(THREE)
    for plain, shared in zip(one[:2], three[:2], strict=True):
        np.testing.assert_array_equal(plain["weight"], shared["weight"])
    np.testing.assert_array_equal(one[2]["weight"], three[2]["weight"][0])


def test_biases_that_are_drawn_are_the_same_for_all_members():
    first = begun(Settings(hidden=(7,), members=3, parametrization="ntk"))[0]["bias"]
    assert first.any()
    assert (first == first[0]).all()


@pytest.mark.parametrize("hidden", [(), (7, 5)])
def test_a_member_says_what_it_would_say_alone(hidden):
    params = drawn(Settings(hidden=hidden, members=3, front_scale=True))
    together = network.apply(params, "tanh", jnp.asarray(X))
    assert together.shape == (3, 6, 4)
    for member, outputs in enumerate(together):
        expected = network.apply(alone(params, member), "tanh", jnp.asarray(X))
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_the_mean_of_a_loss_is_the_members(name):
    outputs = network.apply(drawn(THREE), "tanh", jnp.asarray(X))
    targets, loss = jax.nn.one_hot(jnp.arange(6) % 4, 4), losses.LOSSES[name]
    for side in (loss.objective, loss.reports):
        expected = np.mean([side(own, targets) for own in outputs])
        assert losses.mean(side, outputs, targets) == pytest.approx(expected, rel=1e-5)


def test_numbers_that_members_say_are_averaged():
    outputs = jnp.asarray([[[1.0], [2.0]], [[3.0], [5.0]]])
    for name in NUMBER_LOSSES:
        assert losses.pooled(outputs, name).tolist() == [[2.0], [3.5]]


def test_what_members_say_is_averaged_as_probabilities():
    outputs = 3 * network.apply(drawn(THREE), "tanh", jnp.asarray(X))
    shares = jax.nn.softmax(losses.pooled(outputs, "cross_entropy"))
    np.testing.assert_allclose(shares, jax.nn.softmax(outputs).mean(0), rtol=1e-4, atol=1e-6)
    said = jax.nn.sigmoid(losses.pooled(outputs, "binary_cross_entropy"))
    np.testing.assert_allclose(said, jax.nn.sigmoid(outputs).mean(0), rtol=1e-4, atol=1e-6)
