"""What the model said of rows it had never seen is kept, once, and is what it says again."""

import numpy as np
import pytest

import fleetgrad as fg
import pages
from fleetgrad import answers
from fleetgrad.data import Encoded, Opened
from fleetgrad.metrics import METRICS
from fleetgrad.store import Run


def kept(place, segment="test"):
    with Run.open(place, write=False) as run:
        return {name: np.array(array) for name, array in run.weights(segment).items()}


def opened(data):
    """The test part again, behind the record's back: for a test alone."""
    return data.test.open("a test", lambda _: 1)


def test_the_answers_on_record_are_those_of_the_model(digits_run):
    found, part = kept(digits_run), opened(pages.images())
    model = fg.Model.load(digits_run)
    shares = model.predict_proba(part.x)
    assert np.array_equal(found["truth"], part.y)
    assert np.array_equal(found["said"], shares.argmax(axis=1))
    assert np.allclose(found["sure"], shares.max(axis=1))
    assert np.allclose(found["right"], shares[np.arange(len(part.y)), part.y])


def test_the_rows_kept_are_the_surest_of_the_wrong_and_the_first_of_each_class(digits_run):
    found, part = kept(digits_run), opened(pages.images())
    wrong = found["wrong"]
    assert (found["said"][wrong] != found["truth"][wrong]).all()
    assert (np.diff(found["sure"][wrong]) <= 0).all()
    others = np.setdiff1d(np.flatnonzero(found["said"] != found["truth"]), wrong)
    assert not others.size or found["sure"][others].max() <= found["sure"][wrong].min()
    assert np.array_equal(found["wrong_x"], part.x[wrong])
    assert np.array_equal(found["first_x"], part.x[found["first"]])
    assert found["first"].tolist() == [
        row for one in range(10) for row in np.flatnonzero(part.y == one)[:2]
    ]


def test_the_test_part_was_opened_once(digits_run):
    with Run.open(digits_run, write=False) as run:
        assert len(run.test_openings()) == 1


def test_shuffling_a_column_that_decides_costs_more_than_one_that_is_noise(table_run):
    found = kept(table_run)["drop"]
    age, job, noise, pay = found.mean(axis=1)
    assert found.shape == (4, answers.SHUFFLES)
    assert min(age, job) > 0.1 > max(abs(noise), abs(pay))


def test_of_numbers_the_rows_furthest_off_are_kept(numbers_run):
    found, part = kept(numbers_run), opened(pages.numbers())
    off = np.abs(found["said"] - found["truth"])
    assert np.allclose(found["said"], fg.Model.load(numbers_run).predict(part.x), rtol=1e-5)
    assert off[found["wrong"]].tolist() == sorted(off)[::-1][: answers.WRONG]


def test_without_a_test_part_it_is_the_searchs_own_network_that_answers(untested_run):
    found = kept(untested_run, answers.HELD_OUT)
    data = pages.images(names=None, test_fraction=0)
    rows = data.split(0, 0).validation
    assert np.array_equal(found["truth"], data.y[rows])
    assert np.array_equal(found["first_x"], data.x[rows][found["first"]])
    refitted = fg.Model.load(untested_run).predict_proba(data.x[rows]).max(axis=1)
    assert not np.allclose(found["sure"], refitted)  # another network
    with Run.open(untested_run, write=False) as run:
        assert run.segment("test") is None
        assert "test" not in run.weighted()


class Halves:
    """Says one of two, block by block."""

    encoding, task = None, "classification"

    def answered(self, rows):
        for block in np.array_split(rows.x, 3):
            shares = np.tile([0.75, 0.25], (len(block), 1))
            yield shares.argmax(axis=1), shares


@pytest.mark.parametrize("whole", [True, False])
def test_blocks_are_put_together_in_order(whole):
    truth = np.array([0, 1, 1, 0, 1], np.int32)
    found = answers.given(Halves(), np.zeros((5, 2)), truth, whole=whole)
    assert found.right.tolist() == [0.75, 0.25, 0.25, 0.75, 0.25]
    assert (found.shares is not None) == whole


def test_wide_rows_are_kept_as_far_as_there_is_room(monkeypatch):
    monkeypatch.setattr(answers, "MOST_NUMBERS", 6)
    truth = np.array([1, 1, 1, 0, 0], np.int32)
    part = Opened(np.arange(10.0).reshape(5, 2), truth, 1)
    said = answers.given(Halves(), part.x, truth, whole=False)
    found = answers.kept(Halves(), part, said, METRICS["accuracy"], 0)
    assert found["wrong"].tolist() == [0, 1, 2]
    assert Encoded(found["wrong_x"]).x.shape == (3, 2)
