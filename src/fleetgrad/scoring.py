"""How training scores itself while it runs: the metrics of `metrics`, on the device.

A score is the greater, the better. Of each validation row only what its metric needs is kept, in
blocks; of training rows a sum over the steps of an epoch, where a metric can be had from one.
Errors of numbers are those of the standardized target, times its deviation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num

from fleetgrad import losses
from fleetgrad.metrics import METRICS, REGRESSION

Kept = Float[Array, "rows kept"]
Truth = Num[Array, " rows"]  # class numbers, or the standardized target
Weights = Float[Array, " rows"] | None
Scalar = Float[Array, ""]

ROUNDING = 1e-12  # squared, of a standardized target whose rows are all equal
_PAIR = 2


def numbers(metric: str) -> bool:
    """Whether a metric judges numbers, and not classes."""
    return METRICS[metric].task == REGRESSION


def kept(metric: str, loss: str, outputs: Float[Array, "rows outputs"], truth: Truth) -> Kept:
    """What is kept of rows to judge them by."""
    if numbers(metric):
        return outputs
    likelihood = losses.nll(outputs, truth, loss)[:, None]
    if metric == "auc":
        return jnp.concatenate([likelihood, _ranking(outputs, loss)], axis=1)
    return jnp.concatenate([likelihood, losses.correct(outputs, truth)[:, None]], axis=1)


def width(metric: str, outputs: int) -> int:
    """How many numbers of each row are kept."""
    if numbers(metric):
        return 1
    return 1 + (outputs if metric == "auc" and outputs > _PAIR else 1)


class Judge(NamedTuple):
    """How rows are judged.

    Args:
        metric: Of the score.
        loss: That training follows; of numbers its value is the loss, else the log loss is.
        classes: How many there are.
        spread: The target's deviation, of numbers.
    """

    metric: str
    loss: str
    classes: int
    spread: Scalar | None


def judged(judge: Judge, found: Kept, truth: Truth, weights: Weights) -> Float[Array, "2"]:
    """Loss and score of rows, of which so much was kept."""
    metric, loss, classes, spread = judge
    if numbers(metric):
        even = None if weights is None else weights / weights.mean()
        value = losses.of(loss, numbers=True).reports(found, truth[:, None], even)
        return jnp.stack([value, _of_errors(metric, found[:, 0], truth, weights, spread)])
    value = _mean(found[:, 0], weights)
    if metric == "log_loss":
        return jnp.stack([value, -value])
    if metric == "auc":
        return jnp.stack([value, _auc(found[:, 1:], truth, weights)])
    if metric == "balanced_accuracy":
        return jnp.stack([value, _balanced(found[:, 1], truth, weights, classes)])
    return jnp.stack([value, _mean(found[:, 1], weights)])


def noted(
    metric: str, loss: str, outputs: Float[Array, "batch outputs"], truth: Truth, weights: Weights
) -> Num[Array, ""]:
    """What a step adds to the sum that `followed` makes a score of; 0 where none can be made."""
    rows: Num[Array, " batch"]
    if numbers(metric):
        rows = _error(metric, outputs[:, 0] - truth)
    elif metric == "log_loss":
        rows = losses.nll(outputs, truth, loss)
    elif metric == "accuracy":
        rows = losses.correct(outputs, truth)
    else:
        rows = jnp.zeros(1)
    return rows.sum() if weights is None else (weights * rows).sum()


def followed(metric: str, mean: Scalar, spread: Scalar | None) -> Scalar:
    """The score of training rows, by the mean of what was noted; NaN where there is none."""
    if metric == "accuracy":
        return mean
    if metric == "log_loss":
        return -mean
    if spread is None:
        return jnp.full_like(mean, jnp.nan)
    return _score(metric, mean, jnp.float32(1), spread)


def _of_errors(
    metric: str,
    outputs: Float[Array, " rows"],
    truth: Float[Array, " rows"],
    weights: Weights,
    spread: Scalar | None,
) -> Scalar:
    assert spread is not None
    middle = _mean(truth, weights)
    variance = _mean((truth - middle) ** 2, weights)
    variance = jnp.where(variance > ROUNDING * (1 + middle**2), variance, 0)
    return _score(metric, _mean(_error(metric, outputs - truth), weights), variance, spread)


def _error(metric: str, difference: Array) -> Array:
    return jnp.abs(difference) if metric == "mae" else difference**2


def _score(metric: str, mean: Scalar, variance: Scalar, spread: Scalar) -> Scalar:
    """The score by the mean error; a variance of 0 leaves nothing to explain."""
    if metric == "r2":
        return jnp.where(variance > 0, 1 - mean / variance, (mean == 0).astype(mean.dtype))
    return -spread * (mean if metric == "mae" else jnp.sqrt(mean))


def _balanced(
    right: Float[Array, " rows"], truth: Int[Array, " rows"], weights: Weights, classes: int
) -> Scalar:
    """The mean over the classes that occur of the share that is recognized."""
    given = jnp.ones_like(right) if weights is None else weights
    whole = jnp.zeros(classes).at[truth].add(given)
    hits = jnp.zeros(classes).at[truth].add(given * right)
    occurs = whole > 0
    return jnp.where(occurs, hits / jnp.where(occurs, whole, 1), 0).sum() / occurs.sum()


def _ranking(outputs: Float[Array, "rows classes"], loss: str) -> Float[Array, "rows ranked"]:
    """Numbers that rank rows as the probability of each class does; of two, the second's alone."""
    logs = outputs if loss == "cross_entropy" else jax.nn.log_sigmoid(outputs)
    if outputs.shape[1] == _PAIR:
        return logs[:, 1:] - logs[:, :1]
    return jax.nn.log_softmax(logs, axis=-1)


def _auc(
    ranking: Float[Array, "rows ranked"], truth: Int[Array, " rows"], weights: Weights
) -> Scalar:
    given = jnp.ones(truth.shape) if weights is None else weights
    places = jnp.arange(ranking.shape[1]) if ranking.shape[1] > 1 else jnp.ones(1, int)
    areas = jax.lax.map(lambda one: _area(one[0], truth == one[1], given), (ranking.T, places))
    return jnp.nanmean(areas)


def _area(
    scores: Float[Array, " rows"], positive: Bool[Array, " rows"], weights: Float[Array, " rows"]
) -> Scalar:
    """The chance that a positive row is above a negative one; equals count half."""
    order = jnp.argsort(scores)
    sorted_ = scores[order]
    others = jnp.where(positive, 0, weights)
    summed = jnp.concatenate([jnp.zeros(1), jnp.cumsum(others[order])])
    below, upto = (summed[jnp.searchsorted(sorted_, scores, side=one)] for one in ("left", "right"))
    wanted = jnp.where(positive, weights, 0)
    return (wanted * (below + upto)).sum() / (2 * wanted.sum() * others.sum())


def _mean(rows: Float[Array, " rows"], weights: Weights) -> Scalar:
    if weights is None:
        return rows.mean()
    return (weights * rows).sum() / weights.sum()
