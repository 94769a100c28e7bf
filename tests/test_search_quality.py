"""The search benchmark's arithmetic, and its searches over invented curves and the surrogate's."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

import contest
import search_quality
import searchers
import stand_in
import surrogate
from contest import Job, Result
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member, Trainees, Trainer
from quality_page import markdown
from surrogate import EPOCHS, RANGES, Meter, Range, Surrogate, Yardstick, random_networks

HERE = [name for name in searchers.SEARCHES if name not in searchers.missing()]
BUDGET = 300
RATE = list(RANGES).index("learning_rate")


def invented(networks):
    """Curves that rise to a height which only the rate decides, best at 0.01."""
    height = 0.9 - 0.1 * np.abs(np.log10(networks[:, RATE] / 0.01))
    return height[:, None] * (1 - 0.9 ** np.arange(1, EPOCHS + 1))


def crossing(networks):
    """Curves of which the first in the order of rates is best until epoch 20, and worst after."""
    place = np.argsort(np.argsort(networks[:, RATE])) / len(networks)
    early = np.arange(1, EPOCHS + 1) <= 20
    return np.where(early, 1 - place[:, None], place[:, None])


@pytest.fixture
def lcbench(shared_data):
    folder = shared_data / "lcbench"
    if not folder.is_dir():
        pytest.skip(f"no surrogate: {folder} is missing")
    return folder


def test_a_range_reaches_both_ends_and_gives_whole_numbers_equal_shares():
    layers = RANGES["num_layers"].at((np.arange(100) + 0.5) / 100)
    assert np.bincount(layers.astype(int))[1:].tolist() == [20] * 5
    for span in RANGES.values():
        assert span.at(np.array([0.0, 1.0])) == pytest.approx([span.low, span.high])
    assert Range(1, 100, log=True).at(np.array([0.5])) == pytest.approx(10)


def test_regret_is_0_at_the_best_1_at_the_median_and_negative_above():
    yardstick = Yardstick(best=0.9, median=0.8)
    assert [yardstick.regret(one) for one in (0.9, 0.8, 0.95)] == pytest.approx([0, 1, -0.5])


def test_a_meter_works_each_curve_out_once_and_lets_nobody_overspend():
    asked = []
    meter = Meter(lambda networks: asked.append(len(networks)) or invented(networks), 10)
    networks = random_networks(3, 0)
    assert (meter.curves(networks) == invented(networks)).all()
    meter.curves(networks[[2, 0]])
    assert meter.final(networks[1]) == invented(networks)[1, -1]
    assert asked == [3]
    meter.train(10)
    with pytest.raises(AssertionError, match="1 epochs of 0"):
        meter.train(1)


@pytest.mark.parametrize("name", HERE)
def test_a_search_spends_no_more_than_there_is_and_answers_alike_each_time(name):
    found = []
    for _ in range(2):
        meter = Meter(invented, BUDGET)
        found.append(searchers.SEARCHES[name](meter, 3))
        assert BUDGET - EPOCHS < meter.spent <= BUDGET
    assert (found[0] == found[1]).all()
    for value, span in zip(found[0], RANGES.values(), strict=True):
        assert span.low <= value <= span.high
    assert Yardstick(0.9, 0.8).regret(Meter(invented, 0).final(found[0])) < 1


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("budget", [EPOCHS, 2 * EPOCHS + 1])
def test_the_smallest_budgets_are_enough_for_an_answer(name, budget):
    meter = Meter(invented, budget)
    assert len(searchers.SEARCHES[name](meter, 0)) == len(RANGES)
    assert 0 < meter.spent <= budget


def test_random_search_returns_the_best_of_its_networks():
    networks = random_networks(5, 7)
    found = searchers.random_search(Meter(invented, 5 * EPOCHS), 7)
    assert (found == networks[invented(networks)[:, -1].argmax()]).all()


def test_halving_promotes_by_the_scores_that_it_saw():
    meter = Meter(crossing, 18 * 5 + 6 * 12 + 2 * 35)
    networks = random_networks(18, 0)
    order = np.argsort(networks[:, RATE])  # the first six go on, of these the first two
    assert (searchers.halving(meter, 0) == networks[order[1]]).all()
    assert meter.left == 0


def test_ten_epochs_takes_the_best_three_to_the_end():
    meter = Meter(crossing, 12 * 10 + 3 * 42)
    networks = random_networks(12, 0)
    order = np.argsort(networks[:, RATE])
    assert (searchers.ten_epochs(meter, 0) == networks[order[2]]).all()
    assert meter.left == 0


def test_hyperband_pays_for_every_epoch_of_trials_it_prunes():
    meter = Meter(invented, BUDGET)
    found = searchers.optuna_hyperband(meter, 0)
    assert meter.left == 0
    assert len(meter._known) > BUDGET / EPOCHS
    assert found.tobytes() in meter._known


def test_our_space_means_networks_of_the_surrogate():
    space, draw = stand_in.SPACE, np.random.default_rng(0)
    corners = np.vstack([np.zeros(6), np.full(6, 1 - 1e-12), draw.random((50, 6))])
    assert space.dimensions == 6
    for unit in corners:
        row = stand_in.network(Settings(epochs=EPOCHS, **space.decode(unit)))
        for value, span in zip(row, RANGES.values(), strict=True):
            assert span.low <= value <= span.high
    assert len(space.ranges["hidden"].values) == 5 * 17


def test_stand_ins_pause_and_go_on_where_they_stood():
    meter = Meter(invented, 100)
    fleet, member = stand_in.Fleet(meter), Member(4, 0)
    settings = {member: Settings(hidden=(64, 64), epochs=EPOCHS), Member(5, 0): Settings()}
    first = fleet.populate(settings)
    assert first.advance({member: 7}, lambda: True)
    assert [len(first.curve(one)) for one in first.members] == [7, 0]
    first.keep([member])
    second = fleet.populate({member: settings[member]})
    second.restore(first.state())
    second.advance(9, lambda: True)
    assert (second.curve(member)[:7] == first.curve(member)).all()
    assert (first.network_epochs, second.network_epochs, meter.spent) == (7, 2, 9)


def test_the_fleet_has_all_that_the_search_asks_of_one():
    meter = Meter(invented, 10)
    population = stand_in.Fleet(meter).populate({Member(0, 0): Settings()})
    for protocol, one in ((Trainer, stand_in.Fleet(meter)), (Trainees, population)):
        assert all(hasattr(one, name) for name in vars(protocol) if not name.startswith("_"))


def results(**regrets):
    """Of one method and budget: the regrets of each task's seeds."""
    return [
        Result(Job(task, seed, 1040, "random"), regret, 1000 + seed, 0.5)
        for task, found in regrets.items()
        for seed, regret in enumerate(found)
    ]


