"""Choosing an ensemble: never worse than its best member, and as the paper would choose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.errors import UsageError
from fleetgrad.selection import log_loss, select, select_numbers


def noisy(members, rows, classes, seed=0, noise=2.0):
    """Networks that know the labels, each with errors of its own."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, classes, rows)
    outputs = 2.0 * np.eye(classes)[labels] + noise * draw.normal(size=(members, rows, classes))
    shares = np.exp(outputs)
    return shares / shares.sum(axis=2, keepdims=True), labels


def averaged(weights, shares):
    return np.tensordot(weights, shares, 1)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(2, 4), st.integers(0, 1000))
def test_weights_sum_to_one_and_the_average_beats_the_best_member(members, rows, classes, seed):
    shares, labels = noisy(members, rows, classes, seed)
    weights = select(shares, labels)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    best = min(log_loss(one, labels) for one in shares)
    assert log_loss(averaged(weights, shares), labels) <= best + 1e-9


def test_independent_errors_are_averaged_away_on_rows_that_had_no_say():
    shares, labels = noisy(8, 4000, 4)
    weights = select(shares[:, :2000], labels[:2000])
    unseen, truth = shares[:, 2000:], labels[2000:]
    alone = min(log_loss(one, truth) for one in unseen)
    assert (weights > 0).sum() >= 5
    assert log_loss(averaged(weights, unseen), truth) < 0.9 * alone


def test_the_greedy_steps_are_those_of_the_paper():
    """Beside a plain version that tries everything."""
    shares, labels = noisy(5, 60, 3, seed=3)
    picked, loss = [], np.inf
    while len(picked) < 25:
        tried = [log_loss(shares[[*picked, one]].mean(axis=0), labels) for one in range(5)]
        if min(tried) > loss - 1e-9:
            break
        picked.append(int(np.argmin(tried)))
        loss = min(tried)
    expected = np.bincount(picked, minlength=5) / len(picked)
    assert select(shares, labels) == pytest.approx(expected)


def test_a_network_that_only_harms_is_left_out_and_one_alone_is_all():
    shares, labels = noisy(3, 200, 4)
    wrong = np.roll(np.eye(4)[labels], 1, axis=1)[None]
    assert select(np.concatenate([shares, wrong]), labels)[3] == 0
    assert select(shares[:1], labels).tolist() == [1]
    assert (select(shares, labels, most=1) == 1).sum() == 1


def test_equal_losses_go_by_accuracy_then_by_position():
    labels = np.array([0, 0])
    sure = np.array([[0.9, 0.1], [0.4, 0.6]])  # the same product of shares, one row right
    even = np.array([[0.6, 0.4], [0.6, 0.4]])  # and two
    shares = np.array([sure, even, even])
    assert log_loss(sure, labels) == pytest.approx(log_loss(even, labels))
    assert select(shares, labels, most=1).tolist() == [0, 1, 0]


def test_what_is_not_finite_has_no_part():
    shares, labels = noisy(3, 50, 3)
    shares[1, 7, 0] = np.nan
    weights = select(shares, labels, bags=5)
    assert weights[1] == 0
    assert weights.sum() == pytest.approx(1)
    with pytest.raises(UsageError, match="needs a network with finite probabilities, got none of"):
        select(np.full((2, 5, 3), np.nan), np.zeros(5, int))


def test_bags_spread_the_weight_and_repeat_with_their_seed():
    shares, labels = noisy(10, 100, 3)
    one, again, other = (select(shares, labels, bags=20, seed=seed) for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()
    assert (one > 0).sum() >= (select(shares, labels) > 0).sum()
    assert one.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("shares", "labels", "word"),
    [
        (np.ones((2, 3)), np.zeros(3, int), "members, rows, classes"),
        (np.ones((2, 3, 2)), np.zeros(2, int), "a label a row"),
        (np.ones((0, 3, 2)), np.zeros(3, int), "members, rows, classes"),
        (np.ones((2, 3, 2)), np.full(3, 2), r"in \[0, 2\)"),
        (np.ones((2, 3, 2)), np.full(3, -1), "from -1"),
        (np.ones((2, 3, 2)), np.zeros(3), "float64"),
    ],
)
def test_what_does_not_fit_is_refused(shares, labels, word):
    with pytest.raises(UsageError, match=word):
        select(shares, labels)


@pytest.mark.parametrize("wrong", [{"most": 0}, {"bags": -1}])
def test_counts_must_be_counts(wrong):
    with pytest.raises(UsageError, match="`most` must be at least 1"):
        select(*noisy(2, 5, 2), **wrong)


@given(st.integers(0, 500))
def test_a_row_that_counts_twice_is_the_row_twice(seed):
    shares, labels = noisy(4, 40, 3, seed)
    counts = np.random.default_rng(seed).integers(0, 4, 40)
    again = [np.repeat(shares, counts, axis=1), np.repeat(labels, counts)]
    assert log_loss(shares[0], labels, counts) == pytest.approx(log_loss(again[0][0], again[1]))
    np.testing.assert_allclose(select(shares, labels, counts / 7), select(*again))
    numbers = np.log(shares[:, :, 0])
    twice = np.repeat(numbers, counts, axis=1)
    np.testing.assert_allclose(
        select_numbers(numbers, labels, counts / 7, power=1),
        select_numbers(twice, np.repeat(labels, counts), power=1),
    )


@given(st.integers(0, 500), st.sampled_from([1, 2]))
def test_averages_of_numbers_are_never_worse_than_the_best_alone(seed, power):
    draw = np.random.default_rng(seed)
    truth = 1e6 * draw.normal(size=40)
    said = truth + 1e5 * draw.normal(size=(5, 40)) * np.arange(1, 6)[:, None]
    said[3, 7] = np.nan
    weights = select_numbers(said, truth, power=power)
    assert weights.sum() == pytest.approx(1)
    assert weights[3] == 0
    assert (weights >= 0).all()

    def error(numbers):
        return (np.abs(numbers - truth) ** power).mean()

    sound = np.delete(said, 3, axis=0)
    best = min(map(error, sound))
    assert error(np.delete(weights, 3) @ sound) <= best * (1 + 1e-6)


def test_bags_of_numbers_spread_the_weight_and_repeat_with_their_seed():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=60)
    said = truth + 0.3 * draw.normal(size=(10, 60))
    said[4, 0] = np.inf
    one, again, other = (select_numbers(said, truth, bags=20, seed=seed) for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()
    assert (one > 0).sum() > (select_numbers(said, truth) > 0).sum()
    assert one[4] == 0
    assert one.sum() == pytest.approx(1)


def test_numbers_that_nobody_says_soundly_are_not_averaged():
    with pytest.raises(UsageError, match="diverged"):
        select_numbers(np.full((2, 3), np.nan), np.zeros(3))
