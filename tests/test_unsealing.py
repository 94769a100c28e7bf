"""The whole way by other metrics than accuracy, from numbers or classes to the figures."""

import dataclasses
import json

import numpy as np
import onnxruntime
import pytest

import fleetgrad as fg
from fleetgrad import history, unsealing
from fleetgrad.data import Opened
from fleetgrad.errors import ModelError, SettingsError, UsageError
from fleetgrad.finals import wilson
from fleetgrad.metrics import METRICS
from fleetgrad.store import Run

FEW = fg.Budget(candidates=4, epochs=6)
SPACE = fg.Space(hidden=(12,), batch_size=32, learning_rate=fg.Float(0.003, 0.05, log=True))
DEVIATION, NOISE = 50.0, 5.0


def draw(seed=0, rows=400):
    """Rows of four numbers, and a number that hangs on them, in units of its own."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, 4)).astype(np.float32)
    y = 1000 + DEVIATION * (np.tanh(x[:, 0]) + 0.5 * x[:, 1]) + NOISE * generator.normal(size=rows)
    return x, y


def numbers(**others):
    return fg.Dataset.from_arrays(*draw(), name="numbers", **others)


def pair(**others):
    x, y = draw()
    return fg.Dataset.from_arrays(x, np.where(y > 1040, "yes", "no"), name="pair", **others)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run over numbers."""
    place = tmp_path_factory.mktemp("numbers") / "run"
    return fg.tune(numbers(), SPACE, FEW, out=place)


def test_numbers_are_predicted_in_their_own_units(whole):
    assert (whole.metric, whole.test.metric, whole.validation.metric) == ("rmse",) * 3
    assert NOISE / 2 < whole.test.value < DEVIATION / 2
    assert whole.test.interval[0] < whole.test.value < whole.test.interval[1]
    low, high = whole.validation.interval
    assert 0 < low < whole.validation.mean < high
    x, y = draw(seed=1)
    found = whole.model.predict(x)
    assert (found.dtype, found.shape) == (np.float64, (400,))
    assert np.sqrt(np.mean((found - y) ** 2)) == pytest.approx(whole.test.value, rel=0.5)
    assert whole.above_chance is True
    assert whole.guess == pytest.approx(np.std(numbers().y), rel=1e-4)


def test_the_best_has_the_least_error_and_the_record_says_the_same(whole):
    with Run.open(whole.run, write=False) as run:
        again, curves = history.result(run), history.curves(run)
        assert run.config["metric"] == "rmse"
    assert (again.test, again.validation, again.metric) == (
        whole.test,
        whole.validation,
        whole.metric,
    )
    rows = whole.leaderboard.to_json()
    finalists = [row["mean"] for row in rows if row["status"] == "finalist"]
    assert finalists == sorted(finalists)
    assert all(0 < row["interval"][0] < row["interval"][1] for row in rows if row["interval"])
    assert fg.Leaderboard.from_json(rows, "rmse") == whole.leaderboard == again.leaderboard
    assert (whole.leaderboard.to_frame()["score"] > 0).all()
    assert all(score < 0 for curve in curves.values() for score in curve)
    told = json.loads(json.dumps(whole.to_dict()))
    assert (told["metric"], told["dataset"]["task"]) == ("rmse", "regression")
    assert told["doubling"]["gain"] is None or "RMSE" in told["doubling"]["sentence"]


def together(whole):
    """The winner, and one like it that says something else."""
    center, spread = whole.model.target
    other = dataclasses.replace(whole.model, target=(center + 7, 1.1 * spread))
    return other, fg.Ensemble.of([whole.model, other], [0.75, 0.25])


def test_networks_of_numbers_are_averaged(whole):
    x, (other, ensemble) = draw(seed=1)[0], together(whole)
    mean = 0.75 * whole.model.predict(x) + 0.25 * other.predict(x)
    np.testing.assert_allclose(ensemble.predict(x), mean)


@pytest.mark.parametrize("kind", ["model", "ensemble"])
def test_what_predicts_numbers_is_saved_and_exported(whole, kind, tmp_path):
    model = whole.model if kind == "model" else together(whole)[1]
    x, _ = draw(seed=1)
    model.save(tmp_path / "saved")
    again = fg.Model.load(tmp_path / "saved")
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    model.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    (found,) = session.run(None, {"x": x})
    assert [one.name for one in session.get_outputs()] == ["prediction"]
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-5)
    with pytest.raises(ModelError, match="use `predict`"):
        model.predict_proba(x)


