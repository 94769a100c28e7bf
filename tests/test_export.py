"""What a network computes, without JAX: in NumPy, and as ONNX, run by another program."""

import json
import os
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import batches, forward, graph, inference, keys, losses, network, normalization
from fleetgrad.activations import ACTIVATIONS as JAX_ACTIVATIONS
from fleetgrad.activations import Units
from fleetgrad.data import columns, scaling
from fleetgrad.data.columns import Table
from fleetgrad.data.encoding import Encoding
from fleetgrad.ensemble import Ensemble
from fleetgrad.errors import ModelError, UsageError
from fleetgrad.inference import Part
from fleetgrad.model import Model
from fleetgrad.settings import ACTIVATIONS, NORMALIZATIONS, Settings
from fleetgrad.settings import CLASS_LOSSES as LOSSES

ROWS = np.random.default_rng(0).integers(0, 17, (50, 12), dtype=np.uint8)
NEEDS = "needs `pip install 'fleetgrad[onnx]' onnxruntime`"


def made(settings, **other):
    """A model of 12 features and 4 classes; its scaling, biases and statistics are all other."""
    params = network.init(keys.generator(0, "init", 0), settings, 12, 4)
    params = network.predicting(
        params, normalization.begin(settings.normalization, settings.hidden)
    )
    draw = np.random.default_rng(1)
    for layer in params:
        for name in layer.keys() - ({"weight"} if layer["weight"].any() else set()):
            layer[name] = draw.uniform(0.001, 1, layer[name].shape).astype(np.float32)
    scaling = np.linspace(0, 9, 12, dtype=np.float32), np.linspace(0.1, 1, 12, dtype=np.float32)
    return Model(settings, params, *scaling, np.array(list("abcä")), **other)


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx", reason=f"the export {NEEDS}")


@pytest.fixture
def run(onnx):
    """What onnxruntime computes from a file."""
    runtime = pytest.importorskip("onnxruntime", reason=f"running the export {NEEDS}")

    def outputs(path, rows):
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(["probabilities", "label"], {"x": rows})

    return outputs


# NumPy


def test_every_activation_has_its_form_without_jax():
    assert tuple(sorted(forward.ACTIVATIONS)) == ACTIVATIONS
    assert graph.ACTIVATIONS.keys() == forward.ACTIVATIONS.keys()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_predictions_are_those_of_the_network_that_was_trained(activation, loss, bias):
    settings = Settings(hidden=(9, 6), activation=activation, loss=loss, bias=bias, init_scale=2)
    model = made(settings)
    scaled = (ROWS.astype(np.float32) - model.shift) * model.scale
    outputs = network.apply(model.params, activation, scaled)
    found = inference.logits(model._network, ROWS)
    np.testing.assert_allclose(found, outputs, rtol=1e-5, atol=1e-5)
    expected = losses.LOSSES[loss].probabilities(outputs)
    np.testing.assert_allclose(model.predict_proba(ROWS), expected, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_normalized_layers_predict_as_in_training(kind, bias):
    # Weights so small that what is added to a variance counts.
    for scale in (0.001, 1.0):
        model = made(Settings(hidden=(9, 6), bias=bias, normalization=kind, init_scale=scale))
        scaled = (ROWS.astype(np.float32) - model.shift) * model.scale
        outputs = network.apply(model.params, "relu", scaled)
        np.testing.assert_allclose(inference.logits(model._network, ROWS), outputs, 1e-4, 1e-4)


TRICKS = [
    {"parametrization": "ntk"},
    {"front_scale": True},
    {"members": 3},
    {"members": 3, "loss": "squared_error", "bias": False, "parametrization": "ntk"},
    {"members": 2, "normalization": "batch"},
    {"members": 2, "normalization": "layer", "embedding": "periodic"},
    {"members": 2, "hidden": (), "front_scale": True},
    {"parametric": True},
    {"embedding": "periodic", "embedding_waves": 3, "embedding_size": 2},
    {"embedding": "periodic", "front_scale": True, "hidden": ()},
    {"parametrization": "ntk", "front_scale": True, "normalization": "layer", "hidden": ()},
]


@pytest.mark.parametrize("changes", TRICKS)
def test_the_tricks_of_tables_predict_as_in_training(changes):
    settings = Settings(**{"hidden": (9, 6), **changes})
    model = made(settings)
    scaled = (ROWS.astype(np.float32) - model.shift) * model.scale
    units = Units(JAX_ACTIVATIONS["relu"], ntk=settings.parametrization == "ntk")
    outputs = losses.pooled(network.apply(model.params, units, scaled), settings.loss)
    assert np.ptp(outputs) > 0.1
    np.testing.assert_allclose(inference.logits(model._network, ROWS), outputs, 1e-4, 1e-4)


def with_categories(**changes):
    """A model that embeds its first five features alone, the others being no numbers."""
    settings = Settings(hidden=(9, 6), embedding="periodic", **changes)
    params = network.init(keys.generator(0, "init", 0), settings, 12, 4, tuple(range(5)))
    scaling = np.zeros(12, np.float32), np.full(12, 0.2, np.float32)
    limit = np.where(np.arange(12) < 5, 1 / 3, 0).astype(np.float32)
    return Model(settings, params, *scaling, np.array(list("abcä")), limit=limit)


@pytest.mark.parametrize("changes", [{}, {"front_scale": True, "members": 2}])
def test_only_numbers_are_embedded_and_a_saved_model_still_knows_which(changes, tmp_path):
    model = with_categories(**changes)
    scaled = np.asarray(batches.bent((ROWS - model.shift) * model.scale, model.limit))
    units = Units(JAX_ACTIVATIONS["relu"], places=tuple(range(5)))
    outputs = losses.pooled(network.apply(model.params, units, scaled), "cross_entropy")
    np.testing.assert_allclose(inference.logits(model._network, ROWS), outputs, 1e-4, 1e-4)
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), model.predict_proba(ROWS))
    parts = [Part(model._network, 0.5), Part(made(model.settings)._network, 0.5)]
    both = Ensemble(parts, model.classes)
    both.save(tmp_path / "both")
    loaded = Model.load(tmp_path / "both")
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), both.predict_proba(ROWS))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_right_and_silent_from_end_to_end(name):
    with np.errstate(over="ignore"):
        points = np.array([0, 1e-6, 0.3, 1, 5, 20, 90, 1e4, 1e15, 1e37], np.float32)
    points = np.concatenate([-points, points])[:, None]
    settings = Settings(hidden=(1,), activation=name, bias=False)
    one = np.ones((1, 1), np.float32)
    net = inference.Network(settings, ({"weight": one}, {"weight": one}), 0 * one[0], one[0])
    expected = network.apply(net.params, name, points)
    np.testing.assert_allclose(inference.logits(net, points), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=5))
