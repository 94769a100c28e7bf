"""How a network in training does on the rows held out: loss and score, block by block."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fleetgrad import activations, batches, losses, network, scoring
from fleetgrad.activations import Units
from fleetgrad.batches import Feed, Rows
from fleetgrad.shapes import Rates, Shape
from fleetgrad.states import State, predicting

ROWS = 1000  # a block of validation rows: small enough for the cache, and for memory

Scores = Float[Array, "2"]


def validate(shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows) -> Scores:
    """Loss and score over the validation rows; NaN where there are none.

    The loss is the log loss, or where numbers are predicted the one that training follows.
    """
    if shape.validation_rows == 0:
        return jnp.full(2, jnp.nan, jnp.float32)
    if shape.counts:
        return _counted(shape, state, rates, feed, rows)
    return _judged(shape, state, rates, feed, rows)


def units(shape: Shape, rates: Rates) -> Units:
    """A member's hidden units, in a program that may serve other activations and widths too."""
    activate = activations.chosen(shape.activations, rates.activation)
    widths = rates.widths if shape.padded else None
    return Units(activate, widths, ntk=shape.parametrization == "ntk", places=shape.places)


def _counted(shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows) -> Scores:
    """Mean negative log-likelihood and accuracy, of which nothing is kept but sums."""
    count = shape.validation_rows
    block = min(count, ROWS)

    def score(number: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        # The last block reaches back over rows already scored; `fresh` leaves those out.
        start = jnp.minimum(number * block, count - block)
        fresh = start + jnp.arange(block) >= number * block
        outputs, y = _outputs(shape, state, rates, feed, rows, start)
        likelihood = jnp.where(fresh, losses.nll(outputs, y, shape.loss), 0)
        right = jnp.where(fresh, losses.correct(outputs, y), 0)
        return sums[0] + likelihood.sum(), sums[1] + right.sum()

    blocks = -(-count // block)
    total, right = lax.fori_loop(0, blocks, score, (jnp.float32(0), jnp.int32(0)))
    return jnp.stack([total, right.astype(jnp.float32)]) / count


def _judged(shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows) -> Scores:
    """Loss and score of any metric, from what it needs of every row."""
    count = shape.validation_rows
    block = min(count, ROWS)

    def keep(number: Array, found: Array) -> Array:
        # The last block reaches back over rows that are known already, and are the same again.
        start = jnp.minimum(number * block, count - block)
        outputs, y = _outputs(shape, state, rates, feed, rows, start)
        own = scoring.kept(shape.metric, shape.loss, outputs, y)
        return lax.dynamic_update_slice(found, own, (start, 0))

    nothing = jnp.zeros((count, scoring.width(shape.metric, shape.classes)), jnp.float32)
    found = lax.fori_loop(0, -(-count // block), keep, nothing)
    truth = batches.truth(rows, feed.validation, feed)
    weights = batches.chosen_of(rows.weights, feed.validation)
    judge = scoring.Judge(shape.metric, shape.loss, shape.classes, feed.spread)
    return scoring.judged(judge, found, truth, weights)


def _outputs(
    shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows, start: Array
) -> tuple[Array, Array]:
    """The outputs of a block of rows, and what is true of them."""
    chosen = lax.dynamic_slice(feed.validation, (start,), (min(shape.validation_rows, ROWS),))
    x, y = batches.take(rows, chosen, feed)
    layers = predicting(state)
    outputs = network.apply(layers, units(shape, rates), x, shape.arithmetic.products)
    return losses.pooled(outputs, shape.loss), y
