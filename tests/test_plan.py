import json
import math
import re
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fleetgrad import plan as plans
from fleetgrad import rungs, timing
from fleetgrad.budget import Budget
from fleetgrad.errors import BudgetError
from fleetgrad.plan import FINALISTS, REPLICATES, Plan

costs = st.lists(st.floats(1e-3, 10), min_size=1, max_size=8)


@st.composite
def circumstances(draw):
    """What a plan in time depends on, besides the time."""
    return {
        "epoch_seconds": draw(costs),
        "steps": draw(st.integers(1, 2000)),
        "lanes": draw(st.integers(1, 16)),
        "spent": draw(st.floats(0, 10)),
        "adaptive": draw(st.booleans()),
    }


def planned(seconds, around):
    return timing.timed(Budget(seconds=seconds), **around)


@pytest.mark.parametrize("adaptive", [True, False])
def test_generations_are_paid_for_one_by_one(adaptive):
    around = {"epoch_seconds": [1.0], "steps": 900, "lanes": 1, "spent": 0.0, "adaptive": adaptive}
    for seconds in range(50, 1500, 7):
        plan = planned(seconds, around)
        assert expected_seconds(plan, around) <= seconds


@given(st.integers(1, 10**7), st.booleans())
def test_no_more_are_under_way_together_than_should_be(candidates, adaptive):
    sizes = plans.generations_of(candidates, adaptive=adaptive)
    assert sum(sizes) == candidates
    assert max(sizes) <= plans.MOST_AT_ONCE
    assert max(sizes) - min(sizes) <= 1
    if candidates <= plans.MOST_AT_ONCE and not adaptive:
        assert len(sizes) == 1


def planned_or_skipped(seconds, around):
    try:
        return planned(seconds, around)
    except BudgetError:
        return reject()


def expected_seconds(plan, around):
    """By the same figures, from the definitions: search, repeats, refit, what is spent, the end."""
    costs, lanes = around["epoch_seconds"], around["lanes"]
    typical, dearest = sum(costs) / len(costs), max(costs)
    search = 0.0
    for size in plan.generations:
        schedule = rungs.successive_halving(size, plan.epochs, finalists=FINALISTS)
        search += schedule.cost(size) * typical / lanes
    repeat = plan.finalists * (typical + dearest) / 2 / lanes
    refit = 1.2 * dearest
    ending = plan.epochs * (plan.replicates * repeat + refit)
    return around["spent"] + search + ending + timing.END_SECONDS


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("45", 45),
        (" 1.5 m ", 90),
        (30, 30),
        (0.25, 0.25),
        (1e-5, 1e-5),
        (np.int64(7), 7),
    ],
)
def test_a_time_is_read_as_it_is_written(written, seconds):
    assert Budget.of(written) == Budget(seconds=seconds)


def test_a_budget_is_taken_as_it_is():
    budget = Budget(candidates=32, epochs=9)
    assert Budget.of(budget) is budget


@pytest.mark.parametrize(
    "written",
    ["", "ten minutes", "10 weeks", "-5s", "1e3s", "s", None, True, [10], "10m10s", "nan"],
)
def test_what_is_no_time_is_refused_with_an_example(written):
    with pytest.raises(BudgetError, match=r"must be a time such as 90s, 10m or 2h, got .*; use"):
        Budget.of(written)


@pytest.mark.parametrize("written", [0, "0s", "0", 0.0, -1, math.nan, math.inf])
def test_a_budget_of_nothing_or_forever_is_refused(written):
    with pytest.raises(BudgetError, match=r"must be above 0 s, got .*; use 60s or 10m\."):
        Budget.of(written)


