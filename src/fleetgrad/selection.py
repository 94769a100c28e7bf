"""Which networks to average, and how much each counts: from what they say of validation rows.

Greedy forward selection with replacement (Caruana, Niculescu-Mizil, Crew and Ksikes, ICML 2004):
begin with the best, add whichever makes the average of all chosen so far best, as often as it
helps. How often a network was taken is its weight. It never does worse on these rows than the best
network alone; that it does better is a little too good to be true, as any choice is. Bags (their
section 2.3) choose among random halves of the networks and average, which overfits less.

Networks of numbers are averaged in the same way, for the lowest squared or absolute error.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from fleetgrad import keys
from fleetgrad.errors import UsageError

MOST = 25
_LEAST = 1e-7  # a probability below this counts as this much: one row must not decide alone
_GAIN = 1e-9  # of log loss; less is rounding
_DIMENSIONS = 3

Shares = Float[np.ndarray, "members rows classes"]
Counts = Float[np.ndarray, " rows"] | None  # how much each row counts; None for all alike


def select(
    probabilities: Shares,
    labels: Int[np.ndarray, " rows"],
    counts: Counts = None,
    *,
    most: int = MOST,
    bags: int = 0,
    seed: int = 0,
) -> Float[np.ndarray, " members"]:
    """The weight of each network in the ensemble with the lowest log loss that was found.

    Equal losses go by accuracy, then by position.

    Args:
        probabilities: What each network says, shape (members, rows, classes), each row's summing to
            1. One that says something not finite has no part in it.
        labels: The true class of each row, from 0.
        counts: How much each row counts, at least 0; only ratios matter.
        most: How many draws an ensemble is made of at most, >= 1.
        bags: How many random halves of the networks to choose among; 0 chooses among all, once.
        seed: Of the halves.

    Returns:
        Weights, shape (members,), each at least 0; they sum to 1.

    Raises:
        UsageError: The shapes do not fit, a label is no class, or no network is finite.
    """
    shares, truth = _checked(probabilities, labels, most, bags)
    sound = np.flatnonzero(np.isfinite(shares).all(axis=(1, 2)))
    if sound.size == 0:
        raise UsageError(
            f"an ensemble needs a network with finite probabilities, got none of {len(shares)}; "
            "leave those out that diverged."
        )
    return _bagged(
        len(shares), sound, bags, seed, lambda among: _chosen(shares[among], truth, counts, most)
    )


def select_numbers(
    predicted: Float[np.ndarray, "members rows"],
    truth: Float[np.ndarray, " rows"],
    counts: Counts = None,
    *,
    power: int = 2,
    most: int = MOST,
    bags: int = 0,
    seed: int = 0,
) -> Float[np.ndarray, " members"]:
    """The weight of each network in the average of numbers with the lowest error that was found.

    Args:
        predicted: What each network says, shape (members, rows). One that says something not finite
            has no part in it.
        truth: The number of each row.
        counts: How much each row counts, as for `select`.
        power: 2 for the squared error, 1 for the absolute one.
        most: How many draws an ensemble is made of at most, >= 1.
        bags: How many random halves of the networks to choose among; 0 chooses among all, once.
        seed: Of the halves.

    Returns:
        Weights, shape (members,), each at least 0; they sum to 1.

    Raises:
        UsageError: No network is finite.
    """
    said, exact = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    sound = np.flatnonzero(np.isfinite(said).all(axis=1))
    if sound.size == 0:
        raise UsageError(
            f"an ensemble needs a network with finite predictions, got none of {len(said)}; leave "
            "those out that diverged."
        )
    errors = (said - exact) / (exact.std() or 1.0)
    return _bagged(
        len(said), sound, bags, seed, lambda among: _nearest(errors[among], counts, power, most)
    )


def log_loss(
    shares: Float[np.ndarray, "rows classes"],
    labels: Int[np.ndarray, " rows"],
    counts: Counts = None,
) -> float:
    """Mean negative log probability of the true classes, each row counting as much as it does."""
    return float(_mean(log_losses(shares, labels), counts))


def log_losses(
    shares: Float[np.ndarray, "rows classes"], labels: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, " rows"]:
    """Negative log probability of the true class of each row."""
    right = np.asarray(shares[np.arange(len(labels)), labels], np.float64)
    return np.asarray(-np.log(np.maximum(right, _LEAST)))


def _mean(values: NDArray[np.float64], counts: Counts) -> Any:
    """Over rows, the last axis."""
    return values.mean(axis=-1) if counts is None else np.average(values, axis=-1, weights=counts)


def _bagged(
    members: int,
    sound: NDArray[np.intp],
    bags: int,
    seed: int,
    choose: Callable[[NDArray[np.intp]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Weights of all, as chosen among the sound ones, or among halves of them in turn."""
    weights = np.zeros(members)
    for bag in range(max(1, bags)):
        among = sound if bags == 0 else _half(sound, seed, bag)
        weights[among] += choose(among) / max(1, bags)
    return weights


