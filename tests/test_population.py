"""The laws of the fleet: serial truth however packed; survivors; divergence; compilations."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digits_fleet import (
    CLOSE,
    DRAWS,
    MIXED,
    agree,
    check_against_reference,
    curves,
    digits,
    machine,
    members,
    populate,
)
from fleetgrad import lanes as module
from fleetgrad import network
from fleetgrad.augmentation import PRESETS, Augmentation
from fleetgrad.data import scaling
from fleetgrad.errors import BudgetError, RunError, SettingsError
from fleetgrad.kernels import adam, sparse
from fleetgrad.material import SeededDraws, mixed
from fleetgrad.population import Population
from fleetgrad.settings import (
    ACTIVATIONS,
    EMBEDDINGS,
    INITIALIZERS,
    NORMALIZATIONS,
    OPTIMIZERS,
    PARAMETRIZATIONS,
    SCHEDULES,
    Settings,
)
from fleetgrad.settings import CLASS_LOSSES as LOSSES
from fleetgrad.stages import EVOLVING
from fleetgrad.trainees import Member
from strategies_settings import rates, trainable

EPOCHS = 4
ONE, COHORT = Member(0, 0), MIXED[:3]
WILD = dataclasses.replace(MIXED[0], learning_rate=1e30)
# Of the shapes of `MIXED` too; clipping alone cannot tame this one.
WILDER = dataclasses.replace(MIXED[6], learning_rate=1e30)
SHAPES = 5  # programs that `MIXED` needs
SOFTENED = Settings(hidden=(8,), batch_size=20, epochs=4, learning_rate=0.01)


def zoo(number: int) -> Settings:
    """One of a table in which every name occurs, and every choice of noises."""
    optimizer, loss = OPTIMIZERS[number % 7], LOSSES[(number + number // 7) % 4]
    calm = optimizer in {"adam", "adamw", "rmsprop"}
    return Settings(
        hidden={0: (6, 5), 6: ()}.get(number, (8,)),  # noise takes long to compile
        activation=ACTIVATIONS[number],
        members=(1, 1, 3, 2, 1)[number % 5],
        parametric=number // 3 % 2 == 0,
        bias=number % 5 != 0,
        init=INITIALIZERS[number % 5],
        init_scale=0.3 + 0.1 * (number % 4),
        parametrization=PARAMETRIZATIONS[number // 3 % 2],
        front_scale=number // 2 % 2 == 1,
        embedding=EMBEDDINGS[(number + 1) // 3 % 2],
        embedding_waves=3,
        embedding_size=2 + number % 2,
        normalization=NORMALIZATIONS[number % 3],
        loss=loss,
        optimizer=optimizer,
        learning_rate=0.003 if calm else 0.002 if loss == "notebook" else 0.05,
        momentum=0.5,
        beta2=(0.999, 0.95)[number // 2 % 2],
        weight_decay=0.01 * (number % 3),
        gradient_clipping=(0.5, 0.0)[number % 2],
        schedule=SCHEDULES[number % 6],
        warmup=0.25 * (number % 2),
        batch_size=(20, 32)[number % 2],
        epochs=2 + number % 3,
        dropout=0.2 * (number % 2),
        input_dropout=0.1 * (number // 2 % 2),
        input_noise=0.2 * (number // 4 % 2),
        label_smoothing=0.1 * (number // 3 % 2),
        ema=0.8 * (number // 2 % 2),
        augment={1: "shift", 4: "affine", 6: "elastic"}.get(number),
    )


ZOO = tuple(zoo(number) for number in range(10))


@pytest.fixture(scope="module")
def lanes():
    """Two lanes, on which only `MIXED` and settings of its shapes are ever trained."""
    return machine(lanes=2)


@pytest.fixture(scope="module")
def wide():
    """The same, three members at a time."""
    return machine(lanes=2, width=3)


@pytest.fixture(params=[1, 3])
def either(request, lanes, wide):
    """Each of them in turn."""
    return lanes if request.param == 1 else wide


@pytest.fixture(scope="module")
def expected(lanes):
    """Everyone's curve, undisturbed."""
    return trained(MIXED, lanes, replicates=2)


def trained(fleet, lanes, **changes):
    population = populate(fleet, lanes, **changes)
    assert population.advance(EPOCHS)
    return curves(population)


# Law 1: fleet == serial.


