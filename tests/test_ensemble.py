"""Several networks as one: what they predict together, their files, and the files of strangers."""

import json
import tempfile
from pathlib import Path
from typing import Self, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fleetgrad
from fleetgrad import keys, network, normalization
from fleetgrad.ensemble import MOST_MEMBERS, Ensemble
from fleetgrad.errors import DataError, ModelError
from fleetgrad.inference import Part
from fleetgrad.model import Model
from fleetgrad.saved import MODEL, WEIGHTS
from fleetgrad.settings import Settings
from strangers import JSON, places, put, sealed, survives

ROWS = np.random.default_rng(0).integers(0, 17, (50, 12), dtype=np.uint8)
KINDS = (
    Settings(hidden=(7, 5)),
    Settings(hidden=(), loss="squared_error", bias=False),
    Settings(hidden=(6,), normalization="batch", activation="gelu"),
)
WEIGHTS_OF_KINDS = (0.5, 0.3, 0.2)


def made(settings=KINDS[0], seed=0, **other):
    """A model of 3 x 4 images and 4 classes, with a scaling of its own."""
    params = network.init(keys.generator(seed, "init", 0), settings, 12, 4)
    statistics = normalization.begin(settings.normalization, settings.hidden)
    parts = {
        "params": network.predicting(params, statistics),
        "shift": np.full(12, seed, np.float32),
        "scale": np.full(12, 1 / (8 + seed), np.float32),
        "classes": np.array(list("abcä")),
        "image_shape": (3, 4),
    }
    return Model(settings, **{**parts, **other})


MODELS = [made(settings, seed) for seed, settings in enumerate(KINDS)]


def together(**other):
    return Ensemble.of(MODELS, WEIGHTS_OF_KINDS, **other)


def same(one, other):
    pairs = zip(one.parts, other.parts, strict=True)
    plain = ("dataset", "image_shape", "feature_names", "information", "views")
    return (
        all(a.weight == b.weight and a.network.settings == b.network.settings for a, b in pairs)
        and one.classes.tolist() == other.classes.tolist()
        and all(getattr(one, name) == getattr(other, name) for name in plain)
        and np.array_equal(one.predict_proba(ROWS), other.predict_proba(ROWS))
    )


# What it predicts


def test_probabilities_are_averaged_by_weight():
    each = [model.predict_proba(ROWS) for model in MODELS]
    expected = sum(weight * one for weight, one in zip(WEIGHTS_OF_KINDS, each, strict=True))
    ensemble = together()
    np.testing.assert_allclose(ensemble.predict_proba(ROWS), expected, atol=1e-12)
    likeliest = [ensemble.classes[place] for place in expected.argmax(axis=1)]
    assert ensemble.predict(ROWS).tolist() == likeliest
    assert ensemble.predict(ROWS.reshape(-1, 3, 4)).tolist() == likeliest


def test_one_model_alone_predicts_as_itself_and_weights_need_no_sum():
    alone = Ensemble.of(MODELS, [0, 7, 0])
    assert len(alone.members) == 1
    np.testing.assert_allclose(alone.predict_proba(ROWS), MODELS[1].predict_proba(ROWS), 1e-12)
    assert same(Ensemble.of(MODELS, [5, 3, 2]), together())


def test_an_ensemble_of_ensembles_is_one():
    nested = Ensemble.of([together(), MODELS[0]], [1, 1])
    assert [part.weight for part in nested.parts] == pytest.approx([0.25, 0.15, 0.1, 0.5])
    expected = (together().predict_proba(ROWS) + MODELS[0].predict_proba(ROWS)) / 2
    np.testing.assert_allclose(nested.predict_proba(ROWS), expected, atol=1e-12)


@pytest.mark.parametrize("wrong", [ROWS[0], ROWS[:, :11], ROWS.reshape(-1, 4, 3)])
def test_rows_of_another_kind_are_refused_as_by_a_model(wrong):
    with pytest.raises(ModelError, match="must have"):
        together().predict(wrong)
    with pytest.raises(DataError):
        together().predict(np.full((2, 12), np.nan))


def test_it_says_what_it_is_and_cannot_be_changed():
    ensemble = together(information={"white": 1.0, "seed": 3})
    assert repr(ensemble) == "Ensemble('arrays': 3 networks)"
    assert ensemble.features == 12
    assert ensemble.information == {"white": 1.0, "seed": 3}
    with pytest.raises(ValueError, match="read-only"):
        ensemble.parts[0].network.params[0]["weight"][0, 0] = 1


@pytest.mark.parametrize("weights", [[1, 1], [0, 0, 0], [1, -1, 1], [1, np.nan, 1], [np.inf, 1, 1]])
def test_weights_must_be_weights(weights):
    with pytest.raises(ModelError, match="one weight a model"):
        Ensemble.of(MODELS, weights)


