"""Nobody is signaled but the process of this machine that holds the run, and it ends in order."""

import fcntl
import json
import os
import socket

import pytest

from fleetgrad.errors import RunError
from fleetgrad.watch import stopping
from runs import script

HOLDER = """
import signal, sys, time
from fleetgrad.store import Run

if sys.argv[2:] == ["deaf"]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if sys.argv[2:] == ["background"]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
with Run.open(sys.argv[1]):
    try:
        print("ready", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print("in order", flush=True)
"""


@pytest.mark.parametrize("how", [[], ["background"]])
def test_the_process_that_holds_a_run_ends_in_order(place, how):
    with script(HOLDER, place, *how) as held:
        assert held.stdout.readline() == "ready\n"
        assert stopping.stop(place).pid == held.pid
        assert held.stdout.read() == "in order\n"


def test_a_process_that_would_not_end_in_order_is_left_alone(place):
    with script(HOLDER, place, "deaf") as held:
        assert held.stdout.readline() == "ready\n"
        with pytest.raises(RunError, match=f"kill {held.pid}"):
            stopping.stop(place)
        held.stdin.close()
        assert held.wait(30) == 0


def test_where_nobody_is_nobody_is_signaled(place):
    with pytest.raises(RunError, match="fleetgrad resume"):
        stopping.stop(place)


def signed(place, **signature):
    """The lock, held by this process and signed as told."""
    file = (place / "lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(json.dumps(signature))
    file.flush()
    return file


def test_a_process_of_another_machine_is_not_signaled(place):
    with (
        signed(place, pid=os.getpid(), host="elsewhere"),
        pytest.raises(RunError, match="process .* on elsewhere"),
    ):
        stopping.stop(place)


@pytest.mark.parametrize("pid", [0, -1, 10**30])
def test_a_number_that_is_no_process_is_nobody(place, pid):
    with signed(place, pid=pid, host=socket.gethostname()), pytest.raises(RunError, match="nobody"):
        stopping.stop(place)


@pytest.mark.skipif(not stopping.LOCKS.exists(), reason="the kernel lists no locks here")
def test_a_process_that_does_not_hold_the_lock_is_not_signaled(place):
    parent = os.getppid()  # alive, and not ours
    with (
        signed(place, pid=parent, host=socket.gethostname()),
        pytest.raises(RunError, match="must hold the run"),
    ):
        stopping.stop(place)
