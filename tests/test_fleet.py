from dataclasses import replace

import numpy as np
import pytest

import digits_fleet
from fleetgrad import inference
from fleetgrad.data import load
from fleetgrad.errors import SettingsError
from fleetgrad.fleet import Fleet
from fleetgrad.inference import Network
from fleetgrad.programs import Programs
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member

SMALL = Settings(hidden=(8,), batch_size=100, epochs=2)
OTHER = Settings(hidden=(), batch_size=100, epochs=2)


class Unopened:
    """A test part that nobody may look at."""

    def __getattr__(self, name):
        raise AssertionError(f"a fleet asked the test part for its {name}")


@pytest.fixture(scope="module")
def machine():
    return digits_fleet.machine(lanes=2)


@pytest.fixture(scope="module")
def data():
    """Digits whose test part raises when it is touched."""
    return replace(load("digits"), test=Unopened())


@pytest.fixture
def fleet(data, machine):
    return Fleet(data, seed=0, machine=machine)


def members(*replicates, settings=SMALL):
    return {Member(0, replicate): settings for replicate in replicates}


def test_each_replicate_learns_from_a_split_of_its_own(fleet, data):
    views = [fleet.view(replicate) for replicate in range(3)]
    for view in views:
        rows = np.concatenate([view.train, view.validation])
        assert np.array_equal(np.sort(rows), np.arange(data.rows))
    assert len({view.validation.tobytes() for view in views}) == 3
    assert len({len(view.validation) for view in views}) == 1


def test_views_depend_on_the_seed_and_on_nothing_else(data, machine, fleet):
    again, other = Fleet(data, 0, machine), Fleet(data, 1, machine)
    again.view(5)
    assert np.array_equal(again.view(0).train, fleet.view(0).train)
    assert not np.array_equal(other.view(0).train, fleet.view(0).train)


def test_scaling_is_fitted_on_a_replicates_training_rows_alone(machine):
    data = load("digits")
    x = data.x.astype(np.float32)
    held_out = data.split(0, 0).validation
    x[held_out] *= 1000
    view = Fleet(replace(data, x=x, test=Unopened()), 0, machine).view(0)
    kept = x[view.train]
    np.testing.assert_allclose(view.shift, kept.mean(axis=0), rtol=1e-4, atol=1e-4)
    scaled = (kept - view.shift) * view.scale
    np.testing.assert_allclose(scaled.std(axis=0)[kept.std(axis=0) > 0], 1, rtol=1e-3)


def test_the_refit_learns_from_every_row_by_a_program_that_is_compiled_already(fleet, data):
    population = fleet.populate(members(0))
    population.advance(1)
    compiled = fleet.machine.compilations
    refitted, view = fleet.refit(SMALL)
    assert np.array_equal(view.train, np.arange(data.rows))
    assert refitted.advance(1)
    assert fleet.machine.compilations == compiled
    assert len(refitted.curve(refitted.members[0])) == 1


def test_the_view_of_the_refit_scales_by_every_row(machine):
    data = load("digits")
    x = data.x.astype(np.float32) + 1
    _, view = Fleet(replace(data, x=x, test=Unopened()), 0, machine).refit(SMALL)
    np.testing.assert_allclose(view.shift, x.mean(axis=0), rtol=1e-4)


def test_replicates_of_one_candidate_differ_and_repeat_exactly(fleet):
    first, second = fleet.populate(members(0, 1)), fleet.populate(members(1))
    assert first.advance(2)
    assert second.advance(2)
    assert not np.array_equal(first.curve(Member(0, 0)), first.curve(Member(0, 1)))
    assert np.array_equal(first.curve(Member(0, 1)), second.curve(Member(0, 1)))


def test_weights_of_rows_are_those_of_the_rows_held_out(fleet, machine):
    assert fleet.row_weights() is None
    data = load("digits")
    weights = np.arange(data.rows, dtype=np.float32)
    weighted = Fleet(replace(data, weights=weights, test=Unopened()), 0, machine)
    np.testing.assert_array_equal(weighted.row_weights(), weighted.view(0).validation)


WIDE = Settings(hidden=(32,), batch_size=50, epochs=12, learning_rate=0.01)
TEACHERS = {Member(n, 0): replace(WIDE, learning_rate=0.01 * (n + 1)) for n in range(3)}


def test_a_student_is_near_the_ensemble_that_taught_it(fleet):
    teachers = fleet.populate(TEACHERS)
    assert teachers.advance(12)
    known = [(one, teachers.params(member)) for member, one in TEACHERS.items()]
    said = np.mean([fleet.teach(*one, refitted=False) for one in known], axis=0)
    together = np.mean([fleet.probabilities(*one) for one in known], axis=0)
    pupil = fleet.pupil(WIDE, said, 0.8, refitted=False)
    assert pupil.advance(12)
    student = fleet.probabilities(WIDE, pupil.params(Member(0, 0)))
    labels = fleet.labels()
    right = [(shares.argmax(axis=1) == labels).mean() for shares in (together, student)]
    assert abs(right[1] - right[0]) < 0.03
    assert right[0] > 0.9
    assert np.abs(student - together).mean() < 0.02


