"""Tables: numbers come out, columns keep their names, and what is no number is named."""

import csv
import gzip
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import load, packing, tables, text
from fleetgrad.errors import DataError


def lines(*rows):
    return "\n".join(rows) + "\n"


SMALL = lines("a,b,kind", *(f"{n},{n / 2},{'xy'[n % 2]}" for n in range(12)))


@pytest.fixture
def table(tmp_path):
    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refused(read, *args, words=(), **options):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        read(*args, **options)
    assert time.process_time() - began < 1
    message = str(caught.value)
    for word in ("must", "got", *words):
        assert word in message
    return message


def opened(dataset):
    return dataset.test.open("a test", lambda _: 1)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "T.CSV"])
def test_a_table_is_read_packed_or_not_with_its_names(table, name):
    content = gzip.compress(SMALL.encode()) if name.endswith("gz") else SMALL
    data = load(table(content, name))
    assert data.name in {"t", "T.CSV"}
    assert data.feature_names == ("a", "b")
    assert data.classes.tolist() == ["x", "y"]
    assert data.x.dtype == np.float32
    rows = np.concatenate([data.x, opened(data).x])
    assert sorted(map(tuple, rows.tolist())) == [(n, n / 2) for n in range(12)]


def test_the_target_is_found_by_name(table):
    content = lines("kind,a,b", *(f"{'xy'[n % 2]},{n},{n / 2}" for n in range(12)))
    data = load(table(content), target="kind")
    assert data.feature_names == ("a", "b")
    assert data.classes.tolist() == ["x", "y"]
    refused(load, table(SMALL), target="kid", words=("`target`", "did you mean `kind`"))


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (("0", "1"), [0, 1]),
        (("1.0", "2.0"), [1, 2]),
        (("<=50K", " >50K"), ["<=50K", ">50K"]),
        (("7", "x"), ["7", "x"]),
        (("99999999999999999999", "1"), ["1", "99999999999999999999"]),
    ],
)
def test_labels_may_be_whole_numbers_or_text(table, cells, classes):
    content = lines("a,kind", *(f"{n},{cells[n % 2]}" for n in range(12)))
    if "99999999999999999999" in cells:
        refused(load, table(content), words=("regression",))
    else:
        assert load(table(content)).classes.tolist() == classes


def test_a_column_of_fractions_is_the_target_of_a_regression(table):
    data = load(table(lines("a,b,c", *["1,2,0.5", "1,2,0.75"] * 6)))
    assert (data.task, len(data.classes)) == ("regression", 0)
    assert {*data.y.tolist()} == {0.5, 0.75}
    whole = table(lines("a,b", *(f"{n},{n % 2}" for n in range(12))))
    assert load(whole, task="regression").task == "regression"


