"""One network for an ensemble's: compared before it is kept, and the same however often stopped."""

import shutil
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from fleetgrad import distilling
from fleetgrad.distilled import REFIT, STUDENT, TRIAL, WINNER, Score, on_record
from fleetgrad.plan import DISTILLED, Plan
from fleetgrad.store import Run
from fleetgrad.trainees import Member
from simulated import Crash, World, counted, memory_after, search
from test_ensembling import TOGETHER, Various, parts
from test_rounds import EPOCHS, TIMED, thaw
from test_study import somewhere, told

DISTILL = replace(TOGETHER, distill=True)


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


class School(Various):
    """Students are right about this share of the rows, whoever taught them."""

    def __init__(self, share=0.97, **others):
        super().__init__(**others)
        self.right, self.pupils = share, []

    def probabilities(self, settings, params):
        if params[0]["weight"][0, 0] >= 0:
            return super().probabilities(settings, params)
        right = np.arange(200) < 200 * self.right
        shares = np.where(right, 0.9, 0.2)
        return np.stack([1 - shares, shares], axis=1)

    def pupil(self, settings, shares, part, *, refitted):
        made = super().pupil(settings, shares, part, refitted=refitted)
        self.pupils.append((refitted, shares[0, 1]))
        return made


class Unschooled(School):
    """Dies when the ensemble is whole, before it teaches."""

    def teach(self, settings, params, *, refitted):
        raise Crash


class Broken(School):
    """Students diverge: all, or those of all rows."""

    def __init__(self, *, refitted):
        super().__init__()
        self.broken = refitted

    def pupil(self, settings, shares, part, *, refitted):
        made = super().pupil(settings, shares, part, refitted=refitted)
        if refitted in self.broken:
            made.settings = {Member(0, 0): replace(settings, learning_rate=2.0)}
        return made


def recorded(place):
    with Run.open(place, write=False) as run:
        return {name: run.segment(name) for name in (TRIAL, REFIT)}, on_record(run)


def test_a_student_that_is_better_is_refitted_and_takes_the_winners_place(place):
    world = School()
    outcome = search(place, world, DISTILL, thaw())
    found = outcome.distilled
    assert (found.kept, found.reason, found.rows) == (STUDENT, "better", 200)
    assert found.candidate == outcome.winner.candidate
    assert found.teachers == {one.candidate: one.weight for one in outcome.partners}
    assert outcome.winner.params[0]["weight"][0, 0] < 0
    assert [refitted for refitted, _ in world.pupils] == [False, True]
    assert found.validation[STUDENT].score == 0.97
    assert recorded(place)[1] == found


def test_what_is_compared_is_what_each_says_of_the_held_out_rows(place):
    world = School()
    outcome = search(place, world, DISTILL, thaw())
    labels, found = world.labels(), outcome.distilled.validation
    said = {
        one.candidate: Various().probabilities(one.settings, one.params) for one in outcome.partners
    }
    together = sum(one.weight * said[one.candidate] for one in outcome.partners)
    assert found["ensemble"].score == (together.argmax(1) == labels).mean()
    assert found["ensemble"].log_loss == pytest.approx(-np.log(together[:, 1]).mean())
    alone = Various().probabilities(outcome.winner.settings, None)
    assert found[WINNER] == pytest.approx(
        ((alone.argmax(1) == labels).mean(), -np.log(alone[:, 1]).mean())
    )


def test_the_teachers_of_each_student_are_those_trained_on_its_rows(place):
    world = School()
    outcome = search(place, world, DISTILL, thaw())
    again = World()

    def said(refitted):
        weights = {"weight": np.full((1, 1), memory_after(EPOCHS))}
        return sum(
            one.weight * again.teach(one.settings, (weights,), refitted=refitted)[0, 1]
            for one in outcome.partners
        )

    for refitted, share in world.pupils:
        assert share == pytest.approx(said(refitted))
    for one in outcome.partners:
        assert one.params[0]["weight"][0, 0] == memory_after(EPOCHS)


def test_a_student_that_is_no_better_leaves_the_place_to_the_winner(place):
    world = School(share=0.3)
    outcome = search(place, world, DISTILL, thaw())
    assert (outcome.distilled.kept, outcome.distilled.reason) == (WINNER, "no better")
    assert outcome.distilled.validation[STUDENT].score == 0.3
    assert outcome.winner.params[0]["weight"][0, 0] == memory_after(EPOCHS)
    assert recorded(place)[0][REFIT] is None, "one training less"


