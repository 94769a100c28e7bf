"""Points of the cube of a space are what the settings made of them come back to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.settings import Settings
from fleetgrad.space import Float, Space, default_space
from fleetgrad.strategies.choosing import _unknown
from fleetgrad.strategies.cube import Cube, marks

RATES = Space(learning_rate=Float(1e-4, 0.1, log=True), momentum=Float(0.1, 0.99))
CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def through_settings(cube, points):
    return np.array([cube.place(Settings(**cube.values(point))) for point in points])


@pytest.mark.parametrize("space", [RATES, default_space(60_000, 784, (28, 28))])
@given(seed=st.integers(0, 2**31))
def test_a_point_is_known_again_after_its_way_through_settings(space, seed):
    cube = Cube.of(space)
    points = cube.random(4, np.random.default_rng(seed))
    assert marks(through_settings(cube, points)) == marks(points)


def test_points_that_were_tried_are_no_ideas_even_at_the_corners():
    cube = Cube.of(RATES)
    inside = cube.random(50, np.random.default_rng(0))
    points = cube.settle(np.vstack([np.minimum(CORNERS, np.nextafter(1.0, 0.0)), inside]))
    fresh = cube.random(3, np.random.default_rng(1))
    known = through_settings(cube, points)
    assert _unknown(np.vstack([points, fresh]), known).tolist() == fresh.tolist()
