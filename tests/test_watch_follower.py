"""A follower sees what changes, reads nothing twice, and says what it cannot read."""

import json
import os
import shutil

import pytest

import pages
from fleetgrad import growing, lock, pulse
from fleetgrad.clock import Progress
from fleetgrad.store import Run
from fleetgrad.watch import follower, snapshot
from fleetgrad.watch.follower import Follower
from runs import commit
from simulated import SOUND, SPACE


def following(place):
    return Follower(lambda: place, "tune digits")


def state(look):
    return json.loads(look.now)["state"]


def test_before_there_is_a_run_it_waits(tmp_path):
    for place in (None, tmp_path / "none"):
        look = following(place).look(at_once=True)
        assert (look.record, state(look)) == ("null", snapshot.WAITING)
        assert json.loads(look.now)["name"] == "tune digits"


def test_it_sees_a_run_begin_go_on_and_end(tmp_path):
    place = tmp_path / "run"
    own = following(place)
    first = own.look(at_once=True)
    pages.begun(place)
    begun = own.look(at_once=True)
    assert begun.number > first.number
    assert state(begun) == snapshot.STOPPED
    with Run.open(place) as run:
        assert state(own.look(at_once=True)) == snapshot.RUNNING
        before = own.look(at_once=True)
        run.commit("end", payload={"elapsed": 12.0, "compile_s": 1.0})
        ended = own.look(at_once=True)
        assert "Done; the last files" in json.loads(ended.now)["headline"]
    assert ended.beat > before.beat
    assert state(own.look(at_once=True)) == snapshot.DONE


def test_a_run_that_stands_still_is_opened_once(tmp_path, monkeypatch):
    place = pages.simulated(tmp_path / "run", 3)
    opened, own = [], following(place)
    monkeypatch.setattr(follower.Run, "open", counting(follower.Run.open, opened))
    looks = [own.look(at_once=True) for _ in range(5)]
    assert len(opened) == 1
    assert len({(look.number, look.beat) for look in looks}) == 1


def counting(opens, opened):
    def counted(*arguments, **options):
        opened.append(arguments)
        return opens(*arguments, **options)

    return counted


def test_who_asks_in_between_gets_what_is_known(tmp_path, monkeypatch):
    own = following(pages.begun(tmp_path / "run"))
    first = own.look(at_once=True)
    monkeypatch.setattr(own, "_seen", lambda: pytest.fail("too soon"))
    assert own.look() is first


def test_speed_and_time_come_from_the_pulse(tmp_path):
    place = pages.begun(tmp_path / "run")
    own, said = following(place), Progress("search", 1, 2, 9, 0.9, 10.0, 2.0, 58.0)
    with Run.open(place), pulse.beating(place, lambda _: None) as report:
        report(said)
        own.look(at_once=True)
        pulse._write(place / "pulse.json", said._replace(network_epochs=34.0, elapsed=4.0))
        told = json.loads(own.look(at_once=True).now)
    assert told["tiles"][2]["figure"] == "12.0"
    assert told["tiles"][0]["figure"] == "90.00 %"
    assert told["counts"]["training"] == 0
    assert told["clock"]["elapsed"] == 4.0
    assert told["headline"] == "Running: search, rung 1 of 2."


def test_curves_grow_between_two_commits(tmp_path):
    place = pages.begun(tmp_path / "run")
    own, here = following(place), lock.Holder(os.getpid(), "here")
    with Run.open(place):
        growing.write(place, {0: [0.5], 1: [0.6, 0.7], 2: []})
        assert growing.read(place, here)
        lines = json.loads(own.look(at_once=True).record)["curves"]["lines"]
        assert [(one["id"], one["status"], one["values"]) for one in lines] == [
            (1, "training", [0.6, 0.7]),
            (0, "training", [0.5]),
        ]
        growing.write(place, {0: [0.5, 0.8]})
        (line,) = json.loads(own.look(at_once=True).record)["curves"]["lines"]
        assert line["epochs"] == 2


def test_another_run_in_the_same_place_is_another(tmp_path):
    place = pages.simulated(tmp_path / "run", 3)
    own = following(place)
    assert json.loads(own.look(at_once=True).record)["candidates"] == 3
    shutil.rmtree(place)
    pages.simulated(place, 5, space=SOUND)
    assert json.loads(own.look(at_once=True).record)["candidates"] == 5


def test_a_damaged_record_is_said_to_be_so_and_read_again_once_it_is_whole(tmp_path):
    place = pages.simulated(tmp_path / "run", 3, space=SPACE)
    whole, own = (place / "study.db").read_bytes(), following(place)
    (place / "study.db").write_bytes(b"no database at all")
    look = own.look(at_once=True)
    assert (look.record, state(look)) == ("null", follower.UNREADABLE)
    assert "study.db" in json.loads(look.now)["headline"]
    (place / "study.db").write_bytes(whole)
    assert json.loads(own.look(at_once=True).record)["candidates"] == 3


def test_what_makes_no_sense_is_no_crash(place):
    """A run of other tests, whose payloads are nothing that a search leaves."""
    with Run.open(place) as run:
        commit(run, 1)
    assert state(following(place).look(at_once=True)) == follower.UNREADABLE
