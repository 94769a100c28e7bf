"""Frames of pandas and Polars: the same columns make the same table, whoever holds them."""

import datetime as dt

import numpy as np
import pytest

from fleetgrad.data import Dataset, frames
from fleetgrad.errors import DataError

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
LIBRARIES = pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
DAY = dt.datetime(2026, 1, 31)  # noqa: DTZ001 - as frames hold them
HELD = {
    "size": [1.5, None, 3.0] * 4,
    "count": list(range(12)),
    "color": ["red", "blue", None] * 4,
    "sold": [True, False, True] * 4,
    "when": [DAY + dt.timedelta(hours=n) for n in range(12)],
    "kind": ["x", "y", "y"] * 4,
}


def refused(call, *words):
    with pytest.raises(DataError) as caught:
        call()
    for word in ("must", "got", *words):
        assert word in str(caught.value)


def test_the_same_columns_make_the_same_dataset():
    one, other = (Dataset.from_frame(made(HELD), "kind") for made in (pd.DataFrame, pl.DataFrame))
    assert one.fingerprint == other.fingerprint
    assert one.encoding.kinds == {
        "size": "numeric",
        "count": "numeric",
        "color": "category",
        "sold": "boolean",
        "when": "date",
    }
    assert one.classes.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("series", "kind", "values"),
    [
        (pd.Series([1, None], dtype="Int64"), "numeric", [1, np.nan]),
        (pd.Series([True, None], dtype="boolean"), "boolean", [1, np.nan]),
        (pd.Series(["b", None], dtype="category"), "category", [0, -1]),
        (pd.Series([3, 5], dtype="category"), "category", [0, 1]),
        (pd.Series(["b", None], dtype=object), "category", [0, -1]),
        (pd.Series([2, None], dtype=object), "numeric", [2, np.nan]),
        (pd.Series([True, None], dtype=object), "boolean", [1, np.nan]),
        (pd.Series(pd.to_timedelta(["2s", None])), "numeric", [2, np.nan]),
        (pd.Series(pd.to_datetime(["1970-01-02T00:00+01:00"])), "date", [23 / 24]),
        (pl.Series([dt.date(1970, 1, 3), None]), "date", [2, np.nan]),
        (pl.Series(["1.5", "2"]).cast(pl.Decimal(10, 2)), "numeric", [1.5, 2]),
        (pl.Series(["b", "a"], dtype=pl.Enum(["a", "b", "c"])), "category", [1, 0]),
        (pl.Series(["1970-01-02", None]), "date", [1, np.nan]),
        (pl.Series([None, None]), "numeric", [np.nan, np.nan]),
    ],
)
def test_every_type_has_its_kind(series, kind, values):
    frame = pd.DataFrame({"c": series}) if isinstance(series, pd.Series) else series.to_frame("c")
    found = frames.table(frame, "X", {"c": None}).columns[0]
    assert found.kind == kind
    np.testing.assert_allclose(found.values, values)


@LIBRARIES
def test_a_test_frame_is_encoded_by_what_training_rows_held(library):
    train = library(HELD)
    test = library({**HELD, "color": ["green", "green", "true"] * 4, "size": [None] * 12})
    data = Dataset.from_frame(train, "kind", test)
    assert (data.rows, data.test.rows) == (12, 12)
    same = Dataset.from_frame(train, "kind", library({**HELD, "count": [10**6] * 12}))
    assert data.encoding == same.encoding
    opened = data.test.open("a test", lambda _: 1)
    names = list(data.feature_names)
    assert not opened.x[:, names.index("color=red")].any()
    assert np.isnan(opened.x[:, names.index("size")]).all()


@LIBRARIES
def test_the_encoding_is_fitted_on_rows_that_are_not_sealed(library):
    values = [f"{'ab'[n % 2]}" for n in range(50)]
    whole = Dataset.from_frame(library({"w": values, "n": range(50), "y": [0, 1] * 25}), "y")
    numbers = set(whole.test.open("a test", lambda _: 1).x[:, whole.feature_names.index("n")])
    spoiled = ["zz" if n in numbers else value for n, value in enumerate(values)]
    other = Dataset.from_frame(library({"w": spoiled, "n": range(50), "y": [0, 1] * 25}), "y")
    assert other.encoding == whole.encoding
    assert np.array_equal(other.x, whole.x)


