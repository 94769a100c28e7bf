"""What is to be predicted: which task it stands for, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fleetgrad as fg
from fleetgrad.data import Dataset, targets
from fleetgrad.errors import DataError, UsageError

HALVES = np.arange(60) / 8
ROWS = np.arange(180.0).reshape(60, 3)


def made(y=HALVES, x=ROWS, **others):
    return Dataset.from_arrays(x, y, **others)


def sealed(data):
    return data.test.open("a test", lambda _: 1)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (HALVES, "regression"),
        ([float(one) for one in HALVES], "regression"),
        (HALVES.astype(object), "regression"),
        (np.arange(60) % 3, "classification"),
        (np.arange(60) % 3 + 0.0, "classification"),
        (np.arange(60) % 2 == 0, "classification"),
        (np.array(["a", "b", "c"] * 20), "classification"),
        (np.array(["a", "b", "c"] * 20, object), "classification"),
    ],
)
def test_a_target_says_which_task_it_stands_for(y, task):
    found, classes = targets.encode(y, 60, "auto")
    assert (len(classes) > 0) == (task == "classification")
    assert found.dtype == (np.int32 if task == "classification" else np.float32)
    if task == "regression":
        np.testing.assert_array_equal(found, np.asarray(y, np.float32))


def test_whoever_knows_better_says_so():
    whole = np.arange(60) // 4
    with pytest.raises(DataError, match="`task"):
        made(np.arange(60))
    assert made(np.arange(60), task="regression").task == "regression"
    assert made(whole, task="regression").y.dtype == np.float32
    assert made(whole, task="classification").task == "classification"
    with pytest.raises(UsageError, match="did you mean `regression`"):
        made(task="regresion")


@pytest.mark.parametrize(
    ("y", "task", "words"),
    [
        (["a", "b"] * 30, "regression", ("numbers", "<U1")),
        ([*HALVES[:-1], np.nan], "auto", ("missing", "row 59", "1 such")),
        ([*HALVES[:-1], np.nan], "regression", ("nan", "row 59")),
        ([*HALVES[:-1], np.inf], "auto", ("inf", "row 59")),
        ([*HALVES[:-1], 1e38], "auto", ("1e+38", "rescale")),
        (np.full(60, 0.5), "auto", ("vary", "0.5")),
        (np.zeros(60), "regression", ("vary",)),
        (np.zeros(60), "auto", ("two classes",)),
        (HALVES, "classification", ("regression", "row 1")),
        (HALVES[:-1], "auto", ("59 labels for 60 rows",)),
        (HALVES[:, None], "auto", ("ravel",)),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(y, task, words):
    with pytest.raises(DataError, match="`y` must") as caught:
        made(y, task=task)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("source", "task", "words"),
    [("digits", "regression", "has classes"), ("digits", "clasification", "`classification`")],
)
def test_a_task_that_named_data_do_not_have_is_refused(source, task, words):
    with pytest.raises(UsageError, match=words):
        fg.load(source, task=task)


def test_two_rows_are_too_few():
    with pytest.raises(DataError, match="at least two rows"):
        made(HALVES[:2], ROWS[:2])


def test_a_fifth_of_the_rows_is_sealed_and_a_sixth_of_the_rest_held_out():
    data = made()
    opened = sealed(data)
    assert (data.rows, len(opened.y)) == (48, 12)
    together = np.concatenate([data.y, opened.y])
    np.testing.assert_array_equal(np.sort(together), HALVES.astype(np.float32))
    np.testing.assert_array_equal(np.sort(opened.x[:, 0]) // 3, np.sort(opened.y) * 8)
    cuts = [data.split(replicate, 0) for replicate in range(3)]
    assert {(len(one.train), len(one.validation)) for one in cuts} == {(40, 8)}
    assert len({tuple(one.validation.tolist()) for one in cuts}) == 3


def test_a_test_part_of_ones_own_is_sealed_as_it_is():
    data = made(X_test=ROWS[:5], y_test=[1e6, 2, 3, 4, 5])
    np.testing.assert_array_equal(sealed(data).y, np.float32([1e6, 2, 3, 4, 5]))
    with pytest.raises(DataError, match="`y_test` must hold numbers"):
        made(X_test=ROWS[:2], y_test=["a", "b"])


def test_the_fingerprint_covers_task_and_weights():
    whole = np.arange(60) % 4
    weights = np.arange(60) + 1.0
    several = [
        made(whole),
        made(whole, task="regression"),
        made(whole, weights=weights),
        made(whole, weights=weights[::-1]),
        made(whole, task="regression", weights=weights),
    ]
    assert len({one.fingerprint for one in several}) == 5
    assert made(whole, weights=2 * weights).fingerprint == several[2].fingerprint
    # As it was before there were tasks and weights.
    assert several[0].fingerprint.startswith(BEFORE)


BEFORE = "035a89c261b306ce"


def test_weights_are_even_and_rows_without_weight_are_left_out():
    weights = np.arange(60) % 5
    data = made(weights=weights)
    assert data.rows + data.test.rows == 48
    assert data.weights.mean() == pytest.approx(1, abs=1e-6)
    assert data.weights.dtype == np.float32
    row = (data.x[:, 0] // 3).astype(int)
    ratio = data.weights / (row % 5)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    opened = sealed(data)
    ratio = opened.weights / ((opened.x[:, 0] // 3).astype(int) % 5)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert made().weights is None
    assert sealed(made()).weights is None


@pytest.mark.parametrize(
    "weights", [np.zeros(60), -np.ones(60), np.full(60, np.nan), np.ones(59), ["a"] * 60]
)
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(DataError, match="`weights` must"):
        made(weights=weights)


@given(st.integers(0, 1000), st.booleans())
def test_a_target_is_standardized_by_the_rows_given(seed, weighted):
    draw = np.random.default_rng(seed)
    y = (1000 + 50 * draw.standard_normal(60)).astype(np.float32)
    data = made(y, weights=draw.uniform(0.5, 2, 60) if weighted else None)
    rows = data.split(0, 0).train
    mean, deviation = data.standard(rows)
    z, weights = (data.y[rows] - mean) / deviation, data.weights[rows] if weighted else None
    assert np.average(z, weights=weights) == pytest.approx(0, abs=1e-4)
    assert np.average(z**2, weights=weights) == pytest.approx(1, abs=1e-4)
    assert targets.standard(np.full(5, 7, np.float32)) == (7, 1)


def test_what_is_shown_of_a_regression_tells_what_it_is():
    assert repr(made(name="halves")) == (
        "Dataset('halves': 48 rows of 3 features, regression; 12 test rows, sealed)"
    )