def test_models_of_other_data_do_not_join():
    for other in (
        made(classes=np.array(list("abcd"))),
        made(image_shape=None),
        made(feature_names=tuple("abcdefghijkl")),
    ):
        with pytest.raises(ModelError, match="must be of models of the same data"):
            Ensemble.of([MODELS[0], other], [1, 1])


@pytest.mark.parametrize("weights", [(), (0.5,), (1.5, -0.5), (0.5, np.nan), (1.0, 0.0)])
def test_members_have_weights_that_sum_to_one(weights):
    parts = [Part(MODELS[0]._network, weight) for weight in weights]
    with pytest.raises(ModelError, match="weights above 0 that sum to 1"):
        Ensemble(parts, MODELS[0].classes)


def test_members_of_other_features_are_refused():
    wide = network.init(keys.generator(0, "init", 0), KINDS[0], 13, 4)
    other = Model(KINDS[0], wide, np.zeros(13, "f4"), np.ones(13, "f4"), MODELS[0].classes)
    parts = [Part(model._network, 0.5) for model in (MODELS[0], other)]
    with pytest.raises(ModelError, match="must all have 12 features, got one with 13"):
        Ensemble(parts, MODELS[0].classes)


# What is saved


def test_a_saved_ensemble_comes_back_whole_by_either_name(tmp_path):
    ensemble = together(information={"seed": 3})
    ensemble.save(tmp_path / "run" / "model")
    for path in ("run", "run/model", f"run/model/{MODEL}"):
        for kind in (Ensemble, Model):
            found = kind.load(tmp_path / path)
            assert isinstance(found, Ensemble)
            assert same(found, ensemble)
    assert sorted(p.name for p in (tmp_path / "run" / "model").iterdir()) == [MODEL, WEIGHTS]


def test_a_model_and_an_ensemble_take_each_others_place(tmp_path):
    for one in (together(), MODELS[0], together()):
        one.save(tmp_path)
        assert repr(Model.load(tmp_path)) == repr(one)
    MODELS[0].save(tmp_path)
    with pytest.raises(ModelError, match="another format or version"):
        Ensemble.load(tmp_path)


def test_loading_says_which_kinds_may_come():
    assert get_type_hints(Model.load)["return"] == Self | Ensemble
    assert fleetgrad.Ensemble is Ensemble


def test_another_program_predicts_the_same_from_the_export(tmp_path):
    pytest.importorskip("onnx", reason="the export needs it")
    runtime = pytest.importorskip("onnxruntime", reason="running the export needs it")
    ensemble, path = together(), tmp_path / "model.onnx"
    ensemble.export_onnx(path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shares, label = session.run(["probabilities", "label"], {"x": ROWS.astype(np.float32)})
    np.testing.assert_allclose(shares, ensemble.predict_proba(ROWS), atol=1e-5)
    assert ensemble.classes[label].tolist() == ensemble.predict(ROWS).tolist()


# What strangers send


@pytest.fixture(scope="module")
def parts():
    """The bytes of a whole ensemble's two files."""
    with tempfile.TemporaryDirectory() as folder:
        together().save(folder)
        return json.loads(Path(folder, MODEL).read_bytes()), Path(folder, WEIGHTS).read_bytes()


@given(st.data())
def test_a_description_changed_anywhere_is_refused_or_whole(parts, data):
    head, weights = parts
    assert survives(*parts)
    path = data.draw(st.sampled_from(list(places(head))))
    survives(put(head, path, data.draw(JSON)), weights)


@given(st.data())
def test_weights_changed_anywhere_are_refused_or_whole_though_their_checksum_fits(parts, data):
    head, weights = parts[0], bytearray(parts[1])
    for at in data.draw(st.lists(st.integers(0, len(weights) - 1), min_size=1, max_size=4)):
        weights[at] = data.draw(st.integers(0, 255))
    weights = bytes(weights)
    survives(sealed(head, weights), weights)
    if weights != parts[1]:
        assert not survives(head, weights)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"format": "fleetgrad fleet"},
        {"members": []},
        {"members": {}},
        {"members": [{"weight": 1.0}]},
        {"members": [{"weight": 1, "settings": {"hidden": [3]}}]},
        {"members": [{"weight": 1.0, "settings": {"hidden": [7, 5]}}]},
        {"members": [{"weight": 1e-9, "settings": {"hidden": [1] * 998}}] * (MOST_MEMBERS + 1)},
        {"members": [{"weight": 0.01, "settings": {"hidden": [1] * 998}}] * MOST_MEMBERS},
        {"features": 13},
        {"classes": ["a", "b", "c"]},
        {"weights": {"sha256": "../../x", "size": 5}},
    ],
)
def test_a_description_that_does_not_fit_is_refused(parts, change):
    assert not survives({**parts[0], **change}, parts[1])


def test_weights_of_members_that_are_not_described_are_refused(parts):
    head, weights = parts
    fewer = [{**one, "weight": 0.5} for one in head["members"][:2]]
    assert not survives(sealed({**head, "members": fewer}, weights), weights)
