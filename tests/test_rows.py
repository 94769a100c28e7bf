import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.leaderboard import Row
from fleetgrad.metrics import METRICS
from fleetgrad.rows import repeated_rows
from fleetgrad.settings import Settings

SEARCHED = {0: Row(0, Settings(), "stopped", 9, 0.9)}


def repeated(scores, metric="accuracy"):
    return repeated_rows(SEARCHED, [0], np.array([scores]), METRICS[metric], seed=0)[0]


@given(st.lists(st.floats(0.9, 1.0), min_size=2, max_size=5))
def test_an_interval_lies_where_scores_can_and_holds_the_mean(scores):
    found = repeated(scores)
    low, high = found.interval
    assert 0 <= low <= found.mean <= high <= 1 or np.ptp(scores) < 1e-9


@pytest.mark.parametrize(
    ("metric", "scores", "end", "bound"),
    [("accuracy", [0.96, 1.0], "high", 1.0), ("accuracy", [0.0, 0.02], "low", 0.0),
     ("rmse", [-9.0, -0.1], "high", 0.0)],
)  # fmt: skip
def test_an_interval_that_would_pass_the_bounds_ends_there(metric, scores, end, bound):
    assert getattr(repeated(scores, metric).interval, end) == bound
    assert repeated(scores[:1], metric).interval is None
