"""The model: what it takes, what it is made of, its files, and the files of strangers."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open

from fleetgrad import inference, keys, network, normalization
from fleetgrad.data import columns, idx, scaling
from fleetgrad.data.columns import Table
from fleetgrad.data.encoding import Encoding
from fleetgrad.errors import DataError, FleetgradError, ModelError
from fleetgrad.model import Model
from fleetgrad.predictor import BLOCK
from fleetgrad.saved import FRESH, MODEL, MOST_HEAD, WEIGHTS
from fleetgrad.settings import NORMALIZATIONS, Settings
from strangers import JSON, places, put, sealed, survives

ROWS = np.random.default_rng(0).integers(0, 17, (50, 64), dtype=np.uint8)
HALF = Settings(hidden=(7, 5))
HEAD_KEYS = ["classes", "features", "format", "settings", "version", "weights"]


def made(settings=HALF, seed=0, **other):
    """A model of 8 x 8 images and 10 classes, unless told otherwise."""
    params = network.init(keys.generator(seed, "init", 0), settings, 64, 10)
    params = network.predicting(
        params, normalization.begin(settings.normalization, settings.hidden)
    )
    parts = {
        "shift": np.zeros(64, np.float32),
        "scale": np.full(64, 1 / 16, np.float32),
        "classes": np.arange(10),
        "image_shape": (8, 8),
    }
    return Model(settings, params, **{**parts, **other})


NORMALIZED = Settings(hidden=(7, 5), normalization="batch")


def normalized(**first):
    """Layers of which the first has these values at every unit."""
    params = [dict(layer) for layer in made(NORMALIZED).params]
    params[0] |= {name: np.full(7, value, np.float32) for name, value in first.items()}
    return params


def refused(call, *words, error=ModelError):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    assert time.monotonic() - began < 1
    for word in ("must", "got", *words):
        assert word in str(caught.value)


def listed(directory):
    return sorted(path.name for path in directory.iterdir())


def same(one, other):
    arrays = zip(one._network.arrays.items(), other._network.arrays.items(), strict=True)
    equal = all(a == b and np.array_equal(x, y) for (a, x), (b, y) in arrays)
    plain = all(getattr(one, name) == getattr(other, name) for name in ("settings", *one._plain))
    return equal and plain and one.classes.tolist() == other.classes.tolist()


# How it computes


def test_a_row_is_predicted_alike_alone_and_in_any_block():
    model, rows = made(), np.tile(ROWS, (2 * BLOCK // len(ROWS) + 1, 1))
    together = model.predict_proba(rows)
    assert together.shape == (len(rows), 10)
    for row in (0, 1, BLOCK - 1, BLOCK, len(rows) - 1):
        np.testing.assert_allclose(together[row], model.predict_proba(rows[row : row + 1])[0], 1e-5)


def test_uint8_images_never_become_floats_all_at_once():
    model, rows = made(), np.zeros((60_000, 64), np.uint8)
    tracemalloc.start()
    try:
        model.predict(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < rows.nbytes / 2


def test_predicting_a_file_starts_without_jax(tmp_path):
    made().save(tmp_path / "model")
    np.save(tmp_path / "x.npy", ROWS)
    script = (
        "import sys; from fleetgrad.model import Model; model = Model.load(sys.argv[1]); "
        "print(*model.predict_file(sys.argv[2])); print('jax' in sys.modules)"
    )
    command = [sys.executable, "-c", script, tmp_path / "model", tmp_path / "x.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [" ".join(map(str, made().predict(ROWS))), "False"]


# What it takes


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, np.float16, ">f4"])
@pytest.mark.parametrize("shape", [(50, 64), (50, 8, 8)])
def test_rows_and_images_of_any_real_type_give_the_same_labels(dtype, shape):
    model = made(classes=np.array(list("abcdefghij")))
    labels = model.predict(ROWS.reshape(shape).astype(dtype))
    assert labels.tolist() == [model.classes[n] for n in model.predict_proba(ROWS).argmax(axis=1)]
    assert model.predict(ROWS.tolist()).tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (ROWS[0], ("(rows, 64)", "(64,)", "X[np.newaxis]")),
        (ROWS[0].reshape(8, 8), ("(rows, 64)", "(8, 8)", "X[np.newaxis]")),
        (ROWS[:, :63], ("64 features", "63")),
        (ROWS.reshape(-1, 4, 16), ("images (8, 8)", "(4, 16)")),
        (np.full((2, 64), 1e36), ("finite", "units")),
    ],
)
def test_rows_of_another_kind_are_refused(wrong, words):
    model = made(scale=np.full(64, 1000, np.float32))
    refused(lambda: model.predict(wrong), *words)
    refused(lambda: model.predict_proba(wrong), *words)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_place(value):
    rows = ROWS.astype(float)
    rows[3, 5] = value
    refused(lambda: made().predict(rows), "row 3, feature 5", error=DataError)


@pytest.mark.parametrize("wrong", [np.zeros((0, 64)), [["a"] * 64], [[1], [1, 2]], None, 3])
def test_what_is_no_table_of_numbers_is_refused(wrong):
    refused(lambda: made().predict(wrong), error=FleetgradError)


def test_a_frame_must_have_the_columns_of_training_in_their_order():
    names = tuple(f"p{number}" for number in range(64))
    pandas = pytest.importorskip("pandas", reason="a frame needs `pip install pandas`")
    model, frame = made(feature_names=names), pandas.DataFrame(ROWS, columns=names)
    assert (model.predict(frame) == model.predict(ROWS)).all()
    refused(lambda: model.predict(frame[list(names[::-1])]), "model.feature_names")


def test_files_of_every_kind_give_the_labels_of_their_arrays(tmp_path):
    names = tuple(f"p{number}" for number in range(64))
    model, expected = made(feature_names=names), made().predict(ROWS).tolist()
    np.save(tmp_path / "x.npy", ROWS.reshape(-1, 8, 8))
    table, head = np.column_stack([ROWS, ROWS[:, :1]]), ",".join([*names, "label"])
    np.savetxt(tmp_path / "x.csv", table, "%d", ",", header=head, comments="")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress((tmp_path / "x.csv").read_bytes()))
    idx.write(tmp_path / "x-idx3-ubyte.gz", ROWS.reshape(-1, 8, 8))
    for name in ("x.npy", "x.csv", "x.csv.gz", "x-idx3-ubyte.gz"):
        assert model.predict_file(tmp_path / name).tolist() == expected


@pytest.mark.parametrize(
    ("scale", "information", "white"),
    [(1 / 16, {}, 16), (1 / 255, {}, 255), (3, {"white": 1.0}, 1), (3, {}, 255)],
)
def test_a_picture_is_brought_to_the_white_of_training(tmp_path, scale, information, white):
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "x.png")
    model = made(scale=np.full(64, scale, np.float32), information=information)
    assert model.read(tmp_path / "x.png") == pytest.approx(np.full((1, 64), white))


# What it is made of


def test_its_arrays_are_its_own_view_and_cannot_be_changed():
    params = network.init(keys.generator(0, "init", 0), HALF, 64, 10)
    model = Model(HALF, params, np.zeros(64, "f4"), np.ones(64, "f4"), np.arange(10))
    with pytest.raises(ValueError, match="read-only"):
        model.params[0]["weight"][0, 0] = 1
    params[0]["weight"][0, 0] = 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"classes": np.arange(9)}, ("layer2.weight", "(5, 9)", "(5, 10)")),
        ({"classes": np.arange(10)[::-1]}, ("classes", "sorted")),
        ({"classes": np.zeros(1)}, ("classes",)),
        ({"classes": np.zeros((2, 2), int)}, ("classes",)),
        ({"scale": np.ones(63, "f4")}, ("scale", "(64,)", "(63,)")),
        ({"scale": np.ones(64)}, ("scale", "float32", "float64")),
        ({"shift": np.full(64, np.nan, "f4")}, ("shift", "finite")),
        ({"settings": Settings(hidden=(7,))}, ("layer2.bias", "too many")),
        ({"settings": Settings(hidden=(7, 5, 3))}, ("layer3.bias", "missing")),
        ({"settings": Settings(hidden=(1,) * 1000)}, ("hidden", "1000")),
        ({"settings": Settings(hidden=(7, 5), normalization="layer")}, ("layer0.gain", "missing")),
        (
            {"settings": NORMALIZED, "params": normalized(variance=-1.0)},
            ("layer0.variance", "negative", "-1.0"),
        ),
        (
            {"settings": NORMALIZED, "params": normalized(mean=np.nan)},
            ("layer0.mean", "finite"),
        ),
        ({"image_shape": (8, 9)}, ("image_shape", "64 features")),
        ({"feature_names": ("a",)}, ("feature_names", "64 names")),
        ({"information": {"white": 0}}, ("white",)),
        ({"dataset": None}, ("dataset", "text")),
    ],
)
def test_parts_that_do_not_fit_are_refused(wrong, words):
    parts = {name: getattr(made(), name) for name in Model.__dataclass_fields__}
    refused(lambda: Model(**{**parts, **wrong}), *words)


def test_it_says_what_it_is():
    assert repr(made(dataset="digits")) == "Model('digits': 64-7-5-10 relu)"


# What is saved


@pytest.mark.parametrize("classes", [np.arange(-5, 5), np.array(sorted("äbcdefg\n \U0001f600"))])
@pytest.mark.parametrize("hidden", [(), (3,), (7, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_saved_model_comes_back_whole(tmp_path, classes, hidden, bias):
    information = {"seed": 3, "mean": np.float32(0.5), "loss": [float("nan"), float("inf")]}
    names = tuple(f"p{number}" for number in range(64))
    settings = Settings(hidden=hidden, bias=bias, loss="squared_error")
    model = made(settings, classes=classes, information=information, feature_names=names)
    model.save(tmp_path / "deep" / "model")
    found = Model.load(tmp_path / "deep" / "model")
    assert repr(found.information) == repr({**information, "mean": 0.5})
    assert same(
        found, made(settings, classes=classes, feature_names=names, information=found.information)
    )
    assert np.array_equal(found.predict(ROWS), model.predict(ROWS))
    assert listed(tmp_path / "deep" / "model") == [MODEL, WEIGHTS]


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_normalized_layers_are_saved_by_their_names(tmp_path, kind, bias):
    model = made(Settings(hidden=(7, 5), normalization=kind, bias=bias, ema=0.9))
    model.save(tmp_path)
    assert same(Model.load(tmp_path), model)
    held = {"batch": {"gain", "offset", "mean", "variance"}, "layer": {"gain", "offset"}}
    expected = (
        {"weight"} | held.get(kind, set()) | ({"bias"} if bias and kind != "batch" else set())
    )
    with safe_open(tmp_path / WEIGHTS, framework="numpy") as file:
        names = set(file.keys())
    for number in (0, 1):
        assert {f"layer{number}.{name}" for name in expected} <= names
    assert len(names) == 2 + 2 * len(expected) + 1 + bias


def test_a_model_of_the_version_before_normalization_is_loaded(tmp_path):
    made().save(tmp_path)
    head = json.loads((tmp_path / MODEL).read_bytes())
    for name in ("normalization", "gradient_clipping", "ema"):
        del head["settings"][name]
    (tmp_path / MODEL).write_text(json.dumps(head))
    assert same(Model.load(tmp_path), made())


def test_a_model_is_found_by_its_directory_its_file_or_its_run(tmp_path):
    made().save(tmp_path / "run" / "model")
    for path in ("run", "run/model", f"run/model/{MODEL}"):
        assert same(Model.load(tmp_path / path), made())
        assert same(Model.load(str(tmp_path / path)), made())


def test_a_directory_that_cannot_be_written_is_refused_and_the_old_model_stays(tmp_path):
    made().save(tmp_path / "model")
    (tmp_path / "file").write_text("")
    refused(lambda: made().save(tmp_path / "file"), "written")
    refused(lambda: made().save(tmp_path / "file" / "model"), "written")
    for wrong in ({"x": object()}, {"x": {1: 2}}, {"x": "y" * MOST_HEAD}):
        refused(lambda wrong=wrong: made(information=wrong).save(tmp_path / "model"))
    assert same(Model.load(tmp_path / "model"), made())


KILLED = """
import os, sys
from fleetgrad.model import Model

