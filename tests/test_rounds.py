"""Rounds: whoever pauses goes on as if it had not, and a run ends alike however often it stops."""

import math
from dataclasses import replace
from itertools import count

import pytest

from fleetgrad import history, samplers
from fleetgrad.errors import BudgetError, TrainingError
from fleetgrad.insight import understand
from fleetgrad.leaderboard import Row
from fleetgrad.plan import Plan
from fleetgrad.report import costs
from fleetgrad.space import Float, Space
from fleetgrad.store import Run
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.pbt import Pbt
from fleetgrad.strategies.thaw import Thaw
from fleetgrad.trials import Step, Trial
from fleetgrad.verdict import verdict
from simulated import BEST_RATE, SOUND, SPACE, Crash, World, memory_after, rates, search, study
from test_study import somewhere, told

EPOCHS = 10
PASSES = 160
PLAN = Plan((4,), EPOCHS, replicates=3, strategy="thaw", passes=PASSES)
TIMED = Plan((4,), EPOCHS, strategy="thaw", seconds=200.0, passes=100, epoch_seconds=1.0)
WILD = Space(learning_rate=Float(1e-3, 5.0, log=True))


def thaw(plan=PLAN, space=SOUND, **changes):
    return Thaw(space, Options(plan.epochs, plan.passes, decisions=8, **changes))


def opening(cost=None, lanes=2):
    """The settings of the first round, and of all evenly spread points, in turn."""
    strategy = Thaw(SOUND, Options(EPOCHS, 400, lanes=lanes), cost=cost)
    first = strategy.decide((), 400, None).fresh
    trials = [Trial(number, one, (0.5,)) for number, one in enumerate(first)]
    second = strategy.decide(trials, 400 - len(first), None).fresh
    return first, (*first, *second)


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


class Evolving(World):
    """Curves go by the rate of each epoch."""

    def row(self, settings, replicate, epoch):
        own = next((one for until, one in settings.timeline if epoch < until), settings)
        return super().row(own, replicate, epoch)


POPULATION = Plan((6,), EPOCHS, replicates=3, strategy="pbt", passes=60)


def pbt(space=SOUND, seed=0):
    first = samplers.make("sobol", space, seed=seed, epochs=EPOCHS).ask(6).settings
    return Pbt(space, first, EPOCHS, seed)


class Scripted:
    """A strategy that takes given steps, and wants to keep some of those it knows."""

    def __init__(self, *steps, wanted=lambda trials: [one.id for one in trials]):
        self.steps, self.seen = list(steps), []
        self._wanted = wanted

    def decide(self, trials, left, memory):
        self.seen.append((trials, left, memory))
        done = len(self.seen) - 1
        return self.steps[done] if done < len(self.steps) else Step()

    def wanted(self, trials):
        return tuple(self._wanted(trials))


def segments(place):
    with Run.open(place, write=False) as run:
        return {name: run.segment(name) for name in run.segments() if name.startswith("search/")}


def test_one_that_pauses_goes_on_as_if_it_had_not(place):
    script = Scripted(
        Step(fresh=tuple(rates(0.01, 0.02, 0.1)), until=2),
        Step(goals={1: 5}, fresh=tuple(rates(0.05)), until=3),
        Step(goals={0: 4, 3: 4}),
        Step(goals={1: 10}),
    )
    one, run = study(place, World(), PLAN, script)
    with run:
        one._search.run()
        held = one._search.stopped()
        epochs = {row.id: row.epochs for row in one._search.rows}
        for candidate, weights in held.items():
            assert weights()[0]["weight"][0, 0] == memory_after(epochs[candidate])
    assert epochs == {0: 4, 1: 10, 2: 2, 3: 4}
    assert set(held) == {0, 1, 2, 3}


def test_a_strategy_is_told_of_everyone_and_reminded_of_what_it_said(place):
    script = Scripted(
        Step(fresh=tuple(rates(0.01, 2.0)), until=2, memory={"said": 1}), Step(goals={0: 3})
    )
    one, run = study(place, World(noise=0.0), PLAN, script)
    with run:
        one._search.run()
    (first, left, memory), (second, later, remembered), (third, *_) = script.seen
    assert (list(first), left, memory) == ([], PASSES, None)
    assert later == pytest.approx(PASSES - 3)  # one of the two broke after an epoch
    assert remembered == {"said": 1}
    assert [(one.id, one.epochs, one.diverged, one.kept) for one in second] == [
        (0, 2, False, True),
        (1, 0, True, False),
    ]
    assert third[0].scores[:2] == second[0].scores
    assert third[0].epochs == 3