def test_the_table_of_settings_names_everything():
    table = {
        "hidden": ((), (8,), (6, 5)),
        "activation": ACTIVATIONS,
        "init": INITIALIZERS,
        "loss": LOSSES,
        "optimizer": OPTIMIZERS,
        "normalization": NORMALIZATIONS,
        "parametrization": PARAMETRIZATIONS,
        "front_scale": (True, False),
        "members": (1, 2, 3),
        "parametric": (True, False),
        "embedding": EMBEDDINGS,
        "schedule": SCHEDULES,
        "bias": (True, False),
    }
    for name, known in table.items():
        assert {getattr(one, name) for one in ZOO} == set(known)
    assert {str(one.augment) for one in ZOO} == {str(Augmentation.of(name)) for name in PRESETS}
    noises = {(one.dropout > 0, one.input_dropout > 0, one.input_noise > 0) for one in ZOO}
    assert len(noises) == 8
    for name in ("warmup", "label_smoothing", "gradient_clipping", "ema", "weight_decay"):
        assert {getattr(one, name) > 0 for one in ZOO} == {True, False}
    normalized = {
        (one.normalization, part)
        for one in ZOO
        if one.hidden
        for part in ("gradient_clipping", "ema")
        if getattr(one, part)
    }
    assert len(normalized) == 6


def test_every_candidate_of_a_mixed_fleet_is_trained_as_by_hand():
    population = populate(ZOO, machine(lanes=2))
    assert population.advance(2)
    check_against_reference(population, 2)


def test_every_replicate_of_a_cohort_is_trained_as_by_hand(lanes):
    population = populate(MIXED, lanes, replicates=2)
    population.advance(EPOCHS)
    check_against_reference(population, EPOCHS)


def soft(material, seed=3):
    """Distributions over classes for every row, none of them even close to its label."""
    shares = np.random.default_rng(seed).dirichlet(np.ones(material.classes), len(material.y))
    return shares.astype(np.float32)


@pytest.mark.parametrize("width", [1, 3])
def test_a_fleet_that_learns_distributions_is_trained_as_by_hand(width):
    fleet = [
        dataclasses.replace(SOFTENED, loss=loss, label_smoothing=smoothing)
        for loss, smoothing in (("cross_entropy", 0.0), ("cross_entropy", 0.2), (LOSSES[3], 0.1))
    ]
    material = dataclasses.replace(digits(), targets=soft(digits()))
    population = Population(material, members(fleet, 2), DRAWS, machine(width=width))
    assert population.advance(2)
    check_against_reference(population, 2)
    population.material = digits()
    with pytest.raises(AssertionError, match="Settings"):  # of labels by hand, it would be told
        check_against_reference(population, 2)


def test_labels_told_as_distributions_are_labels():
    material, train = digits(), digits().views[0].train
    told = mixed(np.eye(10)[material.y[train]], material.y, train, part=0.8)
    rest = np.setdiff1d(np.arange(len(material.y)), train)
    assert np.isnan(told[rest]).all()
    taught, lanes = dataclasses.replace(material, targets=told), machine()
    found = Population(taught, members([SOFTENED]), DRAWS, lanes)
    plain = Population(material, members([SOFTENED]), DRAWS, lanes)
    assert found.advance(EPOCHS)
    assert plain.advance(EPOCHS)
    np.testing.assert_allclose(found.curve(ONE), plain.curve(ONE), rtol=1e-5)
    leaking = Population(taught, members([SOFTENED], 2), DRAWS, lanes)
    leaking.advance(1)
    assert leaking.diverged_at(Member(0, 1)) is not None, "rows that nobody spoke of would show"


@settings(max_examples=3)
@given(trainable(), st.integers(0, 1))
def test_whatever_the_settings_training_is_the_references(one, replicate):
    population = Population(digits(), {Member(7, replicate): one}, DRAWS, machine())
    assert population.advance(2)
    check_against_reference(population, 2)


def holed():
    """Digits as a table: far-out numbers, holes, and signs that are 0 or 1."""
    whole = digits()
    x = whole.x.astype(np.float32)
    x[::3, ::5], x[1::7, 1] = np.nan, 1e30
    x[:, 2::4] = x[:, 2::4] > 8
    numeric = np.arange(64) % 4 != 2
    views = {
        replicate: dataclasses.replace(
            view, **dataclasses.asdict(scaling.robust(x, view.train, numeric))
        )
        for replicate, view in whole.views.items()
    }
    return dataclasses.replace(whole, x=x, views=views, image_shape=None)