models, place, held = {n: Model.load(sys.argv[n]) for n in (1, 2)}, sys.argv[3], 1

def dying(function, left):
    def call(*args, **kwargs):
        left.pop()
        return function(*args, **kwargs) if left else os._exit(9)
    return call

def save(model, stop):
    left = [None] * stop
    for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
        setattr(os, name, dying(getattr(os, name), left))
    model.save(place)
    os._exit(0)

models[held].save(place)
for stop in range(1, 100):
    child, new = os.fork(), 3 - held
    if not child:
        save(models[new], stop)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = Model.load(place).information["seed"]
    print(status, "new" if found == new else "old", flush=True)
    held = found
    if status == 0:
        break
"""


def test_a_save_killed_at_any_step_leaves_the_old_model_or_the_new(tmp_path):
    """Each save is killed one step later than the last, over whatever the last one left."""
    for seed in (1, 2):
        made(seed=seed, information={"seed": seed}).save(tmp_path / str(seed))
    paths = [tmp_path / name for name in ("1", "2", "place")]
    command = [sys.executable, "-W", "ignore", "-c", KILLED, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ends = done.stdout.splitlines()
    assert len(ends) > 10
    assert set(ends[:-1]) == {"9 old", "9 new"}
    assert ends[-1] == "0 new"
    assert listed(tmp_path / "place") == [MODEL, WEIGHTS]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("count", range(1, 8))
def test_a_disk_that_gives_up_leaves_the_old_model_or_the_new(tmp_path, monkeypatch, step, count):
    old, new = made(seed=1), made(seed=2)
    old.save(tmp_path / "model")
    true, calls = getattr(os, step), []

    def failing(*args, **kwargs):
        calls.append(step)
        if len(calls) == count:
            raise OSError(28, "No space left on device")
        return true(*args, **kwargs)

    monkeypatch.setattr(os, step, failing)
    with suppress(ModelError):
        new.save(tmp_path / "model")
    monkeypatch.undo()
    assert listed(tmp_path / "model") in ([MODEL, WEIGHTS], [MODEL, FRESH, WEIGHTS])
    found = Model.load(tmp_path / "model")
    assert same(found, old) or same(found, new)
    old.save(tmp_path / "model")
    assert same(Model.load(tmp_path / "model"), old)


def test_a_disk_full_at_the_description_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    for held in ([], [MODEL, WEIGHTS]):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", full)
            refused(lambda: made(seed=2).save(tmp_path), "No space left", "free disk space")
        assert listed(tmp_path) == held
        made(seed=1).save(tmp_path)
    assert same(Model.load(tmp_path), made(seed=1))


# Tables


RAW = Table(
    (
        columns.of_numbers("size", np.array([1, np.nan, 3, 9] * 3)),
        columns.of_words("color", np.array([0, 1, 0, -1] * 3, np.int32), ["red", "blue"]),
        columns.of_numbers("same", np.ones(12)),
        columns.of_numbers("when", np.arange(12.0), columns.DATE),
    ),
    12,
    "the table",
)
ENCODED = Encoding.fit(RAW)  # size, size missing, color=blue, color=red, color missing, when ...
ENTERING = len(ENCODED.feature_names)


def tabular(settings=HALF, seed=0, **other):
    """A model of a table of four columns and three classes."""
    params = network.init(keys.generator(seed, "init", 0), settings, ENTERING, 3)
    scaled = scaling.robust(ENCODED.apply(RAW), np.arange(12), ENCODED.numeric)
    given = {"classes": np.array(list("xyz")), "feature_names": ENCODED.feature_names}
    return Model(settings, params, **{**asdict(scaled), "encoding": ENCODED, **given, **other})


def test_a_model_of_a_table_takes_the_raw_table_again(tmp_path):
    pd = pytest.importorskip("pandas")
    tabular().save(tmp_path)
    model = Model.load(tmp_path)
    assert model.encoding == ENCODED
    assert same(model, tabular())
    frame = pd.DataFrame(
        {
            "when": pd.to_datetime(["1970-01-03", None]),
            "size": [2.0, np.nan],
            "color": ["red", "never seen"],
        }
    )
    expected = model.predict_proba(frame)
    assert np.isfinite(expected).all()
    frame.to_csv(tmp_path / "t.csv")
    assert model.predict_file(tmp_path / "t.csv").tolist() == model.predict(frame).tolist()
    given = np.array([[2.0, "red", None, "1970-01-03"], [None, "never seen", None, None]], object)
    assert np.array_equal(model.predict_proba(given), expected)
    assert np.array_equal(model.predict_proba(model.read(tmp_path / "t.csv")), expected)


def test_a_model_of_numbers_alone_takes_them_without_names(tmp_path):
    table = Table((RAW.columns[0], columns.of_numbers("b", np.arange(12.0))), 12, "the table")
    encoding = Encoding.fit(table)
    params = network.init(keys.generator(0, "init", 0), HALF, 3, 3)
    scaled = scaling.robust(encoding.apply(table), np.arange(12), encoding.numeric)
    model = Model(HALF, params, **asdict(scaled), classes=np.arange(3), encoding=encoding)
    rows = np.array([[1.0, 2.0], [3.0, 40.0]])
    np.save(tmp_path / "x.npy", rows)
    np.savetxt(tmp_path / "x.csv", rows, delimiter=",")
    expected = model.predict_proba(rows)
    for name in ("x.npy", "x.csv"):
        assert np.array_equal(model.predict_proba(model.read(tmp_path / name)), expected)


def test_far_out_numbers_are_bent_back_and_missing_ones_are_the_median():
    model = tabular()
    where = model.encoding.feature_names.index("size")
    x = np.zeros((3, ENTERING), np.float32)
    x[:, where] = [np.nan, model.shift[where], 1e37]
    outputs = inference.logits(model._network, x)
    assert np.isfinite(outputs).all()
    assert np.array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def test_what_a_table_lacks_is_refused():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"size": [1.0], "color": ["red"], "when": ["2026-01-01"]})
    model = tabular()
    call = model.predict
    refused(lambda: call(frame.drop(columns="size")), "none of the name `size`", error=DataError)
    refused(lambda: call(frame.assign(size="big")), "`size`", "numeric", error=DataError)
    refused(lambda: call(frame.assign(color=1.0)), "`color`", "category", error=DataError)
    refused(lambda: call(frame.assign(size=np.inf)), "`size`", "inf in row 0", error=DataError)
    refused(lambda: call(frame[:0]), "must hold rows", error=DataError)
    refused(lambda: call(np.ones((2, 3))), "(rows, 4)", "(2, 3)", error=DataError)
    refused(lambda: model.read("x.png"), "must be a table", error=DataError)
    refused(lambda: tabular(encoding=replace(ENCODED, codings=ENCODED.codings[1:])), "`encoding`")


def test_a_model_of_the_version_before_encodings_is_loaded(tmp_path):
    made().save(tmp_path)
    head = json.loads((tmp_path / MODEL).read_bytes())
    assert head.pop("encoding") is None
    (tmp_path / MODEL).write_text(json.dumps(head))
    assert same(Model.load(tmp_path), made())


# What strangers send


@pytest.fixture(scope="module", params=[made, tabular])
def parts(request):
    """The bytes of a whole model's two files."""
    with tempfile.TemporaryDirectory() as folder:
        request.param(Settings(hidden=(3,))).save(folder)
        return json.loads(Path(folder, MODEL).read_bytes()), Path(folder, WEIGHTS).read_bytes()


