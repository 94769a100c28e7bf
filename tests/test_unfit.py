"""Columns that nothing can be learned from are named, with what to do about them."""

import numpy as np
import pytest

from fleetgrad.data import columns, unfit
from fleetgrad.data.columns import Table
from fleetgrad.errors import DataError


def words(cells):
    """A column of text, whatever its cells could be."""
    places = {}
    codes = np.array([places.setdefault(cell, len(places)) for cell in cells], np.int32)
    return columns.of_words("w", codes, list(places), columns.CATEGORY)


def check(cells):
    unfit.check(Table((words(cells),), len(cells), "the table"))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([f"w{n}" for n in range(30)], r"`w` \(30 different, such as 'w0'\); drop such columns"),
        ([f"{n % 30} long words" * 9 for n in range(50)], "must have .* got text .*`w`"),
        ([*map(str, range(30)), "?", "unknown"], r"30 different numbers and 'unknown' .* row 31"),
    ],
)
def test_text_and_stray_words_among_numbers_are_refused(cells, message):
    with pytest.raises(DataError, match=message):
        check(cells)


@pytest.mark.parametrize(
    "cells",
    [
        [f"a category with a long name, number {n % 9}" for n in range(90)],
        "abcdefgh",
        [f"{n % 30}{'AB'[n % 2]}" for n in range(300)],
        [str(n % 30) for n in range(300)],
        [f"{n % 30}" if n % 3 else f"x{n % 11}" for n in range(300)],
    ],
)
def test_names_and_codes_that_recur_are_categories(cells):
    check(cells)


def test_words_of_no_training_row_do_not_count():
    column = words([*"ab" * 30, *(f"w{n}" for n in range(60))])
    whole = Table((column,), 120, "the table")
    unfit.check(whole.take(np.arange(60)))
