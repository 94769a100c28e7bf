"""Whoever reads a study that is going on, or runs another beside it, changes nothing."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from fleetgrad import history
from fleetgrad.store import Run
from whole import KINDS, Told, begun, go, process

pytestmark = pytest.mark.usefixtures("one_machine", "no_page")


def fleetgrad(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fleetgrad", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_readers_look_at_a_study_from_its_first_to_its_last_segment(tmp_path, data, faults):
    """One holds a read transaction all the time; many others come and go."""
    place, seen = tmp_path / "run", set()
    with process(place, data, "thaw") as child:
        begun(child)
        while not (place / "config.json").exists():
            time.sleep(0.001)
        with Run.open(place, write=False) as first:
            first._connection.execute("BEGIN")
            before = first.segments()
            while child.poll() is None:
                with (
                    faults.against("a reader beside the writer"),
                    Run.open(place, write=False) as run,
                ):
                    assert history.result(run).dataset["name"] == "clouds"
                    seen.add((history.phase(run), len(run.segments())))
                    history.writer(place)
            assert first.segments() == before
        assert child.returncode == 0
    assert len(seen) > 3
    assert Told.of(go(place, data, "thaw")) == Told.of(go(tmp_path / "alone", data, "thaw"))


def test_the_command_line_shows_a_study_that_is_going_on_and_refuses_a_second_writer(
    tmp_path, data, faults
):
    place = tmp_path / "run"
    go(place, data, "halving")
    with Run.open(place):  # as one who is at it has it
        shown = fleetgrad("show", place, "--json")
        assert shown.returncode == 0
        here = f"process {os.getpid()} on {socket.gethostname()}"
        assert json.loads(shown.stdout)["writer"] == here
        with faults.against("a second writer"):
            second = fleetgrad("resume", place, "--json")
            assert second.returncode == 2
            assert here in second.stderr
            assert json.loads(second.stdout)["error"]["kind"] == "RunError"


def side_by_side(tmp_path, data, faults, count):
    kinds = [list(KINDS)[number % len(KINDS)] for number in range(count)]
    expected = {kind: Told.of(go(tmp_path / f"alone-{kind}", data, kind)) for kind in {*kinds}}
    faults.tried("studies side by side", count)
    children = [process(tmp_path / f"run-{n}", data, kind) for n, kind in enumerate(kinds)]
    for child in children:
        with child:
            child.communicate(timeout=300)
        assert child.returncode == 0
    for number, kind in enumerate(kinds):
        assert Told.of(go(tmp_path / f"run-{number}", data, kind)) == expected[kind]
        faults.survived("studies side by side")


def test_two_studies_at_once_come_to_what_each_would_alone(tmp_path, data, faults):
    side_by_side(tmp_path, data, faults, 2)


@pytest.mark.reliability
def test_eight_studies_at_once_come_to_what_each_would_alone(tmp_path, data, faults):
    side_by_side(tmp_path, data, faults, 8)
