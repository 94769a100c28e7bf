"""Plans of populations that evolve."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import evolving
from fleetgrad.budget import Budget
from fleetgrad.errors import BudgetError, UsageError
from fleetgrad.plan import Plan
from fleetgrad.space import Choice, Float, Space
from fleetgrad.strategies.pbt import FEWEST


@pytest.mark.parametrize(
    "budget", [Budget(candidates=12, epochs=20), Budget(network_epochs=250, epochs=20)]
)
def test_every_place_of_the_population_trains_to_the_end(budget):
    plan = evolving.counted(budget)
    assert (plan.generations, plan.epochs, plan.passes) == ((12,), 20, 240)
    assert plan.by_rounds
    assert Plan.from_dict(plan.to_dict()) == plan
    assert plan.stops == (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)


@pytest.mark.parametrize(
    ("budget", "enough"),
    [
        (Budget(candidates=3, epochs=5), "candidates=4"),
        (Budget(network_epochs=19, epochs=5), "network_epochs=20"),
    ],
)
def test_too_few_to_choose_from_are_refused_with_what_would_do(budget, enough):
    with pytest.raises(BudgetError, match=f"at least 4 networks.*use {enough}"):
        evolving.counted(budget)


def timed(seconds, cost=1.0, lanes=2, steps=100):
    return evolving.timed(
        Budget(seconds=seconds), epoch_seconds=[cost], steps=steps, lanes=lanes, spent=1.0
    )


@given(seconds=st.floats(30, 10_000), cost=st.floats(0.001, 1.0), lanes=st.integers(1, 16))
def test_search_repeats_and_refit_fit_into_the_time(seconds, cost, lanes):
    plan = timed(seconds, cost, lanes)
    end = plan.replicates * plan.finalists / lanes + 1.2
    assert plan.epochs * cost * (plan.candidates / lanes + end) <= seconds
    assert plan.candidates >= FEWEST
    assert plan.passes == plan.candidates * plan.epochs


def test_more_time_means_longer_training_first_and_then_more_networks():
    plans = [timed(seconds) for seconds in (60, 300, 1_000, 3_000)]
    assert [one.epochs for one in plans] == sorted(one.epochs for one in plans)
    assert plans[-1].candidates > plans[0].candidates


def test_too_short_a_time_is_refused_with_one_that_will_do():
    with pytest.raises(BudgetError, match="use at least") as error:
        timed(5.0)
    enough = float(str(error.value).rsplit("at least ", 1)[1].split("s")[0])
    assert timed(enough).epochs >= 1


def test_a_space_without_numbers_that_can_change_is_refused():
    with pytest.raises(UsageError, match="add a range of `learning_rate`"):
        evolving.check(Space(hidden=Choice((8,), (16,))))


def test_a_default_space_keeps_its_ranges_but_not_its_schedule():
    space = Space(learning_rate=Float(0.1, 0.2), warmup=Float(0.1, 0.3), schedule="one_cycle")
    suited = evolving.suited(space)
    assert suited.fixed["schedule"] == "constant"
    assert suited.names == ("learning_rate",)
