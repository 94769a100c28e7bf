"""The race's arithmetic: who led when, when that was good enough, and what is divided by what."""

import functools
import itertools
import json

import numpy as np
import pytest

import digits_data
import race_ours
import race_sklearn
import racing
import time_to_quality
from fleetgrad.clock import Progress
from fleetgrad.plan import Plan
from fleetgrad.store import Run
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.thaw import Thaw
from racing import Event, Incumbent, Task
from simulated import SOUND, World, search

A, B, C = ({"width": width} for width in (1, 2, 3))
PLAN = Plan((4,), 10, replicates=3, strategy="thaw", passes=80)


def test_whoever_came_further_leads_even_if_it_scores_less():
    found = racing.incumbents(
        [
            Event(3.0, 2, 0.80, A),
            Event(1.0, 1, 0.90, A),
            Event(2.0, 1, 0.95, B),
            Event(4.0, 1, 0.99, C),
            Event(5.0, 2, 0.85, B),
            Event(6.0, 2, 0.84, C),
        ],
        seconds=10,
    )
    assert found == [
        Incumbent(1.0, 0.90, A),
        Incumbent(2.0, 0.95, B),
        Incumbent(3.0, 0.80, A),
        Incumbent(5.0, 0.85, B),
    ]
    assert racing.leaders(found) == [A, B]


def test_of_those_learned_of_at_once_the_best_leads_at_once():
    at_once = [Event(1.0, 2, score, its) for score, its in ((0.7, A), (0.9, B), (0.8, C))]
    assert racing.incumbents(at_once, 10) == [Incumbent(1.0, 0.9, B)]


def test_what_comes_after_the_clock_counts_for_nothing():
    assert racing.incumbents([Event(10.1, 5, 0.99, A)], seconds=10) == []


def test_a_goal_is_reached_when_somebody_leads_whose_refit_reaches_it():
    led = [Incumbent(1.0, 0.97, A), Incumbent(2.0, 0.98, B), Incumbent(3.0, 0.99, C)]
    tested = {racing.key(A): 0.97, racing.key(B): 0.981, racing.key(C): 0.979}
    assert racing.reached(led, tested) == {"0.98": 2.0, "0.985": None}


def test_leaders_are_refitted_once_and_none_after_the_last_goal():
    asked = []

    def refit(settings):
        asked.append(settings)
        return {2: 0.98, 3: 0.985}[settings["width"]]

    known = {racing.key(A): 0.97}
    found = racing.judged([A, B, C, {"width": 4}], refit, known)
    assert found == {racing.key(A): 0.97, racing.key(B): 0.98, racing.key(C): 0.985}
    assert asked == [B, C]


def test_ratios_are_bounds_where_one_of_two_never_came_there():
    ours = {"a": 10.0, "b": 30.0, "c": None, "d": None}
    theirs = {"a": 40.0, "b": None, "c": 50.0, "d": None}
    assert racing.ratios(ours, theirs, seconds=100.0) == {
        "a": {"ratio": 0.25, "kind": "exact"},
        "b": {"ratio": 0.3, "kind": "at_most"},
        "c": {"ratio": 2.0, "kind": "at_least"},
        "d": {"ratio": None, "kind": None},
    }


def test_a_log_gives_back_its_whole_lines(tmp_path):
    log = tmp_path / "log"
    assert racing.lines(log) == []
    racing.write(log, began=5.0)
    event = Event(1.0, 2, 0.5, A)
    racing.write(log, **event._asdict())
    with log.open("a") as file:
        file.write('{"seconds": 3')
    assert racing.lines(log)[0] == {"began": 5.0}
    assert racing.events(racing.lines(log)) == [event]


