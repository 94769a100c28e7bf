"""Images seen from beside: moved exactly, averaged, saved, exported, chosen by what it brings."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import views
from fleetgrad.ensemble import Ensemble
from fleetgrad.errors import ModelError
from fleetgrad.model import Model
from fleetgrad.settings import Settings
from fleetgrad.space import Float, Space
from fleetgrad.views import KINDS, PLAIN, View, seen
from simulated import search
from test_ensemble import MODELS, ROWS, made, same, together
from test_ensembling import TOGETHER, Various
from test_rounds import thaw
from test_study import somewhere

NEEDS = "needs `pip install 'fleetgrad[onnx]' onnxruntime`"
HALVES = KINDS["halves"]
SHIFTED = Space(learning_rate=Float(1e-4, 0.9, log=True), augment={"shift": 1})


@given(st.integers(-1, 1), st.integers(-1, 1), st.sampled_from([(5, 4), (3, 6, 2)]))
def test_a_view_of_whole_pixels_moves_them_and_lets_black_in(down, right, shape):
    images = np.random.default_rng(0).integers(1, 256, (3, *shape)).astype(np.uint8)
    moved = seen(images.reshape(3, -1), shape, View(down, right)).reshape(3, *shape)
    expected = np.roll(images.astype(np.float32), (down, right), (1, 2))
    if down:
        expected[:, 0 if down > 0 else -1] = 0
    if right:
        expected[:, :, 0 if right > 0 else -1] = 0
    np.testing.assert_array_equal(moved, expected)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_view_between_pixels_mixes_their_neighbors(down, right):
    kernel = View(down, right).kernel
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert (kernel >= 0).all()
    offsets = np.arange(-1, 2)
    assert kernel.sum(axis=1) @ offsets == pytest.approx(-down, abs=1e-6)
    assert kernel.sum(axis=0) @ offsets == pytest.approx(-right, abs=1e-6)


def test_the_center_is_the_image_itself():
    assert seen(ROWS, (3, 4), views.CENTER) is ROWS


def test_an_ensemble_averages_over_its_views():
    each = [together().predict_proba(seen(ROWS, (3, 4), view)) for view in HALVES]
    ensemble = together(views=HALVES)
    np.testing.assert_allclose(ensemble.predict_proba(ROWS), np.mean(each, axis=0), atol=1e-12)
    assert not np.allclose(ensemble.predict_proba(ROWS), together().predict_proba(ROWS))


def test_views_are_saved_and_an_ensemble_without_them_is_written_as_ever(tmp_path):
    together(views=HALVES).save(tmp_path / "seeing")
    found = Model.load(tmp_path / "seeing")
    assert found.views == HALVES
    assert same(found, together(views=HALVES))
    together().save(tmp_path / "plain")
    head = json.loads((tmp_path / "plain" / "model.json").read_bytes())
    assert head["version"] == 1
    assert "views" not in head
    assert Model.load(tmp_path / "plain").views == PLAIN


@pytest.mark.parametrize(
    "odd", [[], [[0.0, 2.0]], [[0.0]], "halves", [[0.0, None]], [[0.0, 0.5]] * 101, None]
)
def test_views_of_strangers_are_refused(tmp_path, odd):
    together(views=HALVES).save(tmp_path)
    path = tmp_path / "model.json"
    head = json.loads(path.read_bytes())
    path.write_text(json.dumps(head | {"views": odd}))
    with pytest.raises(ModelError):
        Model.load(tmp_path)


def test_rows_that_are_no_images_have_no_views():
    plain = [made(settings=Settings(hidden=(7,)), image_shape=None)] * 2
    with pytest.raises(ModelError, match="for rows that are none"):
        Ensemble.of(plain, [1, 1], views=HALVES)


def test_ensembles_join_if_they_see_alike():
    one = together(views=HALVES)
    assert Ensemble.of([one, one], [1, 1]).views == HALVES
    with pytest.raises(ModelError, match="same places"):
        Ensemble.of([one, MODELS[0]], [1, 1])
    assert Ensemble.of([one, MODELS[0]], [1, 1], views=PLAIN).views == PLAIN


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_an_export_sees_from_the_same_places(tmp_path, shape, kind):
    pytest.importorskip("onnx", reason=f"the export {NEEDS}")
    runtime = pytest.importorskip("onnxruntime", reason=f"running the export {NEEDS}")
    models = [made(seed=seed, image_shape=shape) for seed in (1, 2)]
    ensemble, path = Ensemble.of(models, [1, 2], views=KINDS[kind]), tmp_path / "model.onnx"
    ensemble.export_onnx(path)
    shares, label = runtime.InferenceSession(path).run(None, {"x": ROWS.astype(np.float32)})
    np.testing.assert_allclose(shares, ensemble.predict_proba(ROWS), atol=1e-5)
    assert ensemble.classes[label].tolist() == ensemble.predict(ROWS).tolist()


# Who chooses


class Shown(Various):
    """Networks that see well from some places only, and err about other rows from each."""

    def probabilities(self, settings, params, view=views.CENTER):
        self.asked.add(view)
        if view == views.CENTER:
            return super().probabilities(settings, params)
        if view not in self.seen_well:
            return np.full((200, 2), 0.5)
        number = self.seen_well.index(view)
        draw = np.random.default_rng([number, int(settings.learning_rate * 1e9)])
        shares = np.where(draw.random(200) < 0.97, 0.9, 0.2)
        return np.stack([1 - shares, shares], axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_views_are_those_that_see_the_validation_rows_best(kind):
    world = Shown()
    world.asked, world.seen_well = set(), KINDS[kind]
    with somewhere() as place:
        outcome = search(place, world, TOGETHER, thaw(space=SHIFTED))
    assert {one.views for one in outcome.partners} == {kind}


def test_networks_that_never_saw_a_shift_see_images_as_they_are():
    world = Shown()
    world.asked, world.seen_well = set(), HALVES
    with somewhere() as place:
        outcome = search(place, world, TOGETHER, thaw())
    assert outcome.partners
    assert {one.views for one in outcome.partners} == {"plain"}
    assert world.asked == {views.CENTER}