def test_weights_that_nobody_wants_are_let_go(place):
    script = Scripted(
        Step(fresh=tuple(rates(0.01, 0.02)), until=2),
        Step(fresh=tuple(rates(0.03, 0.04)), until=2),
        Step(goals={2: 10, 3: 10}),
        wanted=lambda trials: [2, 3],
    )
    plan = Plan((2,), EPOCHS, finalists=2, strategy="thaw", passes=PASSES)
    one, run = study(place, World(), plan, script)
    with run:
        one._search.run()
        assert list(run._files()) == ["search/2"]


def test_the_planted_best_is_found_within_the_budget(place):
    outcome = search(place, World(), PLAN, thaw())
    assert abs(math.log10(outcome.winner.settings.learning_rate / BEST_RATE)) < 0.25
    spent = sum(done["network_epochs"] for done in segments(place).values())
    assert 0.9 * PASSES < spent <= PASSES
    finished = [row for row in outcome.leaderboard if row.epochs == EPOCHS]
    assert len(finished) >= 3
    assert len(outcome.leaderboard) > PASSES / EPOCHS  # than training each to the end would try


def test_those_that_diverge_never_go_on_and_never_win(place):
    outcome = search(place, World(), PLAN, thaw(space=WILD))
    broken = {row.id for row in outcome.leaderboard if row.status == "diverged"}
    assert broken
    assert outcome.winner.candidate not in broken
    for done in segments(place).values():
        again = {one["candidate"] for one in done["rung"]} & broken
        assert all(one not in done["kept"] for one in again)
    assert sum(len(done["rung"]) for done in segments(place).values()) > len(outcome.leaderboard)


def test_a_search_in_which_all_diverge_says_so(place):
    broken = Space(learning_rate=Float(1.5, 5.0))
    with pytest.raises(TrainingError, match="all diverged"):
        search(place, World(), PLAN, thaw(space=broken))


@pytest.mark.parametrize("epochs", [1, 3, 10, 30])
def test_a_budget_of_one_full_training_trains_one_to_the_end(place, epochs):
    plan = Plan((1,), epochs, replicates=3, strategy="thaw", passes=epochs)
    board = search(place, World(), plan, thaw(plan, lanes=2)).leaderboard
    assert max(row.epochs for row in board) == epochs
    assert sum(row.epochs for row in board) <= epochs


def test_a_budget_that_is_spent_before_the_search_says_so(place):
    with pytest.raises(BudgetError, match="enough for one epoch"):
        search(place, World(), TIMED, thaw(TIMED), elapsed=199.9)


@pytest.mark.parametrize("error", [Crash, KeyboardInterrupt])
def test_a_run_stopped_anywhere_ends_like_one_that_was_not(place, error):
    plan = replace(PLAN, passes=70)
    expected = told(search(place, World(), plan, thaw(plan)))
    for at in count(1, 11):
        with somewhere() as here:
            world = World().breaks(at, error)
            try:
                outcome = search(here, world, plan, thaw(plan))
            except Crash:
                outcome = None
            if world.calls < at:
                break
            if outcome is not None:
                assert outcome.interrupted
            assert told(search(here, World(), plan, thaw(plan))) == expected
    assert at > 100


def test_an_interrupt_hands_back_the_best_so_far(place):
    outcome = search(place, World(lanes=1).breaks(60, KeyboardInterrupt), PLAN, thaw())
    assert outcome.interrupted
    assert not outcome.winner.refitted
    best = outcome.leaderboard.best
    assert outcome.winner.candidate == best.id
    assert outcome.winner.params[0]["weight"][0, 0] == memory_after(best.epochs)


def test_a_budget_in_time_is_kept_and_leaves_time_for_repeats_and_refit(place):
    world = World()
    outcome = search(place, world, TIMED, thaw(TIMED))
    assert world.now - 100.0 <= TIMED.seconds + 1
    assert outcome.scores.shape[1] >= 5
    assert outcome.winner.refitted


