"""Of ways that chance cannot tell apart, the preferred one is taken."""

import numpy as np
import pytest

from fleetgrad.parsimony import compared


def test_the_last_way_within_a_standard_error_of_the_best_is_taken():
    draw = np.random.default_rng(0)
    own, noise = draw.random((2, 400))
    noise = noise - noise.mean()
    error = noise.std() / 20
    for worse, taken in ((0.9 * error, "decay"), (1.1 * error, "own"), (-0.1, "decay")):
        found = compared({"own": own, "decay": own + noise + worse})
        assert found.taken == taken
        assert found.errors["decay"] - found.errors["own"] == pytest.approx(worse)
    ways = {"own": own, "decay": own - 0.5, "stronger": own}
    assert compared(ways).taken == "decay"
    assert compared(ways | {"stronger": own - 0.5}).taken == "stronger"
    assert compared(ways | {"decay": own}).taken == "stronger"


def test_rows_count_as_much_as_they_weigh():
    draw = np.random.default_rng(0)
    own, stronger = draw.random((2, 400))
    twice = {"own": np.tile(own, 2), "stronger": np.tile(stronger, 2)}
    twice["stronger"][400:] += 9
    counted = compared(twice, np.repeat([1.0, 0.0], 400))
    assert counted.errors == pytest.approx(compared({"own": own, "stronger": stronger}).errors)
