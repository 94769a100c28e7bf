"""Columns in the making: what comes batch by batch is what came at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data.gathering import Gathered, parsed
from fleetgrad.errors import DataError

CELLS = st.sampled_from(["", "1", "2.5", "-3e2", " 4 ", "NA", "x", "y z", "nan"])


def gathered(cells, cuts, **options):
    """The column of these cells, added in pieces."""
    found = Gathered("c", **options)
    for piece in np.split(np.array(cells, object), sorted(cuts)):
        if len(piece):
            found.add(piece.tolist())
    return found


@given(st.lists(CELLS, min_size=1, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_pieces_make_the_column_that_the_whole_makes(cells, cuts):
    whole = gathered(cells, [])
    pieces = gathered(cells, [cut for cut in cuts if cut < len(cells)])
    if pieces.late:
        pieces = gathered(cells, [cut for cut in cuts if cut < len(cells)], text=True)
    one, other = whole.column(), pieces.column()
    assert (one.kind, one.words) == (other.kind, other.words)
    np.testing.assert_equal(one.values, other.values)


def test_numbers_with_holes_are_numbers():
    np.testing.assert_equal(parsed(["1", "", " NA", "-2e1"]), [1, np.nan, np.nan, -20])
    assert parsed(["1", "one"]) is None


def test_text_where_numbers_must_be_is_refused_by_its_row():
    found = Gathered("c", "numeric")
    found.add(["1", "2"])
    with pytest.raises(DataError, match="column `c` must hold numbers, .* got 'x' in row 3"):
        found.add(["3", "x"])
