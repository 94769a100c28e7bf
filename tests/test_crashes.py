import signal
import time

import numpy as np
import pytest

from fleetgrad.errors import RunError
from fleetgrad.store import Run
from runs import CONFIG, arrays, commit, names, no_file_longer_than, point, same, script

KILLED = """
import os, pathlib, signal, sys
import numpy as np
from fleetgrad import record, store

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def die_at_curves(self, table, columns, rows):
    die() if table == "curves" else insert(self, table, columns, rows)

insert = record.Record._insert
run = store.Run.open(sys.argv[1])
owner, name, death = {
    "as the weights take their name": (pathlib.Path, "replace", die),
    "between weights and record": (store.Run, "_put_segment", die),
    "inside the transaction": (record.Record, "_insert", die_at_curves),
    "before the old weights go": (store, "sweep_weights", die),
}[sys.argv[2]]
setattr(owner, name, death)
point = store.CurvePoint("search", 0, 0, 1, 0.5, 0.25, 0.5, 0.75)
weights = {"layer/0": np.full((2, 8), 1, np.float32), "step": np.array(1, np.int32),
           "alive": np.array([True, False])}
run.commit("search/1", payload={"step": 1}, curves=[point], weights=weights)
"""


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        ("as the weights take their name", 0),
        ("between weights and record", 0),
        ("inside the transaction", 0),
        ("before the old weights go", 1),
    ],
)
def test_a_writer_killed_in_a_commit_leaves_a_whole_segment(place, moment, last):
    with script(KILLED, place, moment) as process:
        assert process.wait(30) == -signal.SIGKILL
    with Run.open(place) as run:
        assert run.segments() == ("search/0", "search/1")[: last + 1]
        assert run.curves() == [point(0, epoch) for epoch in range(last + 1)]
        assert same(run.weights(f"search/{last}"), arrays(last))
        assert names(place / "weights") == [f"search-{last}.safetensors"]
        if last == 0:
            commit(run, 1)
        assert same(run.weights("search/1"), arrays(1))


STEADY = """
import itertools, sys
import numpy as np
from fleetgrad.store import CurvePoint, Run

with Run.open(sys.argv[1]) as run:
    for step in itertools.count(len(run.segments())):
        points = [CurvePoint("search", one, 0, step, step, 0, 0, 0) for one in range(50)]
        weights = {"w": np.full((200, 500), step, np.float32)}
        run.commit(f"search/{step}", payload={"step": step}, curves=points, weights=weights)
        print(step, flush=True)
"""


def kill_at_random(place, kills):
    moments = np.random.default_rng(0).uniform(0.0, 0.05, kills)
    for moment in moments:
        with script(STEADY, place) as process:
            told = [int(process.stdout.readline())]
            time.sleep(moment)
            process.kill()
            told += map(int, process.stdout.read().split())
        with Run.open(place) as run:
            last = len(run.segments()) - 1
            assert last >= told[-1], "what was said to be done is done"
            assert run.segments() == tuple(f"search/{step}" for step in range(last + 1))
            assert len(run.curves()) == 50 * (last + 1)
            assert np.all(run.weights(f"search/{last}")["w"] == last)
            assert len(names(place / "weights")) == 1


def test_a_writer_killed_at_any_moment_loses_at_most_the_segment_in_hand(tmp_path):
    Run.create(tmp_path / "run", {}).close()
    kill_at_random(tmp_path / "run", kills=4)


@pytest.mark.reliability
def test_a_writer_killed_a_hundred_times_loses_at_most_the_segment_in_hand(tmp_path):
    Run.create(tmp_path / "run", {}).close()
    kill_at_random(tmp_path / "run", kills=100)


@pytest.mark.parametrize("width", [1_000_000, 8], ids=["weights", "record"])
def test_a_full_disk_leaves_the_segment_before_and_says_so(place, width):
    with Run.open(place) as run:
        curves = [point(1, epoch) for epoch in range(20_000)]  # a record of over a megabyte
        with no_file_longer_than(500_000), pytest.raises(RunError, match="space"):
            commit(run, 1, weights=arrays(1, width), curves=curves)
        assert run.segments() == ("search/0",)
        assert names(place / "weights") == ["search-0.safetensors"]
        commit(run, 1, weights=arrays(1, width), curves=curves)  # space has been made
        assert same(run.weights("search/1"), arrays(1, width))


def test_a_disk_full_at_once_leaves_no_directory(tmp_path):
    with no_file_longer_than(1000), pytest.raises(RunError, match="space"):
        Run.create(tmp_path / "run", CONFIG)
    assert names(tmp_path) == []


def test_a_failed_creation_in_an_existing_directory_removes_only_its_own(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with no_file_longer_than(1000), pytest.raises(RunError, match="space"):
        Run.create(tmp_path, CONFIG)
    assert names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize(
    "step",
    ["fleetgrad.directory.write_config", "fleetgrad.lock._sign", "fleetgrad.database.create"],
)
def test_a_creation_that_fails_at_any_step_leaves_an_empty_directory_empty(
    tmp_path, monkeypatch, step
):
    (tmp_path / "run" / "weights").mkdir(parents=True)
    monkeypatch.setattr(step, lambda *_: (tmp_path / "missing").stat())
    with pytest.raises(RunError, match="No such file"):
        Run.create(tmp_path / "run", CONFIG)
    assert set(names(tmp_path / "run")) <= {"lock", "weights"}
    monkeypatch.undo()
    Run.create(tmp_path / "run", CONFIG).close()


BEGUN = """
import os, sys
from fleetgrad import directory, store

directory.write_config = lambda *_: os._exit(1)
store.Run.create(sys.argv[1], {})
"""


def test_a_creation_cut_short_is_no_run_and_may_be_done_again(tmp_path):
    with script(BEGUN, tmp_path / "run") as process:
        assert process.wait(30) == 1
    assert (tmp_path / "run" / "study.db").exists()
    with pytest.raises(RunError, match="no `config.json`"):
        Run.open(tmp_path / "run")
    with Run.create(tmp_path / "run", CONFIG) as run:
        commit(run, 0)
