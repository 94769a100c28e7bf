import json
import signal
import time

import pytest

from runs import script

STUBBORN = """
import sys, time
from fleetgrad.cli import deadline, ending
from fleetgrad.store import Run

deadline.SECONDS = 0.2

def stubborn():
    word = "ready"
    while True:
        try:
            said, word = word, ""  # a signal may come as soon as it is out
            if said:
                print(said, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass  # as in a compilation, which sees none

def busy():
    if len(sys.argv) == 1:
        stubborn()
    with Run.create(sys.argv[1], {}):
        stubborn()

sys.exit(ending.of(busy, as_json=True))
"""
OBEDIENT = """
import sys, time
from fleetgrad.cli import deadline, ending

def answering():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        ending.answer({"stopped": True})
        raise ending.Interrupted("stopped") from None

sys.exit(ending.of(answering, as_json=True))
"""


def signaled(text, number, *arguments):
    with script(text, *arguments) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        answer = json.loads(process.stdout.read())
        return process.wait(60), answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_too_busy_to_see_a_signal_ends_all_the_same(tmp_path, number):
    status, answer = signaled(STUBBORN, number, tmp_path / "run")
    assert status == 130
    assert answer["error"]["kind"] == "Interrupted"
    assert f"`fleetgrad resume {tmp_path / 'run'}`" in answer["error"]["message"]


def test_a_command_without_a_run_is_to_be_started_again():
    assert "start it again" in signaled(STUBBORN, signal.SIGTERM)[1]["error"]["message"]


def test_a_command_that_ends_in_order_is_not_waited_for_and_answers_once():
    began = time.monotonic()
    assert signaled(OBEDIENT, signal.SIGTERM) == (130, {"stopped": True})
    assert time.monotonic() - began < 60
