"""The limits: what is counted, and that every lane takes part. Speeds are never asserted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits_fleet import machine
from fleetgrad import limits
from fleetgrad.limits import KINDS, Bandwidth, Peak
from fleetgrad.settings import Settings

POSITIVE = st.floats(1e-3, 1e12)
LEARNED = 7 * 6 + 6 + 6 * 4 + 4  # of a network 7-6-4, biases included


@pytest.fixture
def small(monkeypatch):
    """Products and copies that take no time."""
    monkeypatch.setattr(limits, "SIZES", {"cpu": 16})
    monkeypatch.setattr(limits, "MOVED", {"cpu": 1e5})


@pytest.mark.parametrize(
    ("changes", "copies", "counters"),
    [
        ({"optimizer": "sgd"}, 1, 0),
        ({"optimizer": "momentum"}, 2, 0),
        ({"optimizer": "adamw"}, 3, 1),
        ({"optimizer": "sgd", "ema": 0.9}, 2, 0),
    ],
)
def test_a_step_reads_and_writes_weights_and_state_once(changes, copies, counters):
    settings = Settings(hidden=(6,), **changes)
    assert limits.step_bytes(settings, 7, 4) == 2 * 4 * (copies * LEARNED + counters)


def test_a_lane_works_on_as_many_networks_as_it_is_wide():
    settings = Settings(hidden=(6,), optimizer="sgd")
    for width in (1, 3):
        found = limits.working_set(machine(lanes=2, width=width), settings, 7, 4)
        assert found == width * 4 * LEARNED


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE)
def test_the_limit_is_the_larger_of_two_times(flops, size, gflops, gigabytes):
    found = limits.limit(flops, size, gflops, gigabytes)
    assert found.arithmetic == pytest.approx(flops / (gflops * 1e9))
    assert found.memory == pytest.approx(size / (gigabytes * 1e9))
    assert found.seconds == max(found.arithmetic, found.memory) == getattr(found, found.by)


@pytest.mark.usefixtures("small")
def test_the_peak_is_that_of_the_fastest_way_on_all_lanes(monkeypatch):
    seconds = {"slow": 2.0, "fast": 0.5}
    peak = Peak(machine(lanes=3).lanes, limits.ways(machine()))
    monkeypatch.setattr(peak, "_ways", {kind: [(one, kind) for one in seconds] for kind in KINDS})
    monkeypatch.setattr(peak, "_timed", lambda product, _: seconds[product])
    peak.measure()
    assert peak.best["float32"] == pytest.approx(2e-9 * 16**3 * limits.PRODUCTS * 3 / 0.5)


@pytest.mark.usefixtures("small")
def test_every_way_to_multiply_is_tried_with_its_own_factors():
    tried = []

    def watched(x, weight):
        tried.append((x.dtype.name, weight.dtype.name))
        return jnp.matmul(x, weight)

    ways = {kind: ((jnp.matmul, kind), (watched, "float32")) for kind in KINDS}
    peak = Peak(machine(lanes=2).lanes, ways)
    for _ in range(2):
        peak.measure()
    assert set(tried) == {("float32", "float32")}
    assert [len(peak.gflops[kind]) for kind in KINDS] == [2, 2]
    assert all(peak.best[kind] == max(peak.gflops[kind]) > 0 for kind in KINDS)


def test_the_networks_own_products_are_among_the_ways():
    lanes = machine()
    for kind, (of_xla, own) in limits.ways(lanes).items():
        assert of_xla == (jnp.matmul, kind)
        assert own == (lanes.arithmetic(kind, filled=1.0).products.others, "float32")


@pytest.mark.usefixtures("small")
def test_every_number_is_moved_as_often_as_is_counted(monkeypatch):
    bandwidth = Bandwidth(machine(lanes=2).lanes, 4_000)
    assert (bandwidth._count, bandwidth._rounds) == (1_000, 13)  # 13 x 8,000 bytes, 1e5 and more
    moved = bandwidth._again(jnp.ones(1_000), np.float32(2))
    np.testing.assert_array_equal(moved, np.full(1_000, 2.0**13))
    monkeypatch.setattr(bandwidth, "_seconds", lambda: 0.001)
    bandwidth.measure()
    assert bandwidth.best == pytest.approx(2 * 13 * 8_000 * 1e-9 / 0.001)


def test_lanes_work_side_by_side_on_arrays_of_their_own():
    arrays, seen = [jax.device_put(np.full(2, one)) for one in (1, 2, 3)], []
    assert limits._together(lambda array: seen.append(int(array[0])), arrays) > 0
    assert sorted(seen) == [1, 2, 3]