def test_our_record_tells_who_led_and_ends_with_the_verdict_of_the_repeats(tmp_path):
    strategy = Thaw(SOUND, Options(PLAN.epochs, PLAN.network_epochs, decisions=4))
    with Run.create(tmp_path / "run", {"seed": 0}) as run:
        run.commit("plan", payload={"plan": PLAN.to_dict(), "elapsed": 0.0})
    outcome = search(tmp_path / "run", World(), PLAN, strategy)
    with Run.open(tmp_path / "run", write=False) as run:
        found = race_ours.recorded(run)
        rounds = sum(name.startswith("search/") for name in run.segments())
    led = racing.incumbents(found, seconds=1e9)
    assert 1 < len({event.seconds for event in found}) <= rounds + 1
    assert led[-1].settings == outcome.winner.settings.to_dict()
    assert led[-1].validation == pytest.approx(outcome.leaderboard.best.mean)
    assert led[-1].seconds > max(event.seconds for event in found[:-1])
    for one, other in itertools.pairwise(led):
        assert one.seconds < other.seconds


def test_what_a_search_tells_on_the_way_counts_from_then_on(tmp_path):
    strategy = Thaw(SOUND, Options(PLAN.epochs, PLAN.network_epochs, decisions=4))
    with Run.create(tmp_path / "run", {"seed": 0}) as run:
        run.commit("plan", payload={"plan": PLAN.to_dict(), "elapsed": 0.0})
    listener = race_ours.Listener()
    search(tmp_path / "run", World(), PLAN, strategy, report=listener)
    with Run.open(tmp_path / "run", write=False) as run:
        found = race_ours.heard(run, listener.told)
        ends = {(racing.key(one.settings), one.epochs) for one in race_ours.recorded(run)}
        settings = dict(itertools.chain.from_iterable(run.generations().values()))
        scores = {
            (racing.key(settings[one.candidate].to_dict()), one.epoch): one.validation_score
            for one in run.curves()
            if one.phase == "search"
        }
    assert {(racing.key(one.settings), one.epochs) for one in found} - ends  # amid a round
    for one in found:
        assert one.validation == pytest.approx(scores[racing.key(one.settings), one.epochs])


def test_a_curve_that_has_not_grown_is_not_told_of_again():
    curves = {}
    listener = race_ours.Listener()

    def tell(elapsed):
        listener(Progress("search", 1, 0, 2, 0.5, 1.0, elapsed, None, growing=lambda: curves))

    curves[3] = []
    tell(1.0)
    curves[3] = [0.1, 0.2]
    tell(2.0)
    curves[4] = [0.3]
    tell(3.0)
    listener(Progress("finals", 1, 0, 2, 0.5, 1.0, 4.0, None))
    assert listener.told == [(2.0, 3, 2, 0.2), (3.0, 4, 1, 0.3)]


def test_where_mnist_is_missing_the_benchmark_says_so(capsys, tmp_path):
    with pytest.raises(SystemExit):
        time_to_quality.main(["--data-dir", str(tmp_path)])
    assert "must be a folder with MNIST's four IDX files" in capsys.readouterr().err


def test_our_time_is_held_against_every_other_way():
    ours, theirs = (
        {"told": {"0.98": told, "0.985": None}, "returned": {"0.98": returned, "0.985": None}}
        for told, returned in ((10.0, 12.0), (20.0, 120.0))
    )
    methods = {"fleetgrad": {"reached": ours}, "sklearn": {"reached": theirs}}
    for sense, ratio in (("told", 0.5), ("returned", 0.1)):
        found = time_to_quality._ratios(methods, sense, 300.0)
        assert found["sklearn"]["0.98"]["ratio"] == ratio
    assert time_to_quality._ratios({"sklearn": {"reached": theirs}}, "told", 300.0) == {}


def test_the_answer_in_words_names_times_and_ratios():
    reached = {"told": {"0.98": 10.0, "0.985": None}, "returned": {"0.98": 20.0, "0.985": None}}
    never = {"0.98": None, "0.985": None}
    one = {"trajectory": {"told": [(1.0, 0.9)], "returned": []}, "reached": reached}
    ratios = {
        f"ours_over_theirs_{sense}": {"sklearn": racing.ratios(reached[sense], never, 100.0)}
        for sense in time_to_quality.SENSES
    }
    missing = {"optuna": "PyTorch is not installed"}
    text = time_to_quality._text({"methods": {"fleetgrad": one}, "missing": missing, **ratios})
    assert "told what reaches 0.98 after 10.0 s, 0.985 never" in text
    assert "sklearn's, told: 0.98: 0.1 (at_most)" in text
    assert "sklearn's, returned: 0.98: 0.2 (at_most)" in text
    assert "optuna: left out" in text


