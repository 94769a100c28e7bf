"""The audit of early stopping: who is drawn, and what their ends say of all that were stopped."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fleetgrad.audit import audit, chosen, spearman
from fleetgrad.errors import UsageError
from fleetgrad.finals import wilson

IDS = st.sets(st.integers(0, 10**6), max_size=300)
SCORES = st.floats(0, 1) | st.sampled_from([0.5, 0.6])


class TestChosen:
    @given(IDS, st.integers(0, 2**40), st.floats(0.001, 1))
    def test_a_share_of_the_stopped_is_drawn_and_at_least_one(self, ids, seed, share):
        found = chosen(ids, seed, share)
        assert set(found) <= ids
        assert list(found) == sorted(set(found))
        assert len(found) == (max(1, round(share * len(ids))) if ids else 0)

    @given(IDS, st.integers(0, 2**40), st.randoms())
    def test_the_order_of_the_stopped_is_no_matter(self, ids, seed, random):
        mixed = list(ids)
        random.shuffle(mixed)
        assert chosen(mixed, seed) == chosen(sorted(ids), seed)

    def test_everyone_is_drawn_as_often(self):
        counts = np.bincount(np.concatenate([chosen(range(20), seed, 0.2) for seed in range(500)]))
        assert stats.chisquare(counts).pvalue > 0.001
        assert len(counts) == 20

    @pytest.mark.parametrize("share", [0, -0.1, 1.5, math.nan])
    def test_a_share_is_a_share(self, share):
        with pytest.raises(UsageError, match=r"`share` must be in \(0, 1\]"):
            chosen([1], 0, share)


class TestAudit:
    def test_who_ended_above_the_winner_would_have_won(self):
        found = audit([0.5, 0.6, 0.7], [0.95, 0.9, 0.85], winner=0.9)
        assert (found.audited, found.would_have_won) == (3, 1)
        assert found.interval == wilson(1, 3)
        assert found.rank_correlation == pytest.approx(-1)

    def test_whoever_diverged_on_the_way_would_not_have_won(self):
        found = audit([0.5, 0.6], [math.nan, 0.7], winner=0.65)
        assert (found.audited, found.would_have_won) == (2, 1)
        assert found.rank_correlation == pytest.approx(1)

    def test_nobody_audited_is_no_finding(self):
        found = audit([], [], winner=0.9).to_dict()
        assert found == {
            "audited": 0,
            "would_have_won": 0,
            "interval": None,
            "rank_correlation": None,
        }

    @given(st.lists(st.tuples(SCORES, SCORES | st.just(math.nan)), max_size=20), SCORES)
    def test_any_audit_is_strict_json(self, pairs, winner):
        found = audit([a for a, _ in pairs], [b for _, b in pairs], winner)
        told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert told["audited"] == len(pairs)
        assert 0 <= told["would_have_won"] <= len(pairs)

    def test_the_interval_covers_the_share_of_all_that_were_stopped(self):
        hits = []
        for seed in range(300):
            ends = np.random.default_rng(seed).normal(size=400)
            truth = np.mean(ends > 1.0)
            drawn = list(chosen(range(400), seed, 0.1))
            low, high = audit([0.0] * len(drawn), ends[drawn].tolist(), 1.0).interval
            hits.append(low <= truth <= high)
        assert 0.92 <= np.mean(hits) <= 1

    @pytest.mark.parametrize("wrong", [([1.0], [], 0.5), ([], [], math.nan), ([], [], math.inf)])
    def test_scores_must_be_pairs(self, wrong):
        with pytest.raises(UsageError, match="two scores of each candidate"):
            audit(*wrong)


@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=30))
def test_the_rank_correlation_is_scipys(pairs):
    one, other = zip(*pairs, strict=True)
    found = spearman(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-9)
        assert -1 - 1e-12 <= found <= 1 + 1e-12