def test_means_are_over_tasks_and_errors_by_the_seeds_alone():
    found = contest.summary(results(a=[0.1, 0.3], b=[1.0, 1.0]))
    assert found["mean_regret"] == {"random": {"1040": pytest.approx(0.6)}}
    assert found["task_regret"]["random"]["1040"] == pytest.approx({"a": 0.2, "b": 1.0})
    assert found["standard_error"]["random"]["1040"] == pytest.approx(math.sqrt(0.02 / 2) / 2)
    assert found["spent"]["random"]["1040"] == 1000.5
    assert found["overhead_s"]["random"]["1040"] == 0.5


def test_one_seed_has_no_error():
    found = contest.summary(results(a=[0.1], b=[0.2]))
    assert found["standard_error"]["random"]["1040"] is None


def test_every_combination_is_one_job():
    todo = contest.jobs(["a", "b"], 3, [100, 200], ["x", "y"])
    assert len(set(todo)) == len(todo) == 24
    assert todo[0] == Job("a", 0, 200, "x")


def test_the_time_of_curves_is_not_a_searchs_own():
    slow = SimpleNamespace(curves=lambda task, networks: invented(networks))
    found = contest.measured(Job("a", 0, 260, "random"), slow, Yardstick(0.9, 0.8))
    assert found.spent == 260
    assert 0 <= found.seconds < 1


def run(capsys, lcbench, monkeypatch, *arguments):
    monkeypatch.setattr(surrogate, "SAMPLE", 500)
    contest._surrogate.cache_clear()
    search_quality.main(["--data", str(lcbench), *arguments])
    return capsys.readouterr().out


def test_the_surrogate_knows_35_tasks_and_answers_in_any_order(lcbench):
    model = Surrogate(lcbench)
    assert set(surrogate.DEVELOPMENT) < set(surrogate.tasks(lcbench))
    assert len(surrogate.tasks(lcbench)) == 35
    networks = random_networks(40, 0)
    curves = model.curves("3945", networks)
    assert curves.shape == (40, EPOCHS)
    one = model.accuracies("3945", networks[::-1], np.full(40, 17))
    assert one == pytest.approx(curves[::-1, 16], abs=1e-5)


def test_json_is_one_object_with_a_mean_for_each_method_and_budget(capsys, lcbench, monkeypatch):
    arguments = ("--tasks", "7593,3945", "--budgets", "260,104", "--seeds", "2")
    methods = ("--methods", "fleetgrad,random,halving")
    found = json.loads(run(capsys, lcbench, monkeypatch, *arguments, *methods, "--json"))
    assert set(found["mean_regret"]) == {"fleetgrad", "random", "halving"}
    for budgets in found["mean_regret"].values():
        assert list(budgets) == ["104", "260"]
        assert all(map(math.isfinite, budgets.values()))
    assert found["tasks"] == ["7593", "3945"]
    assert found["spent"]["fleetgrad"]["260"] <= 260
    page = markdown(found)
    assert "| Fleetgrad |" in page
    assert "## Task by task: 104 epochs" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tasks", "1"), "must be some of"),
        (("--budgets", "51"), "at least 52"),
        (("--methods", "grid"), "must be some of"),
        (("--seeds", "0"), "at least 1"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(capsys, lcbench, arguments, message):
    with pytest.raises(SystemExit):
        search_quality.main(["--data", str(lcbench), *arguments])
    assert message in capsys.readouterr().err


def test_where_the_surrogate_is_missing_the_benchmark_says_so(capsys, tmp_path):
    with pytest.raises(SystemExit):
        search_quality.main(["--data", str(tmp_path)])
    assert "must be the folder of LCBench's surrogate" in capsys.readouterr().err


@pytest.mark.reliability
def test_processes_side_by_side_find_what_one_finds(capsys, lcbench):
    common = ["--data", str(lcbench), "--tasks", "3945", "--budgets", "260", "--seeds", "2"]
    found = []
    for workers in ("1", "2"):
        search_quality.main([*common, "--workers", workers, "--json"])
        found.append(json.loads(capsys.readouterr().out)["mean_regret"])
    assert found[0] == found[1]