@pytest.mark.parametrize("width", [1, 3])
def test_a_fleet_over_a_table_is_trained_as_by_hand(width):
    fleet = [one for one in MIXED if not one.augment.shift]
    population = Population(holed(), members(fleet, 2), DRAWS, machine(width=width))
    assert population.advance(2)
    check_against_reference(population, 2)


@pytest.mark.skipif(not sparse.available(), reason="no C compiler: the dense program is tested")
def test_a_fleet_that_skips_zeros_is_trained_as_by_hand():
    whole = digits()
    few = np.where(whole.x > 12, whole.x, 0).astype(np.uint8)  # of the ink, the blackest
    material = dataclasses.replace(whole, x=few)
    assert 0.1 < material.filled < sparse.WORTH
    fleet = (*MIXED[::2], dataclasses.replace(MIXED[1], input_noise=0.1))
    skipping = [one.input_noise == 0 for one in fleet]
    population = Population(material, members(fleet), DRAWS, machine(lanes=2))
    assert [one.shape.arithmetic.skips_zeros for one in population._training.values()] == skipping
    assert population.advance(EPOCHS)
    check_against_reference(population, EPOCHS)


@pytest.mark.skipif(not adam.available(), reason="no C compiler: optax's steps are tested")
def test_a_fleet_whose_steps_are_taken_in_place_is_trained_as_by_hand(monkeypatch):
    monkeypatch.setattr(adam, "WORTH", 1)
    fleet = [dataclasses.replace(one, optimizer="adamw") for one in MIXED[3:8:2]]
    fleet += [dataclasses.replace(one, optimizer="adam", learning_rate=0.01) for one in MIXED[6:8]]
    population = Population(digits(), members(fleet), DRAWS, machine(lanes=2))
    assert all(one.shape.arithmetic.in_place for one in population._training.values())
    assert population.advance(EPOCHS)
    check_against_reference(population, EPOCHS)


def test_a_table_whose_numbers_alone_are_embedded_is_trained_as_by_hand():
    whole = digits()
    limit = np.where(np.arange(64) % 3, 1 / 3, 0).astype(np.float32)
    cut = {number: dataclasses.replace(view, limit=limit) for number, view in whole.views.items()}
    one = Settings(
        hidden=(6, 5), batch_size=32, epochs=4, embedding="periodic", embedding_waves=3,
        embedding_size=2, embedding_scale=0.5, front_scale=True, parametrization="ntk",
        activation="selu", learning_rate=0.01, weight_decay=0.01,
    )  # fmt: skip
    material = dataclasses.replace(whole, views=cut)
    population = Population(material, members([one]), DRAWS, machine())
    assert population.advance(2)
    assert population.params(ONE)[0]["phase"].shape == (42, 3)
    check_against_reference(population, 2)


def test_the_comparison_would_notice_a_learning_rate_one_percent_off(lanes):
    population = populate(COHORT, lanes)
    population.advance(2)
    one = population._training[ONE]
    one.settings = dataclasses.replace(one.settings, learning_rate=1.01 * COHORT[0].learning_rate)
    with pytest.raises(AssertionError, match="0.0505"):
        check_against_reference(population, 2)


# Law 2: the packing does not matter.


@given(st.permutations(range(len(MIXED))))
@settings(max_examples=5)
def test_permuting_the_fleet_changes_nobodys_curve(lanes, expected, order):
    order = order[:4]
    fleet = {Member(number, r): MIXED[number] for number in order for r in (0, 1)}
    population = Population(digits(), fleet, DRAWS, lanes)
    assert population.advance(EPOCHS)
    assert population.members == tuple(fleet)
    agree(curves(population), expected)


def test_what_is_handed_out_is_what_was_scored(lanes, expected):
    population = populate(MIXED[6:], lanes)
    population.advance(EPOCHS)
    for number, (member, one) in enumerate(zip(population.members, MIXED[6:], strict=True)):
        view, material = population.material.views[0], population.material
        scaled = (material.x[view.validation] - view.shift) * view.scale
        params, newest = population.params(member), population._training[member].state.params
        logits = network.apply(params, one.activation, scaled)
        right = (np.asarray(logits).argmax(1) == material.y[view.validation]).mean()
        assert right == pytest.approx(expected[f"{6 + number}.0"][EPOCHS - 1, 3])
        assert not np.allclose(params[0]["weight"], newest[0]["weight"], atol=1e-4)


