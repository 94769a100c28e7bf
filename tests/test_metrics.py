"""Metrics: what predictions are judged by, held against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from fleetgrad import metrics
from fleetgrad.errors import UsageError
from fleetgrad.metrics import METRICS

CLASSES = [name for name, one in METRICS.items() if one.task == "classification"]
NUMBERS = [name for name, one in METRICS.items() if one.task == "regression"]
NUMBER_OF = {"mae": "mean_absolute_error", "r2": "r2_score", "rmse": "root_mean_squared_error"}


def shares_of(draw, rows, classes):
    return draw.dirichlet(np.ones(classes), rows).round(2) + 0.01  # rounded, so that some are equal


def judged(name, predicted, truth, weights):
    """What scikit-learn says."""
    labels = predicted.argmax(axis=1) if predicted.ndim > 1 else predicted
    given_ = {"sample_weight": weights}
    if name == "accuracy":
        return sklearn_metrics.accuracy_score(truth, labels, **given_)
    if name == "balanced_accuracy":
        return sklearn_metrics.balanced_accuracy_score(truth, labels, **given_)
    if name == "log_loss":
        return sklearn_metrics.log_loss(truth, predicted, **given_)
    if name == "auc":
        pair = predicted.shape[1] == 2
        return sklearn_metrics.roc_auc_score(
            truth, predicted[:, 1] if pair else predicted, multi_class="ovr", **given_
        )
    return getattr(sklearn_metrics, NUMBER_OF[name])(truth, predicted, **given_)


@pytest.mark.parametrize("name", CLASSES)
@given(st.integers(0, 10_000), st.integers(2, 5), st.booleans())
def test_a_metric_of_classes_is_scikit_learns(name, seed, classes, weighted):
    draw = np.random.default_rng(seed)
    shares = shares_of(draw, 40, classes)
    shares /= shares.sum(axis=1, keepdims=True)
    truth = np.concatenate([np.arange(classes), draw.integers(0, classes, 40 - classes)])
    weights = draw.integers(1, 5, 40) / 2 if weighted else None
    found = METRICS[name].of(shares, truth, weights)
    assert found == pytest.approx(judged(name, shares, truth, weights), rel=1e-9)


@pytest.mark.parametrize("name", NUMBERS)
@given(st.integers(0, 10_000), st.booleans())
def test_a_metric_of_numbers_is_scikit_learns(name, seed, weighted):
    draw = np.random.default_rng(seed)
    truth = 1000 * draw.standard_normal(30)
    predicted = truth + 100 * draw.standard_normal(30)
    weights = draw.uniform(0.1, 2, 30) if weighted else None
    found = METRICS[name].of(predicted, truth, weights)
    assert found == pytest.approx(judged(name, predicted, truth, weights), rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
@given(st.integers(0, 1000))
def test_a_row_of_weight_two_counts_as_two_rows(name, seed):
    draw, one = np.random.default_rng(seed), METRICS[name]
    truth = np.arange(12) % 3
    predicted = shares_of(draw, 12, 3) if one.task == "classification" else draw.normal(size=12)
    times = draw.integers(1, 4, 12)
    twice = one.of(np.repeat(predicted, times, axis=0), np.repeat(truth, times))
    assert one.of(predicted, truth, times) == pytest.approx(twice)


@pytest.mark.parametrize("one", METRICS.values(), ids=METRICS)
def test_a_better_prediction_has_the_greater_score(one):
    draw = np.random.default_rng(0)
    truth = np.arange(40) % 3
    exact, noise = np.eye(3)[truth], shares_of(draw, 40, 3)
    if one.task == "regression":
        exact, noise = truth + 0.0, draw.normal(size=40)
    scores = [one.score(one.of((1 - part) * exact + part * noise, truth)) for part in (0, 0.6, 1)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(one.high, abs=1e-9)
    assert one.low <= scores[2] < scores[0]
    assert one.score(one.score(0.3)) == 0.3


def test_a_metric_is_written_in_its_own_sign_and_units():
    accuracy, rmse, auc = (METRICS[name] for name in ("accuracy", "rmse", "auc"))
    assert (accuracy.written(0.98123), accuracy.figure(0.98123)) == ("98.12 %", "98.12")
    assert (rmse.written(-47912.3), rmse.written(-0.0012345)) == ("47,912", "0.001234")
    assert (auc.written(0.93127), auc.gain(0.01)) == ("0.9313", "0.01 more AUC")
    assert rmse.ends((-5.0, -3.0)) == (3.0, 5.0)
    assert accuracy.ends((0.3, 0.5)) == (0.3, 0.5)


def test_the_default_is_of_the_task():
    assert metrics.chosen(None, "classification").name == "accuracy"
    assert metrics.chosen(None, "regression").name == "rmse"
    assert metrics.chosen("auc", "classification").name == "auc"
    assert metrics.recorded({}).name == "accuracy"


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("acuracy", "classification", "`accuracy`"),
        ("rsme", "regression", "`rmse`"),
        ("rmse", "classification", "judges a regression; use one of: accuracy, auc"),
        ("accuracy", "regression", "use one of: mae, r2, rmse"),
    ],
)
def test_another_metric_is_refused_with_one_that_will_do(name, task, words):
    with pytest.raises(UsageError, match="`metric` must") as caught:
        metrics.chosen(name, task)
    assert words in str(caught.value)


@pytest.mark.parametrize("one", METRICS.values(), ids=METRICS)
@given(st.integers(0, 500), st.booleans())
def test_no_answer_that_is_the_same_for_all_rows_beats_the_guess(one, seed, weighted):
    draw = np.random.default_rng(seed)
    weights = draw.integers(1, 4, 30) if weighted else None
    if one.task == "classification":
        truth, classes = np.concatenate([np.arange(3), draw.integers(0, 3, 27)]), 3
        answers = [np.tile(row, (30, 1)) for row in draw.dirichlet(np.ones(3), 20)]
    else:
        truth, classes = draw.exponential(size=30), 0
        answers = [np.full(30, middle) for middle in np.linspace(0, 2, 20)]
    best = metrics.guess(one, truth, classes, weights)
    for answer in answers:
        assert one.score(one.of(answer, truth, weights)) <= one.score(best) + 1e-9


def test_a_class_that_does_not_occur_has_no_say():
    shares = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    truth = np.array([0, 1, 0])
    assert METRICS["balanced_accuracy"].of(shares, truth) == 1
    assert METRICS["auc"].of(shares, truth) == 1
    assert np.isnan(METRICS["auc"].of(shares, np.zeros(3, int)))


def test_an_interval_by_drawing_rows_covers_the_truth_about_as_often_as_it_says():
    draw, inside = np.random.default_rng(1), 0
    for _ in range(100):
        errors = draw.normal(size=80)
        low, high = metrics.bootstrap(METRICS["rmse"], errors, np.zeros(80), draw, draws=200)
        assert low < METRICS["rmse"].of(errors, np.zeros(80)) < high
        inside += low <= 1 <= high
    assert 85 <= inside <= 99
