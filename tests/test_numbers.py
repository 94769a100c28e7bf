"""Tables of plain numbers, for models of arrays: columns by name or by place, and nothing else."""

import numpy as np
import pytest

from fleetgrad.data import numbers
from written import lines, refused

NAMES = ("a", "b")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (lines("1,2", "3,4"), None),
        (lines("1,2", "3,4"), NAMES),
        (lines("a,b", "1,2", "3,4"), None),
        (lines("a,b", "1,2", "3,4"), NAMES),
        (lines("b,kind,a,id", "2,x,1,", "4,y,3,77"), NAMES),
        (lines("0,1", "1,2", "3,4"), ("0", "1")),
    ],
)
def test_features_are_found_by_name_or_by_place(table, content, names):
    x = numbers.read(table(content), 2, names)
    assert x.tolist() == [[1, 2], [3, 4]]
    assert x.dtype == np.float32


def test_one_column_is_a_table_for_prediction(table):
    assert numbers.read(table(lines("a", "1", "2")), 1, ("a",)).tolist() == [[1], [2]]
    assert numbers.read(table(lines("1", "2")), 1, None).tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("content", "names", "words"),
    [
        (lines("a,c", "1,2"), NAMES, ("none of the name `b`", "use one of: a, c")),
        (lines("1,2,3"), NAMES, ("2 features", "got 3 columns", "label")),
        (lines("1,2,3"), None, ("2 features", "got 3 columns")),
        (lines("a,b,kind", "1,2,3"), None, ("got 3 columns", "same column names")),
        (lines("a,b"), NAMES, ("header alone",)),
        (lines("a,b", "1,"), NAMES, ("empty cells in `b`",)),
        (lines("1,2", "1,x"), None, ("text in `column 1`",)),
    ],
)
def test_a_table_with_other_features_is_refused(table, content, names, words):
    refused(numbers.read, table(content), 2, names, words=words)
