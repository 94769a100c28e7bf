"""One candidate's training, as ordinary JAX: minibatch steps in, a curve out.

`shapes.Shape` holds what is fixed when the program is compiled, `shapes.Rates` what varies from
network to network, `batches.Feed` the rows and keys of the next few epochs. `advance` runs any
stretch of steps of those epochs, so that a clock, an interrupt or a crash can stop it anywhere and
it goes on later.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fleetgrad import (
    augment,
    batches,
    layers,
    losses,
    network,
    normalization,
    optimizers,
    scoring,
    shapes,
    steps,
    validation,
)
from fleetgrad.batches import Feed, Rows
from fleetgrad.shapes import Rates, Shape
from fleetgrad.states import State

shape_of = shapes.shape_of  # a program is asked for where its training is

CURVE = ("train_loss", "train_score", "validation_loss", "validation_score")
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
        told, weights = (batches.chosen_of(part, chosen) for part in (rows.targets, rows.weights))
        state = _step(shape, state, now, x, y, own, told, weights)
        # Carried, so that it is one number a step: XLA would fuse its cosines into the update
        # and work them out for every weight.
        return state, learning_rate(state)

    ended: tuple[State, Array] = lax.fori_loop(first, last, step, (state, learning_rate(state)))
    return ended[0]


def _take_to_learn(
    shape: Shape, rates: Rates, rows: Rows, chosen: Array, feed: Feed, key: jax.Array
) -> tuple[Array, Array]:
    """The rows of a step, their images disturbed before they are scaled."""
    if shape.augment is None:
        return batches.take(rows, chosen, feed)
    x = augment.images(rows.x, chosen, key, shape.augment, rates.augment)
    return batches.scaled(x, rows, chosen, feed)


def _step(
    shape: Shape,
    state: State,
    rates: Rates,
    x: Array,
    y: Array,
    key: jax.Array,
    told: Array | None = None,
    weights: Array | None = None,
) -> State:
    """One minibatch: gradient, update, and the freeze of a member whose loss is not finite.

    The learning rate in `rates` is this step's; `told` are distributions over classes to learn in
    place of the labels, `weights` how much each row counts.
    """
    loss = losses.of(shape.loss, numbers=shape.numbers)
    targets = _targets(shape, rates, y) if told is None else told
    units = validation.units(shape, rates)

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
        return losses.mean(loss.objective, logits, targets, weights), (logits, moments)

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
    now = optimizers.Rates(rates.learning_rate, rates.momentum, rates.weight_decay, rates.beta2)
    reached = steps.after(
        shape.optimizer,
        now,
        grads,
        steps.Standing(state.params, state.optimizer),
        alive,
        in_place=shape.arithmetic.in_place,
        paces=layers.paces(shape),
    )
    average = state.average
    if shape.averages:
        newest = network.predicting(reached.params, running)
        average = optimizers.averaged(average, newest, rates.renewed, state.step)
        average = steps.where(alive, average, state.average)
    newly = (state.diverged_at < 0) & ~alive
    said = losses.pooled(logits, shape.loss)
    return State(
        params=reached.params,
        optimizer=reached.optimizer,
        step=state.step + alive,
        diverged_at=jnp.where(newly, state.step, state.diverged_at),
        loss=state.loss + losses.mean(loss.reports, logits, targets, weights),
        correct=state.correct + scoring.noted(shape.metric, shape.loss, said, y, weights),
        running=running,
        average=average,
    )


def _targets(shape: Shape, rates: Rates, y: Array) -> Array:
    """What the outputs are to be like, for these labels or this standardized target."""
    if shape.numbers:
        return y[:, None]
    return losses.smooth(y, shape.classes, rates.label_smoothing)


def _finish_epoch(
    shape: Shape, state: State, rates: Rates, feed: Feed, rows: Rows
) -> tuple[State, Array]:
    steps = feed.steps.astype(jnp.float32)
    mean = state.correct / (steps * shape.batch_size)
    score = scoring.followed(shape.metric, mean, feed.spread)
    trained = jnp.stack([state.loss / steps, score])
    scored = validation.validate(shape, state, rates, feed, rows)
    # The epoch's last update may have spoiled the weights, and no later loss would show it.
    leaves = jax.tree.leaves((state.params, state.average))
    sound = jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
    if shape.validation_rows:
        sound &= jnp.isfinite(scored[0])
    newly = (state.diverged_at < 0) & ~sound
    diverged_at = jnp.where(newly, state.step, state.diverged_at)
    ended = state._replace(
        diverged_at=diverged_at, loss=jnp.float32(0), correct=jnp.zeros_like(state.correct)
    )
    return ended, jnp.concatenate([trained, scored])
