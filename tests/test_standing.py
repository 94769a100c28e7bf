import math

import numpy as np
import pytest

from fleetgrad import standing
from fleetgrad.metrics import METRICS
from fleetgrad.store import CurvePoint, Run
from fleetgrad.trainees import Member
from simulated import BEST_RATE, World, rates


@pytest.fixture
def population():
    """A good one, a middling one, and one that diverges; two epochs on."""
    members = {Member(n, 0): one for n, one in enumerate(rates(BEST_RATE, 0.1, 2.0))}
    population = World(noise=0).populate(members)
    population.advance(2, lambda: True)
    return population


def fresh(world=None):
    return (world or World()).populate({Member(0, 0): rates(BEST_RATE)[0]})


class Given:
    """A population of one whose curve is given."""

    def __init__(self, *rows, diverged_at=None):
        self.rows, self.step = rows, diverged_at

    def curve(self, member):
        return np.array(self.rows, np.float32).reshape(-1, 4)

    def diverged_at(self, member):
        return self.step


ONE, ACCURACY = Member(4, 1), METRICS["accuracy"]


def test_accuracy_is_the_last_on_the_validation_rows(population):
    assert standing.measured(population, Member(0, 0)) == pytest.approx(0.95 * 0.75)
    assert standing.measured(population, Member(1, 0)) == pytest.approx(0.75 * 0.75)


def test_one_that_diverged_has_no_accuracy_whatever_its_curve_says():
    assert math.isnan(standing.measured(Given((1, 1, 1, 0.9), diverged_at=3), ONE))
    assert math.isnan(standing.score(Given((1, 1, 1, 0.9), diverged_at=3), ONE, ACCURACY))


def test_one_that_finished_no_epoch_has_no_accuracy():
    assert math.isnan(standing.measured(fresh(), Member(0, 0)))


def test_among_equal_counts_of_right_rows_the_lower_loss_leads():
    better, worse = Given((0, 0, 0.3, 0.9)), Given((0, 0, 0.4, 0.9))
    assert standing.score(better, ONE, ACCURACY) > standing.score(worse, ONE, ACCURACY)


@pytest.mark.parametrize("loss", [1e9, math.inf, math.nan])
def test_no_loss_outweighs_a_single_right_row_of_thousands(loss):
    one_more = Given((0, 0, loss, 0.9 + 1 / 5000))
    assert standing.score(one_more, ONE, ACCURACY) > standing.score(
        Given((0, 0, 0.0, 0.9)), ONE, ACCURACY
    )


def test_a_standing_is_plain_and_holds_what_a_rung_decides_by(population):
    assert standing.standing(population, Member(0, 0)) == {
        "candidate": 0,
        "epochs": 2,
        "score": pytest.approx(0.95 * 0.75),
        "best_epoch": 2,
        "diverged_step": None,
    }
    assert standing.standing(population, Member(2, 0)) == {
        "candidate": 2,
        "epochs": 0,
        "score": None,
        "best_epoch": None,
        "diverged_step": 7,
    }


def test_the_best_epoch_is_the_first_of_the_best():
    rows = [(0, 0, 0, accuracy) for accuracy in (0.2, 0.8, 0.8, 0.5)]
    assert standing.standing(Given(*rows), ONE)["best_epoch"] == 2


def test_no_number_is_written_as_none_and_read_back_as_nan():
    assert math.isnan(standing.number(None))
    assert standing.number(0.5) == 0.5


def test_points_are_epochs_counted_from_one_from_where_the_record_ends():
    rows = [(epoch, 0.5, 2.0, 0.25) for epoch in range(4)]
    found = standing.points("search", Given(*rows), ONE, first=2)
    assert found == [
        CurvePoint("search", 4, 1, 3, 2.0, 0.5, 2.0, 0.25),
        CurvePoint("search", 4, 1, 4, 3.0, 0.5, 2.0, 0.25),
    ]


def test_what_was_trained_is_the_sum_over_the_record(tmp_path):
    with Run.create(tmp_path / "run", {}) as run:
        assert standing.trained(run) == 0
        run.commit("plan", payload={"elapsed": 1.0})
        run.commit("search/0_0", payload={"network_epochs": 2.5})
        run.commit("refit", payload={"network_epochs": 1.0})
        assert standing.trained(run) == 3.5


def test_errors_in_units_of_their_own_are_never_mixed_with_losses():
    tiny = Given((0, 0, 5.0, -2e-7))
    assert standing.score(tiny, ONE, METRICS["rmse"]) == pytest.approx(-2e-7)
