"""Batches: rows in the form in which a network sees them."""

import jax.numpy as jnp
import numpy as np

from fleetgrad import batches
from test_training import FEED, MATERIAL, ROWS


def test_uint8_rows_are_scaled_batch_by_batch():
    feed = FEED._replace(shift=np.full(64, 2, np.float32), scale=np.full(64, 0.5, np.float32))
    x, y = batches.take(ROWS, jnp.array([3, 3, 1]), feed)
    np.testing.assert_allclose(x, (MATERIAL.x[[3, 3, 1]].astype(float) - 2) / 2)
    assert x.dtype == jnp.float32
    assert y.tolist() == MATERIAL.y[[3, 3, 1]].tolist()


def test_a_target_is_standardized_as_its_rows_are_taken():
    rows = ROWS._replace(y=jnp.float32([7, 9, 4, 5]))
    plain = batches.truth(rows, jnp.array([2, 0]), FEED)
    feed = FEED._replace(center=np.float32(5), spread=np.float32(2))
    assert plain.tolist() == [4, 7]
    assert batches.truth(rows, jnp.array([2, 0]), feed).tolist() == [-0.5, 1]
