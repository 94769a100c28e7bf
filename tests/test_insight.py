"""What a search learned of its hyperparameters: from a leaderboard to frames and JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import samplers
from fleetgrad.candidates import Candidates
from fleetgrad.divergence import FIELDS
from fleetgrad.errors import UsageError
from fleetgrad.insight import shares, understand
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.samplers.importance import importances
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Space

SPACE = Space(
    learning_rate=Float(1e-4, 5.0, log=True),
    hidden=Choice((64,), (128, 64)),
    optimizer=Choice("adam", "momentum"),
    momentum=Float(0.5, 0.99, when={"optimizer": "momentum"}),
    augment=Choice("none", "shift"),
)


def board(count, seed=0):
    """A search that stopped two thirds early, and broke at rates of 1 and more; its curves."""
    settings = samplers.make("random", SPACE, seed=seed, epochs=9).ask(count).settings
    rows, curves = [], {}
    for number, one in enumerate(settings):
        lost = one.learning_rate >= 1
        epochs = 9 if number % 3 == 0 else 1
        top = 0.9 - 0.1 * abs(math.log10(one.learning_rate) + 2)
        curves[number] = [math.nan] if lost else [top * (1 - 0.5**n) for n in range(1, epochs + 1)]
        score = curves[number][-1]
        status = "diverged" if lost else "stopped"
        rows.append(Row(number, one, status, len(curves[number]), score))
    return Leaderboard(rows), curves


@pytest.fixture(scope="module")
def found():
    return understand(*(board(90)[0], SPACE, board(90)[1]))


def test_the_planted_importance_is_found_and_shares_sum_to_one(found):
    assert max(found.importances, key=found.importances.get) == "learning_rate"
    assert set(found.importances) == set(SPACE.names)
    assert list(found.importances.values()) == sorted(found.importances.values(), reverse=True)
    assert sum(found.importances.values()) == pytest.approx(1)


def test_effects_are_of_the_end_of_the_training(found):
    best = max(found.effects["learning_rate"], key=lambda point: point.mean)
    assert 0.001 < best.value < 0.1
    assert best.mean > 0.7
    without = understand(board(90)[0], SPACE)
    assert max(point.mean for point in without.effects["learning_rate"]) < best.mean - 0.1


def test_who_has_not_trained_yet_says_nothing(found):
    """An interrupt comes upon a round of many whose first epoch none has ended."""
    known, curves = board(90)
    waiting = samplers.make("random", SPACE, seed=1, epochs=9).ask(60).settings
    unscored = [Row(90 + n, one, "unfinished", 0, math.nan) for n, one in enumerate(waiting)]
    assert understand(Leaderboard([*known, *unscored]), SPACE, curves) == found
    assert shares(Leaderboard([*known, *unscored]), SPACE) == found.importances
    few, _ = board(5)
    assert shares(Leaderboard([*few, *unscored]), SPACE) is None


def test_the_map_counts_everyone_and_shows_where_it_broke(found):
    chart = found.divergence
    assert (chart.x, chart.y) == ("learning_rate", "momentum")
    assert np.sum(chart.tried) == found.candidates == 90
    lost = sum(row.status == "diverged" for row in board(90)[0])
    assert np.sum(chart.diverged) == lost > 0
    assert np.sum(chart.diverged[:5]) == 0
    assert chart.x_edges[1] / chart.x_edges[0] == pytest.approx(
        chart.x_edges[-1] / chart.x_edges[-2]
    )


def test_it_is_strict_json_and_frames(found):
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(told) == {"candidates", "metric", "importances", "effects", "divergence", "reason"}
    assert told["effects"]["hidden"][1]["value"] == [128, 64]
    assert told["effects"]["augment"][0]["value"] == "none"
    assert set(told["effects"]["hidden"][0]) == {"value", "mean", "low", "high"}
    pytest.importorskip("pandas", reason="a frame needs `pip install pandas`")
    assert list(found.importances_frame().columns) == ["name", "share"]
    assert list(found.effects_frame().columns) == ["name", "value", "mean", "low", "high"]
    assert found.divergence.to_frame()["tried"].sum() == 90
    assert len(found.divergence.to_frame()) == FIELDS**2


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9])
def test_few_candidates_are_said_to_be_few(count):
    found = understand(*(board(count)[0], SPACE, board(count)[1]))
    assert found.importances is found.effects is None
    assert "10 candidates with a score are the fewest" in found.reason
    assert json.dumps(found.to_dict(), allow_nan=False)
    assert (found.divergence is None) == (count == 0)
    pytest.importorskip("pandas", reason="a frame needs `pip install pandas`")
    assert len(found.effects_frame()) == len(found.importances_frame()) == 0


@pytest.mark.parametrize("count", range(10, 16))
def test_just_enough_candidates_never_fail(count):
    boards = board(2 * count, seed=count)
    found = understand(boards[0], SPACE, boards[1], seed=1)
    assert found.reason is None or "fewest" in found.reason


def test_all_that_diverged_teach_nothing_but_where():
    rows = [Row(n, Settings(learning_rate=n + 1.0), "diverged", 0, math.nan) for n in range(20)]
    found = understand(Leaderboard(rows), SPACE)
    assert found.effects is None
    assert np.sum(found.divergence.diverged) == 20


def test_shares_alone_are_those_of_the_whole():
    for count in (5, 12, 90):
        ranked, curves = board(count)
        assert shares(ranked, SPACE) == understand(ranked, SPACE, curves).importances


class TestImportances:
    @given(st.integers(0, 40), st.integers(0, 100), st.booleans())
    def test_are_shares_for_any_scores(self, count, seed, some):
        everyone = samplers.make("random", SPACE, seed=seed, epochs=9).ask(count)
        draw = np.random.default_rng(seed)
        lost = some & (draw.uniform(size=count) < 0.5)
        scores = np.where(lost, math.nan, draw.normal(size=count))
        found = importances(SPACE, everyone, scores.tolist())
        assert set(found) == set(SPACE.names)
        assert sum(found.values()) == pytest.approx(1) or not any(found.values())

    def test_only_the_order_counts(self):
        everyone = samplers.make("random", SPACE, seed=0, epochs=9).ask(30)
        scores = np.random.default_rng(0).normal(size=30)
        found = importances(SPACE, everyone, scores)
        assert found == importances(SPACE, everyone, np.exp(scores))

    def test_one_score_a_candidate(self):
        with pytest.raises(UsageError, match="one score a candidate, got 1 for 0"):
            importances(SPACE, Candidates((), ()), [0.5])
