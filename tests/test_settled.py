"""A run multiplies to its end as it did when it began, whichever way is the fastest now."""

import pytest

import fleetgrad as fg
from fleetgrad import products, settled
from fleetgrad.kernels import bfloat16 as rounding
from fleetgrad.machine import Machine
from fleetgrad.products import Arithmetic
from fleetgrad.store import Run
from test_disks import Halt, as_begun
from whole import Told, write_data

BUDGET = fg.Budget(candidates=4, epochs=3)
EXACT, ROUNDED = Arithmetic(on_cpu=True), Arithmetic("bfloat16", on_cpu=True)


def space(precision):
    return fg.Space(
        hidden=(8,),
        batch_size=16,
        learning_rate=fg.Float(1e-3, 0.3, log=True),
        precision=precision,
    )


@pytest.fixture
def fastest(monkeypatch):
    """Has a new process, on a new machine, find this way the fastest."""

    def found(way):
        machine = Machine(Machine.here().lanes, 1)
        monkeypatch.setattr(Machine, "here", lambda: machine)
        monkeypatch.setattr(products, "fastest", lambda *_: way)
        return machine

    return found


def halt():
    raise Halt


def test_a_resumed_run_multiplies_as_it_began(tmp_path, fastest, monkeypatch):
    data, place = write_data(tmp_path / "clouds.npz"), tmp_path / "run"
    fastest(ROUNDED)
    whole = fg.tune(data, space("auto"), BUDGET, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        as_begun(3, halt, patch)
        with pytest.raises(Halt):
            fg.tune(data, space("auto"), BUDGET, out=place)
    machine = fastest(EXACT)
    assert Told.of(fg.resume(place)) == Told.of(whole)
    assert machine.dense("auto") == ROUNDED
    fastest(EXACT)
    assert Told.of(fg.tune(data, space("auto"), BUDGET, out=tmp_path / "x")) != Told.of(whole)


def test_only_a_precision_that_leaves_a_choice_is_recorded(tmp_path, fastest):
    data = write_data(tmp_path / "clouds.npz")
    fastest(EXACT)
    for precision, count in (("float32", 0), (fg.Choice("float32", "bfloat16", "auto"), 2)):
        place = tmp_path / str(count)
        fg.tune(data, space(precision), fg.Budget(candidates=1, epochs=1), out=place)
        with Run.open(place, write=False) as run:
            ways = (run.segment(settled.SEGMENT) or {"ways": {}})["ways"]
            assert len(ways) == count


def test_a_way_that_this_machine_does_not_know_is_not_taken(fastest, monkeypatch):
    machine = fastest(EXACT)
    machine.settle("auto", Arithmetic("bfloat16"))  # of a card
    assert machine.dense("auto") == EXACT
    monkeypatch.setattr(rounding, "available", lambda: False)
    machine.settle("auto", ROUNDED._replace(by_kernel=True))
    assert machine.dense("auto") == EXACT
    machine.settle("auto", ROUNDED)
    assert machine.dense("auto") == ROUNDED