def test_a_machine_that_slows_down_still_repeats_the_finalists_and_refits_the_winner(place):
    world = World()
    world.costs = lambda settings: 1.0 if world.now < 350.0 else 4.0
    began, plan = world.now, replace(TIMED, seconds=800.0, passes=900)
    outcome = search(place, world, plan, thaw(plan))
    assert world.now - began <= 1.05 * 800.0
    assert outcome.winner.refitted
    assert outcome.leaderboard.best.replicates >= 3


@pytest.mark.parametrize(("beyond", "cut"), [(3, False), (10, True)])
def test_a_round_that_is_nearly_over_when_its_time_is_up_comes_to_its_end(place, beyond, cut):
    """Of 200 s it may take 4 of those that are kept for repeats and refit."""

    class Overdrawn(Scripted):
        def decide(self, trials, left, memory):
            if len(trials) == 1 and trials[0].epochs == 1:
                self.steps[1] = Step(goals={0: 1 + int(left) + beyond})
            return super().decide(trials, left, memory)

    strategy = Overdrawn(Step(fresh=tuple(rates(BEST_RATE, epochs=500)), until=1), Step())
    search(place, World(lanes=1), TIMED, strategy)
    assert segments(place)["search/1"]["cut"] == cut


def test_the_first_round_is_a_network_a_lane_so_that_one_is_soon_held(place):
    search(place, World(lanes=2), PLAN, thaw(lanes=2))
    with Run.open(place, write=False) as run:
        first, second = (run.segment(f"search/{number}") for number in (0, 1))
    assert [one["candidate"] for one in first["rung"]] == [0, 1]
    assert first["kept"] == [0, 1]
    assert min(one["candidate"] for one in second["rung"]) == 2


def test_the_record_tells_what_the_study_told(place):
    outcome = search(place, World(), PLAN, thaw(space=WILD))
    with Run.open(place) as run:
        run.commit("plan", payload={"plan": PLAN.to_dict(), "elapsed": 0.0})
    with Run.open(place, write=False) as run:
        assert history.leaderboard(run).to_json() == outcome.leaderboard.to_json()
        assert history.phase(run) in {"refit", "opening the test part"}
        lengths = {candidate: len(curve) for candidate, curve in history.curves(run).items()}
        audited = {one["candidate"] for one in run.segment("audit")["rung"]}
    epochs = {row.id: row.epochs for row in outcome.leaderboard if row.epochs}
    assert audited
    for candidate in epochs.keys() - audited:
        assert lengths[candidate] == epochs[candidate]


def test_curves_of_the_record_have_no_holes_and_no_doubles(place):
    search(place, World(), PLAN, thaw())
    with Run.open(place, write=False) as run:
        points = [point for point in run.curves() if point.phase == "search"]
    seen = {}
    for point in points:
        seen.setdefault(point.candidate, []).append(point.epoch)
    assert all(epochs == list(range(1, len(epochs) + 1)) for epochs in seen.values())


def test_the_space_of_the_study_is_the_strategys(place):
    outcome = search(place, World(), PLAN, thaw(space=SPACE))
    assert all(1e-4 <= row.settings.learning_rate <= 5.0 for row in outcome.leaderboard)


# A population whose rates evolve


def test_a_child_goes_on_with_its_parents_training_and_has_its_curve(place):
    child = rates(0.01)[0].then(2, {"learning_rate": 0.02})
    script = Scripted(
        Step(fresh=tuple(rates(0.01, 0.5)), until=2),
        Step(goals={0: 4}, fresh=(child,), until=4, parents=(0,)),
        Step(goals={2: 5}),
    )
    one, run = study(place, Evolving(), POPULATION, script)
    with run:
        one._search.run()
        weights = one._search.stopped()[2]()
    assert weights[0]["weight"][0, 0] == memory_after(5)
    assert sum(done["network_epochs"] for done in segments(place).values()) == 2 * 2 + 2 * 2 + 1
    assert segments(place)["search/1"]["parents"] == [0]
    trials = {one.id: one for one in script.seen[-1][0]}
    assert trials[2].scores[:2] == trials[0].scores[:2]
    assert trials[2].scores[2] != trials[0].scores[2]
    assert trials[2].epochs == 5


