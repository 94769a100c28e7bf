"""What networks will cost, from a trial of some programs: read off for those between."""

from dataclasses import replace

import numpy as np
import pytest

import digits_fleet
from fleetgrad import probing
from fleetgrad.data import load
from fleetgrad.fleet import Fleet
from fleetgrad.settings import Settings

WIDTHS = (8, 64, 128, 256)
SETTINGS = [Settings(hidden=(width,), batch_size=100) for width in (64, 256, 8, 64, 128)]


@pytest.fixture(scope="module")
def data():
    return load("digits")


def fleet_of(data, lanes):
    fleet = Fleet(data, 0, digits_fleet.machine(lanes))
    fleet.share((one, 1e6) for one in SETTINGS)  # so much training that each has its own
    assert len(fleet.programs.known) == len(WIDTHS)
    return fleet


@pytest.mark.parametrize(("lanes", "tried"), [(1, 2), (2, 2), (3, 3), (8, 4)])
def test_as_many_programs_are_tried_as_compile_side_by_side(data, lanes, tried):
    fleet = fleet_of(data, lanes)
    found = probing.epoch_seconds(fleet, SETTINGS)
    assert fleet.machine.compilations == tried
    known = {width for width in WIDTHS if fleet.machine.knows(_program(fleet, width))}
    assert {8, 256} <= known
    assert len(known) == tried
    assert found[0] == found[3], "they share a program"
    assert all(seconds > 0 for seconds in found)


def test_what_lies_between_is_read_off_by_what_is_reckoned(data, monkeypatch):
    fleet = fleet_of(data, lanes=2)
    measured = {8: 1.0, 256: 5.0}
    monkeypatch.setattr(fleet, "reckoned_cost", lambda one: one.hidden[0] ** 0.5)
    monkeypatch.setattr(fleet, "epoch_seconds", lambda ones: [measured[o.hidden[0]] for o in ones])
    found = probing.epoch_seconds(fleet, SETTINGS)
    share = (np.sqrt([64, 256, 8, 64, 128]) - np.sqrt(8)) / (np.sqrt(256) - np.sqrt(8))
    assert found == pytest.approx(1 + 4 * share)


def test_one_program_is_all_there_is_to_try(data):
    fleet = Fleet(data, 0, digits_fleet.machine(2))
    (one, same) = probing.epoch_seconds(fleet, [SETTINGS[0], replace(SETTINGS[0], warmup=0.1)])
    assert one == same > 0
    assert fleet.machine.compilations == 1


def test_programs_not_yet_compiled_are_reckoned_at_the_pace_of_the_others(data):
    fleet = fleet_of(data, lanes=2)
    assert probing.seconds_to_compile(fleet) == 0.0, "nobody knows a pace"
    probing.epoch_seconds(fleet, SETTINGS)
    each = fleet.compile_seconds / 2
    assert probing.seconds_to_compile(fleet) == pytest.approx(2 * each / fleet.lanes)
    fleet.epoch_seconds(SETTINGS)
    assert probing.seconds_to_compile(fleet) == 0.0


def _program(fleet, width):
    return fleet.program(replace(SETTINGS[0], hidden=(width,)))