def test_the_whole_model_is_not_refused(parts):
    assert survives(*parts)


@given(st.binary(max_size=200))
def test_any_bytes_as_description_are_refused(parts, content):
    assert not survives(content, parts[1])


def test_a_description_too_deep_is_refused(parts):
    deep = json.dumps(parts[0]).replace('"information": {}', f'"information": {"[" * 200_000}')
    assert not survives(deep.encode(), parts[1])


@given(st.data())
def test_a_description_changed_anywhere_is_refused_or_whole(parts, data):
    head, weights = parts
    path = data.draw(st.sampled_from(list(places(head))))
    survives(put(head, path, data.draw(JSON)), weights)


@given(st.data())
def test_a_description_with_bytes_changed_is_refused_or_whole(parts, data):
    content = bytearray(json.dumps(parts[0]).encode())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    survives(bytes(content), parts[1])


@given(st.data())
def test_weights_changed_anywhere_are_refused_or_whole_though_their_checksum_fits(parts, data):
    head, weights = parts[0], bytearray(parts[1])
    for at in data.draw(st.lists(st.integers(0, len(weights) - 1), min_size=1, max_size=4)):
        weights[at] = data.draw(st.integers(0, 255))
    weights = bytes(
        weights[: data.draw(st.integers(0, len(weights)))] if data.draw(st.booleans()) else weights
    )
    survives(sealed(head, weights), weights)
    if weights != parts[1]:
        assert not survives(head, weights)


