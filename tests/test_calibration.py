"""How sure a winner may be: found on rows held out, taken over by the refit, told in the end."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import calibration, temperatures
from fleetgrad.calibration import Calibration, expected_error
from fleetgrad.settings import Settings
from fleetgrad.space import Float, Space
from fleetgrad.store import Run
from fleetgrad.temperatures import cooled
from simulated import World, counted, memory_after, search
from test_study import somewhere

SPACE = Space(learning_rate=Float(1e-3, 0.1, log=True))
PLAN = counted(6, 4)


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


def said(seed=0, rows=2000, sharpness=1.0):
    """Probabilities that come true as often as they say, then made surer or less sure."""
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet(np.ones(3), rows)
    labels = np.array([draw.choice(3, p=row) for row in shares])
    return temperatures.tempered(shares, 1 / sharpness), labels


def test_probabilities_that_come_true_are_hardly_off_and_others_are():
    assert expected_error(*said()) < 0.03
    assert expected_error(*said(sharpness=3)) > 0.1
    assert expected_error(*said(sharpness=0.3)) > 0.1


class Told:
    """A trainer of which only the validation rows are asked."""

    def __init__(self, *told):
        self.told = told

    def probabilities(self, settings, params):
        return self.told[0]

    def labels(self):
        return self.told[1]

    def row_weights(self):
        return (*self.told, None)[2]


@given(st.integers(0, 100), st.sampled_from([0.4, 2.5]))
def test_what_was_made_surer_is_made_less_sure_again(seed, sharpness):
    found = calibration._measured(Settings(), None, Told(*said(seed, 1000, sharpness)))
    assert found["temperature"] == pytest.approx(sharpness, rel=0.3)
    assert found["after"] < found["before"]
    assert found["rows"] == 1000


def test_a_bin_counts_by_its_rows():
    shares = np.array([[0.9, 0.1]] * 4 + [[0.55, 0.45]] * 2)
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert expected_error(shares, labels) == pytest.approx((4 * 0.15 + 2 * 0.55) / 6)


def test_rows_count_as_much_as_they_weigh():
    (shares, labels), counts = said(rows=300), np.arange(300) % 4
    again = np.repeat(shares, counts, axis=0), np.repeat(labels, counts)
    assert expected_error(shares, labels, counts / 3) == pytest.approx(expected_error(*again))
    first, other = (
        calibration._measured(Settings(), None, Told(*told))
        for told in ((shares, labels, counts), again)
    )
    assert first["temperature"] == pytest.approx(other["temperature"], rel=1e-3)
    assert first["after"] == pytest.approx(other["after"], rel=1e-2)


def test_the_winner_alone_is_as_sure_as_the_rows_held_out_allow(place):
    world = World()
    outcome = search(place, world, PLAN, space=SPACE)
    found, winner = outcome.calibration, outcome.winner
    shares = world.probabilities(winner.settings, None)
    assert found.temperature == temperatures.best(shares, world.labels())
    assert found.before == expected_error(shares, world.labels())
    raw = np.full((winner.settings.hidden[-1], 10), memory_after(PLAN.epochs))
    as_sure = cooled(({"weight": raw.astype(np.float32)},), found.temperature)
    np.testing.assert_array_equal(winner.params[-1]["weight"], as_sure[0]["weight"])
    with Run.open(place, write=False) as run:
        assert calibration.on_record(run) == found
    again = search(place, World(), PLAN, space=SPACE)
    assert again.calibration == found
    np.testing.assert_array_equal(again.winner.params[-1]["weight"], as_sure[0]["weight"])


def test_other_losses_have_no_temperature(place):
    space = Space(learning_rate=Float(1e-3, 0.1, log=True), loss="squared_error")
    outcome = search(place, World(), PLAN, space=space)
    assert outcome.calibration is None
    np.testing.assert_array_equal(outcome.winner.params[-1]["weight"], memory_after(PLAN.epochs))


def test_it_is_plain_in_json():
    told = json.loads(json.dumps(Calibration(0.8, 0.05, 0.01, 200).to_dict()))
    assert told["expected_calibration_error"] == {"before": 0.05, "after": 0.01}
