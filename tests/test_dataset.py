"""Datasets: what comes in is checked once, kept small, split fairly; the test part is sealed."""

import dataclasses
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fleetgrad import keys
from fleetgrad.data import Dataset, scaling, splits
from fleetgrad.data.features import as_features
from fleetgrad.errors import DataError, UsageError
from strategies import class_counts, class_numbers, finite_rows


def blobs(rows=60, features=4, classes=3, dtype=np.float32):
    """Rows whose labels go 0, 1, 2, 0, 1, 2, ..."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(rows, features)) * 20 + 100
    return x.astype(dtype), np.arange(rows) % classes


def refused(*arrays, words=(), **options):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        Dataset.from_arrays(*arrays, **options)
    assert time.process_time() - began < 1
    message = str(caught.value)
    for word in ("must", "got", *words):
        assert word in message
    return message


def opened(dataset):
    return dataset.test.open("a test", lambda _: 1)


# What comes in


def test_uint8_stays_uint8_and_is_not_copied():
    x, y = np.zeros((60_000, 784), np.uint8), np.arange(60_000) % 10
    tracemalloc.start()
    data = Dataset.from_arrays(x, y, x[:100], y[:100])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert data.x.dtype == np.uint8
    assert np.shares_memory(data.x, x)
    assert peak < 10_000_000


def test_sixty_thousand_images_are_checked_in_a_moment():
    x, y = np.ones((60_000, 28, 28), np.uint8), np.arange(60_000) % 10
    began = time.process_time()
    data = Dataset.from_arrays(x, y)
    data.split(0, 0)
    assert time.process_time() - began < 0.5
    assert (data.rows, data.features, data.image_shape) == (48_000, 784, (28, 28))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64", ">f4"])
def test_every_other_real_type_becomes_float32(dtype):
    x, y = blobs(dtype=dtype)
    data = Dataset.from_arrays(x, y, x, y)
    assert data.x.dtype == opened(data).x.dtype == np.float32
    assert np.array_equal(data.x, x.astype(np.float32))


@given(finite_rows())
def test_features_come_out_in_rows_with_the_values_they_had(x):
    rows, image_shape = as_features(x)
    assert image_shape is None
    assert rows.flags.c_contiguous
    assert not rows.flags.writeable
    assert rows.dtype == (np.uint8 if x.dtype == np.uint8 else np.float32)
    assert np.array_equal(rows, x.astype(rows.dtype))


def test_the_arrays_are_read_only_and_the_callers_are_not():
    x, y = blobs(dtype=np.uint8)
    data = Dataset.from_arrays(x, y, x, y)
    with pytest.raises(ValueError, match="read-only"):
        data.x[0, 0] = 1
    x[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: x[::-1], lambda x: x[:, ::2]])
def test_any_memory_layout_is_taken(layout):
    x, y = blobs(dtype=np.uint8)
    data = Dataset.from_arrays(layout(x), y, layout(x), y)
    assert data.x.flags.c_contiguous
    assert np.array_equal(data.x, layout(x))


def test_images_are_rows_and_their_shape_is_kept():
    x, y = np.zeros((12, 5, 4, 3), np.uint8), np.arange(12) % 2
    data = Dataset.from_arrays(x, y)
    assert (data.features, data.image_shape) == (60, (5, 4, 3))
    flat = Dataset.from_arrays(x.reshape(12, 60), y, image_shape=(5, 4, 3))
    assert flat.image_shape == (5, 4, 3)
    refused(x, y, image_shape=(4, 5, 3), words=("`image_shape`", "(5, 4, 3)"))
    refused(x.reshape(12, 60), y, image_shape=(7, 7), words=("60 features",))
    refused(x.reshape(12, 60), y, image_shape=(60,), words=("(60,)",))


def test_a_data_frame_brings_its_names():
    pd = pytest.importorskip("pandas")
    x, y = blobs()
    frame = pd.DataFrame(x, columns=list("abcd"))
    data = Dataset.from_arrays(frame, pd.Series(y).map({0: "no", 1: "yes", 2: "maybe"}))
    assert data.feature_names == ("a", "b", "c", "d")
    assert data.classes.tolist() == ["maybe", "no", "yes"]
    assert Dataset.from_arrays(frame.assign(a=["p", "q", "r"] * 20), y).encoding is not None
    refused(x, y, feature_names=("a", "b"), words=("4 different names",))
    refused(x, y, feature_names=("a", "a", "b", "c"), words=("3 different",))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([7, -3], [-3, 7]),
        ([True, False], [0, 1]),
        (["b", "a"], ["a", "b"]),
        ([2.0, 1.0], [1, 2]),
        (np.array([3, 9], np.uint8), [3, 9]),
        (np.array(["x", "yy"], object), ["x", "yy"]),
    ],
)
def test_labels_become_class_numbers_of_sorted_classes(labels, classes):
    y = np.resize(np.asarray(labels), 12)
    x = np.arange(24.0).reshape(12, 2)
    data = Dataset.from_arrays(x, y, x, y)
    assert data.y.dtype == np.int32
    assert data.classes.tolist() == classes
    assert data.classes.dtype.kind in "iU"
    assert data.classes[data.y].tolist() == y.tolist()
    assert np.array_equal(opened(data).y, data.y)


# What is refused


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(12), ("shape (rows, features)", "reshape(-1, 1)")),
        (np.float64(3), ("shape",)),
        (np.zeros((12, 2, 2, 2, 2)), ("shape",)),
        (np.zeros((0, 4)), ("(0, 4)",)),
        (np.zeros((12, 0)), ("(12, 0)",)),
        (np.zeros((12, 2), complex), ("complex128", "real numbers")),
        (np.zeros((12, 2), object), ("object", "astype")),
        (np.full((12, 2), "a"), ("real numbers", "encode text")),
        (np.zeros((12, 2), "M8[s]"), ("datetime64",)),
        ([[1, 2], [3]], ("same number of features",)),
        (np.ma.masked_equal([[1.0, 0.0]] * 12, 0), ("12 masked",)),
        ([[1.0, "x"]] * 12, ("<U", "encode text")),
    ],
)
def test_features_that_are_no_table_of_real_numbers_are_refused(x, words):
    refused(x, np.arange(12) % 2, words=("`X`", *words))


def test_a_sparse_matrix_is_refused_with_the_way_to_make_it_dense():
    sparse = pytest.importorskip("scipy.sparse").csr_array(np.eye(12))
    refused(sparse, np.arange(12) % 2, words=("toarray()",))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e38, -1e300])
def test_a_number_that_is_not_finite_is_refused_with_its_place(bad):
    x, y = blobs(dtype=np.float64)
    x[17, 2] = bad
    refused(x, y, words=("row 17", "feature 2", str(bad), "1 such cell"))
    refused(*blobs(), x, y, words=("`X_test`", "row 17"))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.arange(11) % 2, ("11 labels for 12 rows",)),
        (np.arange(13) % 2, ("13 labels for 12 rows",)),
        (np.zeros((12, 1), int), ("(12, 1)", "ravel()")),
        (np.eye(12), ("argmax(axis=1)",)),
        (None, ("()",)),
        ([0.0, np.nan] * 6, ("nan", "row 1")),
        ([0.0, np.inf] * 6, ("inf",)),
        ([1, None] * 6, ("object", "missing labels")),
        (["a", None] * 6, ("object",)),
        ([b"a", b"b"] * 6, ("astype(str)",)),
        (np.array([0, 1j] * 6), ("complex128",)),
        (np.array([0, 1] * 6, "M8[D]"), ("datetime64",)),
        (np.array([0, 2**63] * 6, np.uint64), ("uint64",)),
        ([[1], [1, 2]] * 6, ("no array",)),
        (np.ma.masked_equal([0, 1] * 6, 0), ("masked",)),
        (np.zeros(12, int), ("two classes", "only 0")),
        (["a"] * 12, ("only 'a'",)),
        (np.arange(12), ("12 different whole numbers in 12 rows", "task=")),
        (np.arange(12) // 1.5, ("regression", "task=")),
        ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], ("three rows a class",)),
    ],
)
def test_labels_that_name_no_classes_are_refused(y, words):
    refused(np.arange(24.0).reshape(12, 2), y, words=("`y`", *words))


def test_a_numeric_target_with_few_rows_a_value_is_taken_for_a_regression():
    x, y = np.ones((1000, 1)), np.arange(1000) % 120
    assert Dataset.from_arrays(x, y).task == "regression"
    assert len(Dataset.from_arrays(x, y.astype(str)).classes) == 120
    assert len(Dataset.from_arrays(x, y, task="classification").classes) == 120


@pytest.mark.parametrize(
    ("y_test", "words"),
    [
        ([0, 1, 9], ("9 in row 2", "1 such row", "occur in training")),
        ([0, 1, -1], ("-1 in row 2",)),
        ([0, 1], ("2 labels for 3 rows",)),
        (["a", "b", "a"], ("'a'", "convert")),
        ([0, 1, 0.5], ("0.5", "row 2")),
    ],
)
def test_test_labels_outside_the_classes_are_refused(y_test, words):
    x, y = blobs(classes=2)
    refused(x, y, x[:3], y_test, words=("`y_test`", *words))


def test_a_test_part_of_another_kind_is_refused():
    x, y = blobs()
    refused(x, y, x[:, :3], y, words=("`X_test`", "4 a row", "got 3"))
    refused(x, y, x[:0], y[:0], words=("`X_test`",))
    refused(x.astype(np.uint8), y, x / 255, y, words=("scaled", "float32 and uint8"))
    with pytest.raises(UsageError, match="together"):
        Dataset.from_arrays(x, y, x)
    with pytest.raises(UsageError, match="together"):
        Dataset.from_arrays(x, y, None, y)


# Splits


@given(class_numbers(), st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_a_cut_takes_every_row_once_and_every_class_of_two_on_both_sides(y, fraction, seed):
    first, second = splits.stratified(y, fraction, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(len(y)))
    for part in (first, second):
        assert part.dtype == np.int32
        assert np.array_equal(part, np.sort(part))
    counts = np.bincount(y)
    for number, count in enumerate(counts):
        inside = int((y[second] == number).sum())
        assert inside == splits.shares(counts, fraction)[number]
        assert 0 < inside < count if count > 1 else inside == 0


@given(class_counts(), st.floats(0.01, 0.99))
def test_shares_are_fair_to_a_row_and_add_up(counts, fraction):
    shares = splits.shares(counts, fraction)
    quotas = counts * fraction
    free = (shares > 1) & (shares < counts - 1)  # those that no bound held
    assert (np.abs(shares - quotas)[free] <= 1).all()
    assume((quotas >= 1).all() and (counts - quotas >= 1).all())
    assert shares.sum() == round(float(quotas.sum()))


def test_the_size_of_a_split_never_depends_on_replicate_or_seed_but_its_rows_do():
    data = Dataset.from_arrays(*blobs(rows=500))
    cuts = [data.split(replicate, seed) for replicate in range(3) for seed in range(3)]
    assert {(len(cut.train), len(cut.validation)) for cut in cuts} == {(333, 67)}
    assert len({cut.validation.tobytes() for cut in cuts}) == 9
    assert np.array_equal(data.split(1, 2).validation, cuts[5].validation)
    assert len(data.split(0, 0, 0.5).validation) == 200


@pytest.mark.parametrize("fraction", [0, 1, -0.2, 1.5, float("nan")])
def test_a_fraction_that_is_no_share_is_refused(fraction):
    data = Dataset.from_arrays(*blobs())
    with pytest.raises(UsageError, match=r"`fraction` must be in \(0, 1\), got"):
        data.split(0, 0, fraction)


def test_the_smallest_data_still_has_rows_for_everything():
    data = Dataset.from_arrays(np.eye(6), [0, 0, 0, 1, 1, 1])
    cut = data.split(0, 0)
    assert (data.test.rows, len(cut.train), len(cut.validation)) == (2, 2, 2)
    lonely = Dataset.from_arrays(np.eye(8), [0] * 7 + [1])
    assert set(lonely.y) == {0, 1}


# The sealed test part


def test_without_a_test_part_a_stratified_fifth_is_sealed_off_whoever_asks():
    x, y = blobs(rows=1000, classes=4)
    data, again = Dataset.from_arrays(x, y), Dataset.from_arrays(x.copy(), y)
    assert (data.rows, data.test.rows) == (800, 200)
    assert np.bincount(data.y).tolist() == [200] * 4
    assert np.array_equal(data.x, again.x)
    kept = {row.tobytes() for row in data.x}
    sealed = {row.tobytes() for row in opened(data).x}
    assert not kept & sealed
    assert kept | sealed == {row.tobytes() for row in x}
    other = Dataset.from_arrays(x, y, seed=1)
    assert not np.array_equal(data.x, other.x)


def test_the_seal_is_no_replicates_split():
    y = np.arange(1000) % 4
    fifths = {
        splits.stratified(y.astype(np.int32), 0.2, keys.generator(0, "split", *n))[1].tobytes()
        for n in [(0, 1), *((replicate,) for replicate in range(20))]
    }
    assert len(fifths) == 21


def test_the_record_is_written_before_the_test_part_is_handed_out():
    x, y = blobs()
    data = Dataset.from_arrays(x, y, x[:6], y[:6])
    record = []

    def write(opened_by):
        record.append(opened_by)
        return len(record)

    first, second = data.test.open("the study", write), data.test.open("somebody else", write)
    assert record == ["the study", "somebody else"]
    assert (first.opening, second.opening) == (1, 2)
    assert np.array_equal(first.x, x[:6])
    assert first.y.tolist() == y[:6].tolist()


def test_a_record_that_fails_keeps_the_seal():
    data = Dataset.from_arrays(*blobs())

    def full(_):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        data.test.open("the study", full)


def test_no_public_name_reaches_the_test_arrays():
    data = Dataset.from_arrays(*blobs())
    held = [getattr(data, name) for name in dir(data) if not name.startswith("_")]
    held += [getattr(data.test, name) for name in dir(data.test) if not name.startswith("_")]
    arrays = [value for value in held if isinstance(value, np.ndarray)]
    assert len(arrays) == 3
    assert not any(np.shares_memory(array, opened(data).x) for array in arrays)
    assert not any(len(array) == data.test.rows for array in arrays)
    assert "12 rows" in repr(data.test)
    assert "12 test rows, sealed" in repr(data)
    assert "[" not in repr(data) + repr(data.test)


# The fingerprint


def test_the_fingerprint_is_of_everything_but_the_name():
    x, y = blobs()
    base = Dataset.from_arrays(x, y, x[:6], y[:6])
    assert base.fingerprint == Dataset.from_arrays(x, y, x[:6], y[:6], name="b").fingerprint
    assert len(base.fingerprint) == 64
    changed = x.copy()
    changed[3, 3] += 1
    others = [
        Dataset.from_arrays(changed, y, x[:6], y[:6]),
        Dataset.from_arrays(x, y, changed[:6], y[:6]),
        Dataset.from_arrays(x, y, x[:6], y[1:7]),
        Dataset.from_arrays(x, np.roll(y, 1), x[:6], y[:6]),
        Dataset.from_arrays(x, y + 1, x[:6], y[:6] + 1),
        Dataset.from_arrays(x, y.astype(str), x[:6], y[:6].astype(str)),
        Dataset.from_arrays(x, y, x[:6], y[:6], image_shape=(2, 2)),
        Dataset.from_arrays(x, y, x[:6], y[:6], feature_names=tuple("abcd")),
        Dataset.from_arrays(x, y),
    ]
    assert len({data.fingerprint for data in [base, *others]}) == 10


# Scaling


def test_images_are_divided_by_the_largest_value_of_the_given_rows():
    x, y = np.zeros((12, 3), np.uint8), np.arange(12) % 2
    x[0], x[5] = 200, 16
    data = Dataset.from_arrays(x, y, x, y)
    found = data.scaling(np.arange(1, 12))
    assert found.shift.tolist() == [0] * 3
    assert np.allclose(found.scale, 1 / 16)
    assert np.allclose(data.scaling(np.arange(12)).scale, 1 / 200)
    assert np.allclose(data.scaling(np.arange(1, 3)).scale, 1)


@given(finite_rows(), st.data())
def test_features_are_standardized_over_the_given_rows_and_constant_ones_become_zero(x, drawn):
    assume(len(x) > 1 and x.dtype != np.uint8)
    x = np.tile(x, (6, 1))
    data = Dataset.from_arrays(x, np.arange(len(x)) % 2, x, np.zeros(len(x), int))
    rows = np.array(sorted(drawn.draw(st.sets(st.integers(0, len(x) - 1), min_size=2))))
    found = data.scaling(rows)
    assert found.shift.dtype == found.scale.dtype == np.float32
    scaled = (data.x[rows].astype(np.float64) - found.shift) * found.scale
    inside = data.x[rows].astype(np.float64)
    for column, scaled_column in zip(inside.T, scaled.T, strict=True):
        if column.min() == column.max():
            assert (scaled_column == 0).all()
        elif column.std() > max(1e-3 * np.abs(column).max(), np.finfo(np.float32).tiny):
            assert abs(scaled_column.mean()) < 1e-3
            assert abs(scaled_column.std() - 1) < 1e-3


def test_scaling_never_sees_other_rows():
    x, y = blobs()
    rows = np.arange(30)
    spoiled = x.copy()
    spoiled[30:] = 1e30
    scalings = [Dataset.from_arrays(v, y, x, y).scaling(rows) for v in (x, spoiled)]
    assert np.array_equal(scalings[0].shift, scalings[1].shift)
    assert np.array_equal(scalings[0].scale, scalings[1].scale)


def test_scaling_in_chunks_is_scaling_at_once(monkeypatch):
    x, y = blobs(rows=600)
    data, rows = Dataset.from_arrays(x, y, x, y), np.arange(0, 600, 2)
    whole = data.scaling(rows)
    monkeypatch.setattr("fleetgrad.data.scaling.CHUNK", 28)
    pieces = data.scaling(rows)
    assert np.allclose(whole.shift, pieces.shift, rtol=1e-6)
    assert np.allclose(whole.scale, pieces.scale, rtol=1e-6)


def test_the_smallest_differences_do_not_blow_up():
    x, y = np.zeros((12, 2), np.float32), np.arange(12) % 2
    x[0] = 1e-45
    data = Dataset.from_arrays(x, y, x, y)
    assert np.isfinite(data.scaling(np.arange(12)).scale).all()


# Scaling of tables


def test_numbers_of_tables_have_median_zero_and_quartiles_one_apart():
    x = np.array([[0, 5, 5, 1e20], [1, 5, 5, 0], [2, 5, 5, 0], [3, np.nan, 5, 0], [4, 8, 5, 0]])
    numeric = np.ones(4, bool)
    found = scaling.robust(x.astype(np.float32), np.arange(5), numeric)
    assert found.shift.tolist() == [2, 5, 5, 0]
    assert found.scale.tolist() == [0.5, np.float32(4 / 3), 0, np.float32(1e-20)]
    assert np.allclose(found.limit, 1 / 3)


def test_signs_of_tables_stay_and_those_of_no_row_count_for_nothing():
    x = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 1]], np.float32)
    found = scaling.robust(x, np.array([0, 1]), np.zeros(3, bool))
    assert found.shift.tolist() == found.limit.tolist() == [0] * 3
    assert found.scale.tolist() == [1, 1, 0]


@given(st.integers(0, 200))
def test_a_row_that_counts_twice_is_scaled_by_as_if_it_were_there_twice(seed):
    draw = np.random.default_rng(seed)
    x = np.round(draw.normal(size=(40, 3)), 1).astype(np.float32)  # with ties
    x[:30, 2] = 0.5  # its quartiles agree
    x[draw.random(40) < 0.1, 0] = np.nan
    counts, rows, numeric = draw.integers(1, 4, 40), np.arange(40), np.ones(3, bool)
    weights = (counts / counts.mean()).astype(np.float32)
    twice = np.repeat(rows, counts)
    alike = np.ones(len(twice), np.float32)
    robust = [
        scaling.robust(x, *one) for one in ((rows, numeric, weights), (twice, numeric, alike))
    ]
    standard = [scaling.fit(x[:, 1:], *one) for one in ((rows, weights), (twice, alike))]
    for one, other in (robust, standard):
        np.testing.assert_allclose(one.shift, other.shift, rtol=1e-5)
        np.testing.assert_allclose(one.scale, other.scale, rtol=1e-5)


def test_weights_of_a_dataset_count_in_its_scaling():
    x, y = np.repeat([[0.0], [1.0], [9.0]], 8, axis=0), np.arange(24) % 2
    plain, weighted = (
        Dataset.from_arrays(x, y, x, y, weights=one) for one in (None, 1 + (x[:, 0] == 0))
    )
    assert plain.scaling(np.arange(24)).shift == np.float32(10 / 3)
    assert weighted.scaling(np.arange(24)).shift == np.float32(10 / 4)


def test_quartiles_of_no_weights_are_those_of_numpy():
    values = np.random.default_rng(0).normal(size=101)
    found = scaling.quantiles(values, [0.25, 0.5, 0.75])
    assert found.tolist() == np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    even = scaling.quantiles(values, [0.25, 0.5, 0.75], np.full(101, 0.1, np.float32))
    assert even.tolist() == np.sort(values)[[25, 50, 75]].tolist()


def test_what_is_below_zero_in_all_rows_is_no_sign_of_nothing():
    x = np.array([[-1], [-0.5]], np.float32)
    assert scaling.robust(x, np.arange(2), np.zeros(1, bool)).scale.tolist() == [1]


@given(finite_rows(), st.data())
def test_the_scaling_of_tables_is_finite_and_sees_no_other_rows(x, drawn):
    x = np.tile(x, (3, 1)).astype(np.float32)
    rows = np.array(sorted(drawn.draw(st.sets(st.integers(0, len(x) - 1), min_size=1))))
    numeric = np.array(
        drawn.draw(st.lists(st.booleans(), min_size=x.shape[1], max_size=x.shape[1]))
    )
    found = scaling.robust(x, rows, numeric)
    spoiled = np.full_like(x, np.nan)
    spoiled[rows] = x[rows]
    again = scaling.robust(spoiled, rows, numeric)
    for part, other in zip(
        (found.shift, found.scale, found.limit),
        (again.shift, again.scale, again.limit),
        strict=True,
    ):
        assert np.isfinite(part).all()
        assert np.array_equal(part, other)