@given(st.data())
def test_arrays_described_otherwise_are_refused_or_whole(parts, data):
    head, weights = parts
    size = int.from_bytes(weights[:8], "little")
    described, body = json.loads(weights[8 : 8 + size]), weights[8 + size :]
    path = data.draw(st.sampled_from(list(places(described))))
    types = st.sampled_from(["F64", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I8", "BOOL", "U64", "F4"])
    text = json.dumps(put(described, path, data.draw(types | JSON))).encode()
    crafted = len(text).to_bytes(8, "little") + text + body
    survives(sealed(head, crafted), crafted)


@pytest.mark.parametrize("key", HEAD_KEYS)
def test_a_description_must_be_complete(parts, key):
    assert not survives({name: value for name, value in parts[0].items() if name != key}, parts[1])


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"format": "fleetgrad run"},
        {"classes": list(range(9))},
        {"classes": [*range(9), "9"]},
        {"classes": [*range(9), True]},
        {"classes": [*"abcdefghi", "j\0"]},
        {"classes": [*["a"] * 9_999, "b" * 9_999]},
        {"features": 63},
        {"features": "a"},
        {"features": 1 << 62},
        {"image_shape": [8.0, 8.0]},
        {"feature_names": "a" * 64},
        {"feature_names": [1] * 64},
        {"settings": {"hidden": [1] * 100_000}},
        {"settings": {"hidden": [3], "learning_rate": 10**400}},
        {"information": 5},
        {"weights": {"sha256": "../../x", "size": 5}},
    ],
)
def test_a_description_that_does_not_fit_is_refused(parts, change):
    assert not survives({**parts[0], **change}, parts[1])


