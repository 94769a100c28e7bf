"""Losses: what is minimized, what is reported, and the probabilities they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference
from fleetgrad import losses
from fleetgrad.settings import CLASS_LOSSES as LOSSES

ROWS, CLASSES = 5, 4
LOGITS = hnp.arrays(np.float32, (ROWS, CLASSES), elements=st.floats(-20, 20, width=32))
# Not next to a half, where 32 and 64 bits may round to different sides.
UNROUNDED = LOGITS.map(lambda z: np.where(np.abs(np.abs(z) % 1 - 0.5) < 1e-3, np.rint(z), z))
HUGE = float(np.float32(1e30))
WILD = hnp.arrays(np.float32, (ROWS, CLASSES), elements=st.floats(-HUGE, HUGE, width=32))
LABELS = hnp.arrays(np.int32, ROWS, elements=st.integers(0, CLASSES - 1))
SMOOTHING = st.sampled_from([0.0, 0.1, 0.9])

OBJECTIVES = {name: jax.jit(loss.objective) for name, loss in losses.LOSSES.items()}
REPORTS = {name: jax.jit(loss.reports) for name, loss in losses.LOSSES.items()}
SLOPES = {name: jax.jit(jax.grad(loss.objective)) for name, loss in losses.LOSSES.items()}
PROBABILITIES = {name: jax.jit(loss.probabilities) for name, loss in losses.LOSSES.items()}
NLL = jax.jit(losses.nll, static_argnums=2)
SMOOTH = jax.jit(losses.smooth, static_argnums=1)


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)


def test_the_table_has_exactly_the_names_of_the_settings():
    assert tuple(sorted(losses.LOSSES)) == LOSSES == tuple(sorted(reference.LOSSES))


@pytest.mark.parametrize("name", LOSSES)
@given(UNROUNDED, LABELS, SMOOTHING)
def test_a_loss_reports_what_it_is_and_follows_its_slope(name, logits, labels, smoothing):
    reported, slope = reference.LOSSES[name]
    targets = reference.smooth(labels, CLASSES, smoothing)
    exact, given_ = logits.astype(np.float64), jnp.asarray(targets, jnp.float32)
    same(REPORTS[name](logits, given_), reported(exact, targets))
    same(SLOPES[name](logits, given_), slope(exact, targets))


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"notebook"}))
@given(LOGITS, LABELS)
def test_all_but_the_notebook_report_what_they_minimize(name, logits, labels):
    targets = SMOOTH(labels, CLASSES, 0.0)
    assert OBJECTIVES[name](logits, targets) == REPORTS[name](logits, targets)


@given(LOGITS, LABELS)
def test_the_notebook_minimizes_a_sum_of_squares_and_reports_the_cross_entropy(logits, labels):
    targets = SMOOTH(labels, CLASSES, 0.0)
    squared, crossed = REPORTS["squared_error"], REPORTS["binary_cross_entropy"]
    same(OBJECTIVES["notebook"](logits, targets), ROWS * squared(logits, targets))
    same(REPORTS["notebook"](logits, targets), ROWS * crossed(logits, targets))


@pytest.mark.parametrize("name", LOSSES)
@given(LOGITS, LABELS)
def test_probabilities_sum_to_one_and_the_likelihood_is_the_labels(name, logits, labels):
    shares = PROBABILITIES[name](logits)
    same(shares, reference.probabilities(name, logits.astype(np.float64)))
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    likelihood = -np.log(reference.probabilities(name, logits.astype(np.float64)))
    same(NLL(logits, labels, name), likelihood[np.arange(ROWS), labels])


@pytest.mark.parametrize("name", LOSSES)
@given(WILD, LABELS)
def test_finite_logits_have_finite_losses_and_probabilities(name, logits, labels):
    targets = SMOOTH(labels, CLASSES, 0.0)
    assert np.isfinite(REPORTS[name](logits, targets))
    assert np.isfinite(NLL(logits, labels, name)).all()
    np.testing.assert_allclose(PROBABILITIES[name](logits).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@given(LOGITS)
def test_the_likeliest_class_is_the_largest_logit(name, logits):
    shares = np.asarray(PROBABILITIES[name](logits))
    np.testing.assert_array_equal(shares.max(1), shares[np.arange(ROWS), logits.argmax(1)])


@given(LABELS, st.floats(0, 1, exclude_max=True, width=32))
def test_smoothed_targets_still_sum_to_one(labels, smoothing):
    targets = SMOOTH(labels, CLASSES, np.float32(smoothing))
    np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-5)
    same(targets, reference.smooth(labels, CLASSES, smoothing))


def test_correct_counts_the_first_of_equal_logits():
    logits = jnp.array([[0.0, 1, 1], [2, 1, 0], [0, 0, 0]])
    assert losses.correct(logits, jnp.array([1, 1, 0])).tolist() == [1, 0, 1]
