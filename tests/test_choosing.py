"""Choosing who is trained next: most by what is likely, some by what is possible."""

import numpy as np
import pytest

from fleetgrad.space import Float, Int, Space
from fleetgrad.strategies.choosing import DARING, HOPE, Choosing, ideas, log_improvement
from fleetgrad.strategies.cube import Cube
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.outlook import Outlook, Record

CUBE = Cube.of(
    Space(
        learning_rate=Float(1e-4, 1.0, log=True),
        momentum=Float(0.0, 0.99),
        dropout=Float(0.0, 0.9),
        weight_decay=Float(1e-5, 0.1),
        batch_size=Int(16, 512, log=True),
    )
)
OPTIONS = Options(epochs=10, budget=1000, pool=100, crowd=8)


def known(extra=0):
    """Forty candidates, best in the middle of the cube; two came to the end, the first further."""
    points = CUBE.spread(0, 40, 0)
    ends = 1 - np.linalg.norm(points - 0.5, axis=1) / 2
    curves = [np.array([end - 0.2]) for end in ends]
    for one in np.argsort(-ends)[:2]:
        curves[one] = ends[one] - 0.2 / np.arange(1, 11)
    curves[0] = ends[0] - 0.2 / np.arange(1, 2 + extra)
    return Record(points, curves, np.ones(40, bool))


def outlook(record):
    return Outlook.of(CUBE, record, OPTIONS, None)


def fresh(record, seed=0):
    return ideas(CUBE, record, OPTIONS, outlook(record), np.random.default_rng(seed))


def test_what_is_expected_of_one_is_what_is_expected_of_it_among_others():
    model, points = outlook(known()).model, CUBE.features(CUBE.spread(100, 20, 1))
    mean, deviation = model.each(points)
    together, covariance = model.joint(points, 1000 + np.arange(20))
    np.testing.assert_allclose(mean, together)
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(covariance)))


def test_new_points_reach_the_edges_where_no_random_ones_lie():
    record = known()
    model = outlook(record).model

    def hope(points):
        mean, deviation = model.each(CUBE.features(points))
        return (mean + HOPE * deviation).max()

    assert hope(fresh(record)) > hope(CUBE.random(20 * OPTIONS.pool, np.random.default_rng(1)))


@pytest.mark.parametrize("extra", range(DARING))
def test_one_in_so_many_choices_goes_to_where_the_score_may_be_highest(extra):
    record = known(extra)
    choice = Choosing(CUBE, record, OPTIONS, outlook(record), fresh(record))
    deviation = np.sqrt(np.diag(choice.covariance))
    hope = choice.mean + HOPE * deviation
    gain = log_improvement((choice.mean - choice.goal) / deviation) + np.log(deviation)
    best = [choice.paused[worth[~choice.is_new].argmax()] for worth in (gain, hope)]
    promoted, _ = choice.middle(1000)
    assert best[0] != best[1]
    assert promoted[0][0] == best[int(record.reached.sum() % DARING == 0)]


def test_only_a_search_that_affords_its_spread_points_dares():
    assert OPTIONS.dares(CUBE.dimensions)
    assert not Options(epochs=10, budget=100).dares(CUBE.dimensions)


def test_the_same_record_and_chance_give_the_same_points():
    np.testing.assert_array_equal(fresh(known()), fresh(known()))