def test_a_population_trains_to_the_end_within_its_budget(place):
    outcome = search(place, Evolving(), POPULATION, pbt())
    assert sum(done["network_epochs"] for done in segments(place).values()) == 60
    assert sum(row.epochs == EPOCHS for row in outcome.leaderboard) == 6
    assert outcome.winner.settings.evolved
    assert outcome.winner.refitted
    assert outcome.scores.shape == (3, 3)
    with Run.open(place, write=False) as run:
        assert run.segment("audit") is None


def test_curves_of_children_have_no_holes_and_no_doubles(place):
    outcome = search(place, Evolving(), POPULATION, pbt())
    with Run.open(place, write=False) as run:
        curves = history.curves(run)
        points = [point for point in run.curves() if point.phase == "search"]
    assert {row.id: row.epochs for row in outcome.leaderboard} == {
        one: len(curve) for one, curve in curves.items()
    }
    assert len({(point.candidate, point.epoch) for point in points}) == len(points)


def test_finals_train_the_whole_recipe_again(place):
    world = Evolving(noise=0.0)
    outcome = search(place, world, POPULATION, pbt())
    for one, scores in zip(outcome.finalists, outcome.scores, strict=True):
        row = outcome.leaderboard[one]
        assert scores == pytest.approx([row.score] * 3)


@pytest.mark.parametrize("error", [Crash, KeyboardInterrupt])
def test_a_population_stopped_anywhere_ends_like_one_that_was_not(place, error):
    expected = told(search(place, Evolving(), POPULATION, pbt()))
    for at in count(1, 17):
        with somewhere() as here:
            world = Evolving().breaks(at, error)
            try:
                outcome = search(here, world, POPULATION, pbt())
            except Crash:
                outcome = None
            if world.calls < at:
                break
            assert outcome is None or outcome.interrupted
            assert told(search(here, Evolving(), POPULATION, pbt())) == expected
    assert at > 100


def test_those_of_a_population_that_diverge_never_win(place):
    outcome = search(place, Evolving(), POPULATION, pbt(WILD))
    broken = {row.id for row in outcome.leaderboard if row.status == "diverged"}
    assert broken
    assert outcome.winner.candidate not in broken
    assert all(
        step["parents"] == [] or not broken & set(step["parents"])
        for step in segments(place).values()
    )


def test_a_population_on_a_clock_keeps_to_it(place):
    world = Evolving()
    plan = replace(POPULATION, seconds=90.0, epoch_seconds=1.0)
    outcome = search(place, world, plan, pbt())
    assert world.now - 100.0 <= 91.0
    assert outcome.winner.refitted


def test_the_record_of_a_population_says_what_cannot_be_said(place):
    outcome = search(place, Evolving(), POPULATION, pbt())
    with Run.open(place) as run:
        run.commit("plan", payload={"plan": POPULATION.to_dict(), "elapsed": 0.0})
        assert history.leaderboard(run).to_json() == outcome.leaderboard.to_json()
        said = verdict(run, POPULATION)
    assert said.audit is None
    assert said.doubling.gain is None
    assert "evolves" in said.doubling.sentence
    learned = understand(outcome.leaderboard, SOUND)
    assert learned.importances is None
    assert "evolves" in learned.reason


def test_a_search_begins_with_the_cheapest_of_the_evenly_spread():
    _, plain = opening()
    for sign in (1, -1):

        def cost(settings, sign=sign):
            return sign * settings.learning_rate

        first, everyone = opening(cost)
        assert first == tuple(sorted(plain, key=cost)[:2])
        assert set(everyone) == set(plain)
        assert everyone[2:] == tuple(one for one in plain if one not in first)


def test_of_equally_cheap_points_the_first_come_first():
    assert opening(lambda settings: 1.0) == opening()


def test_whoever_had_no_epoch_yet_would_cost_nothing_alone(place):
    rows = search(place, World(), PLAN, thaw()).leaderboard.rows
    waiting = Row(99, rows[0].settings, "unfinished", 0, math.nan)
    with Run.open(place) as run:
        run.commit("plan", payload={"plan": PLAN.to_dict()})
        assert costs.of_rows(run, rows, 1.0).saved > 0
        assert costs.of_rows(run, (*rows, waiting), 1.0) == costs.of_rows(run, rows, 1.0)