def test_a_model_of_numbers_must_have_a_loss_of_numbers_and_a_sound_target(whole):
    model = whole.model
    crossed = dataclasses.replace(model.settings, loss="cross_entropy")
    with pytest.raises(SettingsError, match="squared_error"):
        dataclasses.replace(model, settings=crossed)
    with pytest.raises(ModelError, match="deviation above 0"):
        dataclasses.replace(model, target=(0.0, 0.0))


def test_a_resumed_run_keeps_its_metric(tmp_path):
    data, stops = pair(), iter([False] * 6)

    def interrupt(progress):
        assert progress.metric == "auc"
        if next(stops, True):
            raise KeyboardInterrupt

    whole = fg.tune(data, SPACE, FEW, out=tmp_path / "whole", metric="auc")
    cut = fg.tune(data, SPACE, FEW, out=tmp_path / "cut", metric="auc", report=interrupt)
    found = fg.resume(tmp_path / "cut", data) if cut.interrupted else cut
    assert found.leaderboard.to_json() == whole.leaderboard.to_json()
    assert (found.metric, found.test) == ("auc", whole.test)
    assert 0.9 < found.test.value <= 1
    model, x = whole.model, draw(seed=1)[0]
    assert model.predict_proba(x).shape == (400, 2)


def test_every_metric_is_that_of_the_predictions(whole):
    """Judged on rows of a test part, whatever the metric."""
    model, (x, y) = whole.model, draw(seed=2, rows=60)
    opened = Opened(x, y.astype(np.float32), 1, np.linspace(0.5, 1.5, 60).astype(np.float32))
    for name in ("rmse", "mae", "r2"):
        done = json.loads(json.dumps(unsealing.judged(model, opened, METRICS[name], seed=0).figure))
        found = unsealing.read(done, METRICS[name])
        exact = METRICS[name].of(model.predict(x), opened.y, opened.weights)
        assert (found.value, found.n, found.metric) == (pytest.approx(exact), 60, name)
        assert found.interval[0] < found.value < found.interval[1]
    assert unsealing.read(None, METRICS["rmse"]) is None


class Sure:
    """Predicts the first class, for sure."""

    encoding = None

    def answered(self, x):
        yield np.zeros(len(x.x), int), np.tile([0.9, 0.1], (len(x.x), 1))


def test_a_share_of_rows_has_wilsons_interval_unless_rows_have_weights():
    x, y = np.zeros((50, 1)), np.arange(50) % 5 // 4
    accuracy = METRICS["accuracy"]
    plain = unsealing.read(unsealing.judged(Sure(), Opened(x, y, 1), accuracy, 0).figure, accuracy)
    assert (plain.value, plain.interval) == (0.8, wilson(40, 50))
    weights = np.where(y == 1, 4.0, 1.0)
    opened = Opened(x, y, 1, weights)
    weighted = unsealing.read(unsealing.judged(Sure(), opened, accuracy, 0).figure, accuracy)
    assert weighted.value == 0.5
    assert weighted.interval[0] < 0.5 < weighted.interval[1]


@pytest.mark.parametrize(
    ("data", "others", "error", "words"),
    [
        (numbers, {"metric": "rsme"}, UsageError, "`rmse`"),
        (numbers, {"metric": "auc"}, UsageError, "mae, r2, rmse"),
        (pair, {"metric": "mae"}, UsageError, "accuracy, auc"),
        (numbers, {"distill": True}, UsageError, "leave out `distill`"),
        (numbers, {"space": fg.Space(loss=fg.Choice("notebook", "huber"))}, SettingsError, "huber"),
        (pair, {"space": fg.Space(loss=fg.Choice("huber", "cross_entropy"))}, SettingsError, "use"),
    ],
)  # fmt: skip
def test_what_does_not_suit_the_task_is_refused(data, others, error, words, tmp_path):
    with pytest.raises(error) as caught:
        fg.tune(data(), budget=FEW, out=tmp_path / "run", **others)
    assert words in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_fixed_list_is_scored_by_the_metric_asked_for():
    settings = [fg.Settings(hidden=(4,), batch_size=32, loss="huber", learning_rate=0.01)]
    found = fg.train(numbers(weights=np.arange(400) % 3 + 1), settings, epochs=3, metric="mae")
    assert (found.validation_score < 0).all()
    assert (np.diff(found.train_score[0, 0]) > 0).all()
    assert found.train_score is found.train_accuracy
    with pytest.raises(SettingsError, match="squared_error"):
        fg.train(numbers(), [fg.Settings()])


def test_the_default_space_of_numbers_smooths_no_labels():
    space = fg.default_space(numbers())
    assert space.fixed["loss"] == "squared_error"
    assert "label_smoothing" not in space.to_dict()
    assert (
        {"learning_rate", "dropout"}
        <= set(space.ranges)
        == set(fg.default_space(pair()).ranges) - {"label_smoothing"}
    )