@pytest.mark.parametrize("value", [0, -3, 1.5, math.nan, True, "9", 9.0])
@pytest.mark.parametrize("name", ["candidates", "epochs"])
def test_a_count_must_be_a_whole_number_of_at_least_one(name, value):
    with pytest.raises(BudgetError, match=f"`{name}` must be a whole number of at least 1, got"):
        Budget(**{"candidates": 3, "epochs": 3, name: value})


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"candidates": 3},
        {"epochs": 3},
        {"seconds": 10.0, "candidates": 3},
        {"seconds": 10.0, "candidates": 3, "epochs": 3},
    ],
)
def test_a_budget_is_a_time_or_two_counts_and_nothing_between(parts):
    with pytest.raises(BudgetError, match="a time, or candidates and epochs together"):
        Budget(**parts)


def test_counts_of_numpy_are_counts():
    assert Budget(candidates=np.int64(3), epochs=np.int32(2)).candidates == 3


@given(candidates=st.integers(1, 500), epochs=st.integers(1, 100), adaptive=st.booleans())
def test_a_budget_in_counts_is_spent_on_just_these(candidates, epochs, adaptive):
    plan = plans.counted(Budget(candidates=candidates, epochs=epochs), adaptive=adaptive)
    assert (plan.candidates, plan.epochs, plan.seconds) == (candidates, epochs, None)
    assert plan.replicates >= 5
    assert plan.finalists >= 3
    assert max(plan.generations) - min(plan.generations) <= 1
    assert len(plan.generations) == 1 or adaptive


def test_only_samplers_that_learn_are_asked_in_generations():
    budget = Budget(candidates=36, epochs=9)
    assert plans.counted(budget, adaptive=True).generations == (9, 9, 9, 9)
    assert plans.counted(budget, adaptive=False).generations == (36,)


@settings(max_examples=50)
@given(around=circumstances(), seconds=st.floats(1, 1e5))
def test_a_plan_takes_no_longer_than_its_time_by_what_was_measured(around, seconds):
    plan = planned_or_skipped(seconds, around)
    assert expected_seconds(plan, around) <= seconds * (1 + 1e-9)
    assert plan.replicates >= REPLICATES
    assert plan.candidates >= plans.FEWEST_CANDIDATES
    assert plan.seconds == seconds


@settings(max_examples=50)
@given(around=circumstances(), seconds=st.floats(0.01, 1e5))
def test_a_budget_that_is_too_small_names_one_that_would_do(around, seconds):
    with suppress(BudgetError):
        planned(seconds, around)
        return
    with pytest.raises(BudgetError, match=r"use at least \d+s here\.") as error:
        planned(seconds, around)
    named = int(re.search(r"(\d+)s here", str(error.value))[1])
    assert named > seconds
    assert planned(named, around).candidates >= plans.FEWEST_CANDIDATES


@settings(max_examples=50)
@given(around=circumstances(), seconds=st.floats(1, 1e4), more=st.floats(1, 10))
def test_more_time_never_means_fewer_candidates_or_less_training(around, seconds, more):
    less = planned_or_skipped(seconds, around)
    longer = planned(seconds * more, around)
    assert longer.candidates >= less.candidates
    if longer.candidates == less.candidates:
        assert longer.epochs >= less.epochs
    if longer.candidates == less.candidates and longer.epochs == less.epochs:
        assert longer.replicates >= less.replicates


@settings(max_examples=50)
@given(around=circumstances())
def test_training_ends_where_more_of_it_would_teach_little(around):
    plan = planned(1e9, around)
    assert plan.epochs <= timing.MOST_EPOCHS
    assert plan.epochs * around["steps"] <= max(timing.MOST_STEPS, 10 * around["steps"])
    assert plan.candidates == timing.MOST_CANDIDATES
    assert plan.replicates == plans.MOST_REPLICATES


def test_two_minutes_of_mnist_on_two_cores_are_a_search_worth_its_name():
    around = {"epoch_seconds": [0.35, 0.6, 1.4], "steps": 390, "lanes": 2, "spent": 6.0}
    plan = planned(120.0, around | {"adaptive": False})
    assert plan.candidates >= 9
    assert plan.epochs >= 4


