"""Devices without room, and devices that are gone: half as many at once, or an end in order."""

import jax
import numpy as np
import pytest

import fleetgrad as fg
from digits_fleet import MIXED, curves, machine, populate
from fleetgrad import cli, failures
from fleetgrad.errors import DeviceError, RunError
from fleetgrad.machine import Machine
from fleetgrad.store import Run

EPOCHS = 4
COHORT = MIXED[:3]
SPACE = fg.Space(hidden=(6,), batch_size=64, learning_rate=fg.Float(1e-3, 0.1, log=True))
FEW = fg.Budget(candidates=4, epochs=3)


def full(words="RESOURCE_EXHAUSTED: Out of memory allocating 12 bytes."):
    return jax.errors.JaxRuntimeError(words)


class Small(Machine):
    """Room for `most` members at once; `fails` is asked for an error at every call of a program."""

    most = 10**6
    seen: list

    def fails(self, members):
        return full() if members > self.most else None

    def program(self, shape, device, arguments):
        program = super().program(shape, device, arguments)
        step = arguments[0].step
        members = len(step) if step.ndim else 1

        def run(*arguments):
            self.seen.append(members)
            if (error := self.fails(members)) is not None:
                donated = jax.tree.leaves(arguments[0])  # is gone, as after a call that failed
                [leaf.delete() for leaf in donated if isinstance(leaf, jax.Array)]
                raise error
            return program(*arguments)

        return run


def small(lanes=1, width=1, most=10**6):
    made = Small((jax.devices("cpu")[0],) * lanes, width)
    made.most, made.seen = most, []
    return made


def agree(found, expected):
    assert found.keys() == expected.keys()
    for name, curve in found.items():
        np.testing.assert_allclose(curve, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def expected():
    population = populate(COHORT, machine(), replicates=2)
    assert population.advance(EPOCHS)
    return curves(population)


@pytest.mark.parametrize(("lanes", "most"), [(1, 1), (2, 3)])
def test_without_room_half_as_many_train_at_once_to_the_same_curves(expected, lanes, most):
    tight = small(lanes, width=8, most=most)
    population = populate(COHORT, tight, replicates=2)
    assert population.advance(EPOCHS)
    agree(curves(population), expected)
    assert max(tight.seen) == 8
    assert tight.seen[-1] == (1 if most == 1 else 2)
    assert population.network_epochs == 6 * EPOCHS


def test_room_that_is_gone_in_the_middle_costs_nobody_a_step(expected):
    shrinking = small(width=4)
    population = populate(COHORT, shrinking, replicates=2)
    assert population.advance(2)
    shrinking.most = 2
    assert population.advance(EPOCHS)
    agree(curves(population), expected)


def test_who_had_no_room_is_remembered_and_nobody_else_suffers():
    tight = small(width=4, most=2)
    populate(COHORT, tight).advance(1)
    other = populate(MIXED[3:5], tight)
    tight.most = 4
    tight.seen.clear()
    populate(COHORT, tight).advance(1)
    assert set(tight.seen) == {2}
    other.advance(1)
    assert set(tight.seen) == {2, 4}


@pytest.mark.parametrize(("width", "error"), [(1, full()), (2, MemoryError())])
def test_no_room_for_one_is_told(width, error):
    none = small(width=width)
    none.fails = lambda _: error
    with pytest.raises(DeviceError, match="must fit into memory one network at a time, got `"):
        populate(COHORT, none).advance(1)
    assert none.seen[-1] == 1


def test_a_device_that_is_gone_ends_the_call_at_once():
    gone = small(lanes=2, width=4)
    gone.fails = lambda _: full("INTERNAL: the device\nfell off the bus")
    with pytest.raises(DeviceError, match="got `INTERNAL: the device fell off the bus`; see"):
        populate(COHORT, gone).advance(1)
    assert set(gone.seen) == {4}


def test_a_device_may_fail_as_weights_are_fetched_too():
    population = populate(COHORT[:1], machine())
    population.advance(1)
    (one,) = population._training.values()
    for leaf in jax.tree.leaves(one.state):
        leaf.delete()
    with pytest.raises(RuntimeError):  # a mistake of ours is not taken for the device's
        population.state()

    class Gone:
        def __array__(self, *_, **__):
            raise full("UNAVAILABLE: no such device")

    one.state = one.state._replace(step=Gone(), params=({"weight": Gone()},), average=())
    for fetched in (population.state, lambda: population.params(population.members[0])):
        with pytest.raises(DeviceError, match="UNAVAILABLE"):
            fetched()


def test_a_long_complaint_is_cut_short():
    with pytest.raises(DeviceError) as found, failures.explained():
        raise full("RESOURCE_EXHAUSTED: " + "buffer " * 1000)
    assert len(str(found.value)) < 400


# A run


def failing(place, at, error, monkeypatch):
    """A run whose device fails at the call numbered `at`; whether it did."""
    broken = small(lanes=2)
    broken.fails = lambda _: error if len(broken.seen) >= at else None
    monkeypatch.setattr(Machine, "here", lambda: broken)
    with pytest.raises(RunError, match=f"; the run is kept, go on with `fleetgrad resume {place}"):
        fg.tune("digits", SPACE, FEW, out=place)


@pytest.mark.parametrize(
    ("at", "error"), [(1, MemoryError()), (5, full()), (20, full("INTERNAL: gone"))]
)
def test_a_run_whose_device_fails_goes_on_to_the_same_result(tmp_path, monkeypatch, at, error):
    failing(tmp_path / "run", at, error, monkeypatch)
    whole = small(lanes=2)
    monkeypatch.setattr(Machine, "here", lambda: whole)
    again = fg.resume(tmp_path / "run")
    straight = fg.tune("digits", SPACE, FEW, out=tmp_path / "whole")
    assert again.leaderboard.to_json() == straight.leaderboard.to_json()
    assert again.test == straight.test
    for one, other in zip(again.model.params, straight.model.params, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_resumed_run_may_fail_again(tmp_path, monkeypatch):
    failing(tmp_path / "run", 5, full(), monkeypatch)
    with pytest.raises(DeviceError, match="the run is kept"):
        fg.resume(tmp_path / "run")
    with Run.open(tmp_path / "run") as run:
        assert run.test_openings() == []


def test_a_device_that_fails_is_no_wrong_use(tmp_path, monkeypatch, capsys):
    broken = small()
    broken.fails = lambda _: full()
    monkeypatch.setattr(Machine, "here", lambda: broken)
    options = ["--candidates", "2", "--epochs", "1", "--out", str(tmp_path / "run")]
    assert cli.main(["tune", "digits", *options]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Error: training must fit into memory")
    assert len(err.splitlines()) == 1