def _nearest(
    errors: NDArray[np.float64], counts: Counts, power: int, most: int
) -> NDArray[np.float64]:
    """Weights of one greedy selection among those who say numbers."""
    times, total, reached = np.zeros(len(errors)), np.zeros(errors.shape[1]), math.inf
    for drawn in range(1, most + 1):
        losses = _mean(np.abs((total + errors) / drawn) ** power, counts)
        best = int(np.argmin(losses))
        if losses[best] > reached - _GAIN:
            break
        times[best] += 1
        total += errors[best]
        reached = float(losses[best])
    weights: NDArray[np.float64] = times / times.sum()
    return weights


def _chosen(
    shares: Shares, labels: Int[np.ndarray, " rows"], counts: Counts, most: int
) -> NDArray[np.float64]:
    """Weights of one greedy selection."""
    times = np.zeros(len(shares))
    total = np.zeros(shares.shape[1:])
    reached = math.inf
    for drawn in range(1, most + 1):
        best, loss = _best_addition(total, shares, labels, counts, drawn)
        if loss > reached - _GAIN:
            break
        times[best] += 1
        total += shares[best]
        reached = loss
    weights: NDArray[np.float64] = times / times.sum()
    return weights


def _best_addition(
    total: NDArray[np.float64],
    shares: Shares,
    labels: Int[np.ndarray, " rows"],
    counts: Counts,
    drawn: int,
) -> tuple[int, float]:
    """Which network to add to a sum of probabilities, and the loss with it."""
    rows = np.arange(len(labels))
    right = (total[rows, labels] + shares[:, rows, labels]) / drawn
    losses = -_mean(np.log(np.maximum(right, _LEAST)), counts)
    equal = np.flatnonzero(losses <= losses.min() + _GAIN)
    right = [np.argmax(total + shares[place], axis=1) == labels for place in equal]
    hits = _mean(np.array(right, np.float64), counts)
    best = int(equal[int(np.argmax(hits))])
    return best, float(losses[best])


def _half(sound: NDArray[np.intp], seed: int, bag: int) -> NDArray[np.intp]:
    draw = keys.generator(seed, "bootstrap", bag)
    return np.sort(draw.choice(sound, math.ceil(sound.size / 2), replace=False))


def _checked(
    probabilities: Shares, labels: Int[np.ndarray, " rows"], most: int, bags: int
) -> tuple[Shares, Int[np.ndarray, " rows"]]:
    shares, truth = np.asarray(probabilities, np.float64), np.asarray(labels)
    if shares.ndim != _DIMENSIONS or shares.size == 0 or truth.shape != shares.shape[1:2]:
        raise UsageError(
            "probabilities must have the shape (members, rows, classes), with a label a row, got "
            f"{shares.shape} and labels {truth.shape}; stack what `predict_proba` gives."
        )
    whole = truth.dtype.kind in "iu"
    if not whole or truth.min() < 0 or truth.max() >= shares.shape[2]:
        raise UsageError(
            f"labels must be whole numbers in [0, {shares.shape[2]}), got {truth.dtype} from "
            f"{truth.min()} to {truth.max()}; give positions in `classes`."
        )
    if most < 1 or bags < 0:
        raise UsageError(f"`most` must be at least 1 and `bags` 0, got {most} and {bags}; use 25.")
    return shares, truth
