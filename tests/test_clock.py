import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.clock import REPORT_SECONDS, Clock, Throttle


class Hand:
    """A clock's hand that the test moves."""

    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


def test_a_clock_counts_from_when_it_was_made():
    hand = Hand()
    clock = Clock(60.0, now=hand)
    assert (clock.elapsed, clock.left) == (0, 60)
    hand.at += 45
    assert (clock.elapsed, clock.left) == (45, 15)
    hand.at += 45
    assert clock.left == -30


def test_a_clock_counts_the_time_of_earlier_processes():
    clock = Clock(60.0, elapsed=50.0, now=Hand())
    assert (clock.elapsed, clock.left) == (50, 10)


def test_without_a_budget_time_never_runs_out():
    hand = Hand()
    clock = Clock(None, now=hand)
    hand.at += 1e9
    assert clock.left == math.inf
    assert clock.elapsed == 1e9


def test_a_real_clock_goes_on():
    clock = Clock(1.0)
    before = clock.elapsed
    assert 0 <= before <= clock.elapsed
    assert clock.left <= 1


def test_what_took_long_is_not_done_soon_again():
    hand, acted = Hand(), []

    def act():
        acted.append(hand.at)
        hand.at += 2

    throttle = Throttle(now=hand)
    for _ in range(60):
        throttle(act)
        hand.at += 1
    assert [at - 1000 for at in acted] == [0, 20, 40, 60]


@given(steps=st.lists(st.floats(0, 1), max_size=50))
def test_a_throttle_acts_at_most_once_in_its_time_and_at_once_at_first(steps):
    hand, acted = Hand(), []
    throttle = Throttle(now=hand)
    for step in [0.0, *steps]:
        hand.at += step
        throttle(lambda: acted.append(hand.at))
    assert acted[0] == 1000
    gaps = [after - before for before, after in pairwise(acted)]
    assert all(gap >= REPORT_SECONDS for gap in gaps)
    assert hand.at - acted[-1] < REPORT_SECONDS or not steps