@given(
    st.lists(
        st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 3, st.sampled_from("ab")),
        min_size=12,
        max_size=60,
    ).filter(lambda rows: min(sum(row[3] == kind for row in rows) for kind in "ab") > 2)
)
def test_what_csv_writes_comes_out_as_it_went_in(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([["one, two", 'a "b"', "c\nd", "kind"], *rows])
    data = load(path)
    assert data.feature_names == ("one, two", 'a "b"', "c\nd")
    both = [*data.x.tolist(), *opened(data).x.tolist()]
    assert sorted(map(tuple, both)) == sorted(row[:3] for row in rows)


def test_many_batches_are_one_table(table, monkeypatch):
    monkeypatch.setattr(text, "BATCH", 5)
    data = load(table(SMALL))
    assert data.rows + data.test.rows == 12
    assert data.fingerprint == load(table(SMALL)).fingerprint


def test_a_byte_order_mark_carriage_returns_and_blank_lines_do_not_matter(table):
    plain = load(table(SMALL))
    odd = b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n\r\n").encode()
    assert load(table(odd)).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ("empty file",)),
        ("\n\n", ("separated by commas",)),
        (lines("a,b"), ("header alone",)),
        (lines("a;b;c", "1;2;3"), ("commas", "a;b;c")),
        (lines("1,2,3", "4,5,6"), ("header row", "1, 2, 3")),
        (lines("5,5,3", "4,5,6"), ("header row",)),
        (lines("a,a,c", "4,5,6"), ("`a` twice",)),
        (lines(",a,c", "4,5,6"), ("without a name", "index=False")),
        (lines("a,b,c", "1,2"), ("3 cells", "got 2 in row 0")),
        (lines("a,b,c", "1,2,3", "1,2,3,4"), ("got 4 in row 1",)),
        (lines("a,b,c", "1,x,3", ",2,3"), ("text in `b` ('x')", "empty cells in `a`", "drop")),
        (lines("a,b,c", "1,2,3", "nan,2,3", "1,2,4"), ("not finite", "row 1", "feature 0")),
        (lines("a,b,c", "1,1e300,3", "1,2,3", "1,2,4"), ("inf", "feature 1")),
        (lines("a,b,c", "1,2,3", "1,2,"), ("label in every row", "`c`", "row 1")),
        (b"a,b\n\xff\xfe,1\n", ("UTF-8",)),
        ("a,b\n1,2\n".encode("utf-16"), ("UTF-8",)),
        (b"a,b\n" + b"9" * 200_000 + b",1\n", ("cannot be read",)),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(table, content, words):
    refused(load, table(content), words=words)


def test_a_line_without_end_is_refused(table, monkeypatch):
    monkeypatch.setattr(text, "LONGEST_LINE", 1000)
    refused(load, table("a,b\n" + "1" * 2000), words=("longer",))


def test_a_packed_table_that_unfolds_without_end_is_refused(table, monkeypatch):
    monkeypatch.setattr(packing, "MOST_BYTES", 100_000)
    content = gzip.compress(("a,b\n" + "1,2\n" * 100_000).encode(), 9)
    refused(load, table(content, "t.csv.gz"), words=("trap",))


def test_a_broken_packed_table_is_refused(table):
    refused(load, table(gzip.compress(SMALL.encode())[:-9], "t.csv.gz"), words=("gzip",))


def test_a_wide_header_is_checked_in_a_moment(table):
    names = ",".join(f"p{n}" for n in range(20_000))
    began = time.process_time()
    refused(load, table(names + "\n"), words=("header alone",))
    assert time.process_time() - began < 0.5


# For prediction


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
    x = tables.read_features(table(content), 2, names)
    assert x.tolist() == [[1, 2], [3, 4]]
    assert x.dtype == np.float32


def test_one_column_is_a_table_for_prediction(table):
    assert tables.read_features(table(lines("a", "1", "2")), 1, ("a",)).tolist() == [[1], [2]]
    assert tables.read_features(table(lines("1", "2")), 1, None).tolist() == [[1], [2]]


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
    refused(tables.read_features, table(content), 2, names, words=words)


# Real tables


def test_letter_recognition_is_loaded_in_a_second(shared_data):
    path = shared_data / "tabular" / "letter.csv"
    began = time.process_time()
    data = load(path)
    assert time.process_time() - began < 1
    assert (data.rows, data.features, data.test.rows) == (16_000, 16, 4_000)
    assert "".join(data.classes) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_pen_digits_have_whole_number_classes(shared_data):
    data = load(shared_data / "tabular" / "pendigits.csv", target="class")
    assert data.classes.tolist() == list(range(10))
    assert data.rows + data.test.rows == 10_992


def test_text_and_empty_cells_of_real_tables_are_named(shared_data):
    folder = shared_data / "tabular"
    refused(load, folder / "adult.csv.gz", words=("`workclass`", "empty cells", "get_dummies"))
    refused(
        load,
        folder / "california_housing.csv",
        target="median_house_value",
        words=("`ocean_proximity`",),
    )
