"""Random numbers depend on what they are for: the seed, the purpose, the counters, all of them."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import keys

SEEDS = st.integers(0, 2**80)
PLACES = st.tuples(
    SEEDS,
    st.sampled_from(sorted(keys.PURPOSES)),
    st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple),
)


def words(place):
    seed, purpose, numbers = place
    return keys.generator(seed, purpose, *numbers).integers(2**63, size=4).tolist()


def key_words(place):
    seed, purpose, numbers = place
    return jax.random.key_data(keys.key(seed, purpose, *numbers)).tolist()


@given(PLACES, PLACES)
def test_other_seeds_purposes_or_counters_give_other_draws(one, other):
    assert (words(one) == words(other)) == (one == other)
    assert (key_words(one) == key_words(other)) == (one == other)


@given(PLACES, st.integers(1, 3))
def test_a_counter_of_zero_is_not_the_same_as_none(place, more):
    seed, purpose, numbers = place
    assert words(place) != words((seed, purpose, (*numbers, *[0] * more)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(0, 5), st.integers(0, 5))
def test_a_large_seed_does_not_swallow_the_purpose(low, high, first, second):
    purposes = {number: purpose for purpose, number in keys.PURPOSES.items()}
    large = (low + (high << 32), "init", (first, second))
    assert words(large) != words((low, purposes[high], (keys.PURPOSES["init"], first, second)))


@given(PLACES)
def test_the_same_question_has_the_same_answer(place):
    assert words(place) == words(place)
    assert key_words(place) == key_words(place)


@pytest.mark.parametrize(
    ("place", "integers", "key"),
    [
        ((0, "split", (0,)), [507, 875, 819], [0, 3953331965]),
        ((0, "init", (0,)), [312, 703, 635], [0, 1961512366]),
        ((0, "init", (1,)), [740, 520, 512], [0, 1663335698]),
        ((7, "shuffle", (2, 30)), [391, 668, 397], [0, 3927188093]),
        ((7, "noise", (2, 30)), [823, 981, 991], [0, 3710679486]),
        ((2**40, "sampler", (3, 0)), [779, 665, 10], [0, 4255112054]),
        ((1, "bootstrap", ()), [822, 136, 151], [0, 1227430691]),
    ],
)
def test_draws_are_what_they_were_in_every_version_before(place, integers, key):
    seed, purpose, numbers = place
    found = keys.generator(seed, purpose, *numbers).integers(1000, size=3)
    assert (found.tolist(), key_words(place)) == (integers, key)


def test_normal_draws_and_permutations_are_pinned_too():
    generator = keys.generator(0, "init", 0)
    draws = generator.standard_normal(3, np.float32)
    np.testing.assert_allclose(draws, [0.75769454, -0.5429831, 1.4856608], rtol=1e-6)
    assert generator.permutation(8).tolist() == [2, 0, 4, 5, 1, 6, 3, 7]


def test_an_unknown_purpose_has_no_draws():
    with pytest.raises(KeyError):
        keys.generator(0, "tea")


def test_no_two_purposes_share_a_number():
    assert len(set(keys.PURPOSES.values())) == len(keys.PURPOSES)
