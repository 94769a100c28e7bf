import fcntl
import socket
import threading
import time

import pytest

from fleetgrad.errors import RunError
from fleetgrad.store import Run
from runs import commit, point, script

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
        slow = reader._connection.execute("SELECT candidate FROM curves")
        assert slow.fetchone() == (0,)  # and the rest is still to come
        commit(writer, 2)
        assert slow.fetchall() == [(0,)]
        assert len(reader.curves()) == 3
        assert time.monotonic() - started < 1


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
