"""Encodings: raw columns become features by what training rows held, and by nothing else."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import columns, encoding
from fleetgrad.data.columns import CATEGORY, DATE, Table
from fleetgrad.data.encoding import Encoding
from fleetgrad.errors import DataError
from fleetgrad.payload import decode, encode

MADE = "abc" * 4


def numbers(name, *values, kind=columns.NUMERIC):
    return columns.of_numbers(name, np.array(values, np.float64), kind)


def words(name, cells):
    places = {}
    codes = [-1 if cell is None else places.setdefault(cell, len(places)) for cell in cells]
    return columns.of_words(name, np.array(codes, np.int32), list(places), CATEGORY)


def table(*held):
    return Table(held, len(held[0].values), "the table")


def fitted(*held):
    return Encoding.fit(table(*held))


def test_numbers_stay_and_say_where_they_are_missing():
    found = fitted(numbers("a", 1, math.nan, 3), numbers("b", 1, 2, 3))
    assert found.feature_names == ("a", "a missing", "b")
    assert found.numeric.tolist() == [True, False, True]
    out = found.apply(table(numbers("b", 7, math.nan), numbers("a", math.nan, 5)))
    np.testing.assert_equal(out, np.array([[math.nan, 1, 7], [5, 0, math.nan]], np.float32))


def test_amounts_that_recur_where_most_have_none_have_a_feature():
    found = fitted(numbers("a", *[0] * 20, 5, 5, 7, 7.5, 0.1, 0.1, math.nan))
    assert found.feature_names == ("a", "a=0.1", "a=5", "a missing")
    assert found.numeric.tolist() == [True, False, False, False]
    out = found.apply(table(numbers("a", 0, 5, float(np.float32(0.1)), 9, math.nan)))
    assert out[:, 1:].tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("values", [[0] * 9 + [1] * 3, [0, 1, 1, 2, 2, 3, 3, 4], [*range(12)]])
def test_other_numbers_have_none(values):
    assert fitted(numbers("a", *values)).features == 1


def test_a_word_has_a_feature_and_one_unseen_in_training_none():
    found = fitted(words("w", MADE))
    assert found.feature_names == ("w=a", "w=b", "w=c")
    assert not found.numeric.any()
    out = found.apply(table(words("w", ["b", "z", None])))
    assert out.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_rare_words_share_a_feature_with_those_unseen():
    found = fitted(words("w", [*MADE, "x", "y"]))
    assert found.feature_names == ("w=a", "w=b", "w=c", "w other")
    assert found.described()[0] | {"words": 3, "other": True, "rare": 2} == found.described()[0]
    out = found.apply(table(words("w", ["x", "z", "c"])))
    assert out.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0]]


def test_no_more_words_have_a_feature_than_may(monkeypatch):
    monkeypatch.setattr(encoding, "MOST", (2,))
    found = fitted(words("w", [*MADE, "b", "c"]))
    assert found.feature_names == ("w=b", "w=c", "w other")


def test_fewer_words_have_a_feature_where_rows_are_many(monkeypatch):
    many = words("w", [chr(97 + n % 26) for n in range(260)])
    assert fitted(many).features == 26
    monkeypatch.setattr(encoding, "MOST_NUMBERS", 260 * 20)
    assert fitted(many).features == 17
    monkeypatch.setattr(encoding, "MOST_NUMBERS", 1)
    assert fitted(many).features == 5


def test_many_words_have_a_feature_each_while_there_is_room(monkeypatch):
    names = [f"{n:03}" for n in range(600)]
    many = words("w", [name for name in names for _ in range(5)])
    assert fitted(many).features == 600
    monkeypatch.setattr(encoding, "MOST_OF_MANY", 3000 * 599)
    assert fitted(many).features == 512 + 1
    assert fitted(many).described()[0]["rare"] == 600 - 512
    monkeypatch.setattr(encoding, "MOST_OF_MANY", 0)
    assert fitted(many).features == 256 + 1
    few = words("w", names[:20] * 150)
    assert fitted(few).features == 20


def test_many_columns_of_mostly_nothing_are_no_amounts():
    held = [numbers(f"p{n}", *[0] * 20, 5, 5, 7, 7) for n in range(encoding.MOST_AMOUNTS + 1)]
    assert fitted(*held[:-1]).features == 3 * encoding.MOST_AMOUNTS
    assert fitted(*held).features == len(held)


def test_columns_that_never_differ_are_left_out_and_not_needed():
    found = fitted(
        numbers("same", 3, 3, 3),
        numbers("gone", math.nan, math.nan, math.nan),
        words("word", ["w", "w", "w"]),
        numbers("a", 1, 2, 3),
    )
    assert found.columns == ("same", "gone", "word", "a")
    assert found.kinds == {"a": "numeric"}
    assert found.summary() == {
        "kinds": {"numeric": 1},
        "missing": 0,
        "left_out": ["same", "gone", "word"],
    }
    assert found.apply(table(numbers("a", 5))).tolist() == [[5]]


def test_what_is_missing_now_and_then_is_no_constant():
    found = fitted(numbers("a", 3, math.nan, 3), words("w", ["w", None, "w"]))
    assert found.feature_names == ("a", "a missing", "w=w", "w missing")


def test_dates_keep_their_seconds():
    day = 20_000 + np.arange(3) / columns.DAY
    found = fitted(numbers("d", *day, kind=DATE))
    out = found.apply(table(numbers("d", *day, kind=DATE)))
    np.testing.assert_allclose(np.diff(out[:, 0]) * columns.DAY, 1, rtol=1e-4)


def test_dates_tell_what_comes_again_beside_their_number():
    days = [0, 1, math.nan, 7]  # two Thursdays and a Friday of January 1970
    found = fitted(numbers("d", *days, kind=DATE))
    again = ("time of year (sine)", "time of year (cosine)", "Thursday", "Friday")
    assert found.feature_names == ("d", *(f"d {name}" for name in again), "d missing")
    assert found.numeric.tolist() == [True, False, False, False, False, False]
    assert found.described()[0]["recurring"] == ["time of year", "weekday"]
    out = found.apply(table(numbers("d", *days, 2.5, kind=DATE)))
    assert out[:, 3:].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert out[2, 1:3].tolist() == [0, 0]
    assert fitted(numbers("d", 0, 7, 14, kind=columns.NUMERIC)).features == 1


def test_features_of_one_name_are_told_apart():
    found = fitted(words("a", MADE), words("a=a", MADE), numbers("a=b", *range(12)))
    assert found.feature_names[-1] == "a=b (2)"
    assert len(set(found.feature_names)) == found.features


def test_columns_of_which_none_differs_are_refused():
    with pytest.raises(DataError, match="the table must .* differs .* got 2 without"):
        fitted(numbers("a", 1, 1), words("b", "xx"))


def test_other_columns_are_refused():
    found = fitted(numbers("age", 1, 2), words("w", "xy"))
    with pytest.raises(DataError, match="none of the name `age` .1 missing.; did you mean `aged`"):
        found.apply(table(numbers("aged", 1)))
    with pytest.raises(DataError, match="column `age` must be of the kind numeric"):
        found.apply(table(words("age", "x"), words("w", "x")))


@given(st.data())
def test_an_encoding_goes_through_json_and_does_the_same(data):
    rows = data.draw(st.integers(4, 30))
    number = st.none() | st.floats(-1e6, 1e6)
    held = [
        numbers("n", *[math.nan if v is None else v for v in data.draw(lists(number, rows))]),
        words("w", data.draw(lists(st.none() | st.sampled_from("abc"), rows))),
        numbers("d", *data.draw(lists(st.floats(0, 3e4), rows)), kind=DATE),
        numbers("p", *data.draw(lists(st.sampled_from([0, 0, 0, 0.1, 2, 3]), rows))),
        numbers("i", *range(rows)),
    ]
    found = fitted(*held)
    again = Encoding.from_dict(json.loads(encode(found.to_dict())))
    assert again == found
    once, twice = (one.apply(table(*held)) for one in (found, again))
    np.testing.assert_equal(once, twice)
    assert once.shape == (rows, found.features) == (rows, len(found.feature_names))
    assert not np.isnan(once[:, ~found.numeric]).any()
    some = table(*held).take(np.array([2]))
    np.testing.assert_equal(found.apply(some), once[2:3])


def lists(cells, rows):
    return st.lists(cells, min_size=rows, max_size=rows)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "blob"},
        {"name": 3},
        {"features": 7},
        {"features": True},
        {"words": "ab"},
        {"words": ["b", "a"]},
        {"words": [1, 2]},
        {"other": 1},
        {"missing": None},
        {"rare": 2},
        {"rare": -1},
        {"rare": True, "other": True, "features": 4},
        {"origin": math.nan},
        {"points": [1.0]},
        {"kind": "numeric", "words": [], "features": 3, "points": [2.0, 1.0]},
        {"kind": "numeric", "words": [], "features": 2, "points": [math.inf]},
        {"kind": "numeric", "words": [], "features": 2, "points": ["1"]},
        {"origin": "1"},
        {"recurring": ["Monday"]},
        {"kind": "date", "words": [], "features": 2, "recurring": ["Moonday"]},
        {"kind": "date", "words": [], "features": 3, "recurring": ["Tuesday", "Monday"]},
        {"kind": "date", "words": [], "features": 3, "recurring": ["Monday", "Monday"]},
        {"kind": "date", "words": [], "features": 2, "recurring": "Monday"},
        {"kind": "numeric"},
        {"extra": 1},
    ],
)
def test_what_is_no_encoding_is_refused(change):
    whole = decode(encode(fitted(words("w", MADE)).to_dict()))
    assert Encoding.from_dict(whole).features == 3
    with pytest.raises((ValueError, TypeError, KeyError)):
        Encoding.from_dict({"columns": [whole["columns"][0] | change]})