@pytest.fixture
def task(shared_data, tmp_path):
    return Task(shared_data, tmp_path / "log", seconds=20, seed=0, epochs=1, rows=600)


def test_racers_share_rows_and_a_test_part(task):
    data = digits_data.dataset(task)
    assert (data.rows, data.test.rows, data.image_shape) == (600, 600, (28, 28))
    whole = digits_data.dataset(task._replace(rows=None))
    assert (whole.rows, whole.test.rows) == (60_000, 10_000)
    assert (digits_data.opened(data).x == digits_data.opened(whole).x[:600]).all()
    assert abs(digits_data.scaled(whole.x[:5000]).mean()) < 0.02


def test_scikit_learns_scores_are_written_down_where_they_are_found(task):
    data = digits_data.dataset(task)
    values = {"hidden_layer_sizes": (8, 8), "learning_rate_init": 0.01, "alpha": 1e-4}
    assert 0.1 < race_sklearn.refit(task, values) < 1
    model = race_sklearn.MLPClassifier(**values, max_iter=2)
    with pytest.warns(race_sklearn.ConvergenceWarning):
        model.fit(digits_data.scaled(data.x), data.y)
    x = digits_data.scaled(data.x)
    score = race_sklearn._scored(model, x, data.y, log=task.log, began=0.0)
    (event,) = racing.events(racing.lines(task.log))
    assert (event.epochs, event.validation, event.returned) == (2, score, False)
    assert event.settings == values | {"hidden_layer_sizes": [8, 8]}


def test_pytorchs_networks_are_of_the_family_and_learn():
    race_torch = pytest.importorskip("race_torch", reason="PyTorch is missing")
    import torch

    values = {
        "hidden": [16, 8],
        "learning_rate": 0.02,
        "weight_decay": 0.01,
        "warmup": 0.2,
        "dropout": 0.1,
        "input_dropout": 0.0,
        "label_smoothing": 0.05,
    }
    draw = np.random.default_rng(0)
    y = draw.integers(0, 10, 1000)
    x = np.eye(10, dtype=np.float32)[y] + 0.1 * draw.standard_normal((1000, 10), np.float32)
    rows = race_torch.Rows(torch.from_numpy(x), torch.from_numpy(y))
    heard = []
    model = race_torch.train(values, rows, 8, 0, lambda epoch, _: heard.append(epoch))
    assert heard == list(range(1, 9))
    assert race_torch.accuracy(model, rows) > 0.9
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == ["Dropout", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]


def test_a_study_returns_the_best_of_its_trials_that_came_to_their_end(task):
    race_torch = pytest.importorskip("race_torch", reason="PyTorch is missing")
    optuna = race_torch.optuna
    study = optuna.create_study(direction="maximize")

    def objective(trial):
        trial.set_user_attr("settings", {"number": trial.number})
        if trial.number == 1:
            raise optuna.TrialPruned
        return [0.9, 0.99, 0.8, 0.95][trial.number]

    returned = functools.partial(race_torch._returned, task, 0.0)
    study.optimize(objective, n_trials=4, callbacks=[returned])
    told = racing.events(racing.lines(task.log))
    assert [(one.validation, one.settings["number"]) for one in told] == [(0.9, 0), (0.95, 3)]
    assert all(one.returned and one.epochs == task.epochs for one in told)


def test_our_refit_is_a_full_training_on_all_rows(task):
    values = race_ours.fg.Settings(hidden=(32,), epochs=2, batch_size=32).to_dict()
    assert 0.5 < race_ours.refit(task, json.loads(json.dumps(values))) < 1


@pytest.mark.reliability
def test_a_short_race_is_one_object(capsys, shared_data):
    time_to_quality.main(["--data-dir", str(shared_data), "--quick", "--seconds", "40", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {"fleetgrad", "sklearn"} <= set(found["methods"])
    for one in found["methods"].values():
        assert one["trajectory"]["told"]
        assert set(one["reached"]["told"]) == set(one["reached"]["returned"]) == {"0.98", "0.985"}
