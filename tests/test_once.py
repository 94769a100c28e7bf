"""A program is compiled once for all tests, and anew wherever the engine is another."""

import numpy as np
import pytest

from digits_fleet import machine
from fleetgrad import losses, validation
from fleetgrad.machine import CPU_OPTIONS, Machine
from once import sharing_programs
from test_machine import DEVICE, SHAPE

ROWS = (np.zeros(3),)


@pytest.fixture
def compiled(monkeypatch):
    """Asks a machine, a new one by default, for a program; nothing is really compiled."""
    with monkeypatch.context() as patch:
        patch.setattr(Machine, "_compile", lambda *_: object())
        once = sharing_programs()
    return lambda arguments=ROWS, lanes=None: once(lanes or machine(), SHAPE, DEVICE, arguments)


def test_machines_share_a_program_and_each_counts_it(compiled):
    first, lanes = compiled(), machine()
    assert compiled(lanes=lanes) is first
    assert lanes.compilations == 1


@pytest.mark.parametrize("other", [(np.zeros(4),), (np.zeros(3, np.int32),), ({"x": ROWS[0]},)])
def test_other_arrays_are_another_program(compiled, other):
    assert compiled(other) is not compiled()


@pytest.mark.parametrize(("place", "name"), [(validation, "ROWS"), (losses, "mean")])
def test_what_takes_the_engines_place_is_compiled_anew_and_kept_from_others(
    compiled, monkeypatch, place, name
):
    first = compiled()
    with monkeypatch.context() as patch:
        patch.setattr(place, name, 7)
        assert compiled() is not first
    assert compiled() is first


def test_other_options_of_the_compiler_are_another_program(compiled, monkeypatch):
    first = compiled()
    monkeypatch.setitem(CPU_OPTIONS, "xla_backend_optimization_level", 0)
    assert compiled() is not first
