"""What an earlier run found reaches a later one, as far as the two spaces have things in common."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import earlier, samplers
from fleetgrad.earlier import FIRST, MOST, Earlier, Seen
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space
from simulated import rates
from spaces import spaces
from strategies_settings import trainable

SPACE = Space(
    hidden=Choice((64,), (256, 128)),
    learning_rate=Float(1e-3, 1e-1, log=True),
    batch_size=Int(16, 64),
    activation=Choice("relu", "tanh"),
)
RATE = Space(learning_rate=Float(1e-4, 1e-1, log=True))


def seen(settings, *scores, diverged=False):
    return Seen.of(settings, scores, 10, diverged=diverged)


def run(*candidates, name="runs/a"):
    return Earlier(name, "digits", 10, tuple(candidates))


def of_rates(count, name="runs/a"):
    """Candidates whose scores fall, as a leaderboard has them."""
    each = rates(*(1e-3 * 1.005**place for place in range(count)))
    return run(*(seen(one, 0.9 - 0.001 * at) for at, one in enumerate(each)), name=name)


def far_apart(count, name="runs/a"):
    each = rates(*(2e-4 * 3**place for place in range(count)))
    return run(*(seen(one, 0.9 - 0.01 * at) for at, one in enumerate(each)), name=name)


@given(st.lists(trainable(), min_size=1, max_size=4), st.integers(1, 100))
def test_a_run_comes_back_from_its_record(several, epochs):
    curve = [0.5 + 0.4 * epoch / epochs for epoch in range(epochs)]
    found = tuple(Seen.of(one, curve, epochs, diverged=False) for one in several)
    whole = Earlier("runs/a", "digits", epochs, found)
    assert Earlier.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


@given(st.integers(1, 300), st.integers(0, 300))
def test_of_a_curve_few_epochs_are_kept_the_last_among_them(epochs, reached):
    reached = min(epochs, reached)
    found = Seen.of(Settings(), [epoch / 300 for epoch in range(reached)], epochs, diverged=False)
    assert len(found.at) <= earlier.POINTS + 1
    assert list(found.at) == sorted(set(found.at))
    assert (reached in found.at) == (reached > 0)
    assert found.scores == pytest.approx([(epoch - 1) / 300 for epoch in found.at], rel=1e-5)


@given(spaces(), trainable())
def test_whatever_is_placed_lies_in_the_space(space, settings):
    place = earlier.fitted(space, settings, 9)
    if place is not None:
        values = space.build(lambda name, _: getattr(place.settings, name))
        assert all(space.ranges[n].has(v) for n, v in values.items() if n in space.ranges)
        assert {n: getattr(place.settings, n) for n in space.fixed} == dict(space.fixed)


def test_settings_of_the_space_are_placed_as_they_are():
    own = Settings(hidden=(64,), learning_rate=0.01, batch_size=32, activation="tanh", epochs=4)
    place = earlier.fitted(SPACE, own, 4)
    assert place == (own, frozenset())


def test_what_is_not_searched_is_the_spaces_not_the_runs():
    own = Settings(learning_rate=0.01, dropout=0.3, epochs=50)
    assert earlier.fitted(RATE, own, 4).settings == Settings(learning_rate=0.01, epochs=4)


def test_what_lies_outside_comes_as_near_as_it_can():
    own = Settings(hidden=(300, 100), learning_rate=0.5, batch_size=32, activation="relu")
    place = earlier.fitted(SPACE, own, 4)
    assert (place.settings.hidden, place.settings.learning_rate) == ((256, 128), 0.1)
    assert not place.unknown


def test_a_name_with_nothing_near_is_unknown():
    own = Settings(hidden=(64,), learning_rate=0.01, batch_size=32, activation="gelu")
    assert earlier.fitted(SPACE, own, 4).unknown == {"activation"}


def test_settings_that_are_outside_in_more_than_half_of_the_names_have_no_place():
    own = Settings(hidden=(8,), learning_rate=5.0, batch_size=512, activation="relu")
    assert earlier.fitted(SPACE, own, 4) is None
    assert run(seen(own, 0.9)).of_use(SPACE).candidates == ()


def test_a_long_run_is_thinned_to_the_best_and_a_spread_of_the_others():
    whole = of_rates(3 * MOST)
    found = whole.of_use(RATE).candidates
    assert len(found) == MOST
    assert found[: MOST // 2] == whole.candidates[: MOST // 2]
    assert found[-1] == whole.candidates[-1]


def test_the_best_that_did_not_diverge_are_tried_first():
    wild = seen(Settings(learning_rate=0.09), 0.99, diverged=True)
    whole = far_apart(5)
    expected = [one.settings.learning_rate for one in whole.candidates[:FIRST]]
    found = run(wild, *whole.candidates).first(RATE, 4)
    assert [one.learning_rate for one in found] == expected


def test_near_a_better_one_nobody_is_tried_first():
    whole = of_rates(20)  # over a thirtieth of the range
    assert whole.first(RATE, 4) == [replace(whole.candidates[0].settings, hidden=(128,), epochs=4)]


def test_runs_take_turns_and_each_settings_belongs_to_the_first_that_has_it():
    one, other = far_apart(3), run(*far_apart(5).candidates[2:])
    found = earlier.opening([one, other], RATE, 4)
    assert list(found.values()) == [0, 1, 0, 1, 1]
    config = {"space": RATE.to_dict(), "earlier": [one.to_dict(), other.to_dict()]}
    said = earlier.summary(config)
    assert [part["enqueued"] for part in said] == [2, 3]
    assert [part["candidates"] for part in said] == [3, 3]
    assert earlier.summary({}) == ()


def test_standings_are_on_the_scale_of_the_run():
    whole = run(
        *(
            seen(one, score)
            for one, score in zip(rates(0.1, 0.05, 0.01), (0.9, 0.8, 0.4), strict=True)
        ),
        seen(Settings(learning_rate=0.09), diverged=True),
    )
    best, middle, last, broken = (standing for _, standing in whole.standings(RATE, 4, 20))
    assert (best, middle, last) == pytest.approx((1.0, 0.0, -4.0))
    assert math.isnan(broken)
    assert run(seen(Settings(learning_rate=0.09), diverged=True)).standings(RATE, 4, 20) == []


def asked(name, *batches, runs, score=None, space=RATE):
    """Everyone that a sampler proposes, told of each before the next batch."""
    sampler = samplers.make(name, space, seed=0, epochs=9, earlier=runs)
    found = []
    for size in batches:
        candidates = sampler.ask(size)
        found += list(candidates)
        sampler.tell(candidates, [score(one) if score else 0.5 for one in candidates.settings])
    return found


@pytest.mark.parametrize("name", ["random", "sobol", "tpe"])
def test_every_sampler_begins_with_the_best_and_repeats_nobody(name):
    whole = far_apart(6)
    found = asked(name, 2, 6, 9, runs=[whole])
    assert [one for _, one in found[:FIRST]] == whole.first(RATE, 9)
    assert [number for number, _ in found] == list(range(17))
    assert len({one for _, one in found}) == 17
    assert [one for _, one in found] != [one for _, one in asked(name, 2, 6, 9, runs=[])]


def test_a_small_space_is_used_up_once():
    small = Space(activation=Choice("relu", "tanh", "gelu"))
    whole = run(seen(Settings(activation="gelu"), 0.9), seen(Settings(activation="tanh"), 0.8))
    found = asked("random", 2, 5, 5, runs=[whole], space=small)
    assert sorted(one.activation for _, one in found) == ["gelu", "relu", "tanh"]


def test_a_model_that_heard_of_a_good_region_proposes_there():
    def distance(one):
        return abs(math.log10(one.learning_rate / 3e-2))

    several = rates(*(1e-4 * 1.27**place for place in range(29)))
    ranked = sorted(several, key=distance)
    whole = run(*(seen(one, 0.9 - 0.2 * distance(one)) for one in ranked))
    told = asked("tpe", 12, 12, runs=[whole], score=lambda one: 0.5)[12:]
    untold = asked("tpe", 12, 12, runs=[], score=lambda one: 0.5)[12:]
    assert sum(distance(one) for _, one in told) < 0.7 * sum(distance(one) for _, one in untold)