@pytest.mark.parametrize("refitted", [{False, True}, {True}])
def test_a_student_that_diverges_leaves_the_place_to_the_winner(place, refitted):
    outcome = search(place, Broken(refitted=refitted), DISTILL, thaw())
    assert (outcome.distilled.kept, outcome.distilled.reason) == (WINNER, "diverged")
    assert (STUDENT in outcome.distilled.validation) == (False not in refitted)
    assert outcome.winner.params[0]["weight"][0, 0] == memory_after(EPOCHS)


def test_nothing_is_distilled_where_nobody_predicts_together(place):
    world = World(noise=0.0)
    outcome = search(place, world, DISTILL, thaw())
    assert outcome.partners == ()
    assert (outcome.distilled.kept, outcome.distilled.reason) == (WINNER, "no ensemble")
    assert recorded(place)[0][TRIAL]["network_epochs"] == 0
    assert told(search(place, world, DISTILL, thaw())) == told(outcome)


def test_nor_where_it_was_not_asked_for(place):
    outcome = search(place, School(), TOGETHER, thaw())
    assert outcome.partners
    assert outcome.distilled is None


@pytest.mark.parametrize("share", [0.97, 0.3])
def test_it_is_the_same_however_often_its_run_stops(place, share):
    whole = search(place, School(share), DISTILL, thaw())
    with somewhere() as begun:
        with pytest.raises(Crash):
            search(begun, Unschooled(), DISTILL, thaw())
        calls = School(share)
        for at in count(1):
            with somewhere() as here:
                shutil.copytree(begun, here)
                try:
                    search(here, calls.breaks(at, Crash), DISTILL, thaw())
                except Crash:
                    again = search(here, School(share), DISTILL, thaw())
                else:
                    break
            assert again.distilled == whole.distilled
            assert (parts(again), told(again)) == (parts(whole), told(whole))
    assert at > 20


def test_a_finished_run_is_read_from_its_record_alone(place):
    whole = search(place, School(), DISTILL, thaw())
    world = School(share=0.0)
    again = search(place, world, DISTILL, thaw())
    assert again.distilled == whole.distilled
    assert told(again) == told(whole)
    assert world.pupils == []


def test_those_whose_weights_are_gone_are_trained_again_to_the_same_end(place, monkeypatch):
    whole = search(place, School(), DISTILL, thaw())
    student = distilling.Distilling.student

    def forgetful(self, winner, partners, rows, weights):
        return student(self, winner, partners, rows, dict)

    monkeypatch.setattr(distilling.Distilling, "student", forgetful)
    with somewhere() as other:
        again = search(other, School(), DISTILL, thaw())
        more, _ = recorded(other)
    assert again.distilled == whole.distilled
    assert told(again) == told(whole)
    trained = len({*whole.distilled.teachers, whole.winner.candidate})
    assert more[TRIAL]["network_epochs"] == (1 + trained) * EPOCHS


def test_time_is_kept_back_for_it(place):
    plan, world = replace(TIMED, ensemble=2, distill=True, seconds=300.0), School()
    outcome = search(place, world, plan, thaw(plan))
    assert outcome.partners
    assert outcome.distilled.kept == STUDENT
    assert world.now - 100.0 <= 1.05 * plan.seconds + 1


def test_where_no_time_is_left_the_winner_is_kept(place):
    class Late(School):
        """The ensemble has taken all the time."""

        def teach(self, settings, params, *, refitted):
            self.now = max(self.now, 100.0 + TIMED.seconds - 5)
            return super().teach(settings, params, refitted=refitted)

    plan, world = replace(TIMED, ensemble=2, distill=True), Late()
    outcome = search(place, world, plan, thaw(plan))
    assert outcome.partners
    found = outcome.distilled
    assert (found.kept, found.reason, found.validation) == (WINNER, "no time", None)
    assert world.now - 100.0 <= 1.05 * plan.seconds + 1


def test_it_works_with_halving_too(place):
    plan = counted(9, EPOCHS, replicates=3, ensemble=4, distill=True)
    assert search(place, School(), plan).distilled.kept == STUDENT


def test_the_plan_knows_of_it():
    assert DISTILL.network_epochs == TOGETHER.network_epochs + DISTILLED * EPOCHS
    assert Plan.from_dict(DISTILL.to_dict()) == DISTILL
    old = {name: value for name, value in TOGETHER.to_dict().items() if name != "distill"}
    assert Plan.from_dict(old) == TOGETHER


def test_better_is_more_rows_right_and_among_equals_a_lower_loss():
    assert Score(0.9, 9.0).above(Score(0.8, 0.1))
    assert Score(0.9, 0.1).above(Score(0.9, 0.2))
    assert not Score(0.9, 0.1).above(Score(0.9, 0.1))
