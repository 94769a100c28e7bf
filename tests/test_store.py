import errno
import fcntl
import json
import math
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetgrad import database, durable
from fleetgrad.candidates import Candidates
from fleetgrad.errors import RunError
from fleetgrad.settings import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, Settings
from fleetgrad.store import CurvePoint, Run

CONFIG = {"seed": 0, "budget": {"seconds": 60.0}, "space": None}
TWO = Candidates.numbered([Settings(), Settings(hidden=(3, 4), learning_rate=0.1)])


def arrays(step, width=8):
    return {
        "layer/0": np.full((2, width), step, np.float32),
        "step": np.array(step, np.int32),
        "alive": np.array([True, False]),
    }


def same(found, expected):
    return set(found) == set(expected) and all(
        np.array_equal(found[name], expected[name]) and found[name].dtype == expected[name].dtype
        for name in expected
    )


def point(candidate, epoch, loss=0.5, phase="search"):
    return CurvePoint(phase, candidate, 0, epoch, loss, 0.25, loss, 0.75)


def commit(run, step, **changes):
    given_ = {"payload": {"step": step}, "curves": [point(0, step)], "weights": arrays(step)}
    run.commit(f"search/{step}", **{**given_, **changes})


@pytest.fixture
def place(tmp_path):
    """Where a run with one segment lies, closed."""
    with Run.create(tmp_path / "run", CONFIG) as run:
        run.put_candidates(0, TWO)
        commit(run, 0)
    return tmp_path / "run"