def test_probabilities_sum_to_one_for_any_finite_outputs(loss, outputs):
    found = inference.probabilities(loss, np.array([outputs], np.float32))
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert (found >= 0).all()


# ONNX


@pytest.mark.parametrize("changes", TRICKS)
def test_another_program_knows_the_tricks_of_tables(run, tmp_path, changes):
    for model in (made(Settings(**{"hidden": (9, 6), **changes})), with_categories()):
        path = tmp_path / "model.onnx"
        model.export_onnx(path)
        shares, _ = run(path, ROWS.astype(np.float32))
        np.testing.assert_allclose(shares, model.predict_proba(ROWS), atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_another_program_predicts_the_same_from_the_export(run, tmp_path, activation, loss):
    for settings in (
        Settings(hidden=(9, 6), activation=activation, loss=loss),
        Settings(hidden=(), activation=activation, loss=loss, bias=False),
    ):
        model, path = made(settings), tmp_path / "model.onnx"
        model.export_onnx(path)
        shares, label = run(path, ROWS.astype(np.float32))
        np.testing.assert_allclose(shares, model.predict_proba(ROWS), atol=1e-5)
        assert model.classes[label].tolist() == model.predict(ROWS).tolist()


@pytest.mark.parametrize("kind", NORMALIZATIONS)
@pytest.mark.parametrize("scale", [0.001, 1.0])
def test_another_program_normalizes_the_same(run, tmp_path, kind, scale):
    model = made(Settings(hidden=(9, 6), normalization=kind, init_scale=scale))
    model.export_onnx(tmp_path / "model.onnx")
    for rows in (ROWS, ROWS[:1]):
        shares, label = run(tmp_path / "model.onnx", rows.astype(np.float32))
        np.testing.assert_allclose(shares, model.predict_proba(rows), atol=1e-5)
        assert model.classes[label].tolist() == model.predict(rows).tolist()


def test_another_program_bends_back_and_fills_in_the_same(run, tmp_path):
    limit = np.where(np.arange(12) % 3, 1 / 3, 0).astype(np.float32)
    model = replace(made(Settings(hidden=(9, 6))), limit=limit)
    rows = ROWS.astype(np.float32)
    rows[::3, 1::3], rows[1, 2], rows[5, 5] = np.nan, 1e37, -1e30
    model.export_onnx(tmp_path / "model.onnx")
    shares, _ = run(tmp_path / "model.onnx", rows)
    expected = inference.probabilities("cross_entropy", inference.logits(model._network, rows))
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_an_export_can_take_images_as_they_are(run, tmp_path):
    model = made(Settings(hidden=(5,)))
    model.export_onnx(tmp_path / "model.onnx", input_type="uint8")
    for rows in (ROWS, ROWS[:1]):
        shares, _ = run(tmp_path / "model.onnx", rows)
        np.testing.assert_allclose(shares, model.predict_proba(rows), atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_export_is_certain_where_the_network_is(run, tmp_path, loss):
    model = made(Settings(hidden=(5,), loss=loss, init_scale=1000.0, activation="tanh"))
    model.export_onnx(tmp_path / "model.onnx")
    shares, _ = run(tmp_path / "model.onnx", ROWS.astype(np.float32))
    np.testing.assert_allclose(shares, model.predict_proba(ROWS), atol=1e-5)


MIXED = Table(
    (
        columns.of_numbers("size", np.array([1, np.nan, 3, 9] * 3)),
        columns.of_words("color", np.array([0, 1, 0, -1] * 3, np.int32), ["red", "blue"]),
        columns.of_words("town", np.arange(12, dtype=np.int32) % 5, ["a", "b", "c", "d", "NA"]),
        columns.of_words("many", np.array([0, 1, 0, 1, 2, 3] * 2), ["p", "q", "rare", "rarer"]),
        columns.of_numbers("paid", np.array([0, 0, 0, 0.1, 0.1, 7, 7, np.nan, 0, 0, 0, 9])),
        columns.of_numbers("same", np.ones(12)),
        columns.of_numbers("label", np.arange(12) % 2.0, columns.BOOLEAN),
        columns.of_numbers("net/concat_0", np.arange(12.0)),
    ),
    12,
    "the table",
)


def tabular(table, seed=0):
    """A model of a table of columns and of four classes."""
    encoding = Encoding.fit(table)
    scaled = asdict(scaling.robust(encoding.apply(table), np.arange(12), encoding.numeric))
    settings = Settings(hidden=(9, 6))
    params = network.init(keys.generator(seed, "init", 0), settings, encoding.features, 4)
    return Model(settings, params, classes=np.array(list("abcd")), encoding=encoding, **scaled)


def fed(table):
    """What an export is given for the columns of a table."""
    found = {}
    for one in table.columns:
        words = np.array([*one.words, ""], object)[one.values] if one.words else None
        cells = one.values.astype(np.float32) if words is None else words
        found["label (column)" if one.name == "label" else one.name] = cells[:, None]
    return found


@pytest.mark.parametrize("several", [False, True])
def test_another_program_takes_the_raw_columns_of_a_table(onnx, tmp_path, several):
    runtime = pytest.importorskip("onnxruntime", reason=f"running the export {NEEDS}")
    one = tabular(MIXED)
    model = Ensemble.of([one, tabular(MIXED, 1)], [0.7, 0.3]) if several else one
    model.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    given = fed(MIXED)
    given["color"][3:5, 0], given["town"][0, 0], given["many"][1, 0] = ["None", "new"], "z", "new"
    wanted = {value.name for value in session.get_inputs()}
    assert wanted == given.keys() - {"same"}
    shares, label = session.run(None, {name: given[name] for name in wanted})
    frame = {name.removesuffix(" (column)"): cells[:, 0] for name, cells in given.items()}
    pd = pytest.importorskip("pandas")
    expected = model.predict_proba(pd.DataFrame(frame))
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    assert model.classes[label].tolist() == model.classes[expected.argmax(axis=1)].tolist()
    told = {item.key: item.value for item in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(told["columns"])["label (column)"] == ["label", "boolean"]


def test_dates_cannot_be_exported(onnx, tmp_path):
    days = columns.of_numbers("day", np.arange(12.0), columns.DATE)
    with pytest.raises(ModelError, match="must take numbers and text, got dates in column `day`"):
        tabular(Table((days,), 12, "the table")).export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_an_export_says_what_it_takes_and_what_its_labels_mean(onnx, tmp_path):
    names = tuple(f"p{number}" for number in range(12))
    model = made(Settings(), dataset="tiny", image_shape=(3, 4), feature_names=names)
    model.export_onnx(tmp_path / "model.onnx")
    found = onnx.load(tmp_path / "model.onnx")
    told = {item.key: json.loads(item.value) for item in found.metadata_props}
    assert told["classes"] == list("abcä")
    assert told["dataset"] == "tiny"
    assert told["image_shape"] == [3, 4]
    assert told["feature_names"] == list(names)
    assert [value.name for value in found.graph.input] == ["x"]
    assert [value.name for value in found.graph.output] == ["probabilities", "label"]


def test_an_export_that_fails_leaves_what_was_there(onnx, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match="must be .* written, got: No space left.*free disk"):
        made(Settings()).export_onnx(path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_an_unknown_input_type_is_refused(tmp_path):
    with pytest.raises(UsageError, match="must be float32 or uint8, got 'int4'; use float32"):
        made(Settings()).export_onnx(tmp_path / "model.onnx", input_type="int4")


def test_without_onnx_the_export_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match=r"pip install 'fleetgrad\[onnx\]'"):
        made(Settings()).export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_weights_beyond_what_onnx_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "MOST_ONNX_BYTES", 1000)
    with pytest.raises(
        ModelError, match="at most 1,000 bytes of weights, got .*; train a narrower"
    ):
        made(Settings()).export_onnx(tmp_path / "model.onnx")
