"""One candidate's training, as ordinary JAX: minibatch steps in, a curve out.

`Shape` holds what is fixed when the program is compiled, `Member` what varies from network to
network, `Feed` the rows and keys of the next few epochs. `advance` runs any stretch of steps of
those epochs, so that a clock, an interrupt or a crash can stop it anywhere and it goes on later.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Num

from fleetgrad import augment, losses, network, normalization, optimizers, steps
from fleetgrad.augment import Amounts, Form
from fleetgrad.products import PLAIN, Arithmetic
from fleetgrad.settings import Settings

EVALUATION_ROWS = 1000  # a block of validation rows: small enough for the cache, and for memory

# On the host NumPy's scalars stand where a program has arrays; to the type checker they are Any.
_REAL: Any = np.float32
_WHOLE: Any = np.int32


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that is static in a program; equal shapes share one compilation.

    Args:
        features: Inputs a row.
        classes: Outputs.
        hidden, activation, bias, normalization, loss, optimizer, batch_size: As in `Settings`.
        clips: Whether gradients are clipped at all.
        averages: Whether weights are averaged at all.
        noisy: Which disturbances the program contains.
        validation_rows: Rows scored after each epoch; 0 leaves the scores NaN.
        epochs: Most epochs one call can cover.
        augment: How training images are disturbed, or None.
        arithmetic: How its layers multiply.
    """

    features: int
    classes: int
    hidden: tuple[int, ...]
    activation: str
    bias: bool
    normalization: str
    loss: str
    optimizer: str
    batch_size: int
    clips: bool
    averages: bool
    noisy: network.Noisy
    validation_rows: int
    epochs: int
    augment: Form | None = None
    arithmetic: Arithmetic = PLAIN

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one forward pass over one row."""
        sizes = network.layer_sizes(self.hidden, self.features, self.classes)
        return sum(inputs * outputs for inputs, outputs in sizes)

    @property
    def step_flops(self) -> float:
        """Floating-point operations of one step's matrix products.

        Forward, gradient of the weights, and gradient of the inputs of all layers but the first.
        """
        first = self.features * (self.hidden or (self.classes,))[0]
        return 2.0 * self.batch_size * (3 * self.multiplications - first)


def shape_of(
    settings: Settings,
    features: int,
    classes: int,
    validation_rows: int,
    epochs: int,
    *,
    image_shape: tuple[int, ...] | None = None,
    arithmetic: Arithmetic = PLAIN,
) -> Shape:
    """The program that these settings need.

    Args:
        settings: Of one network.
        features: Inputs a row.
        classes: Outputs.
        validation_rows: Rows scored after each epoch.
        epochs: Most epochs one call can cover.
        image_shape: Of a row, or None where rows are no images.
        arithmetic: As the machine and the inputs suggest; `input_noise` leaves no zeros.

    Raises:
        SettingsError: Images are to be disturbed, and rows are none.
    """
    noisy = network.Noisy(
        settings.dropout > 0, settings.input_dropout > 0, settings.input_noise > 0
    )
    return Shape(
        features=features,
        classes=classes,
        hidden=settings.hidden,
        activation=settings.activation,
        bias=settings.bias,
        normalization=settings.normalization,
        loss=settings.loss,
        optimizer=settings.optimizer,
        batch_size=settings.batch_size,
        clips=settings.gradient_clipping > 0,
        averages=settings.ema > 0,
        noisy=noisy,
        validation_rows=validation_rows,
        epochs=epochs,
        augment=augment.form_of(settings.augment, image_shape),
        arithmetic=arithmetic._replace(
            skips_zeros=arithmetic.skips_zeros and not noisy.input_noise
        ),
    )


class Rates(NamedTuple):
    """One member's traced hyperparameters; scalars.

    `renewed` is the share of the average that each step renews in the end, 1 - `ema`.
    """

    learning_rate: Float[Array, ""]
    momentum: Float[Array, ""]
    weight_decay: Float[Array, ""]
    schedule: Int[Array, ""]
    warmup: Float[Array, ""]
    steps: Int[Array, ""]
    label_smoothing: Float[Array, ""]
    gradient_clipping: Float[Array, ""]
    renewed: Float[Array, ""]
    noise: network.Noise
    augment: Amounts


def rates_of(settings: Settings, steps_per_epoch: int) -> Rates:
    """The traced side of the settings, as NumPy scalars (float32, int32)."""
    noise = network.Noise(
        _REAL(settings.dropout), _REAL(settings.input_dropout), _REAL(settings.input_noise)
    )
    return Rates(
        learning_rate=_REAL(settings.learning_rate),
        momentum=_REAL(settings.momentum),
        weight_decay=_REAL(settings.weight_decay),
        schedule=_WHOLE(optimizers.SCHEDULES[settings.schedule]),
        warmup=_REAL(settings.warmup),
        steps=_WHOLE(settings.epochs * steps_per_epoch),
        label_smoothing=_REAL(settings.label_smoothing),
        gradient_clipping=_REAL(settings.gradient_clipping),
        renewed=_REAL(1 - settings.ema),
        noise=noise,
        augment=augment.amounts_of(settings.augment),
    )


class State(NamedTuple):
    """One member in the middle of its training.

    `step` counts steps taken since the start; `diverged_at` is the step whose loss (or gradient to
    clip, or variance of a unit) was not finite, or -1; `loss` and `correct` are sums over the steps
    of the epoch in progress. `running` are the statistics of batch normalization, `average` is the
    moving average of weights and statistics, in the form of `network.predicting`; each is empty
    where the shape has none.
    """

    params: network.Params
    optimizer: Any
    step: Int[Array, ""]
    diverged_at: Int[Array, ""]
    loss: Float[Array, ""]
    correct: Int[Array, ""]
    running: normalization.Statistics = ()
    average: network.Params = ()


class Rows(NamedTuple):
    """The data on the device; uint8 stays uint8 and is scaled batch by batch."""

    x: Num[Array, "rows features"]
    y: Int[Array, " rows"]


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


def optimizer_state(optimizer: str, params: Any) -> Any:
    """Shapes and types of an optimizer's state for `params`; all of it starts at zero."""
    rates = optimizers.Rates(_REAL(0), _REAL(0), _REAL(0))
    return jax.eval_shape(optimizers.OPTIMIZERS[optimizer](rates).init, params)


