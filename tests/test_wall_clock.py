"""A wall clock that jumps, a day ahead or an hour back, changes only what is written of it."""

import ast
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

import fleetgrad as fg
from fleetgrad import record
from fleetgrad.store import Run
from test_layers import MODULES
from whole import Told, go, write_data

pytestmark = pytest.mark.usefixtures("one_machine")
WALL = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "date.today", "datetime.now"}


class Jumping(datetime):
    """Goes a day ahead, then an hour back, and so on, at every look."""

    looks = count()

    @classmethod
    def now(cls, zone=None):
        days, hours = divmod(next(cls.looks), 2)
        return datetime.now(UTC) + timedelta(days=(-1) ** hours * (days + 1), hours=-hours)


def test_a_study_whose_wall_clock_jumps_ends_like_one_whose_clock_is_right(
    tmp_path, monkeypatch, faults
):
    data = write_data(tmp_path / "clouds.npz")
    expected = go(tmp_path / "right", data, "halving")
    monkeypatch.setattr(record, "datetime", Jumping)
    monkeypatch.setattr(time, "time", lambda: Jumping.now().timestamp())
    with faults.against("a wall clock that jumps"):
        result = go(tmp_path / "run", data, "halving")
        assert Told.of(result) == Told.of(expected)
        assert 0 < result.elapsed_s < 600
        assert Told.of(fg.resume(tmp_path / "run")) == Told.of(expected)
    with Run.open(tmp_path / "run", write=False) as run, Run.open(tmp_path / "right") as right:
        assert run.segments() == right.segments()
        rows = run._rows("SELECT at FROM segments ORDER BY number")
        assert rows != sorted(rows)


def test_nothing_but_what_is_written_down_looks_at_the_wall_clock():
    looking = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WALL
    }
    # The page beside a study asks how old a file is, which no other clock can say.
    assert looking == {"fleetgrad.record", "fleetgrad.watch.follower"}
