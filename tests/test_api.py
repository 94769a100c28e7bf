import math
import os
import signal
import time
from contextlib import suppress
from itertools import count

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad import api, history, products, soundness
from fleetgrad.data.sealed import SealedTest
from fleetgrad.errors import (
    BudgetError,
    DataError,
    RunError,
    SettingsError,
    SpaceError,
    TrainingError,
    UsageError,
)
from fleetgrad.machine import Machine
from fleetgrad.store import Run
from runs import script
from simulated import Crash
from test_distilling import School

NARROW = fg.Space(hidden=(3,), learning_rate=fg.Float(1e-3, 5.0, log=True))  # some diverge
SPACE = fg.Space(
    hidden=(16,), batch_size=64, learning_rate=fg.Float(1e-3, 0.1, log=True), weight_decay=1e-4
)
FEW = fg.Budget(candidates=6, epochs=3)
MACHINE = soundness.here()  # found sound now, not in the midst of a test


@pytest.fixture
def digits():
    return fg.load("digits")


@pytest.fixture
def machine(monkeypatch):
    """One machine for all tests, so that each program is compiled once."""
    monkeypatch.setattr(Machine, "here", lambda: MACHINE)


def same(found, expected):
    """Whether two runs came to the same."""
    assert found.leaderboard.to_json() == expected.leaderboard.to_json()
    assert found.settings == expected.settings
    assert found.validation == expected.validation
    assert (found.test.value, found.test.n) == (expected.test.value, expected.test.n)
    assert found.ties == expected.ties
    assert found.network_epochs == pytest.approx(expected.network_epochs)
    for one, other in zip(found.model.params, expected.model.params, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    return True


def openings(place):
    with Run.open(place, write=False) as run:
        return [opening.number for opening in run.test_openings()]


# A whole run on real data


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run on digits, and what the record held as the test part was opened."""
    place, seen = tmp_path_factory.mktemp("whole") / "run", {}
    opened = SealedTest.open

    def spied(self, opened_by, record):
        with Run.open(place, write=False) as run:
            seen["segments"], seen["openings"] = run.segments(), run.test_openings()

        def recorded(name):
            number = record(name)
            with Run.open(place, write=False) as run:
                seen["recorded"] = run.test_openings()
            return number

        return opened(self, opened_by, recorded)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "here", lambda: MACHINE)
        patch.setattr(SealedTest, "open", spied)
        return fg.tune("digits", SPACE, FEW, out=place), seen


def test_tune_finds_a_network_that_reads_digits(whole, digits):
    result, _ = whole
    assert result.test.value > 0.85
    assert result.test.interval.low < result.test.value < result.test.interval.high
    assert result.test.n == digits.test.rows
    assert result.validation.replicates == 5
    assert result.validation.interval.low < result.validation.mean
    assert result.settings == result.leaderboard.best.settings
    assert result.candidates == len(result.leaderboard) == 6
    assert result.elapsed_s > result.compile_s > 0
    assert not result.interrupted


def test_the_model_predicts_labels_and_is_the_one_that_was_saved(whole, digits):
    result, _ = whole
    assert (result.model.predict(digits.x) == digits.classes[digits.y]).mean() > 0.85
    for path in (result.model_path, result.run):
        loaded = fg.Model.load(path)
        assert np.array_equal(loaded.predict_proba(digits.x), result.model.predict_proba(digits.x))


def test_the_test_part_is_not_read_before_the_winner_is_fixed(whole):
    _, seen = whole
    assert seen["segments"][-2:] == ("refit", "calibration")
    assert seen["openings"] == []


def test_the_opening_is_on_record_before_a_row_is_handed_out(whole):
    result, seen = whole
    (opening,) = seen["recorded"]
    assert (opening.number, opening.opened_by) == (1, "tune run")
    assert result.test.opening == 1


def test_the_test_figure_is_of_the_sealed_rows(whole, digits):
    result, _ = whole
    sealed = digits.test.open("a test of this project", lambda _: 1)
    right = (result.model.predict(sealed.x) == digits.classes[sealed.y]).mean()
    assert result.test.value == right


def test_a_finished_run_resumed_says_the_same_and_opens_nothing(whole, machine, monkeypatch):
    result, _ = whole
    monkeypatch.setattr(SealedTest, "open", None)
    again = fg.resume(result.run)
    assert same(again, result)
    assert again.test.opening == 1
    assert again.elapsed_s == result.elapsed_s
    assert again.insight == result.insight
    assert np.sum(again.insight.divergence.tried) == result.candidates
    assert openings(result.run) == [1]


@pytest.mark.parametrize(("phase", "rung"), [("search", 2), ("finals", 1), ("refit", 1)])
def test_a_real_run_interrupted_has_a_model_and_goes_on(
    whole, machine, tmp_path, digits, phase, rung
):
    def interrupt(progress):
        if (progress.phase, progress.rung) == (phase, rung):
            raise KeyboardInterrupt

    result = fg.tune("digits", SPACE, FEW, out=tmp_path / "run", report=interrupt)
    assert result.interrupted
    assert result.test is None
    assert openings(result.run) == []
    assert result.settings == result.leaderboard.best.settings
    right = (result.model.predict(digits.x) == digits.classes[digits.y]).mean()
    assert right > (0.5 if phase == "search" else 0.85)
    assert same(fg.resume(result.run), whole[0])


RUN = """
import sys
import fleetgrad as fg

space = fg.Space(
    hidden=(16,), batch_size=64, learning_rate=fg.Float(1e-3, 0.1, log=True), weight_decay=1e-4
)
if sys.argv[2] == "tune":
    fg.tune("digits", space, budget=fg.Budget(candidates=6, epochs=3), out=sys.argv[1])
else:
    fg.resume(sys.argv[1])
"""


def segments(place):
    with suppress(RunError), Run.open(place, write=False) as run:
        return run.segments()
    return ()


def kill_when(process, place, done, pause):
    """Kill the process a moment after so many segments are done."""
    for _ in count():
        if len(segments(place)) >= done or process.poll() is not None:
            break
        time.sleep(0.01)
    time.sleep(pause)
    process.kill()
    return process.wait(30)


def killed(place, moments):
    """A run begun, and gone on with, and killed each time so long after so many segments."""
    for number, (done, pause) in enumerate(moments):
        with script(RUN, place, "resume" if number else "tune") as process:
            end = kill_when(process, place, done, pause)
            assert number or end == -signal.SIGKILL


def test_a_run_killed_at_random_moments_ends_like_one_that_was_not(whole, tmp_path, machine):
    result, _ = whole
    pauses = np.random.default_rng(0).uniform(0, 0.3, 3)
    killed(tmp_path / "run", zip((1, 2, 3), pauses, strict=True))
    assert same(fg.resume(tmp_path / "run"), result)


@pytest.mark.reliability
def test_runs_killed_at_ten_random_moments_end_like_one_that_was_not(whole, tmp_path, machine):
    result, _ = whole
    draw = np.random.default_rng(0)
    for number in range(10):
        place = tmp_path / f"run-{number}"
        done = sorted(draw.integers(1, len(segments(result.run)), 3))
        killed(place, zip(done, draw.uniform(0, 0.5, 3), strict=True))
        assert same(fg.resume(place), result)


# The rest on simulated curves


def crashing_everywhere(tmp_path, world, error):
    for at in count(1):
        place = tmp_path / f"run-{at}"
        world.breaks(at, error)
        try:
            yield place, fg.tune("digits", NARROW, fg.Budget(candidates=3, epochs=1), out=place)
        except Crash:
            yield place, None
        if world.calls < at:
            return
        world.breaks(math.inf, Crash)


def test_a_run_crashed_anywhere_opens_the_test_part_once_in_the_end(tmp_path, world, no_page):
    results = []
    for place, result in crashing_everywhere(tmp_path, world, Crash):
        results.append(result or fg.resume(place))
        assert results[-1].test.opening == 1
        assert openings(place) == [1]
    assert len(results) > 20
    assert all(same(result, results[-1]) for result in results)


def test_an_interrupted_run_keeps_the_test_part_sealed_and_can_go_on(tmp_path, world, no_page):
    whole = fg.tune("digits", NARROW, fg.Budget(candidates=3, epochs=1), out=tmp_path / "whole")
    modeled = 0
    for place, result in crashing_everywhere(tmp_path, world, KeyboardInterrupt):
        if not result.interrupted:
            break
        assert result.test is None
        assert openings(place) == []
        if result.model is not None:
            modeled += 1
            assert result.settings == result.leaderboard.best.settings
            assert fg.Model.load(place).settings == result.settings
            assert result.validation.mean > 0
        assert same(fg.resume(place), whole)
    assert modeled > 15


def test_an_opening_that_was_cut_short_is_told(tmp_path, world, monkeypatch):
    place, commit = tmp_path / "run", Run.commit

    def broken(self, segment, **others):
        if segment == "test":
            raise Crash
        commit(self, segment, **others)

    monkeypatch.setattr(Run, "commit", broken)
    with pytest.raises(Crash):
        fg.tune("digits", NARROW, FEW, out=place)
    monkeypatch.setattr(Run, "commit", commit)
    assert fg.resume(place).test.opening == 2
    assert openings(place) == [1, 2]


def test_a_time_is_planned_from_what_training_costs_and_kept(tmp_path, world):
    result = fg.tune("digits", NARROW, "120s", out=tmp_path / "run")
    assert 60 < result.elapsed_s <= 126
    assert result.budget_s == 120
    assert result.candidates >= 9
    assert result.validation.replicates >= 3
    with Run.open(result.run) as run:
        assert run.segment("plan")["plan"]["seconds"] == 120


def test_how_to_disturb_images_can_be_searched(tmp_path, world):
    space = fg.Space(augment=fg.Choice("none", "shift", {"shift": 3}), learning_rate=1e-3)
    found = fg.tune("digits", space, FEW, out=tmp_path / "run", sampler="grid")
    again = fg.resume(tmp_path / "run")
    for leaderboard in (found.leaderboard, again.leaderboard):
        tried = {str(row.settings.augment) for row in leaderboard}
        assert tried == {"none", "shift 2", "shift 3"}


SCHOOLED = fg.Space(learning_rate=fg.Float(1e-4, 0.9, log=True))


@pytest.fixture(params=[0.97, 0.3])
def schooled(request, world, monkeypatch):
    """The same, where a student is better than the winner, or is not."""
    monkeypatch.setattr(api, "Fleet", lambda *_, **__: School(request.param))
    return request.param


def test_a_distilled_run_hands_back_one_network_and_keeps_the_ensemble(
    tmp_path, schooled, digits, no_page
):
    place = tmp_path / "run"
    budget = fg.Budget(network_epochs=160, epochs=10)
    found = fg.tune(digits, SCHOOLED, budget, out=place, distill=True)
    better = schooled > 0.5
    assert found.distilled.kept == ("student" if better else "winner")
    assert isinstance(found.model, fg.Model)
    assert found.model.settings == found.settings
    assert (found.model.params[0]["weight"][0, 0] < 0) == better
    told = found.to_dict()["distilled"]
    assert set(told["validation"]) == {"winner", "ensemble", "student"}
    assert found.model.information.get("distilled") == (told if better else None)
    assert fg.Model.load(place).information == found.model.information
    together = fg.Model.load(place / "ensemble")
    assert isinstance(together, fg.Ensemble)
    assert {one["candidate"]: one["weight"] for one in told["teachers"]} == found.ensemble
    assert [part.weight for part in together.parts] == pytest.approx([*found.ensemble.values()])
    assert len(openings(place)) == 1
    with Run.open(place, write=False) as run:
        assert history.result(run).distilled == found.distilled
        assert run.config["ensemble"]
    again = fg.resume(place, digits)
    assert again.to_dict()["distilled"] == told
    assert again.model.params[0]["weight"][0, 0] == found.model.params[0]["weight"][0, 0]
    assert len(openings(place)) == 1


def test_a_resumed_run_has_the_time_that_is_left(tmp_path, world):
    place = tmp_path / "run"
    world.breaks(60, Crash)
    with pytest.raises(Crash):
        fg.tune("digits", NARROW, 120, out=place)
    with Run.open(place) as run:
        spent = max(run.segment(name)["elapsed"] for name in run.segments())
    began = world.now
    world.breaks(math.inf, Crash)
    result = fg.resume(place)
    assert world.now - began <= 126 - spent
    assert result.elapsed_s == pytest.approx(spent + world.now - began)


def test_runs_are_named_after_the_data_and_counted(tmp_path, world, monkeypatch):
    monkeypatch.chdir(tmp_path)
    budget = fg.Budget(candidates=1, epochs=1)
    names = [str(fg.tune("digits", NARROW, budget).run) for _ in range(2)]
    assert names == ["runs/digits-1", "runs/digits-2"]


def test_the_same_seed_gives_the_same_result_and_another_another(tmp_path, world):
    runs = [fg.tune("digits", NARROW, FEW, s, tmp_path / str(n)) for n, s in enumerate([0, 0, 1])]
    assert same(runs[0], runs[1])
    assert runs[2].leaderboard.to_json() != runs[0].leaderboard.to_json()


def test_a_run_over_arrays_needs_them_again_and_no_others(tmp_path, world, digits):
    labels = digits.classes[digits.y]
    data = fg.Dataset.from_arrays(digits.x, labels)
    place = tmp_path / "run"
    whole = fg.tune(data, NARROW, FEW, out=place)
    with pytest.raises(RunError, match=r"over arrays in memory, got no data; use .*resume"):
        fg.resume(place)
    with pytest.raises(RunError, match="goes on with the data it began with, got others"):
        fg.resume(place, "digits")
    assert same(fg.resume(place, data), whole)


def test_data_that_changed_since_are_refused(tmp_path, world, digits):
    file = tmp_path / "data.npz"
    np.savez(file, X=digits.x, y=digits.y)
    place = tmp_path / "run"
    fg.tune(file, NARROW, FEW, out=place)
    fg.resume(place)
    np.savez(file, X=digits.x[::-1], y=digits.y)
    with pytest.raises(RunError, match="goes on with the data it began with"):
        fg.resume(place)


def test_a_run_is_resumed_from_another_directory_too(tmp_path, world, digits, monkeypatch):
    np.savez(tmp_path / "data.npz", X=digits.x, y=digits.y)
    monkeypatch.chdir(tmp_path)
    fg.tune("data.npz", NARROW, FEW, out="run")
    monkeypatch.chdir("/")
    assert fg.resume(tmp_path / "run").test.opening == 1


def test_a_second_writer_is_refused_by_name(tmp_path, world):
    place = tmp_path / "run"
    fg.tune("digits", NARROW, FEW, out=place)
    with Run.open(place), pytest.raises(RunError, match=f"process {os.getpid()}"):
        fg.resume(place)
    with pytest.raises(RunError, match="must hold no run yet, .* `fleetgrad resume"):
        fg.tune("digits", NARROW, FEW, out=place)


def test_progress_is_reported(tmp_path, world):
    seen = []
    fg.tune("digits", NARROW, FEW, out=tmp_path / "run", report=seen.append)
    assert {progress.phase for progress in seen} == {"search", "finals", "refit"}


def test_a_search_in_which_all_diverge_keeps_its_record(tmp_path, world):
    space = fg.Space(hidden=(3,), learning_rate=fg.Float(2.0, 9.0))
    place = tmp_path / "run"
    with pytest.raises(TrainingError, match="all diverged") as caught:
        fg.tune("digits", space, FEW, out=place)
    assert segments(place) == ("plan", "search/0_0")
    assert openings(place) == []
    assert f"the run is kept, look at it with `fleetgrad show {place}`" in str(caught.value)
    chart = caught.value.divergence
    assert (chart.x, chart.y) == ("learning_rate", None)
    with pytest.raises(TrainingError) as again:
        fg.resume(place)
    assert str(again.value) == str(caught.value)
    assert again.value.divergence == chart


MISTAKES = {
    "budget of nothing": ({"budget": 0}, BudgetError),
    "budget in words": ({"budget": "soon"}, BudgetError),
    "budget for nothing": ({"budget": "0.5s"}, BudgetError),
    "seed below zero": ({"seed": -1}, SettingsError),
    "seed of no kind": ({"seed": True}, SettingsError),
    "budget for a space": ({"space": FEW}, UsageError),
    "sampler": ({"sampler": "sobl"}, UsageError),
    "data": ({"data": "digist"}, DataError),
    "target of no table": ({"target": "label"}, UsageError),
    "no images": (
        {
            "data": fg.Dataset.from_arrays(np.eye(60, 5), np.arange(60) % 2),
            "space": fg.Space(augment=fg.Choice("none", "shift"), hidden=(3,)),
        },
        SettingsError,
    ),
    "batch": ({"space": fg.Space(batch_size=5000, dropout=fg.Float(0, 0.5))}, SettingsError),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_at_once_and_leaves_nothing(tmp_path, machine, monkeypatch, mistake):
    fg.load("digits")  # the first time is spent on importing scikit-learn
    changes, error = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    asked = {"data": "digits", "budget": FEW, "out": "here/run"} | changes
    began = time.monotonic()
    with pytest.raises(error):
        fg.tune(**asked)
    assert time.monotonic() - began < 2
    assert not (tmp_path / "here" / "run").exists()


@pytest.fixture
def uncompiled(monkeypatch):
    """A machine on which nothing may be compiled, nor measured."""

    def compiles(*_, **__):
        raise AssertionError("something was compiled")

    for place in (Machine, products):
        name = "_compile" if place is Machine else "fastest"
        assert callable(getattr(place, name))
        monkeypatch.setattr(place, name, compiles)
    monkeypatch.setattr(Machine, "here", lambda: Machine(MACHINE.lanes, MACHINE.width))


RATE = {"learning_rate": fg.Float(1e-3, 0.1, log=True), "precision": "auto"}
CANNOT_RUN = {  # one value among many, for which a search of few candidates may never ask
    "batch_size": (
        {"batch_size": fg.Choice(16, 32, 64, 128, 1439)},
        "`batch_size` must not .* 1439",
    ),
    "batch_size of a range": (
        {"batch_size": fg.Int(16, 4000, log=True)},
        "`batch_size` .* got 4000",
    ),
    "augment": ({"augment": fg.Choice("none", "shift", {"shift": 8})}, "`augment` .* got 8"),
}


@pytest.mark.parametrize("case", CANNOT_RUN)
@pytest.mark.parametrize("budget", [fg.Budget(candidates=1, epochs=1), "60s"])
@pytest.mark.parametrize("call", [fg.tune, fg.dry_run])
def test_a_space_with_one_value_that_cannot_run_is_refused_by_name_before_compiling(
    tmp_path, uncompiled, case, budget, call
):
    values, words = CANNOT_RUN[case]
    with pytest.raises(SettingsError, match=words):
        call("digits", fg.Space(**RATE | values), budget, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", fg.Choice((16,), (16, 0))),
        ("dropout", fg.Choice(0.0, 0.2, 1.0)),
        ("dropout", fg.Float(0, 1)),
        ("batch_size", fg.Int(0, 64)),
    ],
)
def test_a_space_holds_nothing_that_no_data_could_mend(name, value):
    with pytest.raises(SpaceError, match=f"`{name}`"):
        fg.Space(**RATE | {name: value})


@pytest.mark.parametrize(("name", "value"), [("hidden", (8, 0)), ("dropout", 1), ("batch_size", 0)])
def test_settings_that_cannot_run_are_never_made(name, value):
    with pytest.raises(SettingsError, match=f"`{name}` must be"):
        fg.Settings(**{name: value})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"batch_size": 1439}, "`batch_size` must not exceed the 11.* training rows, got 1439"),
        ({"augment": {"elastic": 9}}, "`augment` .* got 9"),
        ({"hidden": (10**7, 10**7)}, "`hidden` 10000000-10000000"),
    ],
)
def test_a_list_with_one_that_cannot_run_is_refused_by_name_before_compiling(
    uncompiled, values, words
):
    sound = [fg.Settings(precision="auto"), fg.Settings(hidden=(8,))]
    with pytest.raises((SettingsError, BudgetError), match=words):
        fg.train("digits", [*sound, fg.Settings(**values)], epochs=1)


def test_the_guard_against_compiling_would_notice(uncompiled):
    for one in (fg.Settings(precision="auto"), fg.Settings()):
        with pytest.raises(AssertionError, match="was compiled"):
            fg.train("digits", [one], epochs=1)


def test_what_else_is_in_the_directory_stays(tmp_path, machine):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="`batch_size`"):
        fg.tune("digits", MISTAKES["batch"][0]["space"], FEW, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# A fixed list


LIST = [
    fg.Settings(hidden=(16,), batch_size=64, epochs=2, learning_rate=rate) for rate in (0.1, 0.01)
]


def test_train_gives_a_curve_for_every_settings_and_replicate(machine, digits):
    curves = fg.train(digits, LIST, epochs=3, replicates=2)
    assert all(curve.shape == (2, 2, 3) for curve in curves)
    assert np.isfinite(curves.train_loss).all()
    assert (curves.train_accuracy[..., -1] > curves.train_accuracy[..., 0]).all()
    assert ((curves.validation_accuracy > 0) & (curves.validation_accuracy <= 1)).all()


def test_permuting_settings_permutes_curves(machine, digits):
    plain, turned = fg.train(digits, LIST), fg.train(digits, LIST[::-1])
    for one, other in zip(plain, turned, strict=True):
        np.testing.assert_allclose(one, other[::-1], rtol=1e-5)


def test_replicates_differ_and_so_do_seeds(machine, digits):
    curves = fg.train(digits, LIST[:1], replicates=2).train_loss
    assert not np.array_equal(curves[:, 0], curves[:, 1])
    assert not np.array_equal(fg.train(digits, LIST[:1], seed=1).train_loss[:, 0], curves[:, 0])
    assert np.array_equal(fg.train("digits", LIST[:1]).train_loss[:, 0], curves[:, 0])


def test_each_trains_for_its_own_epochs_where_none_are_given(machine, digits):
    short, long = LIST[0], fg.Settings(**{**LIST[1].to_dict(), "epochs": 4})
    curves = fg.train(digits, [short, long])
    assert np.isfinite(curves.train_loss).sum(axis=2).tolist() == [[2], [4]]


def test_one_that_diverges_is_nan_from_there_on_and_harms_nobody(machine, digits):
    wild = fg.Settings(**{**LIST[0].to_dict(), "optimizer": "sgd", "learning_rate": 1e30})
    curves = fg.train(digits, [wild, LIST[1]])
    assert np.isnan(curves.validation_accuracy[0]).all()
    alone = fg.train(digits, LIST[1:])
    np.testing.assert_allclose(curves.train_loss[1], alone.train_loss[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"settings": []}, UsageError),
        ({"replicates": 0}, UsageError),
        ({"epochs": 0}, SettingsError),
        ({"seed": -1}, SettingsError),
        ({"data": "nothing.npz"}, DataError),
    ],
)
def test_a_list_that_cannot_be_trained_is_refused(changes, error):
    with pytest.raises(error):
        fg.train(**{"data": "digits", "settings": LIST} | changes)


def test_rates_that_evolved_are_told_kept_and_trained_again(digits, machine, tmp_path):
    budget = fg.Budget(candidates=5, epochs=4)
    result = fg.tune(digits, SPACE, budget, out=tmp_path / "run", strategy="pbt")
    assert result.network_epochs == 5 * 4 + 3 * 5 * 4 + 4
    evolved = [row for row in result.leaderboard if row.settings.evolved]
    assert evolved
    assert all(row.settings.hidden == (16,) for row in evolved)
    assert fg.Model.load(result.model_path).settings == result.settings
    found = result.to_dict()
    assert (found["audit"], found["doubling"]["gain"]) == (None, None)
    assert "evolves" in found["insight"]["reason"]
    one = next(row for row in evolved if row.epochs == 4)
    curves = fg.train(digits, [one.settings])
    assert curves.validation_accuracy[0, 0, -1] == pytest.approx(one.score, abs=0.005)


def test_a_population_too_small_to_evolve_leaves_nothing(digits, tmp_path):
    with pytest.raises(BudgetError, match="candidates=4"):
        fg.tune(
            digits, budget=fg.Budget(candidates=3, epochs=4), out=tmp_path / "run", strategy="pbt"
        )
    assert not (tmp_path / "run").exists()
