"""The cost model: who shares a program with whom, and what may never be shared."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import programs
from fleetgrad.products import PLAIN
from fleetgrad.programs import COST, Programs, joined, serves, share
from fleetgrad.settings import ACTIVATIONS, OPTIMIZERS, Settings
from fleetgrad.shapes import shape_of
from strategies_settings import trainable

FREE = COST._replace(compiling=lambda _: 0.0)
DEAR = COST._replace(compiling=lambda _: 1e9)


def shape(settings=None, **values):
    settings = settings or Settings(**values)
    return shape_of(settings, 784, 10, validation_rows=40, epochs=1, image_shape=(28, 28))


@st.composite
def relatives(draw):
    """Settings of which most could share a program."""
    return Settings(
        hidden=draw(st.lists(st.integers(1, 300), min_size=1, max_size=2).map(tuple)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        optimizer=draw(st.sampled_from(OPTIMIZERS[:2])),
        **{
            name: draw(st.sampled_from([0.0, 0.5]))
            for name in ("dropout", "input_dropout", "input_noise", "gradient_clipping", "ema")
        },
    )


RUNS = st.dictionaries(relatives().map(shape), st.floats(1, 1e6), max_size=12)


def used(steps, decided):
    return {decided.serving(one) for one in steps}


@given(RUNS)
def test_everybody_is_served_by_one_of_no_more_programs_than_shapes(steps):
    decided = share(steps)
    assert all(serves(decided.serving(one), one) for one in steps)
    assert used(steps, decided) <= set(decided.known)
    assert len(decided.known) <= len(steps)


@given(RUNS, st.randoms(use_true_random=False))
def test_the_order_in_which_shapes_are_named_decides_nothing(steps, shuffler):
    order = list(steps.items())
    shuffler.shuffle(order)
    assert share(dict(order)) == share(steps)


@given(RUNS, st.sampled_from([2.0, 16.0, 1024.0]))
def test_longer_training_never_means_fewer_programs(steps, times):
    longer = {one: times * taken for one, taken in steps.items()}
    assert len(share(longer).known) >= len(share(steps).known)


@given(RUNS)
def test_where_compiling_costs_nothing_everybody_has_a_program(steps):
    decided = share(steps, cost=FREE)
    assert set(decided.known) == set(steps)
    assert all(decided.serving(one) == one for one in steps)


@given(RUNS)
def test_where_compiling_costs_everything_a_kind_has_one_program(steps):
    decided = share(steps, cost=DEAR)
    assert len(decided.known) == len({programs.alike(one) for one in steps})


@given(RUNS)
def test_sharing_never_costs_more_than_it_saves(steps):
    def total(decided):
        taken = sum(n * COST.step(decided.serving(one)) for one, n in steps.items())
        return taken + sum(map(COST.compiling, used(steps, decided)))

    assert total(share(steps)) <= total(Programs()) * (1 + 1e-9)


@given(RUNS, RUNS)
def test_what_is_decided_stays_decided(first, second):
    known = share(first)
    more = share(second, known)
    assert more.known[: len(known.known)] == known.known
    assert all(serves(more.serving(one), one) for one in (*first, *second))
    assert share(first, known) == known


@given(trainable(), trainable())
def test_what_two_make_together_serves_both_and_is_none_cheaper(one, other):
    one, other = (shape(dataclasses.replace(each, augment="none")) for each in (one, other))
    other = dataclasses.replace(
        joined(one, other) if programs.alike(one) == programs.alike(other) else one,
        activations=other.activations,
    )
    both = joined(one, other)
    assert serves(both, one)
    assert serves(both, other)
    assert joined(other, one) == both
    assert COST.step(both) >= max(COST.step(one), COST.step(other))
    assert COST.compiling(both) < COST.compiling(one) + COST.compiling(other)


SMALL = {"hidden": (8,)}
APART = [
    {"hidden": (8, 8)},
    {"hidden": ()},
    {"bias": False},
    {"normalization": "batch"},
    {"normalization": "layer"},
    {"loss": "squared_error"},
    {"optimizer": "sgd"},
    {"batch_size": 64},
    {"augment": "shift"},
]
TOGETHER = [
    {"hidden": (9,)},
    {"activation": "tanh"},
    {"dropout": 0.1},
    {"input_dropout": 0.1},
    {"input_noise": 0.1},
    {"gradient_clipping": 1.0},
    {"ema": 0.9},
]


@pytest.mark.parametrize("change", APART)
def test_what_cannot_be_made_neutral_is_never_shared(change):
    steps = {shape(**SMALL): 1.0, shape(**SMALL | change): 1.0}
    assert len(share(steps, cost=DEAR).known) == 2


@pytest.mark.parametrize("change", TOGETHER)
def test_what_can_be_made_neutral_is_shared_in_one_direction(change):
    plain, other = shape(**SMALL), shape(**SMALL | change)
    (both,) = share({plain: 1.0, other: 1.0}, cost=DEAR).known
    assert serves(both, plain)
    assert serves(both, other)
    assert not serves(plain, other)


def test_a_program_of_one_network_is_not_padded_and_chooses_nothing():
    one = shape(**SMALL)
    assert joined(one, one) == one
    assert not one.padded
    narrow, wide = shape(hidden=(5, 9)), shape(hidden=(7, 3))
    both = joined(narrow, wide)
    assert both.padded
    assert both.hidden == (7, 9)
    assert not serves(shape(hidden=(7, 9)), narrow)


def test_a_program_with_noise_does_not_skip_zeros_for_anybody():
    noisy, quiet = (
        dataclasses.replace(
            shape(hidden=(8,), input_noise=noise),
            arithmetic=PLAIN._replace(skips_zeros=noise == 0),
        )
        for noise in (0.1, 0.0)
    )
    assert not joined(noisy, quiet).arithmetic.skips_zeros
    assert COST.step(joined(noisy, quiet)) > COST.step(quiet)


MIXED = tuple(
    shape(hidden=(width,), activation=activation)
    for width in (64, 100, 128, 200)
    for activation in ACTIVATIONS
)


def test_little_training_shares_all_and_much_training_no_widths():
    few, many = (share(dict.fromkeys(MIXED, steps)) for steps in (10.0, 1e6))
    assert len(few.known) == 1
    assert {program.hidden for program in many.known} == {(64,), (100,), (128,), (200,)}
    assert not any(program.padded for program in many.known)


def test_one_that_nobody_expected_takes_the_cheapest_program_that_serves_it():
    wide, wider = (shape(hidden=(width,)) for width in (32, 64))
    decided = Programs(tuple(joined(one, shape(hidden=(1,))) for one in (wider, wide)))
    assert decided.serving(shape(hidden=(20,))).hidden == (32,)
    assert decided.serving(shape(hidden=(40,))).hidden == (64,)
    own = shape(hidden=(65,))
    assert decided.serving(own) == own


def test_hundreds_of_shapes_of_one_kind_are_decided_on():
    draw = random.Random(0)
    steps = {shape(hidden=(draw.randrange(8, 512),)): 1000.0 for _ in range(256)}
    assert 1 < len(share(steps).known) < len(steps)
