"""What a run decides before it trains: here, who will share a program."""

import math
import re

import numpy as np
import pytest

import digits_fleet
import fleetgrad as fg
from fleetgrad import preparing, timing
from fleetgrad.clock import Clock
from fleetgrad.errors import BudgetError, FleetgradError, UsageError
from fleetgrad.fleet import COMPILING, Fleet
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings

SPACE = fg.Space(
    hidden=fg.Choice((8,), (16,), (6, 5)),
    activation=fg.Choice("relu", "tanh", "gelu"),
    optimizer=fg.Choice("sgd", "adam"),
    batch_size=64,
    learning_rate=fg.Float(1e-3, 0.1, log=True),
)
PLAN = Plan((6, 5, 5, 4), 3)


def asked(**changes):
    arguments = {"space": SPACE, "budget": fg.Budget(candidates=20, epochs=3), "sampler": "sobol"}
    values = arguments | changes
    return preparing.asked(
        values.get("data", "digits"),
        values["space"],
        values["budget"],
        0,
        strategy=values.get("strategy", "auto"),
        ensemble=False,
        distill=False,
        sampler=values["sampler"],
        target=None,
        data_dir=None,
    )


def decided(task, plan=None):
    fleet = Fleet(task.data, 0, digits_fleet.machine(lanes=2))
    preparing.decide_programs(task.config, fleet, plan)
    return fleet


@pytest.mark.parametrize("changes", [{}, {"budget": "20s"}, {"sampler": "tpe"}])
def test_a_resumed_run_decides_as_the_first_one(changes):
    task = asked(**changes)
    first, again = decided(task, PLAN), decided(task, PLAN)
    assert first.programs == again.programs
    assert first.machine.compilations == 0
    preparing.decide_programs(task.config, first, PLAN)  # nor does it matter what was before
    assert first.programs == again.programs


def test_programs_of_candidates_are_those_that_were_decided():
    task, plan = asked(), Plan((20,), 3)
    fleet = decided(task, plan)
    programs = {fleet.program(one) for one in preparing.first_candidates(task.config, plan)}
    assert programs <= set(fleet.programs.known)
    assert len(programs) == 4  # by depth and optimizer: so little training shares the rest


def test_what_a_time_was_planned_with_is_not_compiled_again():
    task = asked(budget="20s")
    before, after = decided(task), decided(task, PLAN)
    assert set(before.programs.known) <= set(after.programs.known)


def test_with_counts_nothing_is_decided_before_the_plan():
    assert decided(asked()).programs.known == ()


def test_generations_to_come_are_taken_to_be_anywhere_in_the_space():
    task = asked(sampler="tpe")
    foreseen = preparing._foreseen(task.config, PLAN)
    assert len(foreseen) == 20
    assert [one for one, _ in foreseen[:6]] == [*preparing.first_candidates(task.config, PLAN)]


def test_of_very_many_to_come_some_stand_for_all(monkeypatch):
    task, each = asked(sampler="tpe"), PLAN.network_epochs / PLAN.candidates
    monkeypatch.setattr(preparing, "FORESEEN", 7)
    foreseen = preparing._foreseen(task.config, PLAN)
    assert len(foreseen) == 6 + 7
    assert sum(epochs for _, epochs in foreseen) == pytest.approx(20 * each)


def test_what_cannot_be_done_in_time_is_refused_before_anything_is_compiled():
    data = fg.Dataset.from_arrays(
        np.zeros((60_000, 784), np.uint8), np.arange(60_000) % 10, image_shape=(28, 28)
    )
    task = asked(data=data, space=None, budget="5s", sampler=None)
    fleet = Fleet(data, 0, digits_fleet.machine(lanes=2))
    with pytest.raises(
        BudgetError, match=r"one rung and the final, got 5 s; use at least"
    ) as error:
        preparing.planned(task.config, fleet, Clock(5.0))
    assert fleet.machine.compilations == 0
    named = float(re.search(r"(\d+)s here", str(error.value))[1])
    large = fleet.reckoned_seconds([Settings(hidden=(512, 256), optimizer="adamw", batch_size=128)])
    assert named > timing.fewest_seconds(large, fleet.lanes)


def test_columns_to_ignore_are_named_where_data_are_made():
    data = fg.Dataset.from_arrays(np.eye(30), np.arange(30) % 2)
    with pytest.raises(UsageError, match=r"columns of data to load.*`Dataset.from_frame"):
        preparing.loaded(data, ignore="id")
    assert preparing.loaded(data) is data


def test_little_is_compiled_where_data_are_tiny_and_time_is_short():
    """And what is decided with the plan keeps to that."""
    data = fg.Dataset.from_arrays(
        np.random.default_rng(0).normal(size=(150, 4)), np.arange(150) % 3
    )
    thaw = Plan((3,), 60, seconds=8.0, strategy="thaw", passes=20_000)
    short, long = (
        decided(asked(data=data, space=None, budget=budget, sampler=None), thaw)
        for budget in ("12s", "60s")
    )
    assert sorted(len(one.hidden) for one in short.programs.known) == [1, 2]  # no fewer would do
    assert len(long.programs.known) > 2
    assert long.reckoned_compile_seconds <= 60 * COMPILING


def test_as_much_is_compiled_as_pays_where_an_epoch_is_dear(monkeypatch):
    data = fg.Dataset.from_arrays(np.zeros((30_000, 244), np.float32), np.arange(30_000) % 2)
    task = asked(data=data, space=None, budget="8s", sampler=None)
    found = decided(task).programs
    monkeypatch.setattr("fleetgrad.fleet.COMPILING", math.inf)
    assert decided(task).programs == found


POPULATION = {"strategy": "pbt", "sampler": None, "space": None}


def test_a_budget_in_candidates_is_the_size_of_a_population():
    task = asked(**POPULATION)
    plan = preparing.planned(task.config, Fleet(task.data, 0, digits_fleet.machine()), Clock(None))
    assert (plan.strategy, plan.generations, plan.passes) == ("pbt", (20,), 60)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sampler": "tpe"}, "sampler `tpe`"),
        ({"space": fg.Space(epochs=fg.Int(2, 9), learning_rate=fg.Float(0.1, 0.2))}, "`epochs`"),
        ({"space": fg.Space(hidden=fg.Choice((8,), (9,)))}, "range of `learning_rate`"),
        ({"budget": fg.Budget(candidates=3, epochs=3)}, "candidates=4"),
    ],
)
def test_what_a_population_cannot_do_is_refused_at_once(changes, told):
    with pytest.raises(FleetgradError, match=told):
        asked(**POPULATION | changes)
