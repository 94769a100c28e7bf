"""The map of where training broke: every candidate is in one field of it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.divergence import FIELDS, divergence_map, searched_map
from fleetgrad.errors import UsageError
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space

RATE, MOMENTUM = Float(5.0, 500.0, log=True), Float(0.5, 0.9)
EITHER = Choice(*(True, False))
SETTINGS = [Settings(learning_rate=5.0 + n, momentum=0.1 * n, batch_size=8 + n) for n in range(9)]
POINTS = st.lists(
    st.tuples(st.floats(1e-6, 10), st.floats(0, 0.99), st.booleans()), min_size=1, max_size=50
)


@given(POINTS)
def test_everyone_is_counted_once(points):
    settings = [Settings(learning_rate=rate, momentum=mu) for rate, mu, _ in points]
    lost = [broken for *_, broken in points]
    chart = divergence_map(settings, lost)
    assert np.sum(chart.tried) == len(points)
    assert np.sum(chart.diverged) == sum(lost)
    assert (np.array(chart.diverged) <= np.array(chart.tried)).all()
    assert np.shape(chart.tried) == (len(chart.x_edges) - 1, len(chart.y_edges) - 1)


@given(POINTS)
def test_a_single_axis_is_the_square_summed_up(points):
    settings = [Settings(learning_rate=rate, momentum=mu) for rate, mu, _ in points]
    lost = [broken for *_, broken in points]
    line, square = divergence_map(settings, lost, y=None), divergence_map(settings, lost)
    assert (line.y, line.y_edges, line.x_edges) == (None, (), square.x_edges)
    for name in ("tried", "diverged"):
        found = getattr(line, name)
        assert np.shape(found) == (len(line.x_edges) - 1, 1)
        assert np.sum(getattr(square, name), axis=1).tolist() == [one for (one,) in found]


@pytest.mark.parametrize(
    ("ranges", "axes"),
    [
        ({"learning_rate": RATE, "momentum": MOMENTUM}, ("learning_rate", "momentum")),
        ({"momentum": MOMENTUM, "batch_size": Int(8, 64)}, ("momentum", "batch_size")),
        ({"batch_size": Choice(8, 64), "dropout": Float(0, 0.5)}, ("dropout", "batch_size")),
        ({"learning_rate": Choice(5.0, 50.0), "bias": EITHER}, ("learning_rate", None)),
        ({"learning_rate": RATE, "hidden": Choice((3,), (4,))}, ("learning_rate", None)),
    ],
)
def test_the_axes_are_numbers_that_were_searched(ranges, axes):
    chart = searched_map(Space(**ranges), SETTINGS, np.ones(9, bool))
    assert (chart.x, chart.y) == axes
    assert np.sum(chart.diverged) == np.sum(chart.tried) == 9


@pytest.mark.parametrize("log", [True, False], ids=["ratios", "differences"])
def test_fields_are_as_the_range_is_searched(log):
    wide = [Settings(learning_rate=10.0**-n) for n in range(5)]
    chart = searched_map(Space(learning_rate=Float(1e-4, 1.0, log=log)), wide, np.zeros(5, bool))
    steps = np.diff(np.log(chart.x_edges) if log else chart.x_edges)
    assert steps == pytest.approx([steps[0]] * FIELDS)
    assert divergence_map(wide, [False] * 5).x_edges[1] < 1e-3


def test_without_numbers_or_candidates_there_is_no_map():
    assert searched_map(Space(hidden=Choice((3,), (4,))), SETTINGS, np.ones(9, bool)) is None
    assert searched_map(Space(learning_rate=RATE), [], np.ones(0, bool)) is None


def test_a_map_is_strict_json_and_a_frame_with_or_without_a_second_axis():
    pd = pytest.importorskip("pandas", reason="a frame needs `pip install pandas`")
    for y, columns, lines in (("momentum", 6, FIELDS**2), (None, 4, FIELDS)):
        chart = divergence_map(SETTINGS, [True] * 9, y=y)
        told = json.loads(json.dumps(chart.to_dict(), allow_nan=False))
        assert set(told) == {"x", "y", "x_edges", "y_edges", "tried", "diverged"}
        frame = chart.to_frame()
        assert isinstance(frame, pd.DataFrame)
        assert frame.shape == (lines, columns)
        assert frame["diverged"].sum() == 9


def test_what_is_no_number_is_refused():
    with pytest.raises(UsageError, match="`hidden` must be a number"):
        divergence_map([Settings()], [False], y="hidden")
    with pytest.raises(UsageError, match="`speed` must be a number"):
        divergence_map([Settings()], [False], x="speed")
    with pytest.raises(UsageError, match="one answer a candidate, got 2 for 1"):
        divergence_map([Settings()], [False, True])
