"""A run begins with what others found: it is found sooner, and nobody is led astray for good."""

import json
import math
import shutil
from dataclasses import replace

import pytest

import fleetgrad as fg
from fleetgrad import takeover
from fleetgrad.earlier import FIRST, Earlier, Seen, recorded, summary
from fleetgrad.errors import RunError, UsageError
from fleetgrad.plan import Plan
from fleetgrad.space import Choice, Float, Space
from fleetgrad.store import Run
from fleetgrad.strategies.elders import LEVELS
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.thaw import Thaw
from simulated import BEST_RATE, SOUND, SPACE, Crash, World, counted, rates, search
from test_history import planned
from test_study import somewhere, told

EPOCHS = 10
PLAN = Plan((4,), EPOCHS, replicates=3, strategy="thaw", passes=160)
FEW = fg.Budget(candidates=3, epochs=1)


def thaw(plan, *earlier, seed=0):
    options = Options(plan.epochs, plan.passes, seed, decisions=8)
    return Thaw(SOUND, options, earlier)


def before(place, plan=PLAN, space=SOUND):
    """A run that was brought to its end at `place`, and what came of it."""
    planned(place, plan)
    proposer = thaw(plan) if plan.strategy == "thaw" else "sobol"
    return search(place, World(), plan, proposer, space=space)


def error(outcome):
    """How far the winner's rate lies from the planted best, in powers of ten."""
    return abs(math.log10(outcome.winner.settings.learning_rate / BEST_RATE))


def of_truth(world, count=25):
    """An earlier run over the whole range, whose best came within two hundredths of a power."""
    return _of(world, rates(*(1e-4 * 1.41**place for place in range(count))))


def misleading(world, count=25):
    """The same run, had the worst been the best."""
    truth = of_truth(world, count).candidates
    found = [one._replace(settings=other.settings) for one, other in zip(truth, truth[::-1])]  # noqa: B905 - alike
    return Earlier("runs/false", "digits", EPOCHS, tuple(found))


def _of(world, several):
    curves = {one: [world.row(one, 0, epoch)[3] for epoch in range(EPOCHS)] for one in several}
    ranked = sorted(several, key=lambda one: -curves[one][-1])
    found = [Seen.of(one, curves[one], EPOCHS, diverged=False) for one in ranked]
    return Earlier("runs/true", "digits", EPOCHS, tuple(found))


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


@pytest.mark.parametrize("plan", [PLAN, counted(9, 9)])
def test_a_run_is_read_best_first_with_its_curves(place, plan):
    outcome = before(place, plan, SPACE)
    found = takeover.read(place)
    assert (found.run, found.dataset, found.epochs) == (str(place), "digits", plan.epochs)
    assert len(found.candidates) == len(outcome.leaderboard)
    assert [one.settings for one in found.candidates] == [r.settings for r in outcome.leaderboard]
    assert found.candidates[0].settings == outcome.winner.settings
    for one, row in zip(found.candidates, outcome.leaderboard, strict=True):
        assert one.diverged == (row.status == "diverged")
        assert not one.at or one.at[-1] <= row.epochs


def test_the_best_of_an_earlier_run_are_the_first_to_train(place):
    earlier = of_truth(World())
    outcome = search(place, World(), PLAN, thaw(PLAN, earlier))
    rows = sorted(outcome.leaderboard, key=lambda row: row.id)
    rates_first = [row.settings.learning_rate for row in rows[:FIRST]]
    assert rates_first == [one.learning_rate for one in earlier.first(SOUND, EPOCHS)]
    assert rates_first[0] == earlier.candidates[0].settings.learning_rate


def test_with_the_truth_before_it_a_short_search_comes_nearer(place):
    short, earlier = replace(PLAN, passes=25), of_truth(World())

    def missed(name, *runs):
        return sum(
            error(search(place / f"{name}{seed}", World(), short, thaw(short, *runs, seed=seed)))
            for seed in range(3)
        )

    assert missed("told", earlier) < 0.5 * missed("alone")


def test_a_run_that_misleads_is_seen_through(place):
    outcome = search(place, World(), PLAN, thaw(PLAN, misleading(World())))
    assert error(outcome) < 0.25
    with Run.open(place, write=False) as run:
        steps = [run.segment(name) for name in run.segments() if name.startswith("search/")]
    alike = [one["memory"]["alike"][1] for one in steps if one["memory"]]
    assert alike[-1] <= 0.3


