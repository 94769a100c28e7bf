import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetgrad import api, history
from fleetgrad.errors import RunError, TrainingError
from fleetgrad.plan import Plan
from fleetgrad.space import Float, Space
from fleetgrad.store import Run
from fleetgrad.strategies.thaw import Thaw
from runs import raw, script
from simulated import SOUND, SPACE, Crash, World, counted, search
from test_study import somewhere

CONFIG = {
    "seed": 0,
    "dataset": {"name": "digits", "rows": 1437, "features": 64},
    "budget": {"candidates": 9, "epochs": 9, "seconds": None},
}
PLAN = counted(9, 9)
TWICE = counted(12, 4, generations=2, finalists=2, replicates=2)


def planned(place, plan, **known):
    with Run.create(place, CONFIG | known) as run:
        run.commit("plan", payload={"plan": plan.to_dict(), "elapsed": 1.0})


def ended(place):
    with Run.open(place) as run:
        opening = run.open_test("a test")
        run.commit("test", payload={"correct": 350, "n": 360, "opening": opening})
        run.commit("end", payload={"elapsed": 133.0, "compile_s": 2.5})


def looked_at(place, what):
    with Run.open(place, write=False) as run:
        return what(run)


def ranked(place):
    return looked_at(place, history.leaderboard).to_json()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"version": "0.1.0", "machine": "2 cores"}, ("0.1.0", "2 cores")),
        ({"version": 1, "machine": None}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_where_and_by_what_a_run_began_is_told_where_it_is_on_record(place, known, told):
    with Run.create(place, CONFIG) as run:
        run.commit("plan", payload={"plan": PLAN.to_dict(), "elapsed": 1.0, **known})
    assert looked_at(place, history.origin) == told
    found = looked_at(place, history.result)
    assert (found.version, found.machine, found.seed) == (*told, 0)


@pytest.mark.parametrize("plan", [PLAN, TWICE, Plan((1,), 1)])
@pytest.mark.parametrize("space", [SPACE, SOUND])
def test_a_finished_search_is_ranked_as_it_was_handed_back(place, plan, space):
    planned(place, plan)
    outcome = search(place, World(), plan, space=space)
    assert ranked(place) == outcome.leaderboard.to_json()


def test_a_search_that_its_clock_cut_is_ranked_as_it_was_handed_back(place):
    plan = Plan((9, 9), 9, seconds=40.0)
    planned(place, plan)
    outcome = search(place, World(), plan, space=SOUND)
    assert any(row.status == "unfinished" for row in outcome.leaderboard)
    assert ranked(place) == outcome.leaderboard.to_json()


def test_the_whole_result_of_a_finished_run_is_on_record(place):
    planned(place, PLAN)
    outcome = search(place, World(), PLAN, space=SOUND)
    ended(place)
    found = looked_at(place, history.result)
    assert not found.interrupted
    assert found.settings == outcome.winner.settings
    assert found.ties == outcome.leaderboard.ties
    assert found.validation.mean == outcome.leaderboard.best.mean
    assert (found.test.value, found.test.n, found.test.opening) == (350 / 360, 360, 1)
    assert (found.elapsed_s, found.compile_s) == (133.0, 2.5)
    assert found.to_dict()["candidates"] == 9


@settings(max_examples=40)
@given(st.integers(1, 130))
def test_a_run_that_broke_off_anywhere_shows_what_its_rungs_say(at):
    with somewhere() as place:
        planned(place, TWICE)
        with suppress(Crash):
            search(place, World().breaks(at, Crash), TWICE, space=SPACE)
        found = looked_at(place, history.result)
        judged = looked_at(place, lambda run: run.generations())
        assert found.interrupted
        assert found.test is None
        assert found.candidates <= sum(map(len, judged.values()))
        assert (found.settings is None) == (found.candidates == 0)
        assert found.network_epochs >= found.candidates


def test_the_phase_follows_the_run_from_its_plan_to_its_end():
    phases = []
    for at in range(1, 200):
        with somewhere() as place, suppress(Crash):
            planned(place, TWICE)
            phases.append(looked_at(place, history.phase))
            world = World().breaks(at, Crash)
            try:
                search(place, world, TWICE, space=SOUND)
            finally:
                phases.append(looked_at(place, history.phase))
            ended(place)
            phases.append(looked_at(place, history.phase))
            break
    assert list(dict.fromkeys(phases)) == [
        "search, rung 1 of 2, generation 1 of 2",
        "search, rung 2 of 2, generation 1 of 2",
        "search, rung 1 of 2, generation 2 of 2",
        "search, rung 2 of 2, generation 2 of 2",
        "finals",
        "refit",
        "opening the test part",
        "done",
    ]


def test_a_run_without_a_plan_is_planning(place):
    Run.create(place, CONFIG).close()
    assert looked_at(place, history.phase) == "planning"
    assert len(looked_at(place, history.leaderboard)) == 0


LOST = Space(learning_rate=Float(1.5, 5.0))


@pytest.mark.parametrize("strategy", ["halving", "thaw"])
def test_a_search_in_which_all_diverged_is_known_to_have_failed_and_has_its_map(place, strategy):
    thaw = strategy == "thaw"
    plan = Plan((4,), 9, strategy="thaw", passes=40) if thaw else PLAN
    proposer = Thaw(LOST, plan.options(0, 1)) if thaw else "sobol"
    planned(place, plan, space=LOST.to_dict())
    with pytest.raises(TrainingError) as caught:
        search(place, World(), plan, proposer, space=LOST)
    assert looked_at(place, history.phase) == history.FAILED
    told = looked_at(place, lambda run: history.failure(run, caught.value))
    assert str(told).endswith(f"the run is kept, look at it with `fleetgrad show {place}`.")
    tried = np.sum(told.divergence.tried)
    assert tried == np.sum(told.divergence.diverged) == len(ranked(place)) > 0
    found = looked_at(place, history.result)
    assert found.settings is None
    assert found.insight.divergence == told.divergence


@settings(max_examples=10)
@given(st.integers(1, 60))
def test_what_was_learned_is_the_same_to_whoever_looks_and_needs_no_end(at):
    with somewhere() as place:
        planned(place, TWICE, space=SPACE.to_dict())
        with suppress(Crash):
            search(place, World().breaks(at, Crash), TWICE, space=SPACE)
        found, again = (looked_at(place, history.result) for _ in range(2))
        assert found.insight == again.insight
        assert found.insight.candidates == len(found.leaderboard)
        assert (found.insight.divergence is None) == (len(found.leaderboard) == 0)


def test_a_curve_holds_an_accuracy_for_every_epoch_of_the_search(place):
    planned(place, PLAN)
    outcome = search(place, World(), PLAN, space=SOUND)
    curves = looked_at(place, history.curves)
    assert {row.id: row.epochs for row in outcome.leaderboard} == {
        candidate: len(curve) for candidate, curve in curves.items()
    }


def test_the_writer_is_named_while_it_writes_and_only_then(place):
    Run.create(place, CONFIG).close()
    assert history.writer(place) is None
    text = "import sys; from fleetgrad.store import Run; run = Run.open(sys.argv[1])"
    with script(f"{text}; print(flush=True); input()", place) as other:
        other.stdout.readline()
        assert history.writer(place).startswith(f"process {other.pid} on ")
        other.stdin.write("\n")
    assert history.writer(place) is None


def test_asking_for_the_writer_leaves_the_lock_free(place):
    Run.create(place, CONFIG).close()
    with Run.open(place):
        assert history.writer(place).startswith(f"process {os.getpid()} on ")
    assert history.writer(place) is None
    Run.open(place).close()


def test_a_lock_file_that_says_nothing_names_nobody(place):
    Run.create(place, CONFIG).close()
    (place / "lock").write_text("nonsense")
    assert history.writer(place) is None


SENSELESS = ("{}", '{"plan": {}}', '{"rung": 1}', '{"rung": [{}], "survivors": [], "cut": false}')


@pytest.mark.parametrize("segment", ["plan", "search/0_0"])
@pytest.mark.parametrize("payload", SENSELESS)
def test_a_record_whose_parts_do_not_fit_together_is_refused(place, segment, payload):
    planned(place, PLAN)
    search(place, World(), PLAN)
    with raw(place) as record:
        query = "UPDATE segments SET payload = ? WHERE name = ?"
        assert record.execute(query, (payload, segment)).rowcount == 1
    with pytest.raises(RunError, match="must be the record of a Fleetgrad run"):
        looked_at(place, lambda run: (history.result(run), history.phase(run)))
    with pytest.raises(RunError, match="must be the record of a Fleetgrad run"):
        api.resume(place)
