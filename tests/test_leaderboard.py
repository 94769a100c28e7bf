"""The outcome of a study: ranked, immutable, lossless as plain rows, and a frame."""

import dataclasses
import json
import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.errors import TrainingError, UsageError
from fleetgrad.finals import Interval
from fleetgrad.leaderboard import STATUSES, Leaderboard, Row
from fleetgrad.settings import NAMES, Settings
from spaces import SETTINGS

ACCURACY = st.floats(0, 1)
ROWS = st.lists(
    st.builds(
        Row,
        id=st.integers(0, 1000),
        settings=SETTINGS,
        status=st.sampled_from(STATUSES),
        epochs=st.integers(0, 50),
        score=ACCURACY | st.just(math.nan),
        best_epoch=st.none() | st.integers(1, 50),
        mean=st.none() | ACCURACY,
        interval=st.none() | st.builds(Interval, ACCURACY, ACCURACY),
        replicates=st.integers(0, 16),
        diverged_step=st.none() | st.integers(1, 10**6),
        tied=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda row: row.id,
)


def row(number, status="stopped", epochs=3, score=0.5, **rest):
    return Row(number, Settings(), status, epochs, score, **rest)


BOARD = Leaderboard(
    [
        row(0, "diverged", 9, 0.99, diverged_step=70),
        row(1, "stopped", 3, 0.8),
        row(2, "finalist", 9, 0.97, mean=0.96, interval=Interval(0.95, 0.97), replicates=5),
        row(3, "stopped", 1, 0.9),
        row(4, "finalist", 9, 0.96, mean=0.965, interval=Interval(0.95, 0.98), replicates=5),
        row(5, "unfinished", 3, 0.85),
        row(6, "finalist", 9, math.nan, mean=math.nan, replicates=5),
        row(7, "finalist", 9, 0.95),
        row(8, "stopped", 3, 0.8),
        row(9, "finalist", 9, 0.94, mean=0.95, replicates=5, tied=True),
    ]
)


def test_finalists_stand_by_their_mean_the_others_by_training_and_score():
    assert [line.id for line in BOARD] == [4, 2, 9, 7, 5, 1, 8, 3, 6, 0]
    assert BOARD.best.id == 4
    assert BOARD.ties == (9,)
    assert BOARD[3].epochs == 1


@given(ROWS, st.randoms())
def test_the_ranking_does_not_depend_on_the_order_of_arrival(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    assert [line.id for line in Leaderboard(mixed)] == [line.id for line in Leaderboard(rows)]


@given(ROWS)
def test_everyone_ever_tried_is_there_and_the_diverged_come_last(rows):
    board = Leaderboard(iter(rows))
    assert {line.id for line in board} == {line.id for line in rows}
    assert len(board) == len(rows)
    lost = [line.status == "diverged" for line in board if not math.isnan(line.score)]
    assert lost == sorted(lost)


@given(ROWS)
def test_a_diverged_one_never_wins(rows):
    sound = [x for x in rows if x.status != "diverged" and not math.isnan(x.score)]
    if sound:
        assert Leaderboard(rows).best.status != "diverged"


@pytest.mark.parametrize("rows", [[], [row(0, "diverged"), row(1, "stopped", 0, math.nan)]])
def test_without_a_score_there_is_no_winner_and_the_error_says_so(rows):
    with pytest.raises(TrainingError, match=f"no candidate of {len(rows)} has a score"):
        _ = Leaderboard(rows).best


@given(ROWS)
def test_rows_survive_strict_json(rows):
    board = Leaderboard(rows)
    text = json.dumps(board.to_json(), allow_nan=False)
    again = Leaderboard.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert [line.settings for line in again] == [line.settings for line in board]


def test_nan_becomes_null():
    plain = {line["id"]: line for line in BOARD.to_json()}
    assert plain[6]["score"] is None
    assert plain[6]["mean"] is None
    assert plain[2]["interval"] == [0.95, 0.97]
    assert plain[2]["settings"]["hidden"] == [128]


def test_a_leaderboard_never_changes():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BOARD.rows = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        BOARD.best.tied = True


def test_one_id_has_one_row():
    with pytest.raises(UsageError, match="distinct ids"):
        Leaderboard([row(1), row(1)])


def test_a_frame_has_one_line_a_candidate_and_one_column_a_setting():
    pandas = pytest.importorskip("pandas")
    frame = BOARD.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["id"]) == [line.id for line in BOARD]
    assert list(frame["rank"]) == list(range(1, 11))
    assert set(NAMES) <= {*frame.columns}
    assert frame.loc[0, "low"] == 0.95
    assert set(frame["augment"]) == {"none"}
    assert list(Leaderboard([]).to_frame().columns) == list(frame.columns)


def test_the_epochs_of_a_frame_are_those_trained_and_the_horizon_those_planned():
    pytest.importorskip("pandas")
    frame = BOARD.to_frame()
    assert list(frame["epochs"])[:3] == [9, 9, 9]
    assert set(frame["horizon"]) == {10}


def test_polars_stands_in_where_pandas_is_not_installed(monkeypatch):
    class Polars:
        DataFrame = staticmethod(dict)

    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", Polars)
    assert BOARD.to_frame()["id"] == [line.id for line in BOARD]


def test_without_any_library_of_frames_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        BOARD.to_frame()


def test_people_see_errors_without_a_sign_and_the_least_first():
    rows = [
        Row(1, Settings(), "finalist", 9, -3.5, mean=-3.0, interval=Interval(-4.0, -2.0)),
        Row(2, Settings(), "finalist", 9, -2.0, mean=-2.5, interval=Interval(-3.0, -2.0)),
        Row(3, Settings(), "stopped", 3, math.nan),
    ]
    board = Leaderboard(rows, "rmse")
    shown = board.to_json()
    assert [one["id"] for one in shown] == [2, 1, 3]
    assert (shown[1]["score"], shown[1]["mean"], shown[1]["interval"]) == (3.5, 3.0, [2.0, 4.0])
    assert shown[2]["score"] is None
    assert board.to_frame()["low"].tolist()[:2] == [2.0, 2.0]
    assert Leaderboard.from_json(shown, "rmse") != Leaderboard.from_json(shown)
    assert Leaderboard.from_json(shown[:2], "rmse") == Leaderboard(rows[:2], "rmse")
