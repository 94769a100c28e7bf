"""Law 6: survivors never increase from rung to rung; and the schedule's cost is what it says."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.errors import BudgetError, UsageError
from fleetgrad.rungs import FIRST_SHARE, Rungs, hyperband, successive_halving, survivors

COUNTS = st.integers(1, 2000)
EPOCHS = st.integers(1, 1000)
ETAS = st.floats(1.5, 10)
SCORES = st.lists(st.floats(-1, 1) | st.just(math.nan) | st.integers(0, 3).map(float))


@given(COUNTS, EPOCHS, ETAS, st.integers(1, 20), st.data())
def test_survivors_never_increase_and_epochs_rise_to_the_full_training(
    candidates, epochs, eta, finalists, data
):
    first = data.draw(st.none() | st.integers(1, epochs))
    rungs = successive_halving(candidates, epochs, eta=eta, first=first, finalists=finalists)
    assert all(a < b for a, b in pairwise(rungs.epochs))
    assert rungs.epochs[-1] == epochs
    kept = (candidates, *rungs.survivors)
    assert all(a >= b for a, b in pairwise(kept))
    assert rungs.survivors[-1] == min(candidates, finalists)


@given(COUNTS, EPOCHS, ETAS)
def test_every_rung_but_the_last_drops_someone(candidates, epochs, eta):
    rungs = successive_halving(candidates, epochs, eta=eta)
    kept = (candidates, *rungs.survivors)
    assert all(a > b for a, b in pairwise(kept[:-1]))


@given(COUNTS, EPOCHS, ETAS)
def test_halving_never_costs_more_than_training_everyone(candidates, epochs, eta):
    assert successive_halving(candidates, epochs, eta=eta).cost(candidates) <= candidates * epochs


@given(st.integers(27, 2000), st.integers(9, 1000))
def test_the_first_decision_falls_at_a_ninth(candidates, epochs):
    first = successive_halving(candidates, epochs).epochs[0]
    assert abs(first - epochs / FIRST_SHARE) <= 0.5


@given(st.integers(9, 2000), st.integers(2, 1000), st.data())
def test_the_first_decision_falls_where_it_was_asked_for(candidates, epochs, data):
    first = data.draw(st.integers(1, epochs))
    rungs = successive_halving(candidates, epochs, first=first, finalists=1)
    assert rungs.epochs[0] == first


def test_the_textbook_schedule():
    rungs = successive_halving(81, 81, first=1, finalists=1)
    assert rungs == Rungs((1, 3, 9, 27, 81), (27, 9, 3, 1, 1))


@pytest.mark.parametrize(
    ("candidates", "epochs", "expected"),
    [
        (1, 1, Rungs((1,), (1,))),
        (50, 1, Rungs((1,), (3,))),
        (2, 30, Rungs((30,), (2,))),
        (3, 30, Rungs((30,), (3,))),
        (9, 9, Rungs((1, 9), (3, 3))),
        (16, 2, Rungs((1, 2), (5, 3))),
    ],
)
def test_small_populations_and_short_trainings_degrade_gracefully(candidates, epochs, expected):
    assert successive_halving(candidates, epochs) == expected


@given(st.integers(1, 300), ETAS, st.integers(1, 5))
def test_all_brackets_of_hyperband_are_lawful(epochs, eta, finalists):
    brackets = hyperband(epochs, eta=eta, finalists=finalists)
    for bracket in brackets:
        assert bracket.rungs.epochs[-1] == epochs
        assert bracket.rungs.survivors[-1] == min(bracket.candidates, finalists)
        assert bracket.rungs.survivors[0] <= bracket.candidates
    assert len(brackets[-1].rungs) == 1  # the last bracket stops nobody


def test_the_table_of_the_hyperband_paper():
    """Li et al. 2018, algorithm 1 with R = 81, eta = 3."""
    brackets = hyperband(81)
    assert [bracket.candidates for bracket in brackets] == [81, 34, 15, 8, 5]
    assert [bracket.rungs.epochs[0] for bracket in brackets] == [1, 3, 9, 27, 81]
    costs = [bracket.rungs.cost(bracket.candidates) for bracket in brackets]
    assert max(costs) < 1.5 * min(costs)


@given(SCORES, st.integers(-1, 30))
def test_the_best_survive_and_the_diverged_never(scores, keep):
    found = survivors(scores, keep)
    alive = [score for score in scores if not math.isnan(score)]
    assert len(found) == len(set(found)) == min(len(alive), max(keep, 0))
    assert [scores[position] for position in found] == sorted(alive, reverse=True)[: len(found)]


@given(SCORES, st.integers(0, 30))
def test_fewer_places_go_to_the_same_ones(scores, keep):
    assert survivors(scores, keep) == survivors(scores, keep + 1)[:keep]


def test_equal_scores_go_by_position():
    assert survivors([0.5, 0.9, 0.5, 0.9, 0.5], 4) == (1, 3, 0, 2)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5), COUNTS)
def test_cost_is_what_a_walk_through_the_rungs_counts(steps, candidates):
    epochs = tuple(sum(step for step, _ in steps[: k + 1]) for k in range(len(steps)))
    kept = tuple(sorted((keep for _, keep in steps), reverse=True))
    total, alive = 0, candidates
    for epoch in range(epochs[-1]):
        total += alive
        if epoch + 1 in epochs:
            alive = min(alive, kept[epochs.index(epoch + 1)])
    assert Rungs(epochs, kept).cost(candidates) == total


@pytest.mark.parametrize(
    ("epochs", "kept"),
    [((), ()), ((1, 2), (3,)), ((2, 1), (3, 3)), ((1, 1), (3, 3)), ((0, 1), (3, 3)),
     ((1, 2), (1, 3)), ((1,), (0,))],
)  # fmt: skip
def test_a_schedule_out_of_order_is_refused(epochs, kept):
    with pytest.raises(UsageError, match=r"must.*got"):
        Rungs(epochs, kept)


@pytest.mark.parametrize("name", ["candidates", "epochs", "finalists", "first"])
def test_a_count_below_one_is_refused(name):
    numbers = {"candidates": 8, "epochs": 9, "finalists": 3, "first": 1, name: 0}
    with pytest.raises(BudgetError, match=f"`{name}` must be at least 1, got 0"):
        successive_halving(**numbers)


def test_a_first_decision_after_the_end_is_refused():
    with pytest.raises(BudgetError, match="`first` must be at most `epochs` = 9, got 10; use 1"):
        successive_halving(8, 9, first=10)


@pytest.mark.parametrize("eta", [1, 0, -2, math.nan])
def test_keeping_everyone_is_no_halving(eta):
    with pytest.raises(BudgetError, match="`eta` must be above 1"):
        successive_halving(8, 9, eta=eta)
    with pytest.raises(BudgetError, match="`eta` must be above 1"):
        hyperband(9, eta=eta)


@given(COUNTS, EPOCHS)
def test_rungs_can_be_walked(candidates, epochs):
    rungs = successive_halving(candidates, epochs)
    assert tuple(rungs) == tuple(zip(rungs.epochs, rungs.survivors, strict=True))
