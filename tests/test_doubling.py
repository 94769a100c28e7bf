"""Doubling, where it is known what it really brings: the intervals hold it, and the means fit."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.doubling import _expected_best, _wins, doubling, noise
from fleetgrad.metrics import METRICS

STUDIES = 60


def draws(seed):
    return np.random.Generator(np.random.Philox(seed))


QUALITIES = {
    "normal": lambda draw, n: 0.9 + 0.02 * draw.normal(size=n),
    "ending": lambda draw, n: 0.98 - 0.1 * draw.beta(1.2, 4, n),
    "quadratic": lambda draw, n: 0.97 - 0.05 * (draw.uniform(-1, 1, (n, 4)) ** 2).sum(axis=1),
}


def power(draw, epochs):
    limits, powers = 0.95 + 0.02 * draw.normal(size=(4, 1)), draw.uniform(0.3, 1.2, (4, 1))
    return lambda when: limits - 0.25 * when**-powers


def exponential(draw, epochs):
    limits = 0.95 + 0.02 * draw.normal(size=(4, 1))
    times = draw.uniform(0.15, 0.8, (4, 1)) * epochs
    return lambda when: limits - 0.3 * np.exp(-when / times)


def flat(draw, epochs):
    limits = 0.95 + 0.02 * draw.normal(size=(4, 1))
    return lambda when: limits + 0 * when


class TestMore:
    @pytest.mark.parametrize("kind", QUALITIES)
    @pytest.mark.parametrize("count", [12, 64])
    @pytest.mark.parametrize("spread", [0.0, 0.003])
    def test_as_many_again_bring_what_is_said(self, kind, count, spread):
        draw, hits, said, true = draws(1), [], [], []
        for _ in range(200):
            quality = QUALITIES[kind](draw, 2 * count)
            seen = quality + spread * draw.normal(size=2 * count)
            gain = quality[seen.argmax()] - quality[:count][seen[:count].argmax()]
            table = quality[:3, None] + spread * draw.normal(size=(3, 5))
            found = doubling(seen[:count, None], 1, table).more
            hits.append(found.interval.low <= max(gain, 0) <= found.interval.high + 1e-12)
            said.append(found.expected)
            true.append(gain)
        assert np.mean(hits) >= 0.8
        error = np.std(true) / math.sqrt(200)
        assert np.mean(said) > 0.5 * (np.mean(true) - 3 * error)
        assert np.mean(said) < 2 * (np.mean(true) + 3 * error) + spread / 2

    def test_a_sampler_that_learns_promises_from_where_it_is_now(self):
        draw = draws(2)
        early, late = 0.7 + 0.1 * draw.normal(size=32), 0.95 + 0.002 * draw.normal(size=32)
        learned = doubling(np.concatenate([early, late])[:, None], 1).more
        assert 0 < learned.expected < 0.003

    def test_noise_alone_promises_nothing(self):
        draw = draws(3)
        scores, table = 0.9 + 0.01 * draw.normal(size=40), 0.9 + 0.011 * draw.normal(size=(3, 400))
        assert doubling(scores[:, None], 1, table).more.expected < 0.0005
        assert doubling(np.full((40, 1), 0.9), 1).more.expected == 0

    @given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(1, 8))
    def test_the_best_of_a_subset_is_exact(self, scores, size):
        size = min(size, len(scores))
        ranked = np.sort(np.array(scores, float))[::-1]
        every = [max(some) for some in itertools.combinations(scores, size)]
        assert _expected_best(ranked, size) == pytest.approx(np.mean(every))

    @given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
    def test_later_ones_win_as_often_as_by_counting_every_pair(self, early, late):
        pairs = [(b > a) + (b == a) / 2 for a in early for b in late]
        assert _wins(np.array(early), np.array(late)) == pytest.approx(np.mean(pairs))


class TestLonger:
    @pytest.mark.parametrize("kind", [power, exponential, flat])
    @pytest.mark.parametrize("epochs", [5, 9, 20])
    @pytest.mark.parametrize("spread", [0.001, 0.003])
    def test_as_many_epochs_again_bring_what_is_said(self, kind, epochs, spread):
        draw, hits, said, true = draws(4), [], [], []
        for study in range(STUDIES):
            law = kind(draw, epochs)
            seen = law(np.arange(1.0, epochs + 1))
            seen = seen + spread * draw.normal(size=seen.shape)
            now, then = law(np.array([1.0 * epochs]))[:, 0], law(np.array([2.0 * epochs]))[:, 0]
            best = np.argsort(-seen[:, -1])
            gain = max(0, then[best[:3]].max() - now[best[0]])
            found = doubling(seen, epochs, seed=study).longer
            hits.append(found.interval.low - 0.0005 <= gain <= found.interval.high + 0.0005)
            said.append(found.expected)
            true.append(gain)
        assert np.mean(hits) >= 0.8
        assert np.mean(said) < 2 * np.mean(true) + 0.002
        assert np.mean(said) > 0.5 * np.mean(true)

    def test_a_rate_that_falls_to_the_end_is_not_taken_for_learning(self):
        """The last rise comes from the falling rate, and comes once."""
        draw, hits, epochs = draws(5), [], 12
        for study in range(STUDIES):
            law = power(draw, epochs)
            when = np.arange(1.0, epochs + 1)
            held_back = draw.uniform(0.01, 0.05) * (1 - when / epochs)
            seen = law(when) - held_back + 0.001 * draw.normal(size=(4, epochs))
            now, then = law(np.array([1.0 * epochs]))[:, 0], law(np.array([2.0 * epochs]))[:, 0]
            best = np.argsort(-seen[:, -1])
            gain = max(0, then[best[:3]].max() - now[best[0]])
            found = doubling(seen, epochs, annealed=True, seed=study).longer
            hits.append(found.interval.low - 0.0005 <= gain <= found.interval.high + 0.0005)
        assert np.mean(hits) >= 0.8


class TestBoth:
    def test_what_promises_more_is_reported(self):
        draw = draws(6)
        rising = 0.9 - 0.3 / np.sqrt(np.arange(1, 10)) + 0.0005 * draw.normal(size=(9, 9))
        found = doubling(rising, 9)
        assert found.by == "longer"
        assert found.gain is found.longer
        assert "by training twice as long (90 %: " in found.sentence
        still = np.repeat(0.8 + 0.05 * draw.normal(size=(20, 1)), 9, axis=1)
        found = doubling(still, 9)
        assert found.by == "more"
        assert "by twice as many candidates (90 %: 0.00 to" in found.sentence

    def test_halving_and_divergence_are_part_of_a_search(self):
        whole = 0.9 - 0.3 / np.arange(1, 10) - 0.01 * np.arange(27)[:, None]
        curves = [c[:stop] for c, stop in zip(whole, [9] * 3 + [3] * 6 + [1] * 18, strict=True)]
        found = doubling([*curves, [math.nan], [], [0.5, math.inf]], 9)
        assert found.longer.expected > 0
        assert found.more.expected > 0

    @pytest.mark.parametrize(
        "curves", [[], [[0.5]], [[math.nan]] * 20, [[0.5, 0.6, 0.7]] * 7, [[]] * 9]
    )
    def test_too_little_is_said_to_be_too_little(self, curves):
        found = doubling(curves, 9)
        assert found.gain is found.by is None
        assert "cannot be told: it takes 8 candidates" in found.sentence
        assert json.dumps(found.to_dict(), allow_nan=False)

    @given(
        st.lists(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=9), max_size=20),
        st.integers(1, 9),
        st.booleans(),
    )
    def test_any_search_gets_an_answer_in_bounds(self, curves, epochs, annealed):
        found = doubling(curves, epochs, annealed=annealed)
        json.dumps(found.to_dict(), allow_nan=False)
        for one in (found.longer, found.more):
            if one is not None:
                assert 0 <= one.interval.low <= one.interval.high <= 1
                assert 0 <= one.expected <= 1
        assert (found.gain is None) == (found.reason is not None)

    def test_the_same_seed_gives_the_same_answer(self):
        curves = 0.9 - 0.3 / np.arange(1, 10) - 0.01 * np.arange(9)[:, None]
        assert doubling(curves, 9, seed=1) == doubling(curves, 9, seed=1)


def test_noise_is_what_a_split_does_not_explain():
    draw = draws(7)
    table = 0.9 + 0.01 * draw.normal(size=(3, 1)) + 0.02 * draw.normal(size=(1, 4000))
    assert noise(table + 0.003 * draw.normal(size=(3, 4000))) == pytest.approx(0.003, rel=0.1)
    assert noise(None) == noise([[0.9]]) == noise([[math.nan] * 3]) == noise(np.empty((0, 0))) == 0


@pytest.mark.parametrize("unit", [1e-4, 2e4])
def test_errors_of_any_unit_shrink_as_shares_grow(unit):
    draw, errors = draws(6), METRICS["rmse"]
    curves = np.concatenate([power(draw, 8)(np.arange(1.0, 9)) for _ in range(6)])
    table = curves[:3, -1:] + 0.001 * draw.normal(size=(3, 5))
    shares = doubling(curves, 8, table)
    found = doubling(unit * (curves - 1), 8, unit * (table - 1), metric=errors)
    assert found.by == shares.by
    assert found.more.expected == pytest.approx(unit * shares.more.expected)
    assert found.longer.expected == pytest.approx(unit * shares.longer.expected, rel=0.1)
    assert "less RMSE" in found.sentence
    assert "points of accuracy" in shares.sentence
