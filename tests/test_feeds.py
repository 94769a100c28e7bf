"""Feeds: what members see over the next epochs, the same for all who are equally far."""

import jax
import numpy as np
import pytest

from digits_fleet import DRAWS, digits
from fleetgrad import feeds
from fleetgrad.feeds import Feeds

MATERIAL = digits()


def same(one, other):
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, one, other)))


@pytest.mark.parametrize("replicate", [0, 1])
@pytest.mark.parametrize("epoch", [0, 3])
def test_a_feed_is_the_draws_of_its_epochs(replicate, epoch):
    feed, view = Feeds(MATERIAL, DRAWS).of(replicate, epoch, 2, 10), MATERIAL.views[replicate]
    for row in range(2):
        order = DRAWS.order(view.train, replicate, epoch + row)
        np.testing.assert_array_equal(feed.order[row, : len(view.train)], order)
        np.testing.assert_array_equal(feed.noise[row], DRAWS.noise(replicate, epoch + row))
    np.testing.assert_array_equal(feed.validation, view.validation)
    np.testing.assert_array_equal(feed.shift, view.shift)
    np.testing.assert_array_equal(feed.scale, view.scale)
    assert feed.steps == 10


def test_an_order_never_names_a_validation_row():
    view = MATERIAL.views[1]
    order = Feeds(MATERIAL, DRAWS).of(1, 0, 3, 10).order[:, : len(view.train)]
    assert not set(order.ravel().tolist()) & set(view.validation.tolist())


def test_every_view_is_fed_in_arrays_of_one_size():
    small, large = digits(train=100), digits(train=160)
    one, other = (Feeds(material, DRAWS).of(0, 0, 2, 5) for material in (small, large))
    assert one.order.shape == other.order.shape == (2, 200)


def test_members_that_are_equally_far_share_one_copy():
    kept = Feeds(MATERIAL, DRAWS)
    assert kept.of(0, 1, 2, 10) is kept.of(0, 1, 2, 10)
    assert kept.of(0, 1, 2, 10) is not kept.of(0, 2, 2, 10)


def test_a_straggler_is_fed_as_if_the_others_had_not_gone_ahead(monkeypatch):
    monkeypatch.setattr(feeds, "MOST_KEPT", 2)
    kept = Feeds(MATERIAL, DRAWS)
    first = kept.of(0, 0, 1, 10)
    for epoch in range(1, 5):
        kept.of(0, epoch, 1, 10)
    assert kept.of(0, 0, 1, 10) is not first
    assert same(kept.of(0, 0, 1, 10), first)


def test_orders_of_very_many_rows_are_not_kept_for_long(monkeypatch):
    kept = Feeds(MATERIAL, DRAWS)
    for epoch in range(9):
        kept.of(0, epoch, 1, 10)
    assert len(kept._kept) == 9
    size = kept.of(0, 0, 1, 10).order.nbytes
    monkeypatch.setattr(feeds, "MOST_BYTES", 6 * size)
    kept.of(0, 9, 1, 10)
    assert len(kept._kept) == 6
    monkeypatch.setattr(feeds, "MOST_BYTES", 1)
    kept.of(0, 10, 1, 10)
    assert len(kept._kept) == feeds.FEWEST_KEPT