def test_teachers_speak_of_the_rows_they_learned_from_as_they_saw_them(fleet, data):
    for refitted, make in ((False, fleet.populate), (True, lambda who: fleet.refit_all(who)[0])):
        population = make({Member(0, 0): SMALL})
        population.advance(1)
        params, view = population.params(Member(0, 0)), population.material.views[0]
        said = fleet.teach(SMALL, params, refitted=refitted)
        network = Network(SMALL, params, view.shift, view.scale)
        logits = inference.logits(network, data.x[view.train])
        np.testing.assert_allclose(said, inference.probabilities(SMALL.loss, logits), atol=1e-6)


def test_targets_lie_between_the_teachers_and_smoothed_labels(fleet, data):
    soft = replace(SMALL, label_smoothing=0.3)
    for refitted in (False, True):
        rows = np.arange(data.rows) if refitted else fleet.view(0).train
        said = np.full((len(rows), 10), 0.1)
        population = fleet.pupil(soft, said, 0.75, refitted=refitted)
        targets = population.material.targets
        expected = 0.1 * 0.75 + 0.25 * (0.7 * np.eye(10)[data.y[rows]] + 0.03)
        np.testing.assert_allclose(targets[rows], expected, rtol=1e-6)
        unseen = np.setdiff1d(np.arange(data.rows), rows)
        assert np.isnan(targets[unseen]).all()
        assert np.array_equal(population.material.views[0].train, rows)


def test_steps_are_whole_batches_of_a_replicates_training_rows(fleet):
    assert fleet.steps(SMALL) == len(fleet.view(0).train) // 100


def test_what_an_epoch_takes_is_measured_for_each_settings(fleet):
    twice = replace(SMALL, learning_rate=0.1)
    seconds = fleet.epoch_seconds([SMALL, OTHER, twice])
    assert all(0 < one < 10 for one in seconds)
    assert seconds[0] == seconds[2], "they share a program"
    compiled = fleet.machine.compilations
    assert fleet.populate(members(0)).advance(1)
    assert fleet.machine.compilations == compiled, "what was measured stays compiled"
    assert fleet.compile_seconds > 0


def test_measuring_makes_one_network_a_shape(fleet, monkeypatch):
    made = []
    populate = fleet.populate
    monkeypatch.setattr(fleet, "populate", lambda who: made.append(len(who)) or populate(who))
    fleet.epoch_seconds([SMALL, OTHER, replace(SMALL, learning_rate=0.1)] * 10)
    assert made == [2]


MIXED = [
    replace(SMALL, hidden=(width,), activation=activation, dropout=dropout)
    for width in (6, 9)
    for activation in ("relu", "tanh")
    for dropout in (0.0, 0.2)
]


def test_as_many_programs_are_compiled_as_were_decided(data):
    fleet = Fleet(data, 0, digits_fleet.machine(lanes=2))
    fleet.share((one, 3) for one in (*MIXED, OTHER))
    fleet.epoch_seconds([*MIXED, OTHER])
    population = fleet.populate({Member(n, n % 2): one for n, one in enumerate(MIXED)})
    assert population.advance(1)
    population.keep(population.members[3:5])
    assert population.advance(2)
    refitted, _ = fleet.refit(MIXED[5])
    assert refitted.advance(1)
    decided = {fleet.program(one) for one in (*MIXED, OTHER)}
    assert fleet.machine.compilations == len(decided) == 2
    for member, one in zip(population.members, MIXED[3:5], strict=True):
        assert population.params(member)[0]["weight"].shape == (64, *one.hidden)


def test_a_process_that_has_trained_nobody_tries_before_it_says_what_an_epoch_costs(
    fleet, monkeypatch
):
    fleet.share([(SMALL, 3)])
    monkeypatch.setattr(fleet.machine, "_spent", {})
    guessed = fleet.epoch_cost(SMALL)
    costs = fleet.epoch_costs([SMALL, SMALL])
    assert costs == [fleet.epoch_cost(SMALL)] * 2 != [guessed] * 2
    monkeypatch.setattr(fleet, "epoch_seconds", lambda _: pytest.fail("that is known"))
    assert fleet.epoch_costs([SMALL]) == costs[:1]


def test_the_longer_all_train_the_fewer_share(fleet):
    def decided(epochs):
        fleet.programs = Programs()
        fleet.share((one, epochs) for one in MIXED)
        return len({fleet.program(one) for one in MIXED})

    counts = [decided(epochs) for epochs in (1, 1e3, 1e5, 1e8)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, len(MIXED))


def test_what_was_decided_stays_and_what_is_new_comes_beside_it(fleet):
    assert fleet.program(MIXED[0]) == fleet.shape(MIXED[0])
    fleet.share_in(1.0, MIXED[:4])
    before = [fleet.program(one) for one in MIXED[:4]]
    fleet.share((one, 2) for one in MIXED)
    assert set(before) <= set(fleet.programs.known)


def test_as_many_train_at_once_as_the_machine_has_lanes(fleet):
    assert fleet.lanes == 2


def test_a_batch_larger_than_the_training_rows_is_refused(fleet):
    with pytest.raises(SettingsError, match="`batch_size` must not exceed the .* training rows"):
        fleet.populate(members(0, settings=Settings(batch_size=5000)))
