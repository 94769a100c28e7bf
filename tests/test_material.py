"""What members learn from: every draw belongs to a replicate and an epoch, none to a candidate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits_fleet import digits, views
from fleetgrad import keys, network
from fleetgrad.material import Material, SeededDraws, View
from fleetgrad.settings import Settings

PLACES = st.tuples(st.integers(0, 2**32), st.integers(0, 50), st.integers(0, 1000))
ROWS = np.arange(3, 3000, 7, dtype=np.int32)


@given(PLACES)
def test_an_order_is_every_row_once_and_the_same_whenever_asked(place):
    seed, replicate, epoch = place
    order = SeededDraws(seed).order(ROWS, replicate, epoch)
    assert sorted(order) == ROWS.tolist()
    assert order.tolist() != ROWS.tolist()
    np.testing.assert_array_equal(order, SeededDraws(seed).order(ROWS, replicate, epoch))


@given(PLACES, PLACES)
def test_another_seed_replicate_or_epoch_has_another_order_and_noise(one, other):
    (seed, *place), (other_seed, *other_place) = one, other
    draws, others = SeededDraws(seed), SeededDraws(other_seed)
    orders = draws.order(ROWS, *place), others.order(ROWS, *other_place)
    assert np.array_equal(*orders) == (one == other)
    assert np.array_equal(draws.noise(*place), others.noise(*other_place)) == (one == other)


def test_noise_is_the_two_words_of_a_key():
    noise = SeededDraws(0).noise(replicate=1, epoch=2)
    assert noise.shape == (2,)
    assert noise.dtype == np.uint32


def test_first_weights_belong_to_the_replicate():
    settings, draws = Settings(hidden=(4,)), SeededDraws(9)
    one, other = (draws.initial(settings, replicate, 64, 10) for replicate in (0, 1))
    assert not np.array_equal(one[0]["weight"], other[0]["weight"])
    expected = network.init(keys.generator(9, "init", 1), settings, 64, 10)
    np.testing.assert_array_equal(other[0]["weight"], expected[0]["weight"])


def test_members_of_one_replicate_are_never_given_the_same_array():
    draws = SeededDraws(9)
    one, other = (draws.initial(Settings(), 0, 64, 10)[0]["weight"] for _ in range(2))
    assert not np.shares_memory(one, other)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("train", [100, 160])
def test_features_are_the_columns_and_views_the_replicates(train):
    material = digits(train=train)
    assert material.features == 64
    assert set(material.views) == {0, 1}
    assert len(views(train=train)[0].train) == train


def test_what_is_missing_does_not_fill_the_inputs():
    x, rows = np.array([[np.nan, 1], [np.nan, 0]], np.float32), np.arange(2, dtype=np.int32)
    view = View(
        rows, rows, np.zeros(2, np.float32), np.ones(2, np.float32), np.zeros(2, np.float32)
    )
    assert Material(x, rows, 2, {0: view}).filled == 0.25


def test_how_full_the_inputs_are_is_counted_after_scaling():
    x = np.zeros((10, 4), np.uint8)
    x[:, 0] = 5
    rows, ones = np.arange(10, dtype=np.int32), np.ones(4, np.float32)

    def filled(shift):
        return Material(x, rows, 10, {0: View(rows, rows, shift, ones)}).filled

    assert filled(0 * ones) == 0.25
    assert filled(ones) == 1
    assert filled(np.array([5, 0, 0, 0], np.float32)) == 0
    assert filled(np.outer([0, 1], ones)) == (0.25 + 1) / 2, "each row of a batch has its own"
