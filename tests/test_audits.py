"""Some that were stopped run to the end: they are drawn, paid for, and may still win."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fleetgrad.store import Run
from fleetgrad.verdict import verdict
from simulated import SOUND, Listed, World, counted, memory_after, rates, search, study
from test_rounds import EPOCHS, PLAN, TIMED, thaw
from test_study import somewhere

HALVING = counted(27, 9, replicates=3)


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


def audit(place):
    with Run.open(place, write=False) as run:
        return run.segment("audit")


@pytest.mark.parametrize(("plan", "whom"), [(PLAN, thaw()), (HALVING, "sobol")])
def test_a_twentieth_of_those_stopped_runs_to_the_end(place, plan, whom):
    outcome = search(place, World(), plan, whom, space=SOUND)
    done = audit(place)
    ran = {one["candidate"]: one["epochs"] for one in done["rung"]}
    assert len(ran) == round(0.05 * done["stopped"]) >= 1
    assert set(ran.values()) == {plan.epochs}
    before = {one["candidate"]: one["epochs"] for one in done["stops"]}
    assert before.keys() == ran.keys()
    assert max(before.values()) < plan.epochs
    assert all(outcome.leaderboard[one].epochs == plan.epochs for one in ran)


def late(world):
    """Curves on which the best of all begins as the worst."""

    def row(settings, replicate, epoch):
        best = math.isclose(settings.learning_rate, 0.05)
        accuracy = (0.99 if epoch >= 5 else 0.1) if best else 0.8 - settings.learning_rate
        return 1 - accuracy, accuracy, 1 - accuracy, accuracy

    world.row = row
    return world


def test_one_that_was_stopped_and_turns_out_best_wins_and_is_told_of(place, monkeypatch):
    settings = rates(0.05, *[0.1 + 0.01 * n for n in range(26)])
    monkeypatch.setattr("fleetgrad.audit.chosen", lambda ids, seed: (0,))
    outcome = search(place, late(World()), HALVING, Listed(settings))
    assert outcome.winner.candidate == 0
    with Run.open(place, write=False) as run:
        found = verdict(run, HALVING).audit
    assert (found.audited, found.would_have_won) == (1, 1)


def test_the_weights_of_one_that_was_stopped_and_wins_are_at_hand(place, monkeypatch):
    """Until the run ends: to say how sure it may be, and whether others help it."""

    class Various(World):
        """Each is wrong about a tenth of the rows that is its own."""

        def probabilities(self, settings, params):
            wrong = np.arange(200) % 10 == round(100 * settings.learning_rate) % 10
            shares = np.where(wrong, 0.2, 0.9)
            return np.stack([1 - shares, shares], axis=1)

    settings = rates(0.05, *[0.1 + 0.01 * n for n in range(26)])
    monkeypatch.setattr("fleetgrad.audit.chosen", lambda ids, seed: (0,))
    plan = replace(HALVING, ensemble=4)
    one, run = study(place, late(Various()), plan, Listed(settings))
    with run:
        outcome = one.run()
        assert outcome.winner.candidate == 0
        assert one.apart(0).params[0]["weight"][0, 0] == memory_after(plan.epochs)
    assert 0 in [partner.candidate for partner in outcome.partners]

    with somewhere() as other:
        assert search(other, late(World()), HALVING, Listed(settings)).calibration is not None


def test_weights_are_kept_of_no_more_than_could_be_finalists(place, monkeypatch):
    monkeypatch.setattr("fleetgrad.audit.SHARE", 0.5)
    monkeypatch.setattr("fleetgrad.audit.chosen", lambda ids, seed: tuple(ids))
    search(place, World(), HALVING, "sobol", space=SOUND)
    done = audit(place)
    ends = {one["candidate"]: one["score"] for one in done["rung"]}
    assert len(ends) > HALVING.finalists == len(done["kept"])
    assert done["kept"] == sorted(ends, key=ends.get, reverse=True)[: HALVING.finalists]


def test_an_audit_costs_no_more_than_its_share_of_a_time(place):
    search(place, World(), TIMED, thaw(TIMED))
    assert audit(place)["network_epochs"] <= 0.05 * TIMED.seconds * 2  # lanes


def test_where_one_would_cost_too_much_nobody_is_audited(place):
    plan = replace(TIMED, seconds=150.0)
    search(place, World(costs=lambda settings: 1.0), plan, thaw(plan))
    done = audit(place)
    assert done["stopped"] >= 10
    assert (done["rung"], done["network_epochs"]) == ([], 0)
    with Run.open(place, write=False) as run:
        assert verdict(run, plan).audit.audited == 0


def test_nobody_is_audited_where_nobody_was_stopped(place):
    search(place, World(), counted(3, EPOCHS), Listed(rates(0.01, 0.02, 0.03)))
    assert audit(place)["stopped"] == 0
