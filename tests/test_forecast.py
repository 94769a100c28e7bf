"""A dry run: what `tune` would do, and nothing done."""

import json
import math

import jax
import pytest

import digits_fleet
import fleetgrad as fg
from fleetgrad import forecast as module
from fleetgrad import memory, plan, shapes, states
from fleetgrad.errors import FleetgradError, RunError
from fleetgrad.fleet import Fleet
from fleetgrad.machine import Machine
from fleetgrad.store import Run

MACHINE = digits_fleet.machine(lanes=2)
SPACE = fg.Space(
    hidden=fg.Choice((8,), (6, 5)),
    batch_size=64,
    optimizer=fg.Choice("sgd", "adam"),
    learning_rate=fg.Float(1e-3, 0.1, log=True),
)
FEW = fg.Budget(candidates=12, epochs=3)


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """One machine for all tests, in an empty directory."""
    monkeypatch.setattr(Machine, "here", lambda: MACHINE)
    monkeypatch.chdir(tmp_path)
    return MACHINE


def test_the_plan_and_the_first_candidates_are_those_of_the_run(tmp_path):
    ahead = fg.dry_run("digits", SPACE, FEW)
    assert list(tmp_path.iterdir()) == []
    result = fg.tune("digits", SPACE, FEW, out="run")
    with Run.open("run", write=False) as run:
        assert plan.Plan.from_dict(run.segment("plan")["plan"]) == ahead.plan
        (generation,) = run.generations().values()
    fleet = Fleet(fg.load("digits"), 0)
    shapes = [fleet.shape(one) for one in generation.settings]
    assert sorted(shapes.count(one) for one in set(shapes)) == sorted(
        one.candidates for one in ahead.cohorts
    )
    assert ahead.plan.candidates == sum(one.candidates for one in ahead.cohorts) == 12
    assert ahead.network_epochs == result.network_epochs


def test_bytes_are_those_of_the_arrays():
    ahead, data = fg.dry_run("digits", SPACE, FEW), fg.load("digits")
    for one in ahead.cohorts:
        settings = fg.Settings(
            hidden=one.settings["hidden"], optimizer=one.settings["optimizer"], batch_size=64
        )
        shape = shapes.shape_of(settings, 64, 10, 0, 1)
        state = states.begin(shape, digits_fleet.DRAWS.initial(settings, 0, 64, 10))
        held = sum(leaf.nbytes for leaf in jax.tree.leaves((state.params, state.optimizer)))
        assert one.member_bytes == held
    assert ahead.population_bytes == sum(one.candidates * one.member_bytes for one in ahead.cohorts)
    assert ahead.data_bytes == data.x.nbytes + data.y.nbytes
    assert ahead.available_bytes == pytest.approx(memory.available(), rel=0.5)


def test_cohorts_beyond_the_first_are_reckoned_from_the_speed_of_those(monkeypatch):
    monkeypatch.setattr(module, "MOST_MEASURED", 2)
    ahead = fg.dry_run("digits", SPACE, FEW)
    assert len(ahead.cohorts) == 4
    assert [one.measured for one in ahead.cohorts] == [True, True, False, False]
    assert not ahead.to_dict()["measured"]
    assert all(0 < one.epoch_seconds < 10 for one in ahead.cohorts)


def test_the_time_expected_is_that_of_the_parts_and_a_budget_is_kept():
    ahead = fg.dry_run("digits", SPACE, FEW)
    dearest = max(one.epoch_seconds for one in ahead.cohorts)
    assert ahead.expected.refit == pytest.approx(1.2 * 3 * dearest)
    assert ahead.expected_s > sum(ahead.expected) > 0
    timed = fg.dry_run("digits", SPACE, "20s")
    assert timed.plan.seconds == timed.budget_s == 20
    assert 0 < timed.expected_s <= 20


def test_fewer_candidates_than_finalists_are_no_more_repeats():
    one = fg.dry_run("digits", SPACE, fg.Budget(candidates=1, epochs=2))
    assert one.network_epochs == 2 + 5 * 2 + 2
    more = fg.dry_run("digits", SPACE, fg.Budget(candidates=3, epochs=2))
    assert more.network_epochs == 3 * (2 + 5 * 2) + 2


def test_learning_from_an_ensemble_is_foretold():
    plain, ahead = (fg.dry_run("digits", SPACE, FEW, distill=told) for told in (False, True))
    assert (ahead.plan.ensemble, ahead.plan.distill) == (6, True)
    assert ahead.network_epochs == plain.network_epochs + (6 + 2) * 3
    dearest = max(one.epoch_seconds for one in ahead.cohorts)
    turns = 1 + 2 + math.ceil(6 / ahead.lanes)  # winner, student twice, ensemble side by side
    assert ahead.expected.refit == pytest.approx(turns * 1.2 * 3 * dearest)
    assert ahead.to_dict()["distill"]


def test_it_is_plain_values():
    values = fg.dry_run("digits", SPACE, FEW, sampler="tpe", out="here").to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["run"] == "here"
    assert values["candidates"] == 12


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": "1s"},
        {"sampler": "sobl"},
        {"seed": -1},
        {"data": "digist"},
        {"space": fg.Space(batch_size=5000, dropout=fg.Float(0, 0.5))},
    ],
)
def test_what_tune_refuses_is_refused(changes):
    with pytest.raises(FleetgradError) as found:
        fg.dry_run(**{"data": "digits", "budget": FEW} | changes)
    with pytest.raises(type(found.value)) as other:
        fg.tune(**{"data": "digits", "budget": FEW} | changes)
    assert str(found.value) == str(other.value)


def test_a_directory_with_a_run_is_refused_too():
    Run.create("run", {"seed": 0}).close()
    with pytest.raises(RunError, match="must hold no run yet"):
        fg.dry_run("digits", SPACE, FEW, out="run")
