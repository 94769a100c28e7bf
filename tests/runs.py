"""Small runs, and the misfortunes that befall them, for the tests of the run directory."""

import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import numpy as np

from fleetgrad.candidates import Candidates
from fleetgrad.settings import Settings
from fleetgrad.store import CurvePoint

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


@contextmanager
def raw(place):
    connection = sqlite3.connect(place / "study.db", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def no_file_longer_than(size):
    """A full disk: writing on fails as it would there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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
