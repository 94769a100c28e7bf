"""Population-based training, on invented networks: who gives way, to whom, and at what rates."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Space
from fleetgrad.strategies.pbt import TRUNCATED, Pbt, evolving, moved, stops
from fleetgrad.trials import Trial

EPOCHS = 20
RATES = Space(learning_rate=Float(1e-4, 1.0, log=True))
WIDE = Space(
    hidden=Choice((8,), (16,)),
    optimizer=Choice("adamw", "momentum"),
    learning_rate=Float(1e-3, 1e-1, log=True),
    momentum=Float(0.5, 0.99, when={"optimizer": "momentum"}),
    weight_decay=Float(1e-4, 0.3, log=True),
    dropout=Choice(0.0, 0.1, 0.2),
    label_smoothing=Float(0.0, 0.1),
)


def begun(space, size, seed=0, epochs=EPOCHS):
    rng = np.random.default_rng(seed)
    points = rng.random((size, space.dimensions))
    return [Settings(**{"epochs": epochs, **space.decode(point)}) for point in points]


def in_force(settings, epoch):
    """The settings of an epoch, counted from 1."""
    return next(own for until, own in settings.timeline if epoch <= until)


def evolve(score, space=RATES, size=20, seed=0, epochs=EPOCHS, broken=lambda settings: False):
    """Everyone who ever was, and the steps that made them: training by a formula.

    Args:
        score: (settings in force, by epoch) -> the score after the last of these.
    """
    strategy = Pbt(space, begun(space, size, seed, epochs), epochs, seed)
    known, reached, steps = [], {}, []
    trials = []
    while step := strategy.decide(trials, math.inf, None):
        steps.append((step, trials))
        new = range(len(known), len(known) + len(step.fresh))
        known += step.fresh
        reached |= dict.fromkeys(new, step.until) | step.goals
        trials = []
        for one, own in enumerate(known):
            way = [in_force(own, epoch) for epoch in range(1, reached[one] + 1)]
            lost = any(map(broken, way))
            scores = () if lost else tuple(score(way[:n]) for n in range(1, len(way) + 1))
            trials.append(Trial(one, own, scores, diverged=lost))
        staying = set(strategy.wanted(trials))
        trials = [one._replace(kept=one.id in staying) for one in trials]
    return trials, steps


def falling(way):
    """The best rate is a tenth of what it was, twice over the training; a wrong one gains less."""
    gains = (
        math.exp(-((math.log10(own.learning_rate) + 1 + 2 * epoch / EPOCHS) ** 2))
        for epoch, own in enumerate(way)
    )
    return sum(gains) / EPOCHS


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_a_schedule_that_beats_every_fixed_rate(seed):
    trials, _ = evolve(falling, seed=seed)
    best = max(trials, key=lambda one: (one.epochs, one.scores[-1]))
    fixed = max(
        falling([Settings(learning_rate=10**power)] * EPOCHS) for power in np.linspace(-4, 0, 400)
    )
    assert best.epochs == EPOCHS
    assert best.scores[-1] > fixed + 0.02
    rates = [in_force(best.settings, epoch).learning_rate for epoch in range(1, EPOCHS + 1)]
    assert np.mean(rates[:5]) > 3 * np.mean(rates[-5:])


@given(seed=st.integers(0, 10**6), size=st.integers(4, 30), epochs=st.integers(1, 30))
@settings(max_examples=20, deadline=None)
def test_a_population_keeps_its_size_its_ranges_and_its_budget(seed, size, epochs):
    noise = np.random.default_rng(seed)
    trials, steps = evolve(lambda way: noise.random(), WIDE, size, seed, epochs)
    spent, reached = 0, {}
    for step, before in steps:
        ids = range(len(before), len(before) + len(step.fresh))
        begins = dict(zip(ids, (reached.get(p, 0) for p in step.parents), strict=False))
        goals = dict.fromkeys(ids, step.until) | step.goals
        assert len(goals) == size
        spent += sum(until - begins.get(o, reached.get(o, 0)) for o, until in goals.items())
        reached |= goals
    assert spent == size * epochs
    for one in trials:
        for _, own in one.settings.timeline:
            mattering = WIDE.build(lambda name, _, own=own: getattr(own, name))
            assert all(
                WIDE.ranges[name].has(mattering[name]) for name in WIDE.names if name in mattering
            )


def test_the_worst_give_way_to_the_best_and_take_over_their_past():
    _, steps = evolve(falling, WIDE, size=20)
    for step, before in steps[1:]:
        alive = [one for one in before if one.kept]
        ranked = sorted(alive, key=lambda one: -one.scores[-1])
        share = len(alive) // TRUNCATED
        assert len(step.fresh) == share
        assert set(step.goals) == {one.id for one in ranked[:-share]}
        assert set(step.parents) <= {one.id for one in ranked[:share]}
        now = alive[0].epochs
        for child, parent in zip(step.fresh, step.parents, strict=True):
            own = before[parent].settings
            assert all(in_force(child, e) == in_force(own, e) for e in range(1, now + 1))
            assert child.hidden == own.hidden
            assert child != own


def test_whoever_diverged_is_replaced():
    def broken(own):
        return own.learning_rate > 0.05

    trials, steps = evolve(falling, size=20, broken=broken)
    lost = {one.id for one in trials if one.diverged}
    assert len(lost) > 20 // TRUNCATED
    for step, _ in steps:
        assert not lost & set(step.parents)
        assert len(step.goals) + len(step.fresh) == 20
    assert max(one.epochs for one in trials) == EPOCHS


def test_when_all_have_diverged_it_is_over():
    _, steps = evolve(falling, broken=lambda own: True)
    assert len(steps) == 1


def test_a_population_of_equals_stays_sound():
    trials, steps = evolve(lambda way: 0.5, size=10)
    assert len(steps) == len(stops(EPOCHS))
    assert sum(one.epochs == EPOCHS for one in trials) == 10
    parents = {one for step, _ in steps for one in step.parents}
    assert len(parents) > 5  # chance decides between equals, not the order of ids


def test_the_same_record_and_seed_give_the_same_step_and_another_seed_another():
    _, steps = evolve(falling)
    step, before = steps[3]
    again = Pbt(RATES, begun(RATES, 20), EPOCHS, 0)
    other = Pbt(RATES, begun(RATES, 20), EPOCHS, 1)
    assert again.decide(before, 100.0, None) == step
    assert other.decide(before, 100.0, None) != step


def test_a_budget_that_is_spent_ends_it():
    _, steps = evolve(falling)
    assert not Pbt(RATES, begun(RATES, 20), EPOCHS, 0).decide(steps[3][1], 0.0, None)


def test_only_numbers_that_matter_and_that_nothing_depends_on_evolve():
    plain = Settings(optimizer="adamw", dropout=0.1)
    assert set(evolving(WIDE, plain)) == {
        "learning_rate",
        "weight_decay",
        "dropout",
        "label_smoothing",
    }
    with_momentum = Settings(optimizer="momentum", momentum=0.9, dropout=0.1)
    assert "momentum" in evolving(WIDE, with_momentum)
    asked = Space(
        weight_decay=Choice(0.0, 0.1), learning_rate=Float(0.1, 0.2, when={"weight_decay": 0.1})
    )
    assert evolving(asked, Settings(weight_decay=0.1, learning_rate=0.1)) == ("learning_rate",)


@given(
    name=st.sampled_from(["learning_rate", "momentum", "dropout", "ema"]),
    unit=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 1000),
)
def test_a_value_moves_within_its_range_and_never_switches_anything(name, unit, seed):
    span = Float(0.0, 0.9) if name != "learning_rate" else Float(1e-3, 1e-1, log=True)
    value = span.at(unit)
    found = moved(name, span, value, np.random.default_rng(seed))
    assert span.has(found)
    if name in {"dropout", "ema"}:
        assert (found > 0) == (value > 0)


def test_momentum_moves_by_its_distance_to_one():
    span = Float(0.0, 0.999)
    found = {
        round(moved("momentum", span, 0.9, np.random.default_rng(seed)), 6) for seed in range(60)
    }
    assert {0.92, 0.875} <= found


@pytest.mark.parametrize("value", [1e-3, 1e-1])
def test_at_an_end_of_its_range_a_value_moves_away_from_it(value):
    span = Float(1e-3, 1e-1, log=True)
    rngs = map(np.random.default_rng, range(40))
    assert all(moved("learning_rate", span, value, rng) != value for rng in rngs)


@pytest.mark.parametrize("value", [0.1, 0.2, 0.3])
def test_a_choice_of_numbers_moves_to_a_neighbor_or_is_drawn_anew(value):
    span = Choice(0.1, 0.2, 0.3)
    found = {moved("dropout", span, value, np.random.default_rng(seed)) for seed in range(60)}
    assert found == {0.1, 0.2, 0.3}
