"""Those that predict together were whole, are refitted, and count as much as they help."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from fleetgrad import Budget, ensembling, load, temperatures, tune
from fleetgrad.ensembling import Ensembling
from fleetgrad.plan import MOST_LAST
from fleetgrad.space import Space
from fleetgrad.store import Run
from fleetgrad.views import CENTER, KINDS
from simulated import SOUND, Crash, World, counted, memory_after, search
from test_rounds import EPOCHS, PLAN, TIMED, thaw
from test_study import somewhere, told

TOGETHER = replace(PLAN, ensemble=4)


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


class Various(World):
    """Networks that are each wrong about other rows."""

    def probabilities(self, settings, params):
        draw = np.random.default_rng(int(settings.learning_rate * 1e9))
        shares = np.where(draw.random(200) < 0.8, 0.9, 0.2)
        return np.stack([1 - shares, shares], axis=1)


def parts(outcome):
    return [
        (one.candidate, one.weight, float(one.params[0]["weight"][0, 0]))
        for one in outcome.partners
    ]


def test_several_that_were_whole_are_refitted_and_share_the_vote(place):
    outcome = search(place, Various(), TOGETHER, thaw())
    assert 2 <= len(outcome.partners) <= 4
    assert sum(one.weight for one in outcome.partners) == pytest.approx(1)
    for one in outcome.partners:
        assert outcome.leaderboard[one.candidate].epochs == EPOCHS
        assert one.params[0]["weight"][0, 0] == memory_after(EPOCHS)
    assert outcome.winner.refitted


def test_a_winner_that_others_join_is_not_trained_twice(place):
    """Its weights are those of its refit."""

    class Others(World):
        """Each is wrong about rows of its own, and the better the fewer."""

        def probabilities(self, settings, params):
            draw = np.random.default_rng(int(settings.learning_rate * 1e9))
            shares = np.where(draw.random(200) < self.row(settings, 0, 50)[3], 0.9, 0.2)
            return np.stack([1 - shares, shares], axis=1)

    outcome = search(place, Others(), TOGETHER, thaw())
    joined = [one.candidate for one in outcome.partners]
    assert outcome.winner.candidate in joined
    with Run.open(place, write=False) as run:
        trained = run.segment("ensemble")["network_epochs"]
    assert trained == EPOCHS * (len(joined) - 1)
    for one in outcome.partners:
        assert one.params[0]["weight"][0, 0] == memory_after(EPOCHS)


def test_what_it_shares_is_what_it_would_have_come_to(tmp_path, monkeypatch):
    """Of networks that are really trained, to the bit."""
    monkeypatch.setattr(Ensembling, "_selected", lambda self, said: np.full(len(said), 0.3))
    budget, found = Budget(candidates=9, epochs=3), []
    for way in ("shared", "anew"):
        if way == "anew":
            monkeypatch.setattr(Ensembling, "_share", lambda *known: None)
        tune(load("digits"), budget=budget, ensemble=3, seed=0, out=tmp_path / way)
        with Run.open(tmp_path / way, write=False) as run:
            joined, refitted = run.segment("ensemble"), run.segment("refit")
            found.append(run.weights("ensemble"))
        assert str(refitted["candidate"]) in joined["weights"]
        assert joined["network_epochs"] == 3 * (len(joined["weights"]) - (way == "shared"))
    shared, anew = found
    assert shared.keys() == anew.keys()
    for name, array in shared.items():
        np.testing.assert_array_equal(array, anew[name])


def test_logits_are_divided_by_the_temperature_of_the_validation_rows(place):
    """These networks are all but sure where they are wrong, too."""

    class Sure(Various):
        def probabilities(self, settings, params):
            return temperatures.tempered(super().probabilities(settings, params), 0.4)

    partner = search(place, Sure(), TOGETHER, thaw()).partners[0]
    first, last = partner.params[0]["weight"], partner.params[-1]["weight"]
    assert 0 < last[0, 0] < 0.6 * first[0, 0]


def test_rows_that_do_not_count_have_no_say(place):
    class Half(Various):
        """Only the first rows are there."""

        def probabilities(self, settings, params):
            return super().probabilities(settings, params)[:100]

        def labels(self):
            return super().labels()[:100]

    class Weighted(Various):
        def row_weights(self):
            return np.where(np.arange(200) < 100, 2.0, 0.0)

    with somewhere() as other:
        half = search(other, Half(), TOGETHER, thaw())
    weighted = search(place, Weighted(), TOGETHER, thaw())
    assert [one.candidate for one in half.partners] == [one.candidate for one in weighted.partners]
    for one, same in zip(half.partners, weighted.partners, strict=True):
        assert one.weight == pytest.approx(same.weight)
        assert one.temperature == pytest.approx(same.temperature, rel=1e-3)


def test_where_images_are_seen_from_is_chosen_without_asking_twice(place):
    """Here from between pixels, where networks are right more often."""
    asked = Counter()

    class Shifted(Various):
        def probabilities(self, settings, params, view=CENTER):
            asked[settings.learning_rate, view] += 1
            said = super().probabilities(settings, params)
            return np.add(said, [0, 1]) / 2 if view in KINDS["halves"] else said

    space = Space(learning_rate=SOUND.ranges["learning_rate"], augment="shift")
    partners = search(place, Shifted(), TOGETHER, thaw(space=space)).partners
    assert {one.views for one in partners} == {"halves"}
    assert set(asked.values()) == {1}
    moved = {rate for rate, view in asked if view != CENTER}
    assert moved == {one.settings.learning_rate for one in partners}


def test_bags_take_in_more_networks(place, monkeypatch):
    plan = replace(PLAN, ensemble=12)
    broad = search(place, Various(), plan, thaw()).partners
    monkeypatch.setattr(ensembling, "BAGS", 0)
    with somewhere() as other:
        narrow = search(other, Various(), plan, thaw()).partners
    assert 2 <= len(narrow) < len(broad)


def test_networks_that_do_harm_are_kept_out_of_bags(place):
    """Of two that help, many a half has none."""

    class Misled(Various):
        def probabilities(self, settings, params):
            said = super().probabilities(settings, params)
            return said if helps(settings) else said[:, ::-1]

    def helps(settings):
        return int(settings.learning_rate * 1e9) % 6 == 0

    partners = search(place, Misled(), replace(PLAN, ensemble=6), thaw()).partners
    assert len(partners) == 2
    assert all(helps(one.settings) for one in partners)


def test_where_nobody_helps_the_winner_stands_alone(place):
    assert search(place, World(noise=0.0), TOGETHER, thaw()).partners == ()


def test_an_ensemble_is_the_same_however_often_its_run_stops(place):
    whole = search(place, Various(), TOGETHER, thaw())
    calls = Various()
    with somewhere() as other:
        search(other, calls, TOGETHER, thaw())
    for back in (1, 2, 3, 5, 8):
        with somewhere() as here:
            with pytest.raises(Crash):
                search(here, Various().breaks(calls.calls - back, Crash), TOGETHER, thaw())
            again = search(here, Various(), TOGETHER, thaw())
        assert parts(again) == parts(whole)
        assert told(again) == told(whole)


def test_so_it_is_of_a_search_in_generations(place):
    """Whose best networks are as much at hand after a stop, whichever generation they are of."""
    plan = counted(36, EPOCHS - 1, generations=4, replicates=3, ensemble=4)
    world = Various()
    whole = search(place, world, plan, "tpe", space=SOUND)
    assert len({one.candidate // 9 for one in whole.partners}) > 1
    for back in (5, 60, 120, 200):
        broken = Various().breaks(world.calls - back, Crash)
        with somewhere() as here:
            with pytest.raises(Crash):
                search(here, broken, plan, "tpe", space=SOUND)
            again = search(here, Various(), plan, "tpe", space=SOUND)
        assert parts(again) == parts(whole)


def test_time_is_kept_back_for_it(place):
    plan, world = replace(TIMED, ensemble=2), Various()
    outcome = search(place, world, plan, thaw(plan))
    assert outcome.partners
    assert world.now - 100.0 <= 1.05 * plan.seconds + 1


def test_those_chosen_learn_for_as_long_as_there_is_time(place):
    plan, world = replace(TIMED, seconds=400.0, ensemble=2, last_epochs=60), Various()
    outcome = search(place, world, plan, thaw(plan))
    lasting = {one.settings.epochs for one in outcome.partners}
    assert len(lasting) == 1
    assert 60 < (epochs := lasting.pop()) <= MOST_LAST, "two need less than four would"
    for one in outcome.partners:
        assert one.params[0]["weight"][0, 0] == memory_after(epochs)
    assert outcome.winner.settings.epochs == EPOCHS, "whom others join need not learn for longer"
    assert world.now - 100.0 <= 1.05 * plan.seconds + 1


def test_nobody_joins_where_none_was_asked_for(place):
    assert search(place, Various(), PLAN, thaw()).partners == ()