def test_a_run_of_the_same_is_known_as_such(place):
    search(place, World(noise=0.001), PLAN, thaw(PLAN, of_truth(World(noise=0.001))))
    with Run.open(place, write=False) as run:
        steps = [run.segment(name) for name in run.segments() if name.startswith("search/")]
    alike = [one["memory"]["alike"][1] for one in steps if one["memory"]]
    assert alike[-1] == max(LEVELS)


@pytest.mark.parametrize("at", [3, 20, 70])
def test_a_run_goes_on_without_the_old_directory(tmp_path, at):
    plan = replace(PLAN, passes=70)
    before(tmp_path / "old", plan)
    taken = takeover.taken(tmp_path / "old", SOUND, None)
    config = json.loads(json.dumps({"earlier": [one.to_dict() for one in taken]}))
    shutil.rmtree(tmp_path / "old")
    expected = told(search(tmp_path / "new", World(), plan, thaw(plan, *taken)))
    with pytest.raises(Crash):
        search(tmp_path / "cut", World().breaks(at, Crash), plan, thaw(plan, *recorded(config)))
    again = search(tmp_path / "cut", World(), plan, thaw(plan, *recorded(config)))
    assert told(again) == expected


# What a user sees


@pytest.mark.parametrize(
    "budget", [fg.Budget(candidates=5, epochs=1), fg.Budget(network_epochs=40, epochs=9)]
)
def test_tune_says_what_it_took_over_and_so_does_the_record(world, place, budget):
    old, new = place / "old", place / "new"
    first = fg.tune("digits", SOUND, budget, out=old)
    result = fg.tune("digits", SOUND, budget, out=new, warm_start=[old, old])
    expected = {"run": str(old), "dataset": "digits", "candidates": first.candidates, "enqueued": 3}
    assert result.to_dict()["warm_start"] == [expected]
    assert first.to_dict()["warm_start"] == []
    rows = {row.id: row.settings for row in result.leaderboard}
    assert rows[0] == first.leaderboard.rows[0].settings
    shutil.rmtree(old)
    with Run.open(new, write=False) as run:
        assert [dict(one) for one in summary(run.config)] == [expected]
    assert fg.resume(new).to_dict()["warm_start"] == [expected]


def test_two_runs_share_the_first_places(world, place):
    for name, seed in (("a", 0), ("b", 1)):
        fg.tune("digits", SOUND, fg.Budget(candidates=4, epochs=1), seed, place / name)
    result = fg.tune(
        "digits",
        SOUND,
        fg.Budget(candidates=9, epochs=1),
        out=place / "c",
        warm_start=[place / "a", place / "b"],
    )
    assert [one["enqueued"] for one in result.warm_start] == [3, 3]


def refused(error, match, place, **changes):
    with pytest.raises(error, match=match):
        fg.tune("digits", **{"space": SOUND, "budget": FEW, "out": place / "new"} | changes)
    assert not (place / "new").exists()


def test_where_there_is_no_run_there_is_nothing_to_take(world, place):
    refused(RunError, "must be a run's directory", place, warm_start=place / "nowhere")


def test_a_run_in_which_nobody_trained_is_refused(world, place):
    planned(place / "old", PLAN)
    refused(
        RunError, "must have trained somebody.*fleetgrad resume", place, warm_start=place / "old"
    )


def test_a_run_cannot_begin_with_itself(world, place):
    fg.tune("digits", SOUND, FEW, out=place / "old")
    listed = {path: path.stat().st_mtime_ns for path in (place / "old").iterdir()}
    with pytest.raises(UsageError, match="its own directory.*fleetgrad resume"):
        fg.tune("digits", SOUND, FEW, out=place / "old", warm_start=place / "new" / ".." / "old")
    assert {path: path.stat().st_mtime_ns for path in (place / "old").iterdir()} == listed


def test_a_run_far_from_the_space_is_refused(world, place):
    fg.tune("digits", SOUND, FEW, out=place / "old")
    others = Space(activation=Choice("tanh", "gelu"), learning_rate=Float(2.0, 5.0))
    refused(
        UsageError, "near the space.*`activation`", place, space=others, warm_start=place / "old"
    )


def test_a_grid_takes_nothing_over(world, place):
    fg.tune("digits", SOUND, FEW, out=place / "old")
    refused(
        UsageError, "a grid has the same points", place, sampler="grid", warm_start=place / "old"
    )
