"""The estimators are what scikit-learn's tools take them for, and as good as what they wrap."""

import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fleetgrad import Budget, Choice, Float, Space, machine, soundness
from fleetgrad.errors import ModelError
from fleetgrad.estimators import FleetClassifier, FleetRegressor, FleetSearchCV, packed
from fleetgrad.estimators.joined import joined

soundness.here()  # found sound as for everybody

IRIS, KINDS = load_iris(return_X_y=True)
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)
SHORT = Budget(candidates=4, epochs=20)
ONE_SHAPE = Space(
    hidden=(32,),
    optimizer="adamw",
    schedule="one_cycle",
    batch_size=8,
    learning_rate=Float(1e-2, 1e-1, log=True),
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Programs need not be fast: a hundred checks train a moment each, all on other data."""
    monkeypatch.setitem(machine.CPU_OPTIONS, "xla_backend_optimization_level", 0)


def classifier(**others):
    return FleetClassifier(SHORT, space=ONE_SHAPE, random_state=0, **others)


def regressor(**others):
    return FleetRegressor(SHORT, space=ONE_SHAPE, random_state=0, **others)


CHECKED = Space(
    hidden=(32,),
    optimizer="adamw",
    schedule="one_cycle",
    batch_size=2,  # some checks come with four rows
    learning_rate=Float(5e-3, 2e-2, log=True),
)
FEW = Budget(candidates=2, epochs=10)


@parametrize_with_checks(
    [
        FleetClassifier(FEW, space=CHECKED, random_state=0),
        FleetRegressor(FEW, space=CHECKED, random_state=0),
    ]
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(IRIS, KINDS)


def test_it_predicts_and_tells_what_it_found(fitted):
    assert fitted.score(IRIS, KINDS) > 0.93
    assert fitted.settings_.hidden == (32,)
    assert len(fitted.leaderboard_) == 4
    assert fitted.validation_.metric == "accuracy"
    shares = fitted.predict_proba(IRIS)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.classes_[shares.argmax(axis=1)], fitted.predict(IRIS))


def test_the_defaults_do_for_small_data():
    model = FleetClassifier(random_state=0).fit(IRIS, KINDS)
    assert model.score(IRIS, KINDS) > 0.93
    assert len(model.leaderboard_) == 12


def test_numbers_are_predicted_in_their_own_units():
    model = regressor().fit(PATIENTS, PROGRESS)
    assert model.score(PATIENTS, PROGRESS) > 0.3
    assert model.validation_.metric == "rmse"
    assert 40 < model.validation_.mean < 75


CITIES = np.array(["Oslo", "Rome", "Cairo"])


def mixed(rows=120, seed=0):
    """Rows of which the town tells the class, and a number and a flag that do not."""
    rng = np.random.default_rng(seed)
    towns, size = rng.integers(0, 3, rows), rng.normal(size=rows)
    size[::7] = np.nan
    held = {"town": CITIES[towns], "size": size, "open": rng.random(rows) < 0.5}
    return held, np.where(towns == 1, "warm", "other")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_mixed_columns_are_learned_from_as_they_are(library):
    frame = pytest.importorskip(library, reason="needs `pip install 'fleetgrad[frames]'`").DataFrame
    held, labels = mixed()
    model = classifier().fit(frame(held), labels)
    assert model.feature_names_in_.tolist() == ["town", "size", "open"]
    fresh, truth = mixed(60, seed=1)
    assert model.score(frame(fresh), truth) > 0.9
    fresh["town"][0] = "Lima"  # seen for the first time
    assert set(model.predict(frame(fresh))) <= {"warm", "other"}
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(frame(fresh)), model.predict(frame(fresh)))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame({"town": held["town"], "size": held["size"]}))
    searched = FleetSearchCV([{"hidden": (8,)}, {"hidden": (16,)}], epochs=5, cv=2, random_state=0)
    assert searched.fit(frame(held), labels).score(frame(held), labels) > 0.5


def test_numbers_may_be_missing():
    holes = IRIS.copy()
    holes[::9, 1] = np.nan
    model = classifier().fit(holes, KINDS)
    assert model.score(holes, KINDS) > 0.9
    assert np.isfinite(model.predict_proba(np.full((1, 4), np.nan))).all()


def test_progress_is_shown_if_asked_for(capsys):
    classifier(verbose=True).fit(IRIS, KINDS)
    assert "search" in capsys.readouterr().err
    classifier().fit(IRIS, KINDS)
    assert capsys.readouterr().err == ""


def test_labels_may_be_text():
    names = np.array(["setosa", "versicolor", "virginica"])[KINDS]
    model = classifier().fit(IRIS, names)
    assert set(model.predict(IRIS)) == set(names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]


def test_a_pickle_predicts_the_same_and_holds_no_code_of_its_own(fitted):
    held = pickle.dumps(fitted)
    again = pickle.loads(held)
    np.testing.assert_array_equal(again.predict_proba(IRIS), fitted.predict_proba(IRIS))
    assert again.settings_ == fitted.settings_
    files = packed.pack(fitted.model_)
    files["weights.safetensors"] = files["weights.safetensors"][:-1] + b"\x01"
    with pytest.raises(ModelError):
        packed.unpack(files)
    with pytest.raises(ModelError, match="packed model"):
        packed.unpack({"model.json": b""})


def test_it_goes_through_pipelines_folds_and_grids():
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier()), IRIS, KINDS, cv=2)
    assert scores.min() > 0.85
    grid = GridSearchCV(classifier(), {"ensemble": [False, True]}, cv=2, error_score="raise")
    assert grid.fit(IRIS, KINDS).best_score_ > 0.85
    assert clone(classifier(ensemble=True)).ensemble


def test_folds_may_be_fitted_in_processes_of_their_own():
    scores = cross_val_score(classifier(), IRIS, KINDS, cv=2, n_jobs=2)
    assert scores.min() > 0.85


def test_a_rows_answer_is_the_same_in_any_company(fitted):
    whole = fitted.predict_proba(IRIS)
    for some in (slice(7, 8), slice(0, 33), slice(100, 150)):
        np.testing.assert_array_equal(fitted.predict_proba(IRIS[some]), whole[some])


def test_weights_move_what_is_predicted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = (x[:, 0] + rng.normal(size=200) > 1.2).astype(int)
    plain = classifier().fit(x, y)
    balanced = classifier(class_weight="balanced").fit(x, y)
    favored = classifier().fit(x, y, np.where(y == 1, 50.0, 1.0))
    assert plain.predict(x).mean() < balanced.predict(x).mean() < favored.predict(x).mean()


def test_the_metric_is_what_the_search_goes_by():
    """Also one that is not followed on training rows, and leaves no trace of that in JSON."""
    model = classifier(metric="auc").fit(IRIS, KINDS)
    assert model.validation_.metric == "auc"
    told = json.dumps(model.leaderboard_.to_json(), allow_nan=False)
    assert "null" not in told.partition('"settings"')[0].replace('"diverged_step": null', "")
    with pytest.raises(ValueError, match="did you mean `rmse`"):
        regressor(metric="rmsee").fit(PATIENTS, PROGRESS)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (IRIS, np.zeros(150, int), "two classes"),
        (np.where(IRIS > 7, np.inf, IRIS), KINDS, "infinity"),
        (IRIS, np.where(KINDS == 2, np.nan, KINDS), "NaN"),
        (IRIS[:1], KINDS[:1], "1 sample"),
        (IRIS, PROGRESS[:150] / 7, "continuous"),
        (IRIS, KINDS[:149], "inconsistent"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(x, y, words):
    with pytest.raises(ValueError, match=words):
        classifier().fit(x, y)


def test_text_is_no_target_of_a_regression():
    with pytest.raises(ValueError, match="could not convert"):
        regressor().fit(PATIENTS, np.array(["much", "little"] * 221))


def test_predictions_need_a_fit_and_the_same_columns(fitted):
    with pytest.raises(NotFittedError):
        classifier().predict(IRIS)
    with pytest.raises(ValueError, match="4 features"):
        fitted.predict(IRIS[:, :3])


def test_parameters_that_mean_nothing_are_named():
    with pytest.raises(ValueError, match="strategy"):
        FleetClassifier(strategy="best").fit(IRIS, KINDS)
    with pytest.raises(ValueError, match="budget"):
        FleetClassifier("soon").fit(IRIS, KINDS)


def test_equal_rows_are_joined_with_their_weights():
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -0.0], [1.0, 0.0], [np.nan, 0], [np.nan, 0]])
    y = np.array([0, 1, 0, 1, 1, 1])
    rows, weights = joined(x, y, np.array([1.0, 2.0, 3.0, 0.0, 1.0, 1.0]))
    assert dict(zip(rows.tolist(), weights.tolist(), strict=True)) == {0: 4.0, 1: 2.0, 4: 2.0}
    order = np.array([2, 0, 3, 1, 5, 4])
    first, again = joined(x, y), joined(x[order], y[order])
    np.testing.assert_array_equal(x[order][again.rows], x[first.rows])
    np.testing.assert_array_equal(again.weights, first.weights)
    assert first.weights.sum() == 6
    assert joined(x[:2], y[:2], np.array([5.0, 5.0])).weights is None


def test_a_choice_of_shapes_is_searched():
    space = Space(hidden=Choice((8,), (16, 8)), learning_rate=0.02, optimizer="adamw", batch_size=8)
    model = FleetClassifier(Budget(candidates=2, epochs=10), space=space, random_state=1)
    assert model.fit(IRIS, KINDS).settings_.hidden in {(8,), (16, 8)}
