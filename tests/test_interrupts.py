"""An interrupt waits while a module of C is loaded, for which one of Python stands in here."""

import importlib
import os
import signal
import time
from importlib.machinery import SourceFileLoader

import pytest

from fleetgrad.cli import interrupts

SIGNALED = """
import os, signal, time
os.kill(os.getpid(), signal.{})
time.sleep(0.2)
whole = True
"""


@pytest.fixture
def loaded(monkeypatch):
    monkeypatch.setattr(interrupts, "LOADING", (SourceFileLoader.exec_module.__code__,))


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_waits_for_the_module_in_hand(tmp_path, monkeypatch, loaded, number):
    name = f"signaled_{number.lower()}"
    (tmp_path / f"{name}.py").write_text(SIGNALED.format(number))
    monkeypatch.syspath_prepend(tmp_path)
    found = []

    def block():
        with interrupts.patient():
            found.append(importlib.import_module(name))
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert found[0].whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_elsewhere_it_comes_at_once_and_afterwards_all_is_as_before(number):
    before = signal.getsignal(number)

    def block():
        with interrupts.patient():
            os.kill(os.getpid(), number)
            pytest.fail("nothing was raised")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert signal.getsignal(number) is before


def test_who_ignores_an_interrupt_goes_on_doing_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.patient():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_waits_for_a_module_dies_with_the_block(tmp_path, monkeypatch, loaded):
    (tmp_path / "signaled_late.py").write_text(SIGNALED.replace("0.2", "0").format("SIGTERM"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(interrupts, "AGAIN", 0.3)
    with interrupts.patient():
        importlib.import_module("signaled_late")
    time.sleep(0.5)