@settings(max_examples=50)
@given(around=circumstances())
def test_a_plan_survives_the_record(around):
    plan = planned(1e6, around)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_each_generation_has_a_schedule_for_its_size():
    plan = Plan((9, 27), 9)
    assert plan.rungs(0) == rungs.successive_halving(9, 9, finalists=3)
    assert plan.rungs(1) == rungs.successive_halving(27, 9, finalists=3)


@settings(max_examples=50)
@given(around=circumstances(), seconds=st.floats(10, 1e4), more=st.floats(1, 10))
def test_where_images_are_fresh_time_is_shared_between_longer_training_and_more_search(
    around, seconds, more
):
    around |= {"strategy": "thaw", "dimensions": 3}
    with suppress(BudgetError):
        plain, fresh = planned(seconds, around), planned(seconds, around | {"fresh": True})
        longer = planned(seconds * more, around | {"fresh": True})
        assert plain.epochs <= fresh.last <= longer.last
        assert longer.epochs <= timing.MOST_FRESH
        if (fresh.last_epochs is None) == (longer.last_epochs is None):
            assert fresh.epochs <= longer.epochs
            assert longer.passes >= 0.99 * fresh.passes


def test_an_hour_of_fresh_images_trains_longer_than_one_of_rows_seen_before():
    around = {"epoch_seconds": [1.7, 2.4], "steps": 390, "lanes": 2, "spent": 5.0}
    around |= {"adaptive": False, "strategy": "thaw", "dimensions": 7}
    assert planned(3600, around).epochs == timing.MOST_STEPS // 390
    hour = planned(3600, around | {"fresh": True})
    assert timing.MOST_STEPS // 390 < hour.epochs <= 60 < hour.last
    assert planned(120, around) == planned(120, around | {"fresh": True})


@settings(max_examples=50)
@given(around=circumstances(), seconds=st.floats(10, 1e4), together=st.integers(0, 6))
def test_a_longer_last_training_has_its_part_of_the_time_and_no_more(around, seconds, together):
    around |= {"strategy": "thaw", "dimensions": 3, "fresh": True, "ensemble": together}
    plan = planned_or_skipped(seconds, around)
    if plan.last_epochs is None:
        return
    assert timing.LONGER * plan.epochs <= plan.last <= plans.MOST_LAST
    assert bool(plan.ensemble) == bool(together)
    assert plan.ensemble <= min(together, 2 * around["lanes"])
    share = plans.LAST_TOGETHER if together else plans.LAST
    parts = timing.expected(plan, around["epoch_seconds"], around["lanes"])
    alone = plan.alone * 1.2 * max(around["epoch_seconds"]) if together else 0.0
    assert parts.refit - alone <= share * seconds
    assert sum(parts) <= 1.01 * seconds


def test_a_student_needs_the_time_that_a_longer_last_training_would_take():
    around = {"epoch_seconds": [1.7, 2.4], "steps": 390, "lanes": 2, "spent": 5.0, "fresh": True}
    around |= {"adaptive": False, "strategy": "thaw", "dimensions": 7, "ensemble": 6}
    assert planned(3600, around).last_epochs is not None
    assert planned(3600, around | {"distill": True}).last_epochs is None


@pytest.mark.parametrize("strategy", ["halving", "thaw"])
def test_time_for_a_student_is_taken_from_the_search(strategy):
    around = {"epoch_seconds": [1.0], "steps": 900, "lanes": 2, "spent": 0.0, "adaptive": False}
    plain, distilled = (
        timing.timed(Budget(seconds=200), **around, strategy=strategy, distill=told)
        for told in (False, True)
    )
    assert plain.epochs == distilled.epochs == 10
    less = 10 * plans.DISTILLED * 1.2  # seconds, in which two lanes train twice as many epochs
    if strategy == "thaw":
        assert distilled.passes == pytest.approx(plain.passes - 2 * less)
    assert distilled.candidates <= plain.candidates
    taken = timing.expected(replace(distilled, distill=True), [1.0], 2)
    assert sum(taken) <= 200
    assert taken.refit == pytest.approx(10 * 1.2 + less)
