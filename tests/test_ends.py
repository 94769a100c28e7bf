"""Scores of candidates that were stopped early, brought to the end of the training."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.ends import expected

CURVES = st.lists(st.lists(st.floats(0, 1), max_size=6) | st.just([0.5, math.nan, 0.9]), max_size=8)


def test_the_stopped_get_what_training_added_for_those_that_went_on():
    curves = [[0.5, 0.6, 0.8, 0.9], [0.4, 0.5, 0.7, 0.75], [0.3, 0.4], [0.2, 0.4], [0.1]]
    by_last = (0.25 + 0.5) / 2
    expected_ends = [0.9, 0.75, 1 - 0.6 * by_last, 1 - 0.6 * by_last]
    expected_ends.append(1 - 0.9 * by_last * float(np.median([0.8, 5 / 6, 6 / 7, 0.75])))
    assert expected(curves) == pytest.approx(expected_ends)


def test_the_poor_are_never_lifted_beyond_what_can_be_reached():
    """The good have little left to gain; what they gained in points is not the others' to gain."""
    curves = [[0.9, 0.99], [0.5, 0.95], [0.4, 0.94], [0.85]]
    assert expected(curves)[3] < 0.99
    assert expected([[0.9, 1.0], [0.5, 1.0], [0.8]])[2] < 1


def test_whoever_diverged_or_never_began_has_no_end():
    found = expected([[0.5, 0.6], [0.5, math.nan], [], [0.4, math.inf]])
    assert found[0] == 0.6
    assert np.isnan(found[1:]).all()
    assert expected([]).shape == (0,)


@given(CURVES)
def test_the_order_of_those_stopped_together_is_kept_and_the_last_keep_their_scores(curves):
    found = expected(curves)
    sound = [n for n, curve in enumerate(curves) if curve and np.isfinite(curve).all()]
    longest = max((len(curves[n]) for n in sound), default=0)
    assert [n for n in range(len(curves)) if np.isfinite(found[n])] == sound
    for n in sound:
        if len(curves[n]) == longest:
            assert found[n] == curves[n][-1]
        for m in sound:
            if len(curves[n]) == len(curves[m]) and curves[n][-1] >= curves[m][-1]:
                assert found[n] >= found[m]


def test_a_halving_of_curves_that_learn_at_one_speed_is_undone():
    draw = np.random.default_rng(0)
    errors = draw.uniform(0.1, 0.5, 27)
    whole = 1 - errors[:, None] * np.arange(1, 10) ** -0.7 * draw.uniform(0.95, 1.05, (27, 9))
    stops = np.full(27, 1)
    stops[np.argsort(errors)[:9]] = 3
    stops[np.argsort(errors)[:3]] = 9
    found = expected([curve[:stop] for curve, stop in zip(whole, stops, strict=True)])
    assert np.corrcoef(found, whole[:, -1])[0, 1] > 0.95
    assert np.abs(found - whole[:, -1]).mean() < 0.01


@given(CURVES, st.sampled_from([1e-6, 3.0, 1e5]))
def test_errors_of_any_unit_end_where_shares_do(curves, unit):
    errors = [[unit * (score - 1) for score in curve] for curve in curves]
    found = expected(errors, best=0.0)
    np.testing.assert_allclose(found, unit * (expected(curves) - 1), atol=1e-9 * unit)
