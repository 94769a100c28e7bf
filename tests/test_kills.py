"""A whole real study killed at any moment of its life ends like one that was let alone."""

import json
import signal
import time

import numpy as np
import pytest

from fleetgrad.store import Run
from whole import KINDS, PLACES, Told, begun, go, process

BY_CLOCK = "SIGKILL in a study, by the clock"
BY_PLACE = "SIGKILL in a study, at a step of a commit"
pytestmark = pytest.mark.usefixtures("one_machine", "no_page")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, data):
    """What each kind of study comes to, how long it lives, and how often each place is reached."""
    found = {}

    def of(kind):
        if kind not in found:
            place = tmp_path_factory.mktemp(kind) / "run"
            # From here on programs are compiled, and kept for other processes.
            expected = Told.of(go(place.with_name("here"), data, kind))
            with process(place, data, kind) as child:
                begun(child)
                began = time.monotonic()
                counts = child.stdout.read().split(" ", 1)[1]
                life = time.monotonic() - began
            assert Told.of(go(place, data, kind)) == expected
            found[kind] = expected, life, json.loads(counts)
        return found[kind]

    return of


def openings_expected(place):
    """How often the test part will have been opened at the end: once more if it was cut short."""
    if not (place / "config.json").exists():
        return 1
    with Run.open(place, write=False) as run:
        opened = len(run.test_openings())
        return opened if run.segment("test") is not None else opened + 1


def ends_alike(place, data, kind, expected):
    count = openings_expected(place)
    result = go(place, data, kind)
    assert Told.of(result) == expected
    assert result.test.opening == count
    with Run.open(place, write=False) as run:
        assert [one.number for one in run.test_openings()] == list(range(1, count + 1))
        assert run.notes() == []


def killed_by_clock(place, data, kind, moment):
    """Whether the study was still alive then."""
    with process(place, data, kind) as child:
        begun(child)
        time.sleep(moment)
        child.kill()
    return child.returncode == -signal.SIGKILL


def kill_by_clock(tmp_path, data, uninterrupted, faults, kills, kinds):
    draw, done = np.random.default_rng(0), 0
    while done < kills:
        kind = str(draw.choice(kinds))
        expected, life, _ = uninterrupted(kind)
        place = tmp_path / f"run-{done}"
        times = min(int(draw.integers(1, 4)), kills - done)
        faults.tried(BY_CLOCK, times)
        for _ in range(times):
            killed_by_clock(place, data, kind, draw.uniform(0, life / times))
        ends_alike(place, data, kind, expected)
        faults.survived(BY_CLOCK, times)
        done += times


def kill_by_place(tmp_path, data, uninterrupted, faults, cases):
    for kind, where, number in cases:
        expected, *_ = uninterrupted(kind)
        place = tmp_path / f"{kind}-{list(PLACES).index(where)}-{number}"
        with faults.against(BY_PLACE):
            with process(place, data, kind, where, number) as child:
                begun(child)
            assert child.returncode == -signal.SIGKILL
            ends_alike(place, data, kind, expected)


def test_a_study_killed_at_any_moment_ends_like_one_that_was_not(
    tmp_path, data, uninterrupted, faults
):
    kill_by_clock(tmp_path, data, uninterrupted, faults, 2, ["halving"])


def test_a_study_killed_between_weights_and_record_ends_like_one_that_was_not(
    tmp_path, data, uninterrupted, faults
):
    cases = [
        ("halving", "between weights and record", 3),
        ("halving", "as the test part is opened", 1),
    ]
    kill_by_place(tmp_path, data, uninterrupted, faults, cases)


@pytest.mark.reliability
def test_a_study_killed_at_60_moments_by_the_clock_ends_like_one_that_was_not(
    tmp_path, data, uninterrupted, faults
):
    kill_by_clock(tmp_path, data, uninterrupted, faults, 60, list(KINDS))


@pytest.mark.reliability
def test_a_study_killed_at_40_steps_of_its_commits_ends_like_one_that_was_not(
    tmp_path, data, uninterrupted, faults
):
    cases = [
        (kind, where, number)
        for kind in KINDS
        for where, times in uninterrupted(kind)[2].items()
        for number in range(1, times + 1)
    ]
    draw = np.random.default_rng(1)
    chosen = draw.choice(len(cases), min(40, len(cases)), replace=False)
    kill_by_place(tmp_path, data, uninterrupted, faults, [cases[one] for one in sorted(chosen)])