def test_a_candidate_alone_has_the_curve_it_has_in_the_fleet_and_under_any_id(lanes, expected):
    for number, one in enumerate(MIXED):
        population = Population(digits(), {Member(1000 - number, 1): one}, DRAWS, lanes)
        population.advance(EPOCHS)
        agree({f"{number}.1": population.curve(Member(1000 - number, 1))}, expected)


@pytest.mark.parametrize("count", [1, 4])
def test_the_number_of_lanes_changes_nobodys_curve(lanes, expected, count):
    other = dataclasses.replace(lanes, lanes=lanes.lanes[:1] * count)
    agree(trained(MIXED, other, replicates=2), expected)
    assert other.compilations == SHAPES


def test_chunks_of_three_change_nobodys_curve(wide, expected):
    agree(trained(MIXED, wide, replicates=2), expected)


def test_chunks_that_are_mostly_padding_change_nobodys_curve(expected):
    widest = machine(width=8)
    for count in (3, 1):
        agree(trained(COHORT[:count], widest, replicates=2), expected)
    assert widest.compilations == 1


def stopping_after(stretches):
    left = iter(range(stretches))
    return lambda: next(left, None) is not None


@pytest.mark.parametrize("stretches", [1, 3, 8])
def test_stopping_anywhere_changes_nobodys_curve(lanes, expected, monkeypatch, stretches):
    population, calls = populate(MIXED, lanes, replicates=2), 0
    monkeypatch.setattr(module, "STRETCH_SECONDS", 1e-4)  # a few steps, or one
    while not population.advance(EPOCHS, stopping_after(stretches)):
        calls += 1
    assert calls > len(MIXED) * 2 / stretches
    agree(curves(population), expected)


@pytest.mark.parametrize("stops", [(1, 2, 3, 4), (3, 4), (1, 1, 9)])
def test_going_on_from_rung_to_rung_changes_nobodys_curve(lanes, expected, stops):
    population = populate(MIXED, lanes, replicates=2)
    assert all(population.advance(until) for until in stops)
    found = curves(population)
    agree({name: curve[:EPOCHS] for name, curve in found.items()}, expected)


def test_nobody_trains_longer_than_asked_or_than_the_settings_say(either):
    fleet = (COHORT[1], COHORT[0], dataclasses.replace(COHORT[0], epochs=2))
    population = populate(fleet, either)
    for until, epochs in ((1, [1, 1, 1]), (3, [3, 3, 2]), (40, [5, 4, 2])):
        assert population.advance(until)
        assert [population.epochs(member) for member in population.members] == epochs
    assert population.network_epochs == pytest.approx(11)


def test_spreading_the_fleet_over_four_devices_changes_nobodys_curve(tmp_path, expected):
    script, file = Path(__file__).with_name("digits_fleet.py"), tmp_path / "curves.npz"
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, script, file], env=environment, check=True, timeout=120)
    found = dict(np.load(file))
    assert found.pop("devices") == 4
    assert len(found) == 3 + 5
    agree({name.split(".", 1)[1]: curve for name, curve in found.items()}, expected)


def test_images_are_disturbed_alike_however_packed():
    amounts = ({"shift": 1}, {"shift": 3}, {"scale": 0.5}, {"rotation": 90, "shear": 20},
               {"elastic": 1}, {"shift": 2, "scale": 0.2, "elastic": 0.5})  # fmt: skip
    fleet = [dataclasses.replace(COHORT[0], augment=one) for one in amounts]
    alone, packed = machine(), machine(lanes=2, width=2)
    expected = trained(fleet, alone)
    agree(trained(fleet[::-1], packed), {f"{5 - int(k[0])}.0": v for k, v in expected.items()})
    assert alone.compilations == packed.compilations == 3
    assert len({curve.tobytes() for curve in expected.values()}) == 6


# Law 3: survivors and the resumed.


def test_a_survivor_continues_as_if_nobody_had_been_dropped(either, expected):
    population = populate(MIXED, either, replicates=2)
    for until, kept in ((1, [8, 4, 1, 6, 2, 0]), (2, [2, 6, 8, 4]), (EPOCHS, [2, 8, 6])):
        population.advance(until)
        keep = [Member(number, replicate) for number in kept for replicate in (1, 0)]
        population.keep(keep)
        assert population.members == tuple(keep)
    agree(curves(population), expected)


