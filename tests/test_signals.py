"""SIGTERM and Ctrl-C end a real command line in order, soon, at any moment of its life."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad import cli
from fleetgrad.errors import RunInterrupted
from fleetgrad.store import Run
from whole import Told, go, write_data

SPACE = """
hidden = [8]
batch_size = 16
optimizer = "adam"
learning_rate = { low = 1e-3, high = 0.3, log = true }
"""
SOON = 5.0  # seconds
pytestmark = pytest.mark.usefixtures("one_machine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    write_data(folder / "clouds.npz")
    (folder / "space.toml").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    """What a run comes to, how long its command takes, and when its directory is there."""
    began, place = time.monotonic(), folder / "whole"
    with command(folder, "whole") as child:
        while not (place / "config.json").exists():
            time.sleep(0.01)
        there = time.monotonic() - began
        child.communicate()
    assert child.returncode == 0
    life = time.monotonic() - began
    return Told.of(go(place, None, None)), there, life


@pytest.mark.parametrize("where", ["fleetgrad.model.Model.save", "fleetgrad.report.after.explain"])
def test_an_interrupt_after_the_study_says_how_to_go_on(
    tmp_path, world, monkeypatch, capsys, where
):
    place = tmp_path / "run"
    options = ["--candidates", "3", "--epochs", "1", "--out", str(place), "--json"]

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, interrupt)
        assert cli.main(["tune", "digits", *options]) == 130
        said = capsys.readouterr()
        told = json.loads(said.out)["error"]
        assert told["kind"] == "Interrupted"
        assert told["message"] in said.err
        assert f"the run is kept, go on with `fleetgrad resume {place}`" in told["message"]
        with pytest.raises(RunInterrupted, match="fleetgrad resume"):
            fg.resume(place)
    assert not fg.resume(place).interrupted


def test_an_interrupt_before_there_was_anything_leaves_nothing(
    tmp_path, world, monkeypatch, capsys
):
    place = tmp_path / "run"
    options = ["--candidates", "3", "--epochs", "1", "--out", str(place)]

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fleetgrad.preparing.planned", interrupt)
    assert cli.main(["tune", "digits", *options]) == 130
    assert "start it again" in capsys.readouterr().err
    assert not place.exists()


def command(folder, name):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "fleetgrad", "tune", "clouds.npz", "--space", "space.toml"),
            *("--network-epochs", "60", "--epochs", "6", "--out", name, "--ensemble", "--json"),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(folder, name, moment, number):
    """How a command ends that is sent a signal a while after its start, and how soon."""
    child = command(folder, name)
    time.sleep(moment)
    child.send_signal(number)
    sent = time.monotonic()
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err, time.monotonic() - sent


def in_order(folder, name, end, whole):
    """What was said is true, and the run ends as it would have."""
    status, out, err, _ = end
    place = folder / name
    if not out:  # before the command could listen, in the middle of the first import perhaps
        assert status in {-signal.SIGTERM, -signal.SIGINT}
        assert not place.exists()
        return
    assert "Traceback" not in err or "Exception ignored in" in err
    answer = json.loads(out)
    if answer.get("interrupted") is False:  # it was over; Python may still have been on its way out
        assert status in {0, -signal.SIGTERM, -signal.SIGINT}
    else:  # Python ends by SIGINT itself, 130 to a shell, where one passed through C code
        assert status in {130, -signal.SIGINT}
    if "start it again" in err:  # or its creation was cut short, and may be done again
        assert not (place / "config.json").exists()
        return
    if status in {130, -signal.SIGINT} and answer.get("interrupted") is not False:
        assert "fleetgrad resume" in err
    assert Told.of(go(place, None, None)) == whole
    with Run.open(place, write=False) as run:
        assert run.notes() == []


def signaled(folder, whole, faults, moments, soon):
    expected, there, life = whole
    for place, share in enumerate(moments):
        for number in (signal.SIGTERM, signal.SIGINT):
            name = f"run-{soon}-{number}-{place}"
            moment = share * there if share < 1 else there + (share - 1) * (life - there)
            with faults.against(f"{signal.Signals(number).name} to a command"):
                end = ended(folder, name, moment, number)
                in_order(folder, name, end, expected)
                assert end[-1] < soon


def test_a_command_that_is_sent_a_signal_ends_in_order(folder, whole, faults, no_page):
    signaled(folder, whole, faults, [1.5], soon=60)


@pytest.mark.reliability
def test_a_command_that_is_sent_a_signal_at_any_moment_ends_in_order_and_soon(
    folder, whole, faults, no_page
):
    """Moments up to 1 lie before the run's directory is there, those up to 2 after that."""
    moments = np.concatenate([np.linspace(0.05, 0.99, 6), np.linspace(1.0, 2.0, 14)])
    signaled(folder, whole, faults, moments, soon=SOON)
