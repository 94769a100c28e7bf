"""The laws of the fleet once more, where networks share a program that is too large for them."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digits_fleet import (
    DRAWS,
    agree,
    check_against_reference,
    curves,
    digits,
    machine,
    members,
    populate,
)
from fleetgrad import memory, network, states
from fleetgrad.population import Population
from fleetgrad.programs import alike, joined
from fleetgrad.settings import ACTIVATIONS, Settings
from fleetgrad.trainees import Member
from strategies_settings import trainable

EPOCHS = 4

PLAIN = Settings(hidden=(8,), batch_size=20, epochs=4, optimizer="momentum", learning_rate=0.05)
BATCH = Settings(
    hidden=(7, 5), batch_size=25, epochs=4, normalization="batch", optimizer="adamw",
    learning_rate=0.01, weight_decay=0.05,
)  # fmt: skip
LAYER = Settings(
    hidden=(7, 5), batch_size=32, epochs=4, normalization="layer", optimizer="two_tap",
    learning_rate=0.05, momentum=0.5,
)  # fmt: skip
NTK = dataclasses.replace(
    PLAIN,
    hidden=(7, 5),
    parametrization="ntk",
    front_scale=True,
    parametric=True,
    members=2,
    weight_decay=0.01,
)
LINEAR = Settings(hidden=(), batch_size=40, epochs=4, optimizer="sgd", learning_rate=0.1)


def several(base, *changes):
    return tuple(dataclasses.replace(base, **each) for each in changes)


# Three programs; in each somebody is the widest, somebody narrow, everybody has something off.
KINDS = {
    "plain": several(
        PLAIN,
        {"activation": "sigmoid", "hidden": (3,)},
        {"activation": "relu", "hidden": (9,), "dropout": 0.3},
        {"activation": "gelu", "hidden": (6,), "gradient_clipping": 0.5, "input_noise": 0.1},
        {"activation": "silu", "hidden": (1,), "ema": 0.8},
    ),
    "batch": several(
        BATCH,
        {"activation": "tanh", "hidden": (9, 2)},
        {"activation": "elu", "hidden": (4, 6), "dropout": 0.2, "ema": 0.7},
        {"activation": "rounded_sigmoid", "gradient_clipping": 0.5},
    ),
    "layer": several(
        LAYER,
        {"activation": "leaky_relu", "hidden": (2, 9)},
        {"activation": "sigmoid", "hidden": (6, 3), "ema": 0.8},
        {"activation": "gelu", "hidden": (5, 5), "input_dropout": 0.2, "gradient_clipping": 1.0},
    ),
    "ntk": several(
        NTK,
        {"activation": "selu", "hidden": (2, 9)},
        {"activation": "mish", "hidden": (8, 3), "optimizer": "momentum", "ema": 0.8},
    ),
}
WILD = dataclasses.replace(KINDS["plain"][0], learning_rate=1e30, activation="relu")


def one_program(*kinds, width=1):
    """What makes networks of each kind share one program, that serves all of it."""
    lane = machine(width=width)
    made = populate([one for kind in kinds for one in kind], lane)._training.values()
    wanted = {}
    for one in made:
        kind = alike(one.own)
        wanted[kind] = joined(wanted.get(kind, one.own), one.own)
    return lambda shape: wanted[alike(shape)]


def sharing(fleet, lanes, replicates=1):
    serving = one_program(*KINDS.values(), width=lanes.width)
    return Population(digits(), members(fleet, replicates), DRAWS, lanes, serving)


@pytest.fixture(scope="module")
def lanes():
    """Two lanes, on which the shared programs of `KINDS` are compiled once."""
    return machine(lanes=2)


@pytest.fixture(scope="module")
def own():
    """Lanes for networks in their own programs."""
    return machine(lanes=2)


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_in_a_shared_program_is_trained_as_by_hand(lanes, kind):
    population = sharing(KINDS[kind], lanes, replicates=2)
    before = lanes.compilations
    assert population.advance(2)
    assert lanes.compilations <= before + 1
    check_against_reference(population, 2)


def test_side_by_side_in_one_call_too():
    wide = machine(width=3)
    population = sharing(KINDS["layer"], wide, replicates=2)
    assert population.advance(2)
    assert wide.compilations == 1
    check_against_reference(population, 2)


@settings(max_examples=3)
@given(trainable(), st.integers(1, 4), st.sampled_from(ACTIVATIONS))
def test_whatever_the_settings_a_larger_program_trains_them_as_by_hand(one, more, other):
    def larger(shape):
        return dataclasses.replace(
            shape,
            hidden=tuple(width + more for width in shape.hidden),
            activations=tuple(sorted({*shape.activations, other})),
            padded=True,
            clips=True,
            averages=True,
            noisy=network.Noisy(dropout=True, input_dropout=True, input_noise=True),
        )

    population = Population(digits(), {Member(7, 0): one}, DRAWS, machine(), larger)
    assert population.advance(2)
    check_against_reference(population, 2)


def test_whoever_does_not_average_has_the_last_weights_for_an_average(lanes):
    population = sharing(KINDS["batch"][:1], lanes)
    population.advance(2)
    (one,) = population._training.values()
    newest = network.predicting(one.state.params, one.state.running)
    jax.tree.map(np.testing.assert_array_equal, one.state.average, newest)


def test_a_linear_model_may_share_whatever_its_activation(lanes):
    fleet = several(LINEAR, {"activation": "relu"}, {"activation": "tanh"}, {"dropout": 0.5})
    lane, serving = machine(), one_program(fleet)
    population = Population(digits(), members(fleet), DRAWS, lane, serving)
    assert population.advance(2)
    assert lane.compilations == 1
    first, *others = curves(population).values()
    for curve in others:
        np.testing.assert_array_equal(curve, first)


# What is handed out, saved and restored does not tell which program it was.


def test_arrays_are_trimmed_wherever_they_can_be_seen(lanes):
    fleet = KINDS["batch"]
    population, alone = sharing(fleet, lanes), populate(fleet, machine()).state()
    jax.tree.map(np.testing.assert_array_equal, population.state(), alone)
    assert population.advance(1)
    for name, array in population.state().items():
        assert array.flags.c_contiguous
        assert array.shape == alone[name].shape or name.endswith("curve")
    for member in population.members:
        wanted = states.predicting(states.described(population._training[member].own))
        for layer, expected in zip(population.params(member), wanted, strict=True):
            assert {n: leaf.shape for n, leaf in layer.items()} == {
                n: leaf.shape for n, leaf in expected.items()
            }


def test_what_is_handed_out_is_what_was_scored(lanes):
    fleet = KINDS["layer"]
    population = sharing(fleet, lanes)
    population.advance(EPOCHS)
    view, material = population.material.views[0], population.material
    scaled = (material.x[view.validation] - view.shift) * view.scale
    for member, one in zip(population.members, fleet, strict=True):
        logits = network.apply(population.params(member), one.activation, scaled)
        right = (np.asarray(logits).argmax(1) == material.y[view.validation]).mean()
        assert right == pytest.approx(population.curve(member)[-1, 3])


@pytest.mark.parametrize("from_shared", [True, False])
def test_a_state_goes_on_alike_in_a_shared_program_and_in_its_own(lanes, own, from_shared):
    fleet = KINDS["batch"]
    shared, alone = sharing(fleet, lanes), populate(fleet, own)
    first, second = (shared, alone) if from_shared else (alone, shared)
    first.advance(2)
    second.restore(first.state())
    for population in (first, second):
        assert population.advance(EPOCHS)
    agree(curves(second), curves(first))
    for member in first.members:
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4),
            first.params(member),
            second.params(member),
        )


def test_a_survivor_and_a_resumed_population_go_on_as_if_nothing_had_happened(lanes):
    fleet = (*KINDS["plain"], *KINDS["batch"])
    whole, first, second = (sharing(fleet, lanes) for _ in range(3))
    whole.advance(EPOCHS)
    first.advance(1)
    kept = [Member(number, 0) for number in (6, 0, 2, 4)]
    for population in (first, second):
        population.keep(kept)
    second.restore(first.state())
    for population in (first, second):
        assert population.advance(EPOCHS)
        for name, curve in curves(population).items():
            np.testing.assert_array_equal(curve, curves(whole)[name])


def test_whoever_diverges_in_a_shared_program_hurts_nobody(lanes, own):
    fleet = (*KINDS["plain"][:2], WILD, *KINDS["plain"][2:])
    undisturbed, population = sharing(KINDS["plain"], lanes), sharing(fleet, lanes)
    alone = populate((WILD,), own)
    for each in (undisturbed, population, alone):
        each.advance(EPOCHS)
    diverged = Member(2, 0)
    assert population.diverged_at(diverged) == alone.diverged_at(Member(0, 0)) is not None
    state = population._training[diverged].state
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    places = {0: 0, 1: 1, 3: 2, 4: 3}
    for place, other in places.items():
        np.testing.assert_array_equal(
            population.curve(Member(place, 0)), undisturbed.curve(Member(other, 0))
        )


def test_nothing_ever_gets_into_the_padding(lanes):
    population = sharing([one for kind in KINDS.values() for one in kind], lanes)
    population.advance(EPOCHS)
    for one in population._training.values():
        again = states.padded(one.trimmed, one.own, one.shape)
        jax.tree.map(np.testing.assert_array_equal, again, one.state)


def test_members_that_share_take_turns_by_what_they_hold(lanes, tmp_path, monkeypatch):
    fleet = KINDS["batch"]
    expected = sharing(fleet, lanes)
    expected.advance(EPOCHS)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    population = sharing(fleet, lanes)
    sizes = {one.size for one in population._training.values()}
    (program,) = {one.shape for one in population._training.values()}
    assert sizes == {memory.state_bytes(program)}
    monkeypatch.setattr(memory, "room", lambda *_: 2 * max(sizes))
    assert population.advance(2)
    assert list(tmp_path.rglob("*.safetensors"))
    assert population.advance(EPOCHS)
    jax.tree.map(np.testing.assert_array_equal, population.state(), expected.state())
