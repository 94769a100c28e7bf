"""What the live page shows is what the record says, and each candidate is counted once."""

import json
import os
import socket
from contextlib import suppress

import pytest

import fleetgrad as fg
import pages
from fleetgrad import history
from fleetgrad.clock import Progress
from fleetgrad.lock import Holder
from fleetgrad.report import costs
from fleetgrad.store import Run
from fleetgrad.watch import curves, snapshot
from fleetgrad.watch.ledger import Ledger
from fleetgrad.watch.snapshot import Moment
from simulated import SOUND, SPACE, Crash, World, counted, search

NOBODY = Moment(None, None, None)
WRITER = Holder(os.getpid(), socket.gethostname())


def at_work(**progress):
    said = {"phase": "search", "rung": 2, "rungs": 3, "alive": 5, "best": 0.9}
    said |= {"network_epochs": 40.0, "elapsed": 3.0, "left": None}
    return Moment(WRITER, Progress(**said | progress), 8.0)


def seen(place, ledger=None):
    with Run.open(place, write=False) as run:
        found = snapshot.known(run, ledger or Ledger())
        told = snapshot.record(found, history.curves(run), run.config.get("space") or {})
    return found, told


def same_rows(found, place):
    with Run.open(place, write=False) as run:
        board = history.leaderboard(run)
        assert found.phase == history.phase(run)
    assert json.dumps([row.to_dict() for row in found.rows]) == json.dumps(
        [row.to_dict() for row in board.rows]
    )


@pytest.mark.parametrize("generations", [1, 2])
def test_a_ledger_read_piece_by_piece_has_the_rows_of_the_leaderboard(tmp_path, generations):
    place, plan, ledger, ends = tmp_path / "run", counted(24, 9, generations), Ledger(), set()
    config = {"seed": 0, "dataset": pages.DATASET, "budget": {"seconds": None}}
    with Run.create(place, config | {"space": SPACE.to_dict()}) as run:
        run.commit("plan", payload={"plan": plan.to_dict(), "elapsed": 1.0})
    for calls in (4, 9, 16, 30, 60, 1000):
        with suppress(Crash):
            search(place, World().breaks(calls, Crash), plan)
        found = seen(place, ledger)[0]
        same_rows(found, place)
        ends.add(found.phase)
    assert len(ends) > 3


@pytest.mark.parametrize("run", ["digits_run", "numbers_run"])
def test_a_finished_run_is_told_as_its_report_tells_it(run, request):
    place = request.getfixturevalue(run)
    found, told = seen(place)
    same_rows(found, place)
    with Run.open(place, write=False) as opened:
        known = history.result(opened)
        assert found.cost == costs.of(opened, known)
    assert found.test == known.test
    assert (found.elapsed, found.network_epochs) == (known.elapsed_s, known.network_epochs)
    now = snapshot.now(found, NOBODY)
    assert (now["state"], now["report"], now["clock"]["share"]) == ("done", True, 1.0)
    winner = known.leaderboard.best
    assert f"#{winner.id} was chosen" in now["headline"]
    assert told["leaders"]["rows"][0][1] == f"#{winner.id}"
    sound = [row for row in known.leaderboard if row.status != "diverged"]
    assert told["curves"]["of"] >= len(sound)
    json.dumps([told, now], allow_nan=False)


def counted_in(found, moment, *, running):
    told = snapshot.counts(found, moment.progress, running=running)
    assert sum(told.values()) == max(found.proposed, len(found.rows))
    return {name: number for name, number in told.items() if number}


def test_between_rungs_survivors_train_and_whoever_is_missing_there_diverged(tmp_path):
    place, plan = tmp_path / "run", counted(9, 9)
    config = {"seed": 0, "dataset": pages.DATASET, "budget": {"seconds": None}}
    with Run.create(place, config | {"space": SOUND.to_dict()}) as run:
        run.commit("plan", payload={"plan": plan.to_dict(), "elapsed": 1.0})
    calls = 0
    while not any(row.status == "unfinished" for row in seen(place)[0].rows):
        calls += 1
        with pytest.raises(Crash):
            search(place, World().breaks(calls, Crash), plan, space=SOUND)
    found = seen(place)[0]
    survivors = sum(row.status == "unfinished" for row in found.rows)
    stopped = len(found.rows) - survivors
    moment = at_work(alive=survivors - 1)
    expected = {"training": survivors - 1, "stopped": stopped, "diverged": 1}
    assert counted_in(found, moment, running=True) == expected
    assert counted_in(found, NOBODY, running=False) == {
        "unfinished": survivors,
        "stopped": stopped,
    }