@pytest.mark.parametrize("stretches", [1, 5, 1000])
def test_a_restored_population_continues_bit_by_bit_as_the_other(lanes, monkeypatch, stretches):
    first, second = (populate((*MIXED, WILD, WILDER), lanes) for _ in range(2))
    monkeypatch.setattr(module, "STRETCH_SECONDS", 1e-4)
    first.advance(2, stopping_after(stretches))
    saved = first.state()
    copies = {name: array.copy() for name, array in saved.items()}
    second.restore(saved)
    for population in (first, second):
        assert population.advance(EPOCHS)
    for member in first.members:
        np.testing.assert_array_equal(first.curve(member), second.curve(member))
        assert first.diverged_at(member) == second.diverged_at(member)
    ended = first.state(), second.state()
    for name, array in ended[0].items():
        np.testing.assert_array_equal(array, ended[1][name], err_msg=name)
    for name, array in saved.items():  # training has not written into what was handed out
        np.testing.assert_array_equal(array, copies[name], err_msg=name)


def test_the_state_is_plain_named_arrays(lanes):
    population = populate(COHORT, lanes)
    population.advance(1)
    state = population.state()
    assert all(type(array) is np.ndarray for array in state.values())
    assert {name.rsplit(".", 1)[0] for name in state} == {"0.0", "1.0", "2.0"}


def test_weights_handed_out_stay_as_they_were(lanes):
    population = populate(COHORT[:1], lanes)
    before = population.params(ONE)
    copies = jax.tree.map(np.copy, before)
    population.advance(1)
    jax.tree.map(np.testing.assert_array_equal, before, copies)
    assert not np.array_equal(population.params(ONE)[0]["weight"], copies[0]["weight"])


@pytest.mark.parametrize("damage", ["missing", "other width", "other type", "no curve"])
def test_arrays_that_do_not_fit_are_refused(lanes, damage):
    state = populate(COHORT[:1], lanes).state()
    name = next(name for name, array in state.items() if array.shape == (64, 8))
    if damage in {"missing", "no curve"}:
        del state["0.0.curve" if damage == "no curve" else name]
    else:
        array = state[name]
        state[name] = array[:, :7] if damage == "other width" else array.astype(np.float64)
    with pytest.raises(RunError, match="candidate 0, replicate 0"):
        populate(COHORT[:1], lanes).restore(state)


# Law 4: divergence.


def test_a_diverged_member_is_frozen_and_touches_no_neighbor(either, expected):
    population = populate((COHORT[0], WILD, COHORT[2]), either, replicates=2)
    assert population.advance(1)
    diverged = [Member(1, 0), Member(1, 1)]
    frozen = [population.params(member) for member in diverged]
    assert population.advance(EPOCHS)
    for member, weights in zip(diverged, frozen, strict=True):
        assert population.diverged_at(member) == 1  # the step after the one that spoiled it
        assert population.epochs(member) == 0
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(weights))
        jax.tree.map(np.testing.assert_array_equal, weights, population.params(member))
    healthy = [member for member in population.members if member not in diverged]
    assert all(population.diverged_at(member) is None for member in healthy)
    population.keep(healthy)
    agree(curves(population), expected)


def test_whatever_a_member_keeps_is_frozen_with_it_and_finite(either, expected):
    population = populate((MIXED[6], WILDER, MIXED[7]), either, replicates=2)
    assert population.advance(EPOCHS)
    for replicate in (0, 1):
        diverged = Member(1, replicate)
        assert population.diverged_at(diverged) == 1
        state = population._training[diverged].state
        assert len(state.running) == 2
        assert len(state.average) == 3
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
        # One step was taken: its batch is a tenth of the running means, nothing of the next is.
        initial = DRAWS.initial(WILDER, replicate, 64, 10)
        order = DRAWS.order(population.material.views[replicate].train, replicate, 0)
        sums = population.material.x[order[:25]] / 16 @ initial[0]["weight"]
        np.testing.assert_allclose(state.running[0]["mean"], sums.mean(0) / 10, atol=1e-5)
        for name, leaf in population.params(diverged)[0].items():
            np.testing.assert_array_equal(leaf, state.average[0][name])
    population.keep([Member(number, replicate) for number in (0, 2) for replicate in (0, 1)])
    neighbors = {"0": "6", "2": "7"}
    agree(
        {f"{neighbors[name[0]]}{name[1:]}": c for name, c in curves(population).items()}, expected
    )


