import math
import os
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetgrad import pace, rungs
from fleetgrad.errors import BudgetError, RunError, TrainingError
from fleetgrad.pace import GRACE, MOST_HELD, REFIT
from fleetgrad.plan import MOST_REPLICATES, Plan
from fleetgrad.space import Choice, Float, Int, Space
from fleetgrad.store import Run
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.thaw import Thaw
from simulated import (
    BEST_RATE,
    SOUND,
    Crash,
    Listed,
    World,
    counted,
    memory_after,
    rates,
    search,
    study,
)

SMALL = counted(5, 3, replicates=3)
TWICE = counted(8, 2, generations=2, finalists=2, replicates=2)


@contextmanager
def somewhere():
    """Where a run may lie: in memory where the system has such a place, for there are many."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        yield Path(folder, "run")


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


def told(outcome):
    """All that must not depend on how often a run was stopped."""
    winner = outcome.winner
    weights = [layer["weight"][0, 0] for layer in winner.params]
    return outcome.leaderboard.to_json(), winner.candidate, weights, outcome.scores.tolist()


def recorded(place):
    with Run.open(place, write=False) as run:
        return run.segments(), run.curves(), run.generations()


def segments(place, kind):
    with Run.open(place, write=False) as run:
        return [run.segment(name) for name in run.segments() if name.startswith(kind)]


# The end of a search


def test_the_planted_best_is_found(place):
    outcome = search(place, World(), Plan((7,), 9), Listed(rates(1e-3, 0.1, 0.03, BEST_RATE, 0.3)))
    assert outcome.winner.candidate == outcome.leaderboard.best.id == 3
    assert outcome.winner.settings.learning_rate == BEST_RATE
    assert outcome.winner.refitted
    assert not outcome.interrupted


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "tpe"])
def test_every_sampler_comes_near_the_planted_best(place, sampler):
    outcome = search(place, World(), counted(32, 9, generations=2), sampler, space=SOUND)
    assert abs(math.log10(outcome.winner.settings.learning_rate / BEST_RATE)) < 0.4
    assert len(outcome.leaderboard) <= 32


def test_finalists_are_repeated_and_ranked_by_the_mean_with_an_interval(place):
    outcome = search(place, World(noise=0.05), counted(9, 3))
    finalists = [row for row in outcome.leaderboard if row.status == "finalist"]
    assert outcome.scores.shape == (3, 5)
    assert {row.replicates for row in finalists} == {5}
    assert sorted(outcome.finalists) == sorted(row.id for row in finalists)
    means = dict(zip(outcome.finalists, outcome.scores.mean(axis=1), strict=True))
    assert [row.mean for row in finalists] == sorted(means.values(), reverse=True)
    for row in finalists:
        assert row.mean == pytest.approx(means[row.id])
        assert row.interval.low < row.mean < row.interval.high
    assert outcome.winner.candidate == finalists[0].id == outcome.leaderboard.rows[0].id


def test_replicates_of_the_finals_are_not_the_one_of_the_search(place):
    search(place, World(), SMALL)
    members = segments(place, "finals")[0]["members"]
    assert sorted({replicate for _, replicate in members}) == [1, 2, 3]


def test_those_the_data_cannot_tell_from_the_winner_are_named_as_ties(place):
    equals = rates(BEST_RATE, activation="relu") + rates(BEST_RATE, activation="tanh")
    outcome = search(place, World(), counted(5, 3), Listed([*equals, *rates(0.1, 0.2, 1e-3)]))
    assert outcome.winner.candidate == 0
    assert outcome.leaderboard.ties == (1,)


def test_a_leader_far_ahead_has_no_ties(place):
    outcome = search(place, World(noise=0.001), counted(3, 3), Listed(rates(BEST_RATE, 0.1, 1e-3)))
    assert outcome.leaderboard.ties == ()


def test_the_winner_is_refitted_for_as_long_as_it_was_judged(place):
    outcome = search(place, World(), SMALL)
    (refit,) = segments(place, "refit")
    assert refit["candidate"] == outcome.winner.candidate
    assert refit["epochs"] == SMALL.epochs
    _, curves, _ = recorded(place)
    points = [point for point in curves if point.phase == "refit"]
    assert {point.candidate for point in points} == {outcome.winner.candidate}
    assert [point.epoch for point in points] == [1, 2, 3]


# The middle: rungs, those that diverge, spaces that end


@settings(max_examples=25)
@given(
    candidates=st.integers(1, 40),
    epochs=st.integers(1, 30),
    generations=st.integers(1, 3),
    noise=st.floats(0, 0.5),
)
def test_survivors_never_increase_from_rung_to_rung(candidates, epochs, generations, noise):
    plan = Plan((candidates,) * generations, epochs, replicates=1)
    with somewhere() as place:
        one, run = study(place, World(noise=noise), plan, space=SOUND)
        with run:
            outcome = one.run()
            for generation in range(generations):
                names = [name for name in run.segments() if name.startswith(f"search/{generation}")]
                done = [run.segment(name) for name in names]
                sizes = [len(one["rung"]) for one in done] + [len(done[-1]["survivors"])]
                assert all(after <= before for before, after in pairwise(sizes))
                for before, after in pairwise(done):
                    in_rung = {found["candidate"] for found in after["rung"]}
                    assert in_rung == set(before["survivors"])
            cost = sum(
                rungs.successive_halving(candidates, epochs, finalists=3).cost(candidates)
                for _ in range(generations)
            )
            audited = len(run.segment("audit")["rung"])
            end = (audited + len(outcome.finalists) + 1) * epochs
            assert one.network_epochs == cost + end


def test_the_record_holds_every_epoch_of_everyone(place):
    outcome = search(place, World(), counted(9, 9))
    _, curves, generations = recorded(place)
    for row in outcome.leaderboard:
        epochs = [p.epoch for p in curves if p.phase == "search" and p.candidate == row.id]
        assert epochs == list(range(1, 1 + (0 if row.status == "diverged" else row.epochs)))
    assert set(generations[0].ids) == {row.id for row in outcome.leaderboard}


def test_one_that_diverges_is_recorded_with_the_step_and_never_goes_on(place):
    outcome = search(place, World(), counted(4, 9), Listed(rates(3.0, BEST_RATE, 2.0, 0.1)))
    broken = [row for row in outcome.leaderboard if row.status == "diverged"]
    assert sorted(row.id for row in broken) == [0, 2]
    assert {row.diverged_step for row in broken} == {7}
    assert all(math.isnan(row.score) and row.mean is None for row in broken)
    assert outcome.winner.candidate == 1
    assert set(outcome.finalists) == {1, 3}


def test_a_search_in_which_all_diverge_says_so_and_keeps_its_record(place):
    with pytest.raises(TrainingError, match=r"got 4 that all diverged, at .* from 2 to 5; "):
        search(place, World(), counted(4, 3), Listed(rates(2.0, 3.0, 4.0, 5.0)))
    (rung,) = segments(place, "search")
    assert [found["diverged_step"] for found in rung["rung"]] == [7, 7, 7, 7]
    world = World()
    with pytest.raises(TrainingError, match="all diverged"):
        search(place, world, counted(4, 3), Listed(rates(2.0, 3.0, 4.0, 5.0)))
    assert world.calls == 0, "what is on record is not trained again"


def test_a_winner_that_diverges_in_the_finals_is_none(place):
    world = World()
    plain = world.row

    def spoiled(settings, replicate, epoch):
        if replicate == 2 and settings.learning_rate == BEST_RATE:
            return (math.nan,) * 4
        return plain(settings, replicate, epoch)

    world.row = spoiled
    outcome = search(place, world, counted(3, 3), Listed(rates(BEST_RATE, 0.1, 1e-3)))
    assert outcome.winner.candidate != 0
    assert outcome.leaderboard[0].status == "finalist"
    assert math.isnan(outcome.leaderboard[0].mean)
    world.row = lambda settings, replicate, epoch: (
        (math.nan,) * 4 if replicate else plain(settings, replicate, epoch)
    )
    with pytest.raises(TrainingError, match="from every seed"):
        search(place.with_name("other"), world, counted(3, 3), Listed(rates(BEST_RATE, 0.1)))


def test_a_winner_that_diverges_on_all_rows_is_no_result(place):
    world = World()
    plain = world.refit
    world.refit = lambda settings: plain(replace(settings, learning_rate=2.0))
    with pytest.raises(TrainingError, match="on all rows too, got candidate 0, which diverged"):
        search(place, world, counted(2, 3), Listed(rates(BEST_RATE, 0.1)))


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_space_of_two_points_is_used_up_and_that_is_fine(place, sampler):
    space = Space(activation=Choice("relu", "tanh"), learning_rate=BEST_RATE)
    outcome = search(place, World(), counted(36, 3, generations=4), sampler, space=space)
    assert len(outcome.leaderboard) == 2
    assert outcome.winner is not None
    assert told(search(place, World(), counted(36, 3, generations=4), sampler, space=space)) == (
        told(outcome)
    )


def test_a_single_candidate_wins(place):
    outcome = search(place, World(), counted(1, 1))
    assert (outcome.winner.candidate, outcome.leaderboard.ties) == (0, ())


def test_samplers_are_told_how_each_candidate_ended(place):
    sampler = Listed(rates(BEST_RATE, 2.0, 0.1, 1e-3))
    outcome = search(place, World(), TWICE, sampler)
    ((first, scores),) = sampler.told  # the second generation found nothing more
    assert first == (0, 1, 2, 3)
    for candidate, score in zip(first, scores, strict=True):
        np.testing.assert_equal(score, outcome.leaderboard[candidate].score)


# Settings that bring epochs of their own


def test_candidates_with_fewer_epochs_than_the_horizon_finish_early(place):
    space = Space(epochs=Int(1, 40), learning_rate=Float(1e-3, 0.1, log=True))
    outcome = search(place, World(), counted(16, 9), space=space)
    goals = [min(9, row.settings.epochs) for row in outcome.leaderboard]
    assert {goal < 9 for goal in goals} == {True, False}
    assert all(row.epochs <= goal for row, goal in zip(outcome.leaderboard, goals, strict=True))
    for candidate in outcome.finalists:
        row = outcome.leaderboard[candidate]
        assert row.epochs == min(9, row.settings.epochs), "a finalist has gone all its way"


def test_one_that_is_done_early_can_win(place):
    short, long = rates(BEST_RATE, epochs=3), rates(0.5, 0.4, 0.3, 0.2, 1e-4, epochs=9)
    outcome = search(place, World(), counted(6, 9, finalists=2), Listed(short + long))
    assert outcome.winner.candidate == 0
    (refit,) = segments(place, "refit")
    assert refit["epochs"] == 3


def test_one_that_is_done_early_stands_beside_those_that_took_longer(place):
    first, second = rates(BEST_RATE, epochs=3), rates(0.5, epochs=9)
    plan = counted(2, 9, generations=2, finalists=1)
    outcome = search(place, World(), plan, Listed(first + second))
    assert outcome.winner.candidate == 0


def test_one_that_asks_for_more_epochs_than_the_budget_gets_those_of_the_budget(place):
    search(place, World(), counted(2, 5), Listed(rates(BEST_RATE, 0.1, epochs=500)))
    (refit,) = segments(place, "refit")
    assert refit["epochs"] == 5


# Stopped and resumed


def stopped_everywhere(place, plan, error):
    """Run to the first call, the second, and so on; yields what a run came to, and the place."""
    for at in count(1):
        here = place.with_name(f"run-{at}")
        world = World().breaks(at, error)
        try:
            outcome = search(here, world, plan, "tpe")
        except Crash:
            outcome = None
        if world.calls < at:
            return
        yield here, outcome


def same_as_uninterrupted(here, place, plan):
    again = search(here, World(), plan, "tpe")
    assert told(again) == told(search(place, World(), plan, "tpe"))
    names, curves, generations = recorded(here)
    assert (names, curves, generations) == recorded(place)


@pytest.mark.parametrize("plan", [SMALL, TWICE], ids=["one generation", "two generations"])
def test_a_run_that_crashes_anywhere_ends_like_one_that_does_not(place, plan):
    search(place, World(), plan, "tpe")
    points = 0
    for here, outcome in stopped_everywhere(place, plan, Crash):
        assert outcome is None
        same_as_uninterrupted(here, place, plan)
        points += 1
    assert points > 30


@pytest.mark.parametrize("plan", [SMALL, TWICE], ids=["one generation", "two generations"])
def test_a_run_interrupted_anywhere_hands_back_the_best_so_far_and_can_go_on(place, plan):
    search(place, World(), plan, "tpe")
    scored = 0
    for here, outcome in stopped_everywhere(place, plan, KeyboardInterrupt):
        assert outcome.interrupted
        known = [row for row in outcome.leaderboard if not math.isnan(row.score)]
        if known:
            assert outcome.winner.candidate == known[0].id
            assert outcome.winner.settings == known[0].settings
            assert outcome.winner.params[0]["weight"][0, 0] == memory_after(known[0].epochs)
            assert not outcome.winner.refitted
            scored += 1
        else:
            assert outcome.winner is None
        same_as_uninterrupted(here, place, plan)
    assert scored > 30


def test_an_interrupt_in_the_refit_hands_back_whoever_won_the_finals(place):
    world = World(lanes=1, noise=0)
    plain = world.row

    def fading(settings, replicate, epoch):
        """The leader of the search is not that good on other splits."""
        if replicate and settings.learning_rate == BEST_RATE:
            return plain(replace(settings, learning_rate=0.5), replicate, epoch)
        return plain(settings, replicate, epoch)

    world.row = fading

    def interrupted(settings):
        raise KeyboardInterrupt

    world.refit = interrupted
    outcome = search(place, world, counted(3, 3), Listed(rates(BEST_RATE, 0.02, 0.1)))
    assert outcome.interrupted
    assert outcome.winner.candidate == outcome.leaderboard.best.id == 1
    assert outcome.leaderboard.best.mean is not None


def test_an_interrupt_in_the_first_rung_tells_how_far_each_has_come(place):
    outcome = search(place, World(lanes=1).breaks(6, KeyboardInterrupt), SMALL, space=SOUND)
    assert sorted(row.epochs for row in outcome.leaderboard) == [0, 0, 1, 1, 1]
    assert {row.status for row in outcome.leaderboard} == {"unfinished"}
    assert outcome.winner.candidate == outcome.leaderboard.rows[0].id


def test_a_run_crashed_again_and_again_ends_like_one_that_was_not(place):
    expected = told(search(place, World(), TWICE, "tpe"))
    here = place.with_name("again")
    for at in count(12):
        try:
            outcome = search(here, World().breaks(at, Crash), TWICE, "tpe")
        except Crash:
            continue
        break
    assert at > 14
    assert told(outcome) == expected


def test_a_resumed_run_interrupted_at_once_has_the_best_of_the_record(place):
    whole = search(place, World(), SMALL, "tpe")
    here = place.with_name("here")
    with pytest.raises(Crash):
        search(here, World().breaks(21, Crash), SMALL, "tpe")
    assert recorded(here)[0] == ("search/0_0", "search/0_1")
    outcome = search(here, World().breaks(1, KeyboardInterrupt), SMALL, "tpe")
    assert outcome.interrupted
    leader = outcome.leaderboard.rows[0]
    assert outcome.winner.candidate == leader.id
    assert outcome.winner.params[0]["weight"][0, 0] == memory_after(leader.epochs)
    assert {row.id for row in outcome.leaderboard} == {row.id for row in whole.leaderboard}


def test_a_finished_run_is_walked_through_without_training(place):
    whole = told(search(place, World(), SMALL))
    world = World()
    one, run = study(place, world, SMALL)
    with run:
        assert told(one.run()) == whole
        assert one.network_epochs > 0
    assert world.calls == 2, "the winner's weights are taken from the record, and that is all"


def test_a_run_goes_on_where_fewer_networks_train_at_once(place):
    plan = Plan((6,), 3, seconds=1000.0)
    whole = search(place, World(lanes=4), plan)
    assert whole.scores.shape == (3, MOST_REPLICATES)
    here = place.with_name("here")
    with pytest.raises(Crash):
        search(here, World(lanes=4).breaks(65, Crash), plan)
    assert recorded(here)[0][-1] == "finals/0"
    assert told(search(here, World(lanes=1), plan)) == told(whole)


def test_a_second_study_on_the_same_record_is_refused(place):
    _, run = study(place, World(), SMALL)
    with run, pytest.raises(RunError, match=f"process {os.getpid()}"):
        study(place, World(), SMALL)


def test_other_candidates_than_those_on_record_are_refused(place):
    with pytest.raises(Crash):
        search(place, World().breaks(2, Crash), SMALL, Listed(rates(0.1, 0.2)))
    with pytest.raises(RunError, match="proposed as before"):
        search(place, World(), SMALL, Listed(rates(0.1, 0.3)))


# Budgets in time


@settings(max_examples=40)
@given(
    seconds=st.floats(5, 200),
    candidates=st.integers(1, 20),
    epochs=st.integers(1, 20),
    lanes=st.integers(1, 16),
    dear=st.floats(0.1, 5),
    generations=st.integers(1, 2),
)
def test_a_time_budget_is_exceeded_by_no_more_than_a_stretch(
    seconds, candidates, epochs, lanes, dear, generations
):
    plan = Plan((candidates,) * generations, epochs, seconds=seconds)
    world = World(lanes, lambda settings: dear if settings.learning_rate > 0.01 else 0.1)
    with somewhere() as place:
        one, run = study(place, world, plan, space=SOUND)
        with run:
            try:
                one.run()
            except BudgetError as error:
                assert "double it" in str(error)  # noqa: PT017
    assert world.now - 100 <= seconds * (1 + GRACE) + world.longest_stretch


def test_a_generous_budget_brings_more_repeats_and_changes_nothing_else(place):
    plain = search(place, World(), Plan((9,), 3))
    timed = search(place.with_name("timed"), World(), Plan((9,), 3, seconds=1e6))
    assert timed.scores.shape == (3, MOST_REPLICATES)
    assert np.array_equal(timed.scores[:, :5], plain.scores)
    for row in plain.leaderboard:
        other = timed.leaderboard[row.id]
        assert (other.status, other.epochs, other.best_epoch) == (
            (row.status, row.epochs, row.best_epoch)
        )
        np.testing.assert_equal(other.score, row.score)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 8, 16])
def test_time_is_kept_back_for_five_repeats_and_the_refit(place, lanes):
    world = World(lanes, noise=0)
    ending = math.ceil(15 / lanes) * 9 + REFIT * 9
    plan = Plan((200,), 9, seconds=ending / (0.9 * MOST_HELD))
    outcome = search(place, world, plan, space=SOUND)
    assert segments(place, "search")[-1]["cut"], "the search alone would have taken it all"
    assert outcome.scores.shape[1] >= 5
    (refit,) = segments(place, "refit")
    assert refit["epochs"] == 9
    assert world.now - 100 <= plan.seconds


@pytest.mark.parametrize("seconds", [80.0, 100.0, 1e4])
def test_the_last_training_takes_what_time_is_left(place, seconds, monkeypatch):
    monkeypatch.setattr(pace, "MOST_LAST", 90)
    plan, world = Plan((9,), 4, seconds=seconds, last_epochs=80), World(lanes=2, noise=0)
    outcome = search(place, world, plan, space=SOUND)
    (refit,) = segments(place, "refit")
    assert 4 < refit["lasting"] == refit["epochs"] == outcome.winner.settings.epochs <= 90
    assert (refit["epochs"] == 90) == (seconds == 1e4)
    assert outcome.winner.params[0]["weight"][0, 0] == memory_after(refit["epochs"])
    assert outcome.leaderboard[outcome.winner.candidate].settings.epochs == 4
    assert world.now - 100 <= seconds


@pytest.mark.parametrize(("later", "repeats"), [(1.5, 5), (2.5, 3), (3.0, 3)])
def test_on_a_machine_that_slows_down_the_last_training_gives_way_and_not_the_repeats(
    place, later, repeats
):
    world = World(lanes=2, noise=0)
    world.costs = lambda settings: 0.5 if world.now < 103 else later
    plan = Plan((30,), 9, seconds=240.0, last_epochs=120)
    outcome = search(place, world, plan, space=SOUND)
    assert outcome.scores.shape[1] == repeats, "three carry a claim of rank"
    (refit,) = segments(place, "refit")
    assert 9 < refit["epochs"] == refit["lasting"] < 120
    assert world.now - 100 <= 240


def test_whoever_asks_for_fewer_epochs_gets_no_more_in_the_end(place):
    outcome = search(place, World(), Plan((1,), 4, last_epochs=9), Listed(rates(1e-2, epochs=3)))
    assert outcome.winner.settings.epochs == 3
    (refit,) = segments(place, "refit")
    assert refit["epochs"] == 3


def test_more_replicates_are_made_while_there_is_time(place):
    plan = Plan((3,), 4, seconds=120.0)
    world = World(lanes=2)
    outcome = search(place, world, plan, space=SOUND)
    assert 5 < outcome.scores.shape[1] < MOST_REPLICATES
    last = segments(place, "finals")[-1]
    assert (last["stopped"], last["network_epochs"]) == (True, 0), "what cannot end is not begun"
    assert world.now - 100 <= 120


def test_a_machine_that_slows_down_gets_more_time_for_the_end(place):
    world = World(lanes=2, noise=0)
    world.costs = lambda settings: 0.5 if world.now < 103 else 1.0
    outcome = search(place, world, Plan((200,), 9, seconds=121.0), space=SOUND)
    assert segments(place, "search")[-1]["cut"]
    assert outcome.scores.shape[1] >= 5


@pytest.mark.parametrize("late", [20, 22, 24])
def test_repeats_that_are_nearly_over_are_not_cut(place, late):
    """They count only as a whole: when a slow machine leaves two epochs of 54 undone, they end."""
    world = World(lanes=2, noise=0)
    world.costs = lambda settings: 1.0 if world.now < 100 + late else 2.0
    outcome = search(place, world, Plan((200,), 9, seconds=100.0), space=SOUND)
    assert outcome.scores.shape[1] == 2
    assert outcome.winner.refitted
    assert world.now - 100 <= 100 * (1 + GRACE)


def test_a_cut_search_begins_no_other_generation(place):
    plan = Plan((9, 9, 9, 9), 9, seconds=110.0)
    outcome = search(place, World(lanes=2), plan, space=SOUND)
    rungs_ = segments(place, "search")
    assert [rung["cut"] for rung in rungs_] == [False] * (len(rungs_) - 1) + [True]
    assert len(outcome.leaderboard) == 18
    assert outcome.winner is not None


def test_where_time_is_up_before_the_finals_the_search_decides(place):
    world = World(lanes=1)
    plan = Plan((4,), 5, seconds=130.0)

    def slower(settings):  # the machine turns out to be busy: what was kept back is not enough
        return 1.0 if world.now < 115 else 20.0

    world.costs = slower
    outcome = search(place, world, plan, Listed(rates(0.1, BEST_RATE, 1e-3, 0.5)))
    assert outcome.scores.size == 0
    assert not outcome.interrupted
    assert outcome.winner.candidate == outcome.leaderboard.rows[0].id == 1
    assert outcome.leaderboard.rows[0].mean is None


def test_a_budget_that_is_spent_before_the_search_says_so(place):
    with pytest.raises(BudgetError, match="must be enough for one epoch .* got 60 s; double it"):
        search(place, World(), Plan((9,), 9, seconds=60.0), elapsed=60.5)


def test_the_time_before_a_crash_counts(place):
    plan = Plan((9,), 9, seconds=150.0)
    with pytest.raises(Crash):
        search(place, World().breaks(45, Crash), plan)
    spent = segments(place, "search")[-1]["elapsed"]
    assert spent > 0
    world = World()
    search(place, world, plan, elapsed=spent)
    assert world.now - 100 <= 150 - spent + world.longest_stretch


# What is told on the way


def test_progress_goes_through_the_phases_and_never_back(place):
    seen = []
    one, run = study(place, World(), counted(9, 9), report=seen.append)
    with run:
        one.run()
        assert seen[-1].network_epochs <= one.network_epochs
    phases = [progress.phase for progress in seen]
    assert list(dict.fromkeys(phases)) == ["search", "finals", "refit"]
    assert phases == sorted(phases, key=["search", "finals", "refit"].index)
    for before, after in pairwise(seen):
        assert after.network_epochs >= before.network_epochs
        assert after.elapsed >= before.elapsed
        if after.phase == before.phase == "search":
            assert (after.rung, -after.alive) >= (before.rung, -before.alive)
            assert not after.best < before.best
    assert all(progress.left is None for progress in seen)
    last = [progress for progress in seen if progress.phase == "refit"]
    assert all(math.isnan(progress.best) for progress in last), "of rows it has learned from"


def test_progress_says_how_much_time_is_left(place):
    seen = []
    search(place, World(), Plan((9,), 3, seconds=500.0), report=seen.append)
    assert all(progress.left == pytest.approx(500 - progress.elapsed) for progress in seen)


class Erring(World):
    """The same curves, as errors in a unit of one's own."""

    UNIT = 4e5

    def row(self, settings, replicate, epoch):
        losses = super().row(settings, replicate, epoch)
        return tuple(part if place % 2 == 0 else self.UNIT * (part - 1)
                     for place, part in enumerate(losses))  # fmt: skip


@pytest.mark.parametrize("thawing", [False, True])
def test_a_search_by_errors_is_the_search_by_shares(place, thawing):
    plan = Plan((9,), 6, strategy="thaw", passes=60) if thawing else counted(12, 9)

    def found(world, where, metric):
        proposer = Thaw(SOUND, Options(plan.epochs, plan.passes)) if thawing else "sobol"
        Run.create(place / where, {"seed": 0, "metric": metric}).close()
        return search(place / where, world, plan, proposer, space=SOUND)

    shares, errors = found(World(), "a", "accuracy"), found(Erring(), "b", "rmse")
    assert [row.id for row in errors.leaderboard] == [row.id for row in shares.leaderboard]
    assert errors.leaderboard.metric == "rmse"
    assert errors.leaderboard.ties == shares.leaderboard.ties
    for one, other in zip(errors.leaderboard, shares.leaderboard, strict=True):
        assert (one.settings, one.epochs) == (other.settings, other.epochs)
        assert one.score == pytest.approx(Erring.UNIT * (other.score - 1), rel=1e-5)
