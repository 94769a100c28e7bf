"""Columns: of what kind cells are is found out, and what is missing stays missing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import columns
from fleetgrad.data.columns import BOOLEAN, CATEGORY, DATE, NUMERIC, Column, Table
from fleetgrad.errors import DataError, UsageError


def worded(cells, kind=None):
    """A column of text cells."""
    places = {}
    codes = [-1 if cell is None else places.setdefault(cell, len(places)) for cell in cells]
    return columns.of_words("c", np.array(codes, np.int32), list(places), kind)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["b", " a", "a ", None, "?"], CATEGORY, [1, 0, 0, -1, -1]),
        (["True", "FALSE", "nan", "true"], BOOLEAN, [1, 0, math.nan, 1]),
        (["1970-01-02", "", "1970-01-01T12:00"], DATE, [1, math.nan, 0.5]),
        (["1970-01-01T00:00+01:00", "1970-01-02 00:00:00Z"], DATE, [-1 / 24, 1]),
        (["2026-01-31", "soon"], CATEGORY, [0, 1]),
        (["31.01.2026", "01.02.2026"], CATEGORY, [1, 0]),
        (["", "NA", None], NUMERIC, [math.nan] * 3),
        (["12", "twelve"], CATEGORY, [0, 1]),
    ],
)
def test_text_is_taken_for_what_all_of_it_can_be_read_as(cells, kind, values):
    found = worded(cells)
    assert found.kind == kind
    np.testing.assert_allclose(found.values, values)
    assert found.missing.tolist() == [math.isnan(v) or (kind == CATEGORY and v < 0) for v in values]


@given(st.lists(st.none() | st.text("ab c?", max_size=3), min_size=1, max_size=30))
def test_words_are_sorted_and_different_and_name_every_cell(cells):
    found = worded(cells, CATEGORY)
    assert list(found.words) == sorted(set(found.words))
    for cell, place in zip(cells, found.values, strict=True):
        known = cell is not None and cell.strip() not in {"", "?"}
        assert (found.words[place] == cell.strip()) if known else place == -1
    assert found.counts.sum() == (found.values >= 0).sum()


def test_a_column_stays_what_it_was_told_to_be():
    assert worded(["true", "2026-01-01", None], CATEGORY).words == ("2026-01-01", "true")
    assert worded(["1", "0"], BOOLEAN).values.tolist() == [1, 0]
    assert columns.empty("c", NUMERIC, 2).told(CATEGORY).values.tolist() == [-1, -1]
    truth = columns.of_numbers("c", np.array([0.0, 1, math.nan]))
    assert truth.told(BOOLEAN).told(NUMERIC).kind == NUMERIC


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        (columns.of_numbers("c", np.array([math.nan, 2.0])), CATEGORY, ("numeric", "2 in row 1")),
        (columns.of_numbers("c", np.array([2.0])), BOOLEAN, ("kind boolean", "2 in row 0")),
        (columns.of_numbers("c", np.array([2.0]), DATE), NUMERIC, ("kind numeric", "got date")),
        (worded(["a"]), NUMERIC, ("kind numeric", "got category", "'a' in row 0")),
        (worded(["yes"]), BOOLEAN, ("kind boolean", "'yes'", "true or false")),
        (worded(["monday"]), DATE, ("kind date", "'monday'", "2026-01-31")),
    ],
)
def test_a_column_of_another_kind_is_refused(column, kind, words):
    with pytest.raises(DataError) as caught:
        column.told(kind)
    for word in ("column `c` must be of the kind", "got", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e38])
def test_a_number_that_is_not_finite_is_refused_by_its_row(value):
    with pytest.raises(DataError, match=r"column `c` must hold finite.*in row 2 \(1 such cells\)"):
        columns.of_numbers("c", np.array([1, math.nan, value]))


def test_columns_to_ignore_are_left_aside():
    assert columns.kept(["a", "y", "b", "id"], "y", ["id", "a"], "the table") == ["b"]
    assert columns.kept(["id", "i", "d", "y"], "y", "id", "the table") == ["i", "d"]
    with pytest.raises(DataError, match="columns of the table, got 'idd'; did you mean `id`"):
        columns.kept(["a", "id", "y"], "y", ("idd",), "the table")
    with pytest.raises(UsageError, match="leave the column to predict, got `y`"):
        columns.kept(["a", "y"], "y", ("y",), "the table")
    with pytest.raises(UsageError, match="leave a column to learn from, got all 1 of the table"):
        columns.kept(["a", "y"], "y", ("a", "a"), "the table")


def test_some_rows_are_taken_in_their_order():
    table = Table((worded(["a", "b", "c"]), columns.of_numbers("n", np.arange(3.0))), 3, "t")
    some = table.take(np.array([2, 0]))
    assert some.rows == 2
    assert some.columns[0].values.tolist() == [2, 0]
    assert some.columns[1].values.tolist() == [2.0, 0.0]
    assert isinstance(some.columns[0], Column)
