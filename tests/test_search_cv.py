"""A search over folds: the folds are one fleet, the results are scikit-learn's."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - imports the next one
from sklearn.model_selection import GroupKFold, HalvingRandomSearchCV, KFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from fleetgrad import Float, Settings, Space, train
from fleetgrad.data import Dataset, Split
from fleetgrad.estimators import FleetClassifier, FleetRegressor, FleetSearchCV
from fleetgrad.fleet import Fleet
from fleetgrad.folds import cross_validate
from fleetgrad.rungs import Rungs
from fleetgrad.trainees import Member

IRIS, KINDS = load_iris(return_X_y=True)
PATIENTS, PROGRESS = load_diabetes(return_X_y=True)
FIXED = {"hidden": (16,), "optimizer": "adamw", "batch_size": 8}
SPACE = Space(learning_rate=Float(1e-3, 1e-1, log=True), **FIXED)


def search(space=SPACE, **others):
    given = {"n_candidates": 9, "epochs": 9, "cv": 3, "random_state": 0, **others}
    return FleetSearchCV(space, **given)


@pytest.fixture(scope="module")
def fitted():
    return search().fit(IRIS, KINDS)


def test_the_best_is_refitted_and_predicts(fitted):
    assert fitted.best_score_ > 0.9
    assert isinstance(fitted.best_estimator_, FleetClassifier)
    assert fitted.score(IRIS, KINDS) > 0.9
    assert fitted.predict_proba(IRIS).shape == (150, 3)
    assert fitted.best_params_ == {"learning_rate": fitted.best_settings_.learning_rate}
    np.testing.assert_array_equal(fitted.predict(IRIS), fitted.best_estimator_.predict(IRIS))


def test_results_have_the_names_of_a_halving_search(fitted):
    theirs = HalvingRandomSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, n_candidates=3, cv=3
    ).fit(IRIS, KINDS)
    names = {name.replace("max_depth", "learning_rate") for name in theirs.cv_results_}
    missing = {name for name in names - set(fitted.cv_results_) if "train_score" not in name}
    assert missing == {"mean_score_time", "std_score_time"}  # every epoch is scored as it ends
    assert {len(column) for column in fitted.cv_results_.values()} == {9}
    assert fitted.n_resources_ == [1, 3, 9]
    assert fitted.n_splits_ == 3


def test_the_worst_end_early_and_whoever_went_further_ranks_higher(fitted):
    found = fitted.cv_results_
    assert sorted(found["n_resources"].tolist()) == [1] * 6 + [3] * 2 + [9]
    means, ranks = found["mean_test_score"], found["rank_test_score"]
    for rung in range(3):
        reached = np.flatnonzero(found["iter"] >= rung)
        ended = np.flatnonzero(found["iter"] == rung)
        assert set(ranks[ended]) == set(range(len(reached) - len(ended) + 1, len(reached) + 1))
    assert ranks[fitted.best_index_] == 1
    assert means[fitted.best_index_] == fitted.best_score_
    folds = np.stack([found[f"split{fold}_test_score"] for fold in range(3)])
    np.testing.assert_allclose(means, folds.mean(axis=0))
    np.testing.assert_allclose(found["std_test_score"], folds.std(axis=0))


def test_a_fold_trains_as_it_would_alone():
    """Packing changes nothing: fold 1 of the search is the same network trained by itself."""
    data = Dataset.from_arrays(IRIS, KINDS, test_fraction=0)
    folds = [Split(*pair) for pair in KFold(4, shuffle=True, random_state=0).split(IRIS)]
    folds = [Split(*(part.astype(np.int32) for part in (f.train, f.validation))) for f in folds]
    assert len({len(fold.train) for fold in folds}) == 2  # so there are two populations
    settings = [Settings(**FIXED, learning_rate=rate, epochs=4) for rate in (0.01, 0.03)]
    found = cross_validate(data, settings, folds, Rungs((2, 4), (2, 1)), seed=3)
    ordered = sorted(range(4), key=lambda fold: -len(folds[fold].train))
    alike = [fold for fold in ordered if len(folds[fold].train) == len(folds[1].train)]
    place = sorted(alike).index(1)
    fleet = Fleet(data, 3, splits=[folds[fold] for fold in sorted(alike)])
    population = fleet.populate({Member(0, place): settings[0]})
    population.advance(int(found.epochs[0]))
    assert population.curve(Member(0, place))[-1, 3] == pytest.approx(found.scores[0, 1], abs=1e-6)


def test_a_list_is_tried_whole():
    listed = [{"hidden": (8,)}, Settings(hidden=(16, 8), batch_size=32), {"learning_rate": 0.03}]
    model = search(listed, factor=None).fit(IRIS, KINDS)
    found = model.cv_results_
    assert found["param_hidden"].tolist() == [(8,), (16, 8), (128,)]
    assert found["param_learning_rate"].tolist() == [1e-3, 1e-3, 0.03]
    assert set(found["n_resources"]) == {9}
    assert found["param_batch_size"].tolist()[1] == 32
    assert model.best_params_["learning_rate"] == 0.03


def test_numbers_are_searched_by_their_error():
    given = {"cv": KFold(2), "n_candidates": 4, "epochs": 6, "task": "regression"}
    model = search(**given).fit(PATIENTS, PROGRESS)
    assert isinstance(model.best_estimator_, FleetRegressor)
    assert -180 < model.best_score_ < -40
    assert not hasattr(model, "predict_proba")
    by_r2 = search(**given, scoring="r2").fit(PATIENTS, PROGRESS / 7)
    assert by_r2.best_score_ < 1
    with pytest.raises(ValueError, match="`task`"):
        search(task="regresion").fit(PATIENTS, PROGRESS)


def test_groups_stay_together():
    groups = np.arange(150) // 5
    model = search(cv=GroupKFold(3), n_candidates=2, epochs=2, refit=False)
    model.fit(IRIS, KINDS, groups=groups)
    assert model.n_splits_ == 3
    with pytest.raises(AttributeError, match="refit"):
        model.predict(IRIS)


def test_it_is_an_estimator_itself():
    scores = cross_val_score(clone(search(n_candidates=3, epochs=6)), IRIS, KINDS, cv=2)
    assert scores.shape == (2,)
    with pytest.raises(NotFittedError):
        search().predict(IRIS)


def test_a_diverged_network_never_wins():
    listed = [{"learning_rate": 1e30, "optimizer": "sgd"}, {"learning_rate": 0.01}]
    model = search(listed, factor=None).fit(IRIS, KINDS)
    assert model.best_index_ == 1
    assert np.isnan(model.cv_results_["mean_test_score"][0])
    assert model.cv_results_["rank_test_score"].tolist() == [2, 1]
    with pytest.raises(ValueError, match="every"):
        search(listed[:1]).fit(IRIS, KINDS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scoring": "acuracy"}, "did you mean `accuracy`"),
        ({"scoring": "rmse"}, "judges a regression"),
        ({"space": []}, "list of settings"),
        ({"space": {"hidden": [8]}}, "list of settings"),
        ({"space": [{"hiden": 8}]}, "did you mean `hidden`"),
        ({"sampler": "sobel"}, "did you mean `sobol`"),
        ({"factor": 1}, "eta"),
        ({"cv": 200}, "n_splits=200"),
    ],
)
def test_parameters_that_mean_nothing_are_named(given, words):
    with pytest.raises(ValueError, match=words):
        search(**given).fit(IRIS, KINDS)


def test_folds_and_replicates_are_the_same_kind_of_thing():
    """A fold's network trains like any replicate: the same seed, splits given or drawn."""
    data = Dataset.from_arrays(IRIS, KINDS, test_fraction=0)
    settings = [Settings(**FIXED, learning_rate=0.02, epochs=3)]
    curves = train(data, settings, replicates=2, seed=5)
    drawn = [data.split(replicate, 5) for replicate in range(2)]
    found = cross_validate(data, settings, drawn, Rungs((3,), (1,)), seed=5)
    np.testing.assert_allclose(found.scores[0], curves.validation_score[0, :, -1], atol=1e-6)
