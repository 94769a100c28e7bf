"""That the statistics say what they promise: coverage, ties on noise, and finding what is there."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from fleetgrad.errors import UsageError
from fleetgrad.finals import (
    Interval,
    corrected,
    mean_interval,
    paired_bootstrap,
    rank,
    ties,
    wilson,
)

SCORES = hnp.arrays(
    float,
    st.tuples(st.integers(1, 5), st.integers(1, 7)),
    elements=st.floats(0, 1) | st.just(math.nan),
)
STUDIES = 1000


def draws(seed):
    return np.random.Generator(np.random.Philox(seed))


def covered(intervals, truth):
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


class TestMeanInterval:
    @pytest.mark.parametrize("replicates", [2, 3, 5, 20])
    def test_covers_the_truth_as_often_as_it_says(self, replicates):
        scores = draws(1).normal(0.97, 0.01, (STUDIES, replicates))
        assert 0.92 <= covered(map(mean_interval, scores), 0.97) <= 0.98

    def test_covers_for_accuracies_counted_on_few_rows(self):
        scores = draws(2).binomial(240, 0.97, (STUDIES, 5)) / 240
        assert 0.92 <= covered(map(mean_interval, scores), 0.97) <= 0.98

    def test_covers_new_data_where_the_splits_overlap(self):
        """Splits of one data set share an error of their own, variance times the overlap."""
        generator, overlap = draws(3), 0.2
        scores = generator.normal(0.9, 0.01, (STUDIES, 5))
        scores += generator.normal(0, 0.01 * math.sqrt(overlap), (STUDIES, 1))
        wide = [mean_interval(row, overlap=overlap) for row in scores]
        assert 0.92 <= covered(wide, 0.9) <= 0.98
        assert covered(map(mean_interval, scores), 0.9) < 0.92

    @given(st.lists(st.floats(-1, 1), min_size=2, max_size=9), st.sampled_from([0.5, 0.9, 0.99]))
    def test_agrees_with_students_table(self, values, level):
        found = mean_interval(values, level)
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        expected = stats.t.ppf(0.5 + level / 2, len(values) - 1) * error
        assert (found.high - found.low) / 2 == pytest.approx(expected, abs=1e-12)
        assert (found.high + found.low) / 2 == pytest.approx(np.mean(values), abs=1e-12)

    @pytest.mark.parametrize("values", [[], [0.9], [0.9, math.nan], [0.9, math.inf, 0.8]])
    def test_is_none_rather_than_a_lie(self, values):
        assert mean_interval(values) is None


class TestWilson:
    @pytest.mark.parametrize(("n", "share"), [(50, 0.9), (360, 0.97), (10_000, 0.985)])
    def test_covers_the_truth_as_often_as_it_says(self, n, share):
        counts = draws(4).binomial(n, share, STUDIES)
        assert 0.92 <= covered([wilson(int(count), n) for count in counts], share) <= 0.98

    @given(st.integers(1, 10**6), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
    def test_holds_the_observed_share_and_stays_in_zero_to_one(self, n, data, level):
        correct = data.draw(st.integers(0, n))
        low, high = wilson(correct, n, level)
        assert 0 <= low <= correct / n + 1e-12
        assert correct / n - 1e-12 <= high <= 1
        assert low < high

    @given(st.integers(1, 500), st.data())
    def test_agrees_with_scipy(self, n, data):
        correct = data.draw(st.integers(0, n))
        theirs = stats.binomtest(correct, n).proportion_ci(method="wilson")
        assert wilson(correct, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)

    @pytest.mark.parametrize(("correct", "n"), [(0, 0), (-1, 5), (6, 5)])
    def test_refuses_impossible_counts(self, correct, n):
        with pytest.raises(UsageError, match=f"got {correct} of {n}"):
            wilson(correct, n)


class TestPairedBootstrap:
    def test_covers_the_truth_with_many_replicates(self):
        differences = draws(5).normal(0.01, 0.02, (600, 100))
        found = [paired_bootstrap(d, 0 * d, seed=0, draws=1000) for d in differences]
        assert 0.92 <= covered(found, 0.01) <= 0.98

    def test_is_too_sure_of_itself_with_five_and_therefore_never_decides_alone(self):
        differences = draws(6).normal(0, 0.02, (400, 5))
        found = [paired_bootstrap(d, 0 * d, seed=0, draws=2000) for d in differences]
        assert covered(found, 0) < 0.92

    def test_what_a_split_gives_to_both_cancels(self):
        generator = draws(7)
        luck = generator.normal(0, 1, 8)
        a, b = generator.normal(0.02, 0.005, (2, 8)) * np.array([[1], [0]]) + luck
        low, high = paired_bootstrap(a, b, seed=0)
        assert 0.015 < low < high < 0.025

    @given(hnp.arrays(float, (2, 6), elements=st.floats(0, 1)), st.integers(0, 2**31))
    def test_turns_with_its_arguments_and_repeats_with_its_seed(self, scores, seed):
        there = paired_bootstrap(*scores, seed=seed, draws=200)
        back = paired_bootstrap(*scores[::-1], seed=seed, draws=200)
        assert there == pytest.approx((-back.high, -back.low), abs=1e-12)
        assert there == paired_bootstrap(*scores, seed=seed, draws=200)
        differences = scores[0] - scores[1]
        assert differences.min() - 1e-12 <= there.low <= there.high <= differences.max() + 1e-12

    def test_takes_large_samples_in_blocks(self):
        a = draws(8).normal(0, 1, 300_000)
        low, high = paired_bootstrap(a, a * 0, seed=0, draws=100)
        assert low < a.mean() < high
        assert high - low == pytest.approx(2 * 1.96 / math.sqrt(a.size), rel=0.3)

    @pytest.mark.parametrize(
        ("a", "b", "part"),
        [([1.0], [1.0, 2.0], "one length"), ([], [], "one length"), ([[1.0]], [[1.0]], "two lists"),
         ([1.0, math.nan], [1.0, 1.0], "finite")],
    )  # fmt: skip
    def test_refuses_scores_that_are_no_pairs(self, a, b, part):
        with pytest.raises(UsageError, match=part):
            paired_bootstrap(a, b, seed=0)


def claims(scores, **rest):
    """Share of studies, shape (studies, finalists, replicates), that leave a finalist out."""
    return np.mean([len(ties(study, seed=0, **rest)) < scores.shape[1] - 1 for study in scores])


class TestTies:
    @pytest.mark.parametrize(("finalists", "replicates"), [(2, 5), (3, 3), (3, 5), (6, 10)])
    def test_on_pure_noise_the_best_ties_with_all(self, finalists, replicates):
        generator = draws(9)
        scores = generator.normal(0.97, 0.01, (600, finalists, replicates))
        scores += generator.normal(0, 0.02, (600, 1, replicates))  # luck of the split, shared
        assert claims(scores) <= 0.07

    def test_on_counted_noise_the_best_ties_with_all(self):
        assert claims(draws(10).binomial(240, 0.975, (600, 3, 5)) / 240) <= 0.07

    def test_on_noise_of_unequal_strength_the_best_ties_with_all(self):
        noise = np.array([[0.002], [0.01], [0.03]])
        assert claims(draws(11).normal(0.9, noise, (600, 3, 5))) <= 0.07

    def test_on_overlapping_splits_the_best_ties_with_all(self):
        generator = draws(12)
        scores = generator.normal(0, 0.01, (600, 3, 5))
        scores += generator.normal(0, 0.01 * math.sqrt(0.2), (600, 3, 1))
        assert claims(scores, overlap=0.2) <= 0.07

    def test_a_planted_best_is_found(self):
        scores = draws(13).normal(0, 0.005, (200, 4, 5)) + np.array([0.9, 0.9, 0.95, 0.9])[:, None]
        assert np.mean([rank(study)[0] == 2 and not ties(study, seed=0) for study in scores]) > 0.9

    def test_a_planted_twin_of_the_best_stays(self):
        scores = draws(14).normal(0, 0.005, (200, 4, 5)) + np.array([0.9, 0.96, 0.96, 0.9])[:, None]
        found = [{rank(study)[0], *ties(study, seed=0)} for study in scores]
        assert np.mean([{1, 2} <= tied for tied in found]) >= 0.93
        assert np.mean([tied == {1, 2} for tied in found]) > 0.8

    def test_two_replicates_are_no_proof(self):
        assert ties([[0.9, 0.91], [0.1, 0.11], [0.5, 0.51]], seed=0) == (2, 1)
        assert ties([[0.9], [0.1]], seed=0) == (1,)

    def test_three_equal_small_steps_are_no_proof_but_ten_are(self):
        """Differences of exactly one row agree by chance now and then; their spread is not 0."""
        step = 1 / 240
        assert ties([[0.9 + step] * 3, [0.9] * 3, [0.9] * 3], seed=0) == (1, 2)
        assert ties([[0.9 + step] * 10, [0.9] * 10, [0.9] * 10], seed=0) == ()

    def test_equals_tie(self):
        assert ties(np.full((3, 5), 0.9), seed=0) == (1, 2)

    def test_the_diverged_neither_win_nor_tie(self):
        scores = [[0.9, math.nan, 0.9], [0.5, 0.6, 0.5], [0.5, 0.5, 0.6]]
        assert rank(scores) == (1, 2, 0)
        assert ties(scores, seed=0) == (2,)
        assert ties(np.full((3, 4), math.nan), seed=0) == ()
        assert rank([[math.inf, -math.inf], [0.1, 0.2]]) == (1, 0)

    def test_one_finalist_has_nobody_to_tie_with(self):
        assert ties([[0.9, 0.91, 0.92]], seed=0) == ()

    @given(SCORES, st.integers(0, 2**31))
    def test_ties_are_sound_others_in_the_order_of_rank(self, scores, seed):
        found, order = ties(scores, seed=seed), rank(scores)
        assert order[0] not in found
        assert list(found) == [position for position in order if position in found]
        assert np.isfinite(scores[list(found)]).all()
        assert found == ties(scores, seed=seed)

    @given(SCORES.filter(lambda scores: np.isfinite(scores).all()), st.floats(-2, 2))
    def test_what_everyone_gets_changes_nothing(self, scores, shift):
        rounded = np.round(scores, 3)
        there = ties(rounded, seed=0)
        assert {rank(rounded)[0], *there} == {
            rank(np.round(rounded + round(shift, 3), 3))[0],
            *ties(np.round(rounded + round(shift, 3), 3), seed=0),
        }


class TestRank:
    @given(SCORES)
    def test_orders_everyone_once_best_mean_first_and_nan_last(self, scores):
        order = rank(scores)
        assert sorted(order) == list(range(len(scores)))
        means = [scores[position].mean() for position in order]
        sound = [mean for mean in means if not math.isnan(mean)]
        assert sound == sorted(sound, reverse=True)
        assert all(map(math.isnan, means[len(sound) :]))

    @pytest.mark.parametrize("scores", [[], [0.9, 0.8], [[]], 0.5, np.zeros((2, 2, 2))])
    def test_refuses_what_is_no_table(self, scores):
        for function in (rank, lambda table: ties(table, seed=0)):
            with pytest.raises(UsageError, match="table of"):
                function(scores)


class TestCorrected:
    @pytest.mark.parametrize(("finalists", "replicates"), [(3, 5), (6, 5), (3, 20)])
    @pytest.mark.parametrize("spread", [0.0, 0.003])
    def test_is_what_the_chosen_is_worth_where_the_raw_mean_is_too_good(
        self, finalists, replicates, spread
    ):
        generator = draws(15)
        means = 0.97 + spread * generator.normal(size=(STUDIES, finalists, 1))
        noise = 0.005 * generator.normal(size=(STUDIES, finalists, replicates))
        found, raw = [], []
        for truth, scores in zip(means[:, :, 0], means + noise, strict=True):
            best = rank(scores)[0]
            found.append(corrected(scores) - truth[best])
            raw.append(scores[best].mean() - truth[best])
        error = np.std(found) / math.sqrt(STUDIES)
        assert abs(np.mean(found)) < 3 * error + 0.0002  # the choice is by one replicate less
        assert np.mean(raw) > abs(np.mean(found)) + 3 * error

    @given(SCORES)
    def test_is_a_mean_of_scores_seen_or_none(self, scores):
        found, finite = corrected(scores), scores[np.isfinite(scores).all(axis=1)]
        if scores.shape[1] < 3 or not len(finite):
            assert found is None
        else:
            assert finite.min() - 1e-12 <= found <= finite.max() + 1e-12

    def test_a_clear_winner_keeps_its_mean_and_the_diverged_never_are_one(self):
        scores = [[0.9, 0.91, 0.92], [0.5, 0.5, 0.5], [1.0, math.nan, 1.0]]
        assert corrected(scores) == pytest.approx(0.91)

    def test_every_replicate_is_scored_by_who_won_the_others(self):
        assert corrected([[1.0, 0.0, 0.0], [0.0, 0.6, 0.6]]) == pytest.approx((0 + 0 + 0) / 3)

    def test_equals_go_by_position(self):
        assert corrected([[0.1 + 0.2, 0.3, 0.3], [0.3, 0.3, 0.3]]) == pytest.approx(0.3)


class TestTwoHundredStudies:
    """As the interface promises them: three finalists, five replicates on shared splits."""

    def studies(self, seed, spread):
        generator = draws(seed)
        truth = 0.97 + spread * generator.normal(size=(200, 3))
        luck = 0.008 * generator.normal(size=(200, 1, 5))
        return truth, truth[:, :, None] + luck + 0.004 * generator.normal(size=(200, 3, 5))

    @pytest.mark.parametrize("spread", [0.0, 0.002, 0.01])
    def test_the_winners_interval_covers_its_mean(self, spread):
        truth, scores = self.studies(16, spread)
        best = [rank(study)[0] for study in scores]
        hits = [
            covered([mean_interval(study[winner])], means[winner])
            for winner, study, means in zip(best, scores, truth, strict=True)
        ]
        assert 0.92 <= np.mean(hits) <= 0.98

    def test_on_pure_noise_no_winner_is_claimed_and_all_tie(self):
        _, scores = self.studies(17, 0.0)
        assert claims(scores) <= 0.05
        assert claims(draws(18).binomial(300, 0.5, (200, 3, 5)) / 300) <= 0.05  # labels are coins


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, math.nan])
def test_a_level_is_a_share(level):
    for call in (
        lambda: mean_interval([1, 2], level),
        lambda: wilson(1, 2, level),
        lambda: ties([[1, 2]], seed=0, level=level),
        lambda: paired_bootstrap([1], [2], seed=0, level=level),
    ):
        with pytest.raises(UsageError, match=r"`level` must be in \(0, 1\)"):
            call()


def test_an_interval_is_a_pair():
    low, high = Interval(0.1, 0.2)
    assert (low, high) == (0.1, 0.2)


@given(st.integers(0, 1000), st.sampled_from([1e-12, 3.0, 1e9]))
def test_scores_of_any_unit_are_ranked_tied_and_corrected_alike(seed, unit):
    scores = np.random.default_rng(seed).normal(0.9, 0.01, (3, 5))
    scores += np.array([0.02, 0.01, 0.0])[:, None]
    other = unit * (scores - 1)
    assert rank(other) == rank(scores)
    assert ties(other, seed=0) == ties(scores, seed=0)
    assert corrected(other) == pytest.approx(unit * (corrected(scores) - 1))
