import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from digits_fleet import DRAWS, digits, machine
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.slices import EPOCHS, Slices
from fleetgrad.trainees import Member

SMALL = Settings(hidden=(), optimizer="sgd", batch_size=40, epochs=EPOCHS)


class TwoLanes:
    """A population whose lanes have clocks of their own: a stretch takes one 1 s, the other 1.5."""

    members, diverged_at, network_epochs = (1, 2, 3), lambda *_: None, 0.0
    machine = SimpleNamespace(lanes=(0, 1), width=1)
    material = SimpleNamespace(y=np.zeros(430))

    def __init__(self):
        self.clock, self.ready = threading.local(), threading.Barrier(2)

    def perf_counter(self):
        return getattr(self.clock, "now", 0.0)

    def advance(self, _until, proceed):
        def lane(seconds):
            self.clock.now = 0.0
            assert proceed()
            self.ready.wait()
            self.clock.now += seconds
            while proceed():
                self.clock.now += seconds

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lane, (1.0, 1.5)))
        self.network_epochs = 7 / 4  # of four stretches and three


def test_the_rate_holds_each_lane_to_its_own_time(monkeypatch):
    population = TwoLanes()
    monkeypatch.setattr("fleetgrad.slices.time.perf_counter", population.perf_counter)
    told = []
    rate = Slices(population, batch_size=200).rate(4.0, told.append)
    assert rate == pytest.approx(700 / np.mean([4.0, 4.5]))  # what fills no batch is not counted
    assert len(told) == 4 + 3


@pytest.mark.parametrize(("count", "width", "lanes"), [(1, 1, 1), (5, 1, 2), (5, 4, 2), (4, 4, 1)])
def test_as_many_lanes_work_as_there_are_calls_for(count, width, lanes):
    members = {Member(number, 0): SMALL for number in range(count)}
    population = Population(digits(), members, DRAWS, machine(lanes=2, width=width))
    slices = Slices(population, SMALL.batch_size)
    assert slices.lanes == lanes
    slices.warm()
    before = population.network_epochs
    assert before > 0
    assert slices.rate(0.01) > 0
    assert population.network_epochs > before