def names(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def script(text, *arguments):
    """Another Python process that runs `text`."""
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# What is recorded comes back


def test_a_run_opened_again_is_as_it_was_left(place):
    with Run.open(place) as run:
        assert run.config == CONFIG
        assert run.generations() == {0: TWO}
        assert run.segments() == ("search/0",)
        assert run.segment("search/0") == {"step": 0}
        assert run.curves() == [point(0, 0)]
        assert same(run.weights("search/0"), arrays(0))


def test_what_is_not_done_is_none(place):
    with Run.open(place, write=False) as run:
        assert run.segment("search/1") is None
        assert run.test_openings() == []
        assert run.notes() == []


def test_new_weights_take_the_place_of_their_phases_older_ones(place):
    with Run.open(place) as run:
        commit(run, 1)
        run.commit("final/0", payload={}, weights=arrays(7))
        commit(run, 2, weights=None)
        assert names(place / "weights") == ["final-0.safetensors", "search-1.safetensors"]
        assert same(run.weights("search/1"), arrays(1))
        with pytest.raises(RunError, match=r"`search/0` .* use one of: search/1, final/0"):
            run.weights("search/0")


def test_kept_weights_stay(place):
    with Run.open(place) as run:
        commit(run, 1, keep=True)
        assert same(run.weights("search/0"), arrays(0))
        assert same(run.weights("search/1"), arrays(1))


def test_weights_of_any_order_and_shape_come_back():
    cases = {
        "fortran": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        "strided": np.arange(10, dtype=np.uint8)[::3],
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(-1, np.int64),
        "key": np.array([1, 2**32 - 1], np.uint32),
    }
    with tempfile.TemporaryDirectory() as folder, Run.create(Path(folder, "run"), {}) as run:
        run.commit("search/0", payload={}, weights=cases)
        assert same(run.weights("search/0"), cases)


def test_curves_come_ordered_by_candidate_replicate_and_epoch_and_keep_nan(tmp_path):
    diverged = CurvePoint("search", 1, 0, 1, math.nan, 0.1, math.inf, math.nan)
    numpy_point = CurvePoint("search", np.int64(0), np.int32(2), 1, *np.float32([1, 0, 1, 0]))
    with Run.create(tmp_path / "run", {}) as run:
        run.commit("search/0", payload={}, curves=[diverged, numpy_point])
        run.commit("search/1", payload={}, curves=[point(0, 2)])
        curves = run.curves()
    assert [one[:4] for one in curves] == [
        ("search", 0, 0, 2),
        ("search", 0, 2, 1),
        ("search", 1, 0, 1),
    ]
    assert math.isnan(curves[2].train_loss)
    assert curves[2].validation_loss == math.inf
    assert math.isnan(curves[2].validation_accuracy)


def test_every_opening_of_the_test_part_is_counted_and_stays(place):
    for number, opener in enumerate(["tune", "a curious person"], start=1):
        with Run.open(place) as run:
            assert run.open_test(opener) == number
    with Run.open(place, write=False) as run:
        assert [one[::2] for one in run.test_openings()] == [(1, "tune"), (2, "a curious person")]


def test_notes_come_in_their_order_with_their_particulars(place):
    with Run.open(place) as run:
        run.note("diverged", {"candidate": 1, "loss": math.inf})
        run.note("interrupted", {})
        assert [(one.kind, one.payload) for one in run.notes()] == [
            ("diverged", {"candidate": 1, "loss": math.inf}),
            ("interrupted", {}),
        ]


rates = st.floats(1e-9, 1e9)
shares = st.floats(0, 1, exclude_max=True)
some_settings = st.builds(
    Settings,
    hidden=st.lists(st.integers(1, 4096), max_size=4).map(tuple),
    activation=st.sampled_from(ACTIVATIONS),
    bias=st.booleans(),
    loss=st.sampled_from(LOSSES),
    optimizer=st.sampled_from(OPTIMIZERS),
    learning_rate=rates,
    weight_decay=rates,
    momentum=shares,
    schedule=st.sampled_from(SCHEDULES),
    batch_size=st.integers(1, 10**6),
    dropout=shares,
)
proposals = st.lists(
    st.lists(st.tuples(st.integers(0, 2**62), some_settings), min_size=1, max_size=4),
    max_size=3,
).filter(lambda all_: len({i for g in all_ for i, _ in g}) == sum(map(len, all_)))


@given(proposals)
@settings(max_examples=20)
def test_any_candidates_come_back_in_their_order(generations):
    expected = {
        number: Candidates(*map(tuple, zip(*members, strict=True)))
        for number, members in enumerate(generations)
    }
    with tempfile.TemporaryDirectory() as folder, Run.create(Path(folder, "run"), {}) as run:
        for number, candidates in expected.items():
            run.put_candidates(number, candidates)
        assert run.generations() == expected


def test_the_same_proposal_again_changes_nothing_and_another_is_refused(place):
    with Run.open(place) as run:
        run.put_candidates(0, TWO)
        with pytest.raises(RunError, match="generation 0 .* other candidates; resume with"):
            run.put_candidates(0, Candidates.numbered([Settings(), Settings()]))
        with pytest.raises(RunError, match="candidates once"):
            run.put_candidates(1, Candidates.numbered([Settings()], first=1))
        assert run.generations() == {0: TWO}


# Nothing is half done


def test_a_segment_is_done_once(place):
    with Run.open(place) as run:
        with pytest.raises(RunError, match="`search/0` again; go on after `search/0`"):
            commit(run, 0, weights=arrays(9))
        assert same(run.weights("search/0"), arrays(0))


@pytest.mark.parametrize("name", ["", "Search/0", "search-0", "../x", "search/", "/search", "a b"])
def test_a_segments_name_cannot_leave_the_directory(place, name):
    with Run.open(place) as run, pytest.raises(RunError, match="use one like `search/2`"):
        run.commit(name, payload={})


def test_a_curve_point_recorded_twice_undoes_its_whole_segment(place):
    with Run.open(place) as run:
        with pytest.raises(RunError, match="curves once"):
            commit(run, 1, curves=[point(1, 1), point(0, 0)])
        assert run.segments() == ("search/0",)
        assert run.curves() == [point(0, 0)]
        assert same(run.weights("search/0"), arrays(0))
        assert names(place / "weights") == ["search-0.safetensors"]


def test_a_payload_that_json_does_not_know_leaves_nothing(place):
    with Run.open(place) as run:
        with pytest.raises(TypeError):
            commit(run, 1, payload={"what": object()})
        assert names(place / "weights") == ["search-0.safetensors"]


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


@contextmanager
def no_file_longer_than(size):
    """A full disk: writing on fails as it would there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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


def test_a_creation_cut_short_is_no_run_and_may_be_done_again(tmp_path, monkeypatch):
    begun = "import os, sys\nfrom fleetgrad import directory, store\n" + (
        "directory.write_config = lambda *_: os._exit(1)\nstore.Run.create(sys.argv[1], {})"
    )
    with script(begun, tmp_path / "run") as process:
        assert process.wait(30) == 1
    assert (tmp_path / "run" / "study.db").exists()
    with pytest.raises(RunError, match="no `config.json`"):
        Run.open(tmp_path / "run")
    with Run.create(tmp_path / "run", CONFIG) as run:
        commit(run, 0)


# One writer, many readers

HOLDER = """
import sys
from fleetgrad.store import Run

with Run.open(sys.argv[1]) as run:
    print("ready", flush=True)
    for line in sys.stdin:
        step = int(line)
        run.commit(f"search/{step}", payload={"step": step})
        print("done", flush=True)
"""


def test_a_second_writer_is_refused_and_told_the_firsts_pid_and_host(place):
    with script(HOLDER, place) as first:
        assert first.stdout.readline() == "ready\n"
        started = time.monotonic()
        with pytest.raises(RunError, match=f"process {first.pid} on {socket.gethostname()}"):
            Run.open(place)
        assert time.monotonic() - started < 1
        first.kill()
        first.wait(30)
        Run.open(place).close()


def test_a_second_creator_is_refused_as_well(tmp_path):
    with Run.create(tmp_path / "run", {}), pytest.raises(RunError, match="fleetgrad resume"):
        Run.create(tmp_path / "run", {})


def test_a_holder_that_has_not_signed_is_another_process(place):
    with (place / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="by another process"):
            Run.open(place)


def test_a_lock_on_a_file_that_is_gone_bars_nobody_and_is_refused(place, monkeypatch):
    flock = fcntl.flock

    def race(file, how):
        flock(file, how)
        (place / "lock").unlink()

    monkeypatch.setattr(fcntl, "flock", race)
    with pytest.raises(RunError, match="one writer"):
        Run.open(place)


def test_a_reader_sees_each_segment_beside_a_running_writer(place):
    with script(HOLDER, place) as writer, Run.open(place, write=False) as reader:
        assert writer.stdout.readline() == "ready\n"
        for step in (1, 2):
            writer.stdin.write(f"{step}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "done\n"
            assert reader.segment(f"search/{step}") == {"step": step}
        writer.stdin.close()
        assert writer.wait(30) == 0


def test_readers_and_the_writer_never_wait_for_each_other(place):
    with Run.open(place) as writer, Run.open(place, write=False) as reader:
        started = time.monotonic()
        with writer._transaction():
            writer._insert("curves", 9, [(*point(0, 1), "search/1")])
            assert reader.curves() == [point(0, 0)]
        with database.transaction(reader._connection, Path()) if False else contextmanager(
            lambda: iter([None])
        )():
            writer.note("still going", {})
        assert time.monotonic() - started < 1


def test_a_reader_cannot_write(place):
    with Run.open(place, write=False) as run:
        for change in (
            lambda: commit(run, 1),
            lambda: run.note("x", {}),
            lambda: run.open_test("me"),
            lambda: run.put_candidates(1, Candidates.numbered([Settings()], first=9)),
        ):
            with pytest.raises(RunError, match="write=True"):
                change()
    assert names(place / "weights") == ["search-0.safetensors"]


def test_a_reader_whose_weights_were_replaced_meanwhile_is_told_so(place, monkeypatch):
    with Run.open(place) as writer, Run.open(place, write=False) as reader:
        files = reader._files()
        commit(writer, 1)
        answers = iter([files])
        real = reader._files
        monkeypatch.setattr(reader, "_files", lambda: next(answers, None) or real())
        with pytest.raises(RunError, match="later ones take their place"):
            reader.weights("search/0")


# Directories that are no run, or no longer


@contextmanager
def ordinary_user():
    """The rest of the test without root's right to write anywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_path():
    """A temporary directory that every user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_directory_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"can be written.*choose another directory"):
        Run.create(tmp_path / "file" / "run", {})
    with pytest.raises(RunError, match="can be written"):
        Run.create(tmp_path / "file", {})


def test_a_directory_that_cannot_be_written_is_refused_and_left_alone(open_path):
    with ordinary_user(), pytest.raises(RunError, match="Permission denied"):
        Run.create(open_path / "run", {})
    with ordinary_user(), pytest.raises(RunError, match="Permission denied"):
        Run.create(open_path, {})
    assert names(open_path) == []


def test_a_run_on_a_read_only_disk_can_be_read_and_not_written(open_path):
    with Run.create(open_path / "run", CONFIG) as run:
        commit(run, 0)
    for path in [open_path / "run", *(open_path / "run").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with ordinary_user():
        with Run.open(open_path / "run", write=False) as run:
            assert run.segments() == ("search/0",)
            assert same(run.weights("search/0"), arrays(0))
        with pytest.raises(RunError, match="Permission denied"):
            Run.open(open_path / "run")


def test_no_run_is_no_run(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match=r"no `config.json` there; give the directory"):
            Run.open(path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name": "another program"}',
        b'{"format": "fleetgrad run"}',
        b'{"format": "fleetgrad run", "config": 3}',
        b'{"format": "fleetgrad run", "config": {"x": NaN}}',
        b'{"format": "fleetgrad run", "config": {"x": {"$float": "1"}}}',
        b'{"format": "fleetgrad run", "config": {"x": {"$float": []}}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_configuration_not_ours_is_refused(place, content, write):
    (place / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"config.json` must be .* restore it from a copy"):
        Run.open(place, write=write)


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("content", [b"", b"not a database" * 500, None], ids=["empty", "text", "no"])
def test_a_record_that_is_no_database_is_refused(place, content, write):
    (place / "study.db").unlink()
    if content is not None:
        (place / "study.db").write_bytes(content)
    with pytest.raises(RunError, match="study.db` must be"):
        Run.open(place, write=write)


@contextmanager
def raw(place):
    connection = sqlite3.connect(place / "study.db", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def test_a_record_of_a_later_version_is_refused_with_the_remedy(place):
    with raw(place) as record:
        record.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    for write in (True, False):
        with pytest.raises(RunError, match="later Fleetgrad: upgrade with"):
            Run.open(place, write=write)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW extra AS SELECT 1",
        "CREATE TRIGGER extra AFTER INSERT ON notes BEGIN DELETE FROM segments; END",
        "DROP TABLE curves",
        "ALTER TABLE notes ADD COLUMN extra",
        "PRAGMA application_id = 0",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
    ],
)
def test_a_record_with_other_tables_than_ours_is_refused(place, change):
    with raw(place) as record:
        record.execute(change)
    for write in (True, False):
        with pytest.raises(RunError, match="must be the record of a Fleetgrad run"):
            Run.open(place, write=write)


def test_a_foreign_database_is_neither_taken_over_nor_changed(tmp_path):
    with raw(tmp_path) as record:
        record.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(RunError, match="another program"):
        Run.create(tmp_path, {})
    assert names(tmp_path) == ["study.db"]
    assert (tmp_path / "study.db").read_bytes() == before


def test_a_directory_with_somebodys_weights_is_refused(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "precious.safetensors").write_bytes(b"mine")
    with pytest.raises(RunError, match="must hold no run yet"):
        Run.create(tmp_path, {})
    assert names(tmp_path) == ["weights", "weights/precious.safetensors"]


def test_a_record_that_lost_its_configuration_is_not_overwritten(place):
    (place / "config.json").unlink()
    shutil.rmtree(place / "weights")
    with pytest.raises(RunError, match="must not exist yet"):
        Run.create(place, {})
    with raw(place) as record:
        assert record.execute("SELECT name FROM segments").fetchall() == [("search/0",)]


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE segments SET payload = '{'", lambda run: run.segment("search/0")),
        ("UPDATE segments SET payload = '3'", lambda run: run.segment("search/0")),
        ("UPDATE segments SET payload = x'ff'", lambda run: run.segment("search/0")),
        ("UPDATE segments SET payload = CAST(x'ff' AS TEXT)", lambda run: run.segment("search/0")),
        ("UPDATE segments SET size = 'x'", lambda run: run.weights("search/0")),
        ("UPDATE candidates SET settings = '{\"hiden\": [1]}'", Run.generations),
        ("UPDATE candidates SET settings = '{\"hidden\": {\"a\": 1}}'", Run.generations),
        ("UPDATE candidates SET settings = '{\"batch_size\": 1e999}'", Run.generations),
        ("UPDATE candidates SET settings = '[[]]'", Run.generations),
        ("UPDATE candidates SET settings = 5", Run.generations),
        ("UPDATE curves SET train_loss = 'x'", Run.curves),
        ("UPDATE curves SET epoch = 'x'", Run.curves),
    ],
)
def test_rows_that_we_cannot_have_written_are_a_damaged_record(place, change, read):
    with raw(place) as record:
        record.execute(change)
    with Run.open(place, write=False) as run, pytest.raises(RunError, match="must be the record"):
        read(run)


def test_a_crafted_record_cannot_name_a_file_elsewhere(place, tmp_path):
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes((place / "weights" / "search-0.safetensors").read_bytes())
    with raw(place) as record:
        record.execute("UPDATE segments SET file = '../../outside.safetensors'")
    with Run.open(place) as run, pytest.raises(RunError, match="must have weights, got none"):
        run.weights("search/0")
    assert outside.exists()


@pytest.mark.parametrize("entry", ["config.json", "lock", "study.db", "study.db-wal", "weights"])
def test_a_link_in_a_strangers_run_is_never_followed(place, tmp_path, entry):
    victim = tmp_path / "victim"
    if (place / entry).exists():
        (place / entry).rename(victim)
    (place / entry).symlink_to(victim)
    before = names(tmp_path)
    for write in (True, False):
        with pytest.raises(RunError, match=f"`{entry}` that is no"):
            Run.open(place, write=write)
    assert names(tmp_path) == before


def test_a_pipe_in_a_strangers_run_does_not_hang(place):
    (place / "config.json").unlink()
    os.mkfifo(place / "config.json")
    with pytest.raises(RunError, match="that is no file"):
        Run.open(place)


# Weights are as they were recorded, or refused


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (flip, "checksum"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes instead of"),
        (lambda path: path.write_bytes(b""), "0 bytes instead of"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "a link or a device"),
        (lambda path: path.rename(path.with_name("x")) and path.symlink_to("x"), "a link"),
    ],
)
def test_damaged_weights_are_refused_and_named(place, damage, found):
    path = place / "weights" / "search-0.safetensors"
    damage(path)
    with Run.open(place) as run, pytest.raises(RunError, match=f"{path}.*{found}.*restore"):
        run.weights("search/0")


def test_weights_with_a_right_checksum_and_no_sense_are_refused(place):
    path = place / "weights" / "search-0.safetensors"
    path.write_bytes(b"\xff" * 100)
    from fleetgrad.weights import _checksum

    with raw(place) as record:
        record.execute("UPDATE segments SET sha256 = ?, size = 100", (_checksum(path),))
    with Run.open(place) as run, pytest.raises(RunError, match="must be as they were recorded"):
        run.weights("search/0")


def test_a_writer_sweeps_what_a_crash_left_and_nothing_else(place):
    for name in ("search-9.safetensors", "search-1.safetensors.tmp", "README", "My-Own.safetensors"):
        (place / "weights" / name).write_bytes(b"x")
    Run.open(place, write=False).close()
    assert len(names(place / "weights")) == 5
    Run.open(place).close()
    assert names(place / "weights") == ["My-Own.safetensors", "README", "search-0.safetensors"]


def test_weights_that_cannot_be_swept_do_no_harm(place, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "read-only")

    with Run.open(place) as run:
        monkeypatch.setattr("fleetgrad.store.sweep_weights", refuse)
        commit(run, 1)
        assert same(run.weights("search/1"), arrays(1))


def test_a_file_replaced_durably_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def half():
        with durable.replacing(target) as path:
            path.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_the_configuration_is_for_people_too(place):
    text = (place / "config.json").read_text()
    assert json.loads(text)["config"] == CONFIG
    assert len(text.splitlines()) > 5


def test_eight_runs_side_by_side_do_not_disturb_each_other(tmp_path):
    errors = []

    def live(number):
        try:
            with Run.create(tmp_path / "runs" / str(number), {"number": number}) as run:
                for step in range(3):
                    commit(run, step)
                assert run.segments() == ("search/0", "search/1", "search/2")
        except Exception as error:  # noqa: BLE001 - told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
