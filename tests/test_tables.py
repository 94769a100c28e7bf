"""Tables: columns come out as they are, keep their names, and what cannot be learned is named."""

import csv
import gzip
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import columns, dates, load, packing, tables, text
from fleetgrad.errors import UsageError
from written import lines, refused

SMALL = lines("a,b,kind", *(f"{n},{n / 2},{'xy'[n % 2]}" for n in range(12)))


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
    data = load(table(lines("a,b,c", *(f"{n},2,{0.5 + n % 2 / 4}" for n in range(12)))))
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
        (lines("a,b,c", "1,2,3", "-inf,2,3", "1,2,4"), ("finite", "column `a`", "-inf in row 1")),
        (lines("a,b,c", "1,1e300,3", "1,2,3", "1,2,4"), ("column `b`", "1e+300 in row 0")),
        (lines("a,b,c", *["1,2,3", "1,2,4"] * 6), ("differs from row to row", "2 without")),
        (
            lines("a,b,c", *[f"{n},word {n},{n % 2}" for n in range(40)]),
            ("text that differs from row to row in `b`", "'word 0'", "drop such columns"),
        ),
        (lines("a,b,c", "1,2,3", "1,2,"), ("label in every row", "`c`", "row 1")),
        (b"a,b\n\xff\xfe,1\n", ("UTF-8",)),
        ("a,b\n1,2\n".encode("utf-16"), ("UTF-8",)),
        (b"a,b\n" + b"9" * 200_000 + b",1\n", ("cannot be read",)),
    ],
)
def test_what_is_no_table_to_learn_from_is_refused(table, content, words):
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


# Columns of several kinds


MIXED = lines(
    "size,color,sold,when,empty,kind",
    *(
        f"{'' if n % 5 == 0 else n},{('red', 'blue', '?')[n % 3]},{n % 2 == 0},"
        f"2026-01-{n + 1:02},,{'xy'[n % 2]}"
        for n in range(30)
    ),
)


def test_the_kind_of_each_column_is_found_out(table):
    data = load(table(MIXED))
    held = {one["name"]: (one["kind"], one["missing"]) for one in data.encoding.described()}
    assert held == {
        "size": ("numeric", True),
        "color": ("category", True),
        "sold": ("boolean", False),
        "when": ("date", False),
        "empty": ("numeric", False),
    }
    assert "empty" not in data.encoding.kinds
    names = "size,size missing,color=blue,color=red,color missing,sold,when"
    assert data.feature_names[:7] == tuple(names.split(","))
    again = [name.removeprefix("when ") for name in data.feature_names[7:]]
    assert dates.parts(again) == ["time of year", "weekday"]


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_text_that_comes_late_is_text_from_the_first_row_on(table, monkeypatch, batch):
    monkeypatch.setattr(text, "BATCH", batch)
    cells = ["", "1", "2.50", "1", "2.50", "x"] * 6
    data = load(table(lines("a,b,kind", *(f"{c},{n},{n % 2}" for n, c in enumerate(cells)))))
    coded = data.encoding.codings[0]
    assert (coded.kind, coded.words, coded.missing) == ("category", ("1", "2.50", "x"), True)


def test_a_parquet_file_is_the_table_that_its_frame_is(table, tmp_path):
    pl = pytest.importorskip("polars")
    frame = pl.read_csv(table(MIXED), null_values=["?"], try_parse_dates=True)
    frame.write_parquet(tmp_path / "t.parquet")
    data, same = load(tmp_path / "t.parquet"), load(tmp_path / "t.parquet", target="kind")
    assert data.name == "t"
    assert data.fingerprint == same.fingerprint
    assert data.feature_names == load(table(MIXED)).feature_names
    assert np.array_equal(data.x, load(table(MIXED)).x, equal_nan=True)
    refused(load, tmp_path / "t.parquet", target="king", words=("did you mean `kind`",))
    refused(load, table(b"PAR1", "u.parquet"), words=("Parquet", "write it again"))
    refused(load, tmp_path / "none.parquet", words=("No such file",))


def test_without_polars_a_parquet_file_says_what_to_install(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match=r"pip install 'fleetgrad\[parquet\]'"):
        load(table(b"PAR1", "t.parquet"))


# For prediction


def test_columns_are_found_by_name_and_read_as_the_kind_they_had(table):
    path = table(lines(",when,a,color,id,id", "1,2026-02-01,3,7,5,6", "x,,,,,"))
    kinds = {"color": "category", "a": "numeric", "when": "date"}
    found = {one.name: one for one in tables.read_columns(path, kinds).columns}
    assert {name: one.kind for name, one in found.items()} == kinds
    assert found["color"].words == ("7",)
    assert found["a"].values.tolist()[0] == 3
    assert all(one.missing.tolist() == [False, True] for one in found.values())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lines("b,color", "1,red"), ("none of the name `a`", "use one of: b, color")),
        (lines("a,colour", "1,red"), ("`color`", "did you mean `colour`")),
        (lines("a,color"), ("header alone",)),
        (lines("a,color", "1,red", "x,blue"), ("column `a`", "numbers", "'x' in row 1")),
        (lines("a,color", "inf,red"), ("finite", "inf in row 0")),
        (lines("1,2,3", "3,4,5"), ("header row", "2 columns of training", "got 3 columns")),
        (lines("a,a,color", "1,2,x"), ("`a` twice",)),
    ],
)
def test_other_columns_are_refused(table, content, words):
    kinds = {"a": columns.NUMERIC, "color": columns.CATEGORY}
    refused(tables.read_columns, table(content), kinds, ("a", "color"), words=words)


def test_numbers_without_names_are_found_by_their_places(table):
    kinds = {"b": columns.NUMERIC, "c": columns.NUMERIC}
    found = tables.read_columns(table(lines("1,2,3", "4,5,6")), kinds, ("a", "b", "c"))
    assert [one.values.tolist() for one in found.columns] == [[2, 5], [3, 6]]
    named = tables.read_columns(table(lines("1,0", "4,5")), {"0": columns.NUMERIC}, ("0", "1"))
    assert [one.values.tolist() for one in named.columns] == [[5]]


def test_columns_to_ignore_are_not_even_looked_at(table, tmp_path):
    rows = [f"word {n},{n},{n / 2},{'xy'[n % 2]}" for n in range(40)]
    whole = table(lines("id,a,b,kind", *rows))
    part = table(lines("a,b,kind", *(row.partition(",")[2] for row in rows)), "part.csv")
    assert load(whole, ignore="id").fingerprint == load(part).fingerprint
    refused(load, whole, words=("text that differs",))
    refused(load, whole, ignore=("idd",), words=(f"columns of `{whole}`", "did you mean `id`"))
    pl = pytest.importorskip("polars")
    pl.read_csv(whole).write_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", ignore=["id"]).encoding == load(part).encoding


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


def test_real_categories_and_missing_cells_are_learned_from(shared_data):
    data = load(shared_data / "tabular" / "adult.csv.gz")
    held = {one["name"]: one for one in data.encoding.described()}
    assert held["workclass"]["kind"] == "category"
    assert held["workclass"]["missing"]
    assert not held["age"]["missing"]
    assert data.classes.tolist() == ["<=50K", ">50K"]
    assert np.isfinite(data.x).all()
