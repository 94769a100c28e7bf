"""Curves between two commits: what is left for whoever reads along, and what is made of it."""

import json
import math
import os

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad import directory, growing
from fleetgrad.lock import Holder
from fleetgrad.trainees import Member
from simulated import SOUND
from strangers import NO_JSON_OF_OURS

HERE = Holder(os.getpid(), "here")


class Standing:
    """A population that stands still, at an epoch of its own for each member."""

    def __init__(self, *epochs):
        self.members = tuple(Member(number, 0) for number in range(len(epochs)))
        self._epochs = epochs

    def curve(self, member):
        return np.full((self._epochs[member.candidate], 4), 0.5 + member.candidate / 100)


def test_what_is_left_is_what_is_read(tmp_path):
    growing.write(tmp_path, growing.scores(Standing(0, 2)))
    assert growing.read(tmp_path, HERE) == {0: [], 1: [0.51, 0.51]}
    growing.write(tmp_path, {7: [0.123456789, math.nan]})  # the shorter leaves nothing of a longer
    ((one, own),) = growing.read(tmp_path, HERE).items()
    assert (one, own[0], math.isnan(own[1])) == (7, 0.123457, True)
    growing.clear(tmp_path)
    assert growing.read(tmp_path, HERE) == {}
    growing.clear(tmp_path)


def test_of_many_there_is_room_for_some(tmp_path, monkeypatch):
    assert len(growing.scores(Standing(*[1] * 300))) == growing.MOST
    monkeypatch.setattr(growing, "ROOM", 10)
    assert list(growing.scores(Standing(4, 4, 4))) == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        *NO_JSON_OF_OURS,
        b'{"pid": 1, "scores": {"0": [0.5]}}',
        b'{"pid": %d, "scores": [0.5]}',
        b'{"pid": %d, "scores": {"a": [0.5]}}',
        b'{"pid": %d, "scores": {"0": 0.5}}',
        b'{"pid": %d, "scores": {"0": ["x"]}}',
    ],
)
def test_what_is_none_of_ours_is_nothing(tmp_path, content):
    path = tmp_path / directory.GROWING
    path.write_bytes(content.replace(b"%d", str(os.getpid()).encode()))
    assert growing.read(tmp_path, HERE) == {}
    assert growing.read(tmp_path, None) == {}


def test_a_link_to_elsewhere_is_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / directory.GROWING).symlink_to(elsewhere)
    growing.write(tmp_path, {0: [0.5]})
    assert elsewhere.read_text() == "mine"


def test_a_study_leaves_them_in_its_search_and_not_after(tmp_path, world, monkeypatch):
    monkeypatch.setattr("fleetgrad.pulse.GROWTH", 0.0)
    place, seen = tmp_path / "run", []

    def report(progress):
        found = place / directory.GROWING
        held = json.loads(found.read_text())["scores"] if found.exists() else None
        seen.append((progress.phase, held))

    budget = fg.Budget(candidates=3, epochs=3)
    fg.tune("digits", SOUND, budget, out=place, report=report, page=False)
    searching = [held for phase, held in seen if phase == "search"]
    assert set().union(*searching) == {"0", "1", "2"}
    assert all(held is None for phase, held in seen if phase != "search")
    assert {phase for phase, _ in seen} > {"search"}
    assert not (place / directory.GROWING).exists()