def begin(shape: Shape, params: Any) -> State:
    """The state before the first step, on the host."""
    described = optimizer_state(shape.optimizer, params)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), described)
    running = normalization.begin(shape.normalization, shape.hidden)
    first = network.predicting(params, running) if shape.averages else ()
    average = jax.tree.map(np.copy, first)  # programs take over what they are given, so no sharing
    return State(params, zeros, _WHOLE(0), _WHOLE(-1), _REAL(0), _WHOLE(0), running, average)


def predicting(state: State) -> network.Params:
    """The layers that are scored, kept and predicted with: averaged ones, where there are any."""
    return state.average or network.predicting(state.params, state.running)


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
            lambda state: _finish_epoch(shape, state, feed, rows),
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
        state = _step(shape, state, now, x, y, own)
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


def _scaled(x: Array, rows: Rows, chosen: Array, feed: Feed) -> tuple[Array, Array]:
    """Raw inputs as the network sees them, and their labels."""
    return (x - feed.shift) * feed.scale, rows.y.at[chosen].get(mode="promise_in_bounds")


def _step(shape: Shape, state: State, rates: Rates, x: Array, y: Array, key: jax.Array) -> State:
    """One minibatch: gradient, update, and the freeze of a member whose loss is not finite.

    The learning rate in `rates` is this step's.
    """
    loss = losses.LOSSES[shape.loss]
    targets = losses.smooth(y, shape.classes, rates.label_smoothing)

    def objective(params: network.Params) -> tuple[Array, tuple[Array, Any]]:
        logits, moments = network.apply_noisy(
            params,
            shape.activation,
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


def _finish_epoch(shape: Shape, state: State, feed: Feed, rows: Rows) -> tuple[State, Array]:
    steps = feed.steps.astype(jnp.float32)
    trained = jnp.stack([state.loss / steps, state.correct / (steps * shape.batch_size)])
    scored = _validate(shape, state, feed, rows)
    # The epoch's last update may have spoiled the weights, and no later loss would show it.
    leaves = jax.tree.leaves((state.params, state.average))
    sound = jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()
    if shape.validation_rows:
        sound &= jnp.isfinite(scored[0])
    newly = (state.diverged_at < 0) & ~sound
    diverged_at = jnp.where(newly, state.step, state.diverged_at)
    ended = state._replace(diverged_at=diverged_at, loss=jnp.float32(0), correct=jnp.int32(0))
    return ended, jnp.concatenate([trained, scored])


def _validate(shape: Shape, state: State, feed: Feed, rows: Rows) -> Float[Array, "2"]:
    """Mean negative log-likelihood and accuracy over the validation rows, in blocks."""
    count = shape.validation_rows
    if count == 0:
        return jnp.full(2, jnp.nan, jnp.float32)
    block = min(count, EVALUATION_ROWS)

    def score(number: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        # The last block reaches back over rows already scored; `fresh` leaves those out.
        start = jnp.minimum(number * block, count - block)
        fresh = start + jnp.arange(block) >= number * block
        chosen = lax.dynamic_slice(feed.validation, (start,), (block,))
        x, y = _take(rows, chosen, feed)
        logits = network.apply(predicting(state), shape.activation, x, shape.arithmetic.products)
        likelihood = jnp.where(fresh, losses.nll(logits, y, shape.loss), 0)
        right = jnp.where(fresh, losses.correct(logits, y), 0)
        return sums[0] + likelihood.sum(), sums[1] + right.sum()

    blocks = -(-count // block)
    total, right = lax.fori_loop(0, blocks, score, (jnp.float32(0), jnp.int32(0)))
    return jnp.stack([total, right.astype(jnp.float32)]) / count


# The axes along which members are laid side by side; the number of steps is theirs in common.
FEED_AXES = Feed(order=0, noise=0, validation=0, shift=0, scale=0, steps=None)  # type: ignore[arg-type]