def test_epochs_completed_before_divergence_are_kept(lanes):
    # Decay at this rate multiplies the weights by about -10 a step, which takes them some epochs.
    late = dataclasses.replace(COHORT[0], learning_rate=10.0, weight_decay=1.0, epochs=200)
    population = populate((late,), lanes)
    population.advance(200)
    step = population.diverged_at(ONE)
    assert step is not None
    assert population.epochs(ONE) == step // 8 > 1
    assert np.isfinite(population.curve(ONE)[:-1]).all()


def test_the_step_of_divergence_does_not_depend_on_the_stretches(lanes, monkeypatch):
    population, again = (populate((WILD,), lanes) for _ in range(2))
    population.advance(1)
    monkeypatch.setattr(module, "STRETCH_SECONDS", 1e-9)
    again.advance(1)
    assert population.diverged_at(ONE) == again.diverged_at(ONE) == 1


def test_a_diverged_member_stays_so_after_a_restart(lanes):
    population = populate((WILD,), lanes)
    population.advance(1)
    again = populate((WILD,), lanes)
    again.restore(population.state())
    assert again.diverged_at(ONE) == 1
    assert again.advance(EPOCHS)
    assert again.epochs(ONE) == 0


# Law 5: compilations.


def test_compilations_are_as_many_as_shapes(lanes, expected):
    populate(MIXED, lanes, replicates=2).advance(1)
    assert lanes.compilations == SHAPES


def test_dropping_restoring_and_repeating_compile_nothing(lanes, expected):
    population = populate(MIXED, lanes, replicates=2)
    population.advance(1)
    population.keep(population.members[2:])
    population.advance(2)
    again = populate(MIXED[::-1], lanes, replicates=1)
    again.restore(again.state())
    again.advance(EPOCHS)
    assert lanes.compilations == SHAPES


@given(st.data())
@settings(max_examples=10)
def test_no_value_compiles_anything(lanes, expected, data):
    one = data.draw(st.sampled_from(MIXED))
    values = data.draw(rates(one.optimizer, one.loss))
    for name in ("dropout", "ema"):
        if getattr(one, name):
            values[name] = data.draw(st.floats(0.01, 0.9))
    if one.gradient_clipping:
        values["gradient_clipping"] = data.draw(st.floats(1e-3, 1e3))
    population = populate((dataclasses.replace(one, **values),), lanes)
    population.advance(1)
    assert lanes.compilations == SHAPES


@pytest.mark.parametrize("train", [120, 150, 160])
def test_a_view_with_fewer_or_more_training_rows_needs_no_other_program(lanes, expected, train):
    population = populate(COHORT, lanes, train=train)
    population.advance(2)
    assert lanes.compilations == SHAPES
    check_against_reference(population, 2)


# What a population says of itself, and what it refuses.


def test_an_epoch_is_first_guessed_then_measured(lanes):
    population = populate(COHORT, machine())
    assert population.epoch_seconds(ONE) > 0
    measured = populate(COHORT, lanes)
    measured.advance(1)
    assert 0 < measured.epoch_seconds(ONE) < 1


def test_nobody_to_train_is_no_work(lanes):
    population = populate((), lanes)
    assert population.advance(3)
    assert population.members == ()


def test_a_batch_larger_than_the_rows_is_refused_by_name(lanes):
    assert populate((dataclasses.replace(MIXED[0], batch_size=160),), lanes).members
    with pytest.raises(SettingsError, match="`batch_size` must not exceed the 160 .* got 161"):
        populate((dataclasses.replace(MIXED[0], batch_size=161),), lanes)


def test_disturbing_images_is_refused_where_rows_are_none(lanes):
    table = dataclasses.replace(digits(), image_shape=None)
    before = lanes.compilations
    with pytest.raises(SettingsError, match='`augment` must be "none" .* got shift 2; .*image'):
        Population(table, {ONE: dataclasses.replace(COHORT[0], augment="shift")}, DRAWS, lanes)
    assert lanes.compilations == before


