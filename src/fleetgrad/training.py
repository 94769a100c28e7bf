"""One candidate's training, as ordinary JAX: minibatch steps in, a curve out.

`shapes.Shape` holds what is fixed when the program is compiled, `shapes.Rates` what varies from
network to network, `Feed` the rows and keys of the next few epochs. `advance` runs any stretch of
steps of those epochs, so that a clock, an interrupt or a crash can stop it anywhere and it goes on
later.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Num

from fleetgrad import (
    activations,
    augment,
    losses,
    network,
    normalization,
    optimizers,
    shapes,
    steps,
)
from fleetgrad.activations import Units
from fleetgrad.shapes import Rates, Shape
from fleetgrad.states import State, predicting

shape_of = shapes.shape_of  # a program is asked for where its training is

EVALUATION_ROWS = 1000  # a block of validation rows: small enough for the cache, and for memory


class Rows(NamedTuple):
    """The data on the device; uint8 stays uint8 and is scaled batch by batch.

    Where there are `targets`, they are what is learned, as they are: labels are only what is
    scored, and it is for whoever makes targets of labels to smooth these.
    """

    x: Num[Array, "rows features"]
    y: Int[Array, " rows"]
    targets: Float[Array, "rows classes"] | None = None


class Feed(NamedTuple):
    """What one member sees over the next epochs.

    order: Row numbers, batch after batch; the tail that fills no batch is never read.
    noise: Key data, one pair of words an epoch.
    validation: Row numbers to score after each epoch.
    shift, scale: Scaled input = (x - shift) * scale; (features,) or (batch, features).
    steps: Steps an epoch, <= rows // batch_size.
    """

    order: Int[Array, "epochs rows"]
    noise: Array
    validation: Int[Array, " validation"]
    shift: Float[Array, "*batch features"]
    scale: Float[Array, "*batch features"]
    steps: Int[Array, ""]


CURVE = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
Curve = Float[Array, "epochs 4"]


def advance(
    shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows, start: Array, stop: Array
) -> tuple[State, Curve]:
    """Take the steps from `start` to `stop`, counted from the first step of the feed's epochs.

    Returns:
        The state after them, and a curve whose rows hold `CURVE` for every epoch of the feed that
        was completed on the way, NaN for the others.
    """
    curve = jnp.full((shape.epochs, len(CURVE)), jnp.nan, jnp.float32)

    def epoch(number: Array, carry: tuple[State, Curve]) -> tuple[State, Curve]:
        state, curve = carry
        offset = number * feed.steps
        first, last = jnp.maximum(start - offset, 0), jnp.minimum(stop - offset, feed.steps)
        state = _steps(shape, state, rates, feed, rows, (number, first, last))
        state, scores = lax.cond(
            last == feed.steps,
            lambda state: _finish_epoch(shape, state, rates, feed, rows),
            lambda state: (state, jnp.full(len(CURVE), jnp.nan, jnp.float32)),
            state,
        )
        return state, lax.dynamic_update_index_in_dim(curve, scores, number, 0)

    first, last = start // feed.steps, (stop + feed.steps - 1) // feed.steps
    ended: tuple[State, Curve] = lax.fori_loop(first, last, epoch, (state, curve))
    return ended


def _steps(
    shape: Shape,
    state: State,
    rates: Rates,
    feed: Feed,
    rows: Rows,
    stretch: tuple[Array, Array, Array],
) -> State:
    """The steps `first` to `last` of one of the feed's epochs."""
    number, first, last = stretch
    order = lax.dynamic_index_in_dim(feed.order, number, keepdims=False)
    key = jax.random.wrap_key_data(lax.dynamic_index_in_dim(feed.noise, number, keepdims=False))

    def learning_rate(state: State) -> Array:
        factor = optimizers.scheduled(rates.schedule, rates.warmup, state.step, rates.steps)
        return rates.learning_rate * factor

    def step(position: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        state, rate = carry
        start = (position * shape.batch_size,)
        chosen = lax.dynamic_slice(order, start, (shape.batch_size,))
        own = jax.random.fold_in(key, position)
        x, y = _take_to_learn(shape, rates, rows, chosen, feed, own)
        now = rates._replace(learning_rate=rate)
        state = _step(shape, state, now, x, y, own, _told(rows, chosen))
        # Carried, so that it is one number a step: XLA would fuse its cosines into the update
        # and work them out for every weight.
        return state, learning_rate(state)

    ended: tuple[State, Array] = lax.fori_loop(first, last, step, (state, learning_rate(state)))
    return ended[0]


def _take(rows: Rows, chosen: Array, feed: Feed) -> tuple[Array, Array]:
    x = rows.x.at[chosen].get(mode="promise_in_bounds").astype(jnp.float32)
    return _scaled(x, rows, chosen, feed)


def _take_to_learn(
    shape: Shape, rates: Rates, rows: Rows, chosen: Array, feed: Feed, key: jax.Array
) -> tuple[Array, Array]:
    """The rows of a step, their images disturbed before they are scaled."""
    if shape.augment is None:
        return _take(rows, chosen, feed)
    x = augment.images(rows.x, chosen, key, shape.augment, rates.augment)
    return _scaled(x, rows, chosen, feed)


def _told(rows: Rows, chosen: Array) -> Array | None:
    """What these rows are to be taken for, where that is more than their labels."""
    if rows.targets is None:
        return None
    return rows.targets.at[chosen].get(mode="promise_in_bounds")


def _scaled(x: Array, rows: Rows, chosen: Array, feed: Feed) -> tuple[Array, Array]:
    """Raw inputs as the network sees them, and their labels."""
    return (x - feed.shift) * feed.scale, rows.y.at[chosen].get(mode="promise_in_bounds")


def _step(
    shape: Shape,
    state: State,
    rates: Rates,
    x: Array,
    y: Array,
    key: jax.Array,
    told: Array | None = None,
) -> State:
    """One minibatch: gradient, update, and the freeze of a member whose loss is not finite.

    The learning rate in `rates` is this step's; `told` are distributions over classes to learn in
    place of the labels.
    """
    loss = losses.LOSSES[shape.loss]
    targets = losses.smooth(y, shape.classes, rates.label_smoothing) if told is None else told
    units = _units(shape, rates)

    def objective(params: network.Params) -> tuple[Array, tuple[Array, Any]]:
        logits, moments = network.apply_noisy(
            params,
            units,
            x,
            key,
            rates.noise,
            shape.noisy,
            shape.normalization,
            shape.arithmetic.products,
        )
        return loss.objective(logits, targets), (logits, moments)

    (value, (logits, moments)), grads = jax.value_and_grad(objective, has_aux=True)(state.params)
    alive = (state.diverged_at < 0) & jnp.isfinite(value)
    if shape.clips:
        grads, finite = optimizers.clipped(grads, rates.gradient_clipping)
        alive &= finite
    running = state.running
    if running:
        running, finite = normalization.follow(running, moments)
        alive &= finite
        running = steps.where(alive, running, state.running)
    now = optimizers.Rates(rates.learning_rate, rates.momentum, rates.weight_decay)
    reached = steps.after(
        shape.optimizer,
        now,
        grads,
        steps.Standing(state.params, state.optimizer),
        alive,
        in_place=shape.arithmetic.in_place,
    )
    average = state.average
    if shape.averages:
        newest = network.predicting(reached.params, running)
        average = optimizers.averaged(average, newest, rates.renewed, state.step)
        average = steps.where(alive, average, state.average)
    newly = (state.diverged_at < 0) & ~alive
    return State(
        params=reached.params,
        optimizer=reached.optimizer,
        step=state.step + alive,
        diverged_at=jnp.where(newly, state.step, state.diverged_at),
        loss=state.loss + loss.reports(logits, targets),
        correct=state.correct + losses.correct(logits, y).sum(),
        running=running,
        average=average,
    )


def _units(shape: Shape, rates: Rates) -> Units:
    """A member's hidden units, in a program that may serve other activations and widths too."""
    activate = activations.chosen(shape.activations, rates.activation)
    return Units(activate, rates.widths if shape.padded else None)


def _finish_epoch(
    shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows
) -> tuple[State, Array]:
    steps = feed.steps.astype(jnp.float32)
    trained = jnp.stack([state.loss / steps, state.correct / (steps * shape.batch_size)])
    scored = _validate(shape, state, rates, feed, rows)
    # The epoch's last update may have spoiled the weights, and no later loss would show it.
    leaves = jax.tree.leaves((state.params, state.average))
    sound = jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
    if shape.validation_rows:
        sound &= jnp.isfinite(scored[0])
    newly = (state.diverged_at < 0) & ~sound
    diverged_at = jnp.where(newly, state.step, state.diverged_at)
    ended = state._replace(diverged_at=diverged_at, loss=jnp.float32(0), correct=jnp.int32(0))
    return ended, jnp.concatenate([trained, scored])


def _validate(
    shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows
) -> Float[Array, "2"]:
    """Mean negative log-likelihood and accuracy over the validation rows, in blocks."""
    count = shape.validation_rows
    if count == 0:
        return jnp.full(2, jnp.nan, jnp.float32)
    block = min(count, EVALUATION_ROWS)
    layers, units, products = predicting(state), _units(shape, rates), shape.arithmetic.products

    def score(number: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        # The last block reaches back over rows already scored; `fresh` leaves those out.
        start = jnp.minimum(number * block, count - block)
        fresh = start + jnp.arange(block) >= number * block
        chosen = lax.dynamic_slice(feed.validation, (start,), (block,))
        x, y = _take(rows, chosen, feed)
        logits = network.apply(layers, units, x, products)
        likelihood = jnp.where(fresh, losses.nll(logits, y, shape.loss), 0)
        right = jnp.where(fresh, losses.correct(logits, y), 0)
        return sums[0] + likelihood.sum(), sums[1] + right.sum()

    blocks = -(-count // block)
    total, right = lax.fori_loop(0, blocks, score, (jnp.float32(0), jnp.int32(0)))
    return jnp.stack([total, right.astype(jnp.float32)]) / count


# The axes along which members are laid side by side; the number of steps is theirs in common.
FEED_AXES = Feed(order=0, noise=0, validation=0, shift=0, scale=0, steps=None)  # type: ignore[arg-type]
