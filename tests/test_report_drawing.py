"""What a page embeds of a network answers as the network does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fleetgrad as fg
import pages
from fleetgrad import forward, inference
from fleetgrad.layers import predicting
from fleetgrad.report import drawing
from fleetgrad.settings import Settings

MATRICES = arrays(np.float32, (5, 3), elements=st.floats(-100, 100, width=32))


def network(seed=0, hidden=(12, 7), scale=1.0, **others):
    """A network of random arrays."""
    draw, settings = np.random.default_rng(seed), Settings(hidden=hidden, **others)
    layers = tuple(
        {
            name: np.abs(scale * draw.standard_normal(shape)).astype(np.float32) + 0.1
            if name == "variance"
            else (scale * draw.standard_normal(shape)).astype(np.float32)
            for name, shape in layer.items()
        }
        for layer in predicting(settings, 64, 10)
    )
    shift, spread = (draw.uniform(0.5, 1, 64).astype(np.float32) for _ in range(2))
    return inference.Network(settings, layers, shift, spread)


def model(own, **others):
    return fg.Model(
        own.settings,
        own.params,
        own.shift,
        own.scale,
        np.arange(10),
        image_shape=(8, 8),
        **others,
    )


def browsed(held, x):
    """What the browser computes, in NumPy: see templates/network.js."""
    hidden = (x - drawing.unpacked(held.shift)) * drawing.unpacked(held.scale)
    layers = [{n: drawing.unpacked(one) for n, one in layer.items()} for layer in held.layers]
    for layer in layers[:-1]:
        hidden = hidden @ layer["weight"] + layer["bias"]
        if "gain" in layer:
            hidden = forward.normalized({n: layer[n] for n in ("gain", "offset")}, hidden)
        hidden = forward.activated(layer, forward.ACTIVATIONS[held.activation], hidden)
    outputs = hidden @ layers[-1]["weight"] + layers[-1]["bias"]
    return inference.probabilities(held.loss, outputs)


FORMS = [
    {},
    {"normalization": "batch"},
    {"normalization": "layer", "activation": "gelu"},
    {"parametric": True, "activation": "mish"},
    {"parametrization": "ntk", "front_scale": True, "activation": "selu"},
    {"bias": False, "loss": "squared_error"},
    {"hidden": ()},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_that_is_embedded_answers_as_the_model_does(form):
    own = network(scale=0.3, **form)
    x = np.random.default_rng(1).uniform(0, 16, (50, 64)).astype(np.float32)
    held = drawing.of(model(own), None, missing := {})
    assert not missing
    assert np.allclose(browsed(held, x), model(own).predict_proba(x), atol=0.02)


@given(MATRICES)
def test_eight_bits_are_within_half_a_step_of_each_column(matrix):
    held = drawing.packed(matrix, "int8")
    step = np.abs(matrix).max(axis=0) / 127
    assert (np.abs(drawing.unpacked(held) - matrix) <= 0.51 * step + 1e-37).all()


@given(MATRICES)
def test_sixteen_bits_are_within_a_thousandth(matrix):
    found = drawing.unpacked(drawing.packed(matrix, "float16"))
    assert np.allclose(found, matrix, rtol=1e-3, atol=1e-7)


def test_eight_bits_keep_the_answers_of_a_trained_network(digits_run, monkeypatch):
    trained = fg.Model.load(digits_run)
    monkeypatch.setattr(drawing, "HALVES", 0)
    held = drawing.of(trained, None, {})
    assert {layer["weight"].kind for layer in held.layers} == {"int8"}
    x = pages.images().x
    whole, eight = trained.predict_proba(x), browsed(held, x.astype(np.float32))
    assert (whole.argmax(axis=1) == eight.argmax(axis=1)).mean() > 0.995
    assert np.abs(whole - eight).mean() < 0.005


def test_of_an_ensemble_the_winner_answers_alone():
    one, other = model(network(0)), model(network(1))
    both = fg.Ensemble.of([one, other], [0.4, 0.6], {"winner": 7, "members": [7, 3]})
    held = drawing.of(both, None, {})
    assert held.alone == 7
    assert drawing.unpacked(held.shift).tolist() == one.shift.tolist()
    assert drawing.of(replace(both, information={}), None, {}).alone == 1  # by its weight


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (None, "no model"),
        (replace(model(network()), image_shape=None), "not images"),
        (replace(model(network()), image_shape=(4, 4, 4)), "colors"),
        (model(network(members=2)), "cannot compute"),
        (model(network(hidden=(4000, 600))), "room for"),
    ],
)
def test_what_the_browser_cannot_answer_for_is_said(given_, words):
    assert drawing.of(given_, None, missing := {}) is None
    assert words in missing["network"]