def test_a_population_too_large_for_memory_is_refused_before_anything_is_made(lanes):
    giant = Settings(hidden=(10**7, 10**7), batch_size=20)
    with pytest.raises(BudgetError, match="must fit into memory"):
        populate((giant,), lanes)


# Failures and interrupts.


class Failing(SeededDraws):
    """Draws that fail in the lane that asks for replicate 1."""

    def order(self, rows, replicate, epoch):
        if replicate == 1:
            raise OSError("the disk is gone")
        return super().order(rows, replicate, epoch)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_what_fails_in_a_lane_ends_the_call_and_leaves_no_lane_running(lanes, count):
    several = dataclasses.replace(lanes, lanes=lanes.lanes[:1] * count)
    long = [dataclasses.replace(one, epochs=10**6) for one in MIXED]
    population = Population(digits(), members(long, 2), Failing(0), several)
    before, started = threading.active_count(), time.monotonic()
    with pytest.raises(OSError, match="the disk is gone"):
        population.advance(10**6)
    assert threading.active_count() == before
    assert time.monotonic() - started < 30


def test_a_failing_question_whether_to_proceed_ends_the_call_too(lanes):
    def proceed():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        populate(MIXED, lanes).advance(1, proceed)


def to_this_thread(process, number):
    """The signal, given to a lane's thread; the system may do so with any signal."""
    signal.pthread_kill(threading.get_ident(), number)


@pytest.mark.parametrize("give", [os.kill, to_this_thread])
def test_an_interrupt_stops_all_lanes_and_training_can_go_on(lanes, expected, give):
    assert threading.current_thread() is threading.main_thread()
    long = [dataclasses.replace(one, epochs=10**6, schedule="constant") for one in COHORT]
    population = populate(long, lanes)
    asked = iter(range(10**6))

    def proceed():
        if next(asked) == 6:
            give(os.getpid(), signal.SIGINT)
        return True

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        population.advance(10**6, proceed)
    assert threading.active_count() == before
    epochs = [population.epochs(member) for member in population.members]
    assert max(epochs) < 10**5
    more = max(epochs) + 1
    assert population.advance(more)
    assert [population.epochs(member) for member in population.members] == [more] * 3


def test_nobody_works_on_after_an_interrupt_that_hits_a_lane_as_it_starts(monkeypatch):
    start, at_work, stop = threading.Thread.start, [], threading.Event()

    def work(lane):
        at_work.append(lane)
        stop.wait()
        time.sleep(0.2)
        at_work.remove(lane)

    def started(thread):
        start(thread)
        while not at_work:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", started)
    with pytest.raises(KeyboardInterrupt):
        module._side_by_side(work, ["one", "other"], stop)
    assert at_work == []


def test_once_told_to_stop_all_lanes_stop(lanes):
    population = populate(MIXED, lanes, replicates=2)
    assert not population.advance(EPOCHS, lambda: False)
    assert population.network_epochs == 0


# Rates that change on the way


def evolved(settings):
    """Three stages of an epoch or two, in which every number changes that the settings have."""
    values = {
        name: getattr(settings, name) * 0.5
        for name in EVOLVING
        if name != "learning_rate" and getattr(settings, name) > 0
    }
    first = settings.then(1, {"learning_rate": 2 * settings.learning_rate, **values})
    return first.then(2, {"learning_rate": settings.learning_rate / 2})


@pytest.mark.parametrize("settings", [MIXED[1], MIXED[4], MIXED[6]])
def test_stages_train_as_if_each_had_gone_on_with_the_weights_before(settings):
    """By whatever way: taken over from another candidate, alone from the start, or packed."""
    whole, here = evolved(settings), machine()
    packed = populate([settings, whole], machine(lanes=2, width=2))
    packed.advance(EPOCHS)
    stages = [own for _, own in whole.timeline]
    arrays, handed = {}, None
    for until, own in zip((1, 2, EPOCHS), stages, strict=True):
        handed = populate([own], here)
        if arrays:
            handed.restore(arrays)
        handed.advance(until)
        arrays = handed.state()
    np.testing.assert_allclose(packed.curve(Member(1, 0)), handed.curve(ONE), **CLOSE)
    assert not np.allclose(packed.curve(Member(0, 0)), handed.curve(ONE), **CLOSE)
    alone = populate([whole], here)
    alone.advance(EPOCHS)
    assert np.array_equal(alone.curve(ONE), handed.curve(ONE))
