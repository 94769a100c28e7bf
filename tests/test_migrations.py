"""A record of the first version, kept as text since that version wrote it, goes on being read."""

import json
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from fleetgrad import cli, database, history
from fleetgrad.errors import DiskError, RunError
from fleetgrad.store import Run
from runs import no_file_longer_than, raw, script

FIRST = Path(__file__).parent / "records" / "version-1"
SECOND = """
ALTER TABLE curves RENAME COLUMN train_accuracy TO train_score;
CREATE TABLE marks (segment TEXT NOT NULL, mark TEXT NOT NULL);
INSERT INTO marks SELECT name, at FROM segments;
"""


@pytest.fixture
def first(tmp_path):
    """A run's directory as the first version left it."""
    place = tmp_path / "run"
    (place / "weights").mkdir(parents=True)
    shutil.copy(FIRST / "config.json", place)
    with raw(place) as record:
        record.executescript((FIRST / "study.sql").read_text(encoding="utf-8"))
    return place


@pytest.fixture
def second(monkeypatch):
    """A version that is to come."""
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS[:1], SECOND))
    monkeypatch.setattr(database, "VERSION", 2)


def version(place):
    with raw(place) as record:
        return record.execute("PRAGMA user_version").fetchone()[0]


def marks(place):
    with raw(place) as record:
        return record.execute("SELECT segment FROM marks").fetchall()


def told(run):
    return run.segments(), run.curves(), run.generations(), run.test_openings(), run.notes()


def test_a_run_of_the_first_version_is_read_by_this_one(first, capsys, faults):
    with faults.against("a record of an older version"):
        with Run.open(first, write=False) as run:
            found = history.result(run)
            assert history.phase(run) == "done"
            assert len(run.curves()) > 20
        expected = json.loads((FIRST / "told.json").read_text(encoding="utf-8"))
        assert found.leaderboard.to_json() == expected["leaderboard"]
        assert found.test.to_dict() == expected["test"]
        assert cli.main(["show", str(first)]) == 0
        assert "opened once" in capsys.readouterr().out


def test_its_writer_migrates_it_and_loses_nothing(first, second, faults):
    with Run.open(first, write=False) as run:
        before = told(run)
    with faults.against("a record of an older version"):
        with Run.open(first) as run:
            assert told(run) == before
            run.note("kept", {})
        assert version(first) == 2
        assert marks(first) == [(name,) for name in before[0]]
        for write in (False, True):
            with Run.open(first, write=write) as run:
                assert told(run)[:4] == before[:4]


def test_a_new_record_passes_through_all_versions(tmp_path, second):
    with Run.create(tmp_path / "run", {}):
        pass
    assert version(tmp_path / "run") == 2
    assert marks(tmp_path / "run") == []


def test_a_reader_does_not_migrate(first, second):
    before = (first / "study.db").read_bytes()
    with Run.open(first, write=False) as run:
        assert run.segments()
    assert version(first) == 1
    assert (first / "study.db").read_bytes() == before


def test_a_reader_goes_on_beside_the_writer_that_migrates(first, second):
    with Run.open(first, write=False) as reader:
        before = told(reader)
        with Run.open(first):
            assert told(reader) == before


KILLED = """
import os, signal, sys
from fleetgrad import database, store

def prepare(connection):
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    prepared(connection)

prepared, database._prepare = database._prepare, prepare
database.MIGRATIONS = (database.MIGRATIONS[0], sys.argv[2])
database.VERSION = 2
store.Run.open(sys.argv[1])
"""


@pytest.mark.parametrize("statements", [0, 1, 2, 3])
def test_a_migration_killed_in_the_middle_leaves_the_version_before(first, faults, statements):
    parts = SECOND.split(";")
    dying = ";".join([*parts[:statements], " SELECT die()", *parts[statements:]])
    with faults.against("SIGKILL in a migration"):
        with script(KILLED, first, dying) as process:
            assert process.wait(60) == -signal.SIGKILL
        assert version(first) == 1
        with Run.open(first) as run:
            assert history.phase(run) == "done"


def test_a_migration_that_fails_leaves_the_version_before(first, second, monkeypatch, faults):
    broken = SECOND + "INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patch, faults.against("a migration that fails"):
        patch.setattr(database, "MIGRATIONS", (database.MIGRATIONS[0], broken))
        with pytest.raises((RunError, sqlite3.Error)):
            Run.open(first)
        assert version(first) == 1
    with Run.open(first):
        assert version(first) == 2


def test_a_full_disk_leaves_the_version_before(first, second, faults):
    with faults.against("disk full in a migration"):
        with no_file_longer_than(1000), pytest.raises(DiskError, match="space"):
            Run.open(first)
        assert version(first) == 1
    with Run.open(first):
        assert version(first) == 2
