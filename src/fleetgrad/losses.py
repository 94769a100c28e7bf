"""What training minimizes, and what it reports.

Each loss has two sides: the `objective` whose gradient is followed, a number for the batch, and
the loss it `reports`. They differ only for the notebook's rule, which followed the squared error
but logged the cross-entropy. Losses of numbers (`REGRESSION`) have one linear output and the
standardized target; all others have an output for each class.

Rows may have weights: a weight of 2 counts as a row twice in the same batch.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fleetgrad.activations import rounded_sigmoid

Logits = Float[Array, "batch classes"]
Targets = Float[Array, "batch classes"]
Weights = Float[Array, " batch"] | None
Scalar = Float[Array, ""]

HUBER = 1.0  # deviations of the target from which on an error counts linearly


class Loss(NamedTuple):
    """A loss over a batch; each side maps (logits, targets, weights of rows) to one number.

    `probabilities` maps logits (batch, classes) to class probabilities that sum to 1; there are
    none of numbers.
    """

    objective: Callable[..., Scalar]
    reports: Callable[..., Scalar]
    probabilities: Callable[[Logits], Float[Array, "batch classes"]]


def _mean(rows: Float[Array, " batch"], weights: Weights) -> Scalar:
    return jnp.mean(rows if weights is None else weights * rows)


def cross_entropy(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Mean over the batch of -sum(t log softmax(z))."""
    return -_mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1), weights)


def binary_cross_entropy_sum(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Sum over batch and outputs of -(t ln s(z) + (1 - t) ln(1 - s(z))), finite for finite z."""
    return _sum(jax.nn.softplus(logits) - targets * logits, weights)


def binary_cross_entropy(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Mean over the batch of the cross-entropy summed over independent logistic outputs."""
    return binary_cross_entropy_sum(logits, targets, weights) / logits.shape[0]


def squared_error(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Mean over the batch of the squared error summed over logistic outputs (Brier 1950)."""
    return _mean(jnp.sum((targets - jax.nn.sigmoid(logits)) ** 2, axis=-1), weights)


def notebook_squared_error(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Squared error summed over batch and outputs, its slope taken at the rounded logits."""
    return _sum((targets - rounded_sigmoid(logits)) ** 2, weights)


def _sum(cells: Float[Array, "batch classes"], weights: Weights) -> Scalar:
    return jnp.sum(cells if weights is None else weights[:, None] * cells)


def linear_squared_error(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Mean over the batch of the squared error of one linear output."""
    return _mean(jnp.sum((logits - targets) ** 2, axis=-1), weights)


def huber(logits: Logits, targets: Targets, weights: Weights = None) -> Scalar:
    """Mean of the squared error, but linear from `HUBER` on (Huber 1964), of one linear output."""
    far = jnp.abs(logits - targets)
    near = jnp.minimum(far, HUBER)
    return _mean(jnp.sum(near * (2 * far - near), axis=-1), weights)


def smooth(
    labels: Int[Array, " batch"], classes: int, smoothing: Scalar
) -> Float[Array, "batch classes"]:
    """One-hot targets with a share `smoothing` spread over all classes (Szegedy et al. 2016)."""
    return jax.nn.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def _normalized_sigmoid(logits: Logits) -> Float[Array, "batch classes"]:
    # s(z) = exp(log s(z)); a softmax of log s(z) divides by the sum without underflow.
    return jax.nn.softmax(jax.nn.log_sigmoid(logits), axis=-1)


def _softmax(logits: Logits) -> Float[Array, "batch classes"]:
    return jax.nn.softmax(logits, axis=-1)


def _none(logits: Logits) -> Float[Array, "batch classes"]:
    raise AssertionError(f"numbers have no probabilities, got {logits.shape}")


LOSSES: Mapping[str, Loss] = {
    "binary_cross_entropy": Loss(binary_cross_entropy, binary_cross_entropy, _normalized_sigmoid),
    "cross_entropy": Loss(cross_entropy, cross_entropy, _softmax),
    "notebook": Loss(notebook_squared_error, binary_cross_entropy_sum, _normalized_sigmoid),
    "squared_error": Loss(squared_error, squared_error, _normalized_sigmoid),
}
REGRESSION: Mapping[str, Loss] = {
    "huber": Loss(huber, huber, _none),
    "squared_error": Loss(linear_squared_error, linear_squared_error, _none),
}


def of(name: str, *, numbers: bool) -> Loss:
    """The loss of this name, for numbers or for classes."""
    return (REGRESSION if numbers else LOSSES)[name]


def pooled(logits: Float[Array, "*members batch classes"], loss: str) -> Logits:
    """What all members say together: the logits of the mean of their probabilities, or a mean."""
    if logits.ndim == 2:  # noqa: PLR2004 - batch, classes
        return logits
    if logits.shape[-1] == 1:
        return logits.mean(0)
    if LOSSES[loss].probabilities is _softmax:
        return _log_mean(jax.nn.log_softmax(logits))
    return _log_mean(jax.nn.log_sigmoid(logits)) - _log_mean(jax.nn.log_sigmoid(-logits))


def _log_mean(logs: Float[Array, "members batch classes"]) -> Logits:
    return jax.nn.logsumexp(logs, axis=0) - math.log(len(logs))


def mean(
    side: Callable[..., Scalar],
    logits: Float[Array, "*members batch classes"],
    targets: Targets,
    weights: Weights = None,
) -> Scalar:
    """The mean of one side of a loss over all members."""
    if logits.ndim == 2:  # noqa: PLR2004 - batch, classes
        return side(logits, targets, weights)
    return jax.vmap(lambda own: side(own, targets, weights))(logits).mean()


def correct(logits: Logits, labels: Int[Array, " batch"]) -> Int[Array, " batch"]:
    """1 where the first of the largest logits is the label's, else 0, as where any is NaN.

    Not by `jnp.argmax`, which leaves a few kilobytes behind in JAX for every program.
    """
    classes = logits.shape[-1]
    largest = logits == logits.max(axis=-1, keepdims=True)
    first = jnp.where(largest, jnp.arange(classes), classes).min(axis=-1)
    return (first == labels).astype(jnp.int32)


def nll(logits: Logits, labels: Int[Array, " batch"], loss: str) -> Float[Array, " batch"]:
    """Negative log-likelihood of each row's label under the loss's probabilities."""
    if LOSSES[loss].probabilities is not _softmax:
        logits = jax.nn.log_sigmoid(logits)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=-1)[:, 0]