@LIBRARIES
def test_frames_that_cannot_be_learned_from_are_refused(library):
    def learn(target="kind", test=None, **changes):
        return lambda: Dataset.from_frame(library({**HELD, **changes}), target, test)

    refused(learn("king"), "`target`", "column of the frame", "did you mean `kind`")
    refused(learn(kind=["x", None] * 6), "label in every row", "6 missing", "row 1", "drop")
    refused(learn(kind=[1.0, None] * 6), "label in every row", "row 1")
    refused(learn(kind=["x"] * 12), "two classes", "only 'x'")
    refused(learn(size=[np.inf] * 12), "column `size`", "inf in row 0")
    refused(learn(test=library({"kind": ["x"], "size": [1.0]})), "the test frame", "`count`")
    none = library({name: cells[:0] for name, cells in HELD.items()})
    refused(lambda: Dataset.from_frame(none, "kind"), "the frame must hold rows, got none")
    one = library({name: cells[:1] for name, cells in HELD.items()})
    refused(lambda: Dataset.from_frame(one, "kind"), "two classes", "1 rows")


@LIBRARIES
def test_columns_to_ignore_need_not_be_there_in_use(library):
    without = {name: cells for name, cells in HELD.items() if name != "color"}
    train, test = library(HELD), library(without)
    data = Dataset.from_frame(train, "kind", test, ignore=("color",))
    assert data.fingerprint == Dataset.from_frame(test, "kind", test).fingerprint
    for used in (train, test):
        read = frames.table(used, "X", data.encoding.kinds)
        assert data.encoding.apply(read).shape == (12, data.features)
    refused(
        lambda: Dataset.from_frame(train, "kind", ignore="colour"),
        "columns of the frame, got 'colour'; did you mean `color`",
    )


def test_what_is_no_frame_is_refused():
    refused(lambda: Dataset.from_frame(np.eye(3), "a"), "must be a frame", "ndarray")
    refused(lambda: Dataset.from_frame(pl.DataFrame(HELD).lazy(), "kind"), "LazyFrame", "collect")
    twice = pd.DataFrame([[1, 2, "x"]], columns=["a", "a", "kind"])
    refused(lambda: Dataset.from_frame(twice, "kind"), "`a` twice", "rename")
    odd = pd.DataFrame({"a": [[1], [2]], "kind": ["x", "y"]})
    refused(lambda: Dataset.from_frame(odd, "kind"), "column `a`", "got list")


def test_an_array_with_holes_is_a_table_of_numbers():
    x = np.arange(36.0).reshape(12, 3)
    x[::4, 1] = np.nan
    y = [0, 1] * 6
    data = Dataset.from_arrays(x, y)
    assert data.encoding.columns == ("0", "1", "2")
    assert data.feature_names == ("0", "1", "1 missing", "2")
    named = Dataset.from_arrays(x, y, x, y, feature_names=("a", "b", "c"))
    assert named.feature_names == ("a", "b", "b missing", "c")
    framed = Dataset.from_arrays(pd.DataFrame(x, columns=list("abc")), y, x, y)
    assert framed.fingerprint == named.fingerprint
    refused(lambda: Dataset.from_arrays(x, y, feature_names=("a", "b")), "2 different names")
    refused(lambda: Dataset.from_arrays(x, y, image_shape=(3, 1)), "finite")
    whole = np.nan_to_num(x)
    refused(lambda: Dataset.from_arrays(whole, y, x, y), "`X_test`", "finite")
    assert Dataset.from_arrays(whole, y).encoding is None


@LIBRARIES
def test_a_frame_of_more_than_numbers_is_a_table(library):
    held = {name: cells for name, cells in HELD.items() if name != "kind"}
    y = HELD["kind"]
    data = Dataset.from_arrays(library(held), y, library(held), y)
    same = Dataset.from_frame(library(HELD), "kind", library(HELD))
    assert data.fingerprint == same.fingerprint
    plain = library({"a": range(12), "b": [n / 2 for n in range(12)]})
    assert Dataset.from_arrays(plain, y).encoding is None
    several = Dataset.from_arrays(library({"a": range(12), "b": [True, False] * 6}), y)
    assert several.encoding.kinds == {"a": "numeric", "b": "boolean"}


def test_numbers_of_pandas_that_may_be_missing_are_numbers():
    x = pd.DataFrame({"a": pd.array([*range(11), None], "Int64")})
    assert Dataset.from_arrays(x, HELD["kind"]).feature_names[0] == "a"


def test_columns_of_an_array_are_found_by_their_places():
    kinds = {"b": "category", "c": "numeric"}
    array = np.array([[1, "x", 2.5], [1, None, None]], object)
    made = frames.of_array(array, ("a", "b", "c"), kinds)
    assert [one.name for one in made.columns] == ["b", "c"]
    np.testing.assert_equal(made.columns[1].values, [2.5, np.nan])
    for wrong in (array[:, :2], array[0], array[:0]):
        refused(lambda wrong=wrong: frames.of_array(wrong, ("a", "b", "c"), kinds), "(rows, 3)")
