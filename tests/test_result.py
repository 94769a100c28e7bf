import json
import math
from pathlib import Path

import pytest

from fleetgrad import result as results
from fleetgrad.finals import Interval
from fleetgrad.insight import Evidence
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.result import Result, Validation
from fleetgrad.settings import Settings
from fleetgrad.space import Float, Space

CONTRACT = {  # what DESIGN.md promises to benchmarks and other programs
    *("run", "dataset", "budget_s", "elapsed_s", "candidates", "network_epochs", "compile_s"),
    *("settings", "validation", "test", "ties", "diverged", "model"),
}
FIRST, SECOND, LOST = (Settings(learning_rate=rate) for rate in (0.1, 0.2, 3.0))


def result(**changes):
    rows = [
        Row(0, LOST, "diverged", 0, math.nan, diverged_step=9),
        Row(1, SECOND, "finalist", 9, 0.91, 9, 0.9, Interval(0.88, 0.92), 5, tied=True),
        Row(2, FIRST, "finalist", 9, 0.9, 8, 0.95, Interval(0.94, 0.96), 5),
    ]
    values = {
        "run": Path("runs", "digits-1"),
        "dataset": {"name": "digits", "rows": 1438},
        "budget_s": 60.0,
        "elapsed_s": 41.23456,
        "candidates": 3,
        "network_epochs": 100.00000001,
        "compile_s": 2.0,
        "leaderboard": Leaderboard(rows),
        "settings": FIRST,
        "validation": Validation("accuracy", 0.95, Interval(0.94, 0.96), 5),
        "test": results.Test("accuracy", 0.97, Interval(0.95, 0.98), 360, 1),
        "ties": (1,),
        "model": None,
        "model_path": Path("runs", "digits-1", "model"),
    }
    return Result(**(values | changes))


def strict(values):
    """Through JSON as any program reads it: no NaN, no infinity."""
    return json.loads(json.dumps(values, allow_nan=False))


def test_the_object_has_the_keys_of_the_contract_and_is_strict_json():
    found = strict(result().to_dict())
    assert set(found) >= CONTRACT
    assert set(found["validation"]) == {"metric", "mean", "interval", "replicates", "corrected"}
    assert set(found["test"]) >= {"metric", "value", "interval", "n"}
    assert found["test"]["interval"] == [0.95, 0.98]
    assert found["settings"] == strict(FIRST.to_dict())
    assert found["ties"] == [1]
    assert found["decided"] is False
    assert found["model"] == str(Path("runs", "digits-1", "model"))


def test_what_is_no_number_is_null_in_json():
    """AUC of a part without one of the classes, say."""
    lost = results.Test("auc", math.nan, Interval(math.nan, math.inf), 9, 1)
    found = strict(result(test=lost, metric="auc").to_dict())
    assert (found["test"]["value"], found["test"]["interval"]) == (None, [None, None])
    assert found["leaderboard"][-1]["score"] is None


def test_the_winner_is_who_has_the_settings_even_where_another_leads():
    assert result().to_dict()["winner"] == 2
    assert result(settings=SECOND).to_dict()["winner"] == 1


def test_those_that_diverged_are_counted():
    assert result().diverged == result().to_dict()["diverged"] == 1


def test_what_an_interrupted_run_does_not_know_is_none():
    unknown = dict.fromkeys(["settings", "validation", "test", "model_path"])
    found = strict(result(**unknown, interrupted=True, leaderboard=Leaderboard([])).to_dict())
    assert found["interrupted"]
    for name in ("winner", "settings", "validation", "test", "model"):
        assert found[name] is None


def test_a_validation_of_one_replicate_has_no_interval():
    assert Validation("accuracy", 0.9, None, 1).to_dict()["interval"] is None


def test_the_corrected_score_stands_beside_the_raw_one():
    found = Validation("accuracy", 0.95, Interval(0.94, 0.96), 5, corrected=0.948).to_dict()
    assert (found["mean"], found["corrected"]) == (0.95, 0.948)
    assert Validation("accuracy", 0.9, None, 1).to_dict()["corrected"] is None


MANY = Leaderboard(
    Row(n, Settings(learning_rate=0.01 + 0.05 * n), "stopped", 1, 0.9 - 0.01 * n) for n in range(18)
)
EVIDENCE = Evidence(
    Space(learning_rate=Float(0.005, 0.95)), {n: [0.9 - 0.01 * n] for n in range(18)}, 0
)


def test_what_was_learned_is_reckoned_once_and_told():
    found = result(leaderboard=MANY, evidence=EVIDENCE)
    assert found.insight is found.insight
    assert found.importances == found.insight.importances == {"learning_rate": 1.0}
    told = strict(found.to_dict())["insight"]
    names = {"candidates", "metric", "importances", "effects", "divergence", "reason"}
    assert set(told) == names
    assert told["candidates"] == sum(map(sum, told["divergence"]["tried"])) == 18


def test_without_evidence_nothing_was_learned_and_it_says_why():
    found = result()
    assert found.importances is None
    assert strict(found.to_dict())["insight"]["reason"].startswith("a space is needed")


@pytest.mark.parametrize(
    ("commonest", "interval", "above"),
    [
        (0.1, (0.94, 0.96), True),
        (0.95, (0.94, 0.96), False),
        (0.95, None, False),
        (0.94, None, True),
    ],
)
def test_a_winner_that_may_as_well_have_guessed_is_known(commonest, interval, above):
    interval = Interval(*interval) if interval else None
    validation = Validation("accuracy", 0.95, interval, 5)
    known = {"name": "digits", "rows": 9, "commonest_class": commonest}
    assert result(dataset=known, validation=validation).above_chance is above
    assert result().above_chance is None