def test_what_is_no_model_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in ("missing", "empty", "x" * 300, "a\0b", f"empty/{MODEL}"):
        refused(lambda path=path: Model.load(tmp_path / path), "check the path", "resume")


@pytest.mark.parametrize("name", [MODEL, WEIGHTS])
def test_pipes_and_links_are_not_followed(tmp_path, name):
    for put_there in (os.mkfifo, lambda path: path.symlink_to(path.with_name("true"))):
        place = tmp_path / f"{name}{put_there}"
        made().save(place)
        (place / name).rename(place / "true")
        put_there(place / name)
        refused(lambda place=place: Model.load(place))


def test_a_description_too_large_is_refused_unread(tmp_path):
    made().save(tmp_path)
    with (tmp_path / MODEL).open("r+b") as file:
        file.truncate(1 << 40)
    refused(lambda: Model.load(tmp_path), f"more than {MOST_HEAD:,} bytes")


def test_saving_never_writes_through_a_link(tmp_path):
    outside, place = tmp_path / "outside", tmp_path / "model"
    outside.write_text("mine")
    place.mkdir()
    for name in (MODEL, WEIGHTS, FRESH, f"{MODEL}.tmp", f"{FRESH}.tmp"):
        (place / name).symlink_to(outside)
    made().save(place)
    assert outside.read_text() == "mine"
    assert same(Model.load(place), made())