def test_who_waits_between_rounds_is_paused_and_at_the_end_nobody_is(tmp_path, world):
    place, ledger, looks, rounds = tmp_path / "run", Ledger(), [], set()

    def look(progress):
        if (progress.phase, progress.rung) in rounds:
            return
        rounds.add((progress.phase, progress.rung))
        found, told = seen(place, ledger)
        moment = Moment(WRITER, progress, 8.0)
        looks.append((counted_in(found, moment, running=True), told["leaders"]["rows"]))
        same_rows(found, place)

    budget = fg.Budget(network_epochs=80, epochs=6)
    options = {"strategy": "thaw", "report": look, "page": False}
    fg.tune("digits", SOUND, budget, out=place, **options)
    assert any(told.get("paused") for told, _ in looks)
    assert any(told.get("complete") for told, _ in looks)
    assert any(cells[5] == "paused" for _, rows in looks for cells in rows)
    found = seen(place, ledger)[0]
    assert "paused" not in counted_in(found, NOBODY, running=False)
    assert snapshot.now(found, NOBODY)["state"] == "done"


def test_time_left_is_promised_by_a_clock_and_else_reckoned_from_the_speed(tmp_path):
    found = seen(pages.begun(tmp_path / "run"))[0]
    assert found.plan.network_epochs > 48
    clock = snapshot.now(found, at_work())["clock"]
    assert clock["left"] == pytest.approx((found.plan.network_epochs - 40) / 8)
    assert not clock["exact"]
    timed = found._replace(budget=60.0)
    clock = snapshot.now(timed, at_work(left=57.0))["clock"]
    assert (clock["left"], clock["exact"], clock["share"]) == (57.0, True, pytest.approx(0.05))
    before = snapshot.now(timed, Moment(WRITER, None, None))["clock"]
    assert before["left"] == pytest.approx(60 - found.elapsed)


def test_a_run_of_which_little_is_known_is_told_without_what_is_missing(tmp_path):
    found, told = seen(pages.begun(tmp_path / "begun"))
    assert (told["curves"]["lines"], told["leaders"]["rows"]) == ([], [])
    now = snapshot.now(found, NOBODY)
    assert now["tiles"][0]["note"] == "nobody has a score so far"
    assert now["headline"].startswith("Not finished, and nobody is at it")
    lost, told = seen(pages.simulated(tmp_path / "lost", 12, space=pages.hopeless()))
    now = snapshot.now(lost, NOBODY)
    assert (now["state"], now["headline"]) == ("failed", "Failed: every candidate diverged.")
    assert now["counts"]["diverged"] == 12
    assert told["curves"]["lines"] == []
    assert not any("resume" in command for _, command in now["commands"])
    one, told = seen(pages.simulated(tmp_path / "one", 1))
    assert len(told["curves"]["lines"]) == 1
    assert snapshot.now(one, NOBODY)["state"] == "done"


def test_of_five_thousand_candidates_some_curves_are_sent_the_best_among_them(many_run):
    found, told = seen(many_run)
    assert len(found.rows) == 5000
    drawn = told["curves"]
    assert len(drawn["lines"]) == curves.MOST_CURVES < drawn["of"]
    assert [one["id"] for one in drawn["lines"][:6]] == [row.id for row in found.rows[:6]]
    assert len(json.dumps(told)) < 200_000


def test_whoever_trains_still_is_drawn_after_those_on_record(tmp_path):
    found = seen(pages.simulated(tmp_path / "run", 3))[0]
    held = {row.id: [0.5] for row in found.rows}
    now = curves.grown(held, {0: [0.5, 0.6], 1: [], 7: [0.9], 8: [float("nan")], 9: [0.95]})
    assert (now[0], now[1]) == ([0.5, 0.6], [0.5])
    lines = curves.drawn(found.rows, now, found.metric)["lines"]
    assert [one["id"] for one in lines] == [*(row.id for row in found.rows), 9, 7]
    assert [one["status"] for one in lines[-2:]] == ["training"] * 2


def test_a_long_curve_is_sent_in_few_points_with_both_ends(tmp_path):
    found = seen(pages.simulated(tmp_path / "run", 3))[0]
    long = {row.id: [0.5 + place / 4000 for place in range(1000)] for row in found.rows}
    told = curves.drawn(found.rows, long, found.metric)
    values = told["lines"][0]["values"]
    assert (len(values), told["epochs"]) == (curves.MOST_POINTS, 1000)
    assert (values[0], values[-1]) == (0.5, 0.74975)
    low, high = told["range"]
    assert low < high
    assert 0.5 < low < 0.55
    assert high > 0.74975
