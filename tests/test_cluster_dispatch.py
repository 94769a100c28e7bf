"""Chunks, and to whom they go: invented workers, a clock of their own, and nothing is trained."""

import heapq
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.cluster import chunks, dispatch
from fleetgrad.cluster.chunks import Waiting, cut
from fleetgrad.cluster.dispatch import Dispatch
from fleetgrad.errors import DeviceError
from fleetgrad.trainees import Member


def waiting(count, *, program="p", start=0, goal=9, seconds=1.0, source=None, first=0):
    return [
        Waiting(Member(first + n, 0), program, start, goal, seconds, source) for n in range(count)
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pq"),
            st.integers(0, 5),
            st.integers(6, 60),
            st.floats(1e-4, 100),
            st.sampled_from([None, "a", "b"]),
        ),
        max_size=40,
    ),
    st.integers(0, 50),
    st.sampled_from([1, 4, 256]),
)
def test_everyone_is_in_one_chunk_with_his_like(kinds, lanes, width):
    kinds = [(*kind[:3], 0.5, kind[4]) if kind[0] == "p" else kind for kind in kinds]
    everyone = [Waiting(Member(n, 0), *kind) for n, kind in enumerate(kinds)]
    found = cut(everyone, lanes, width)
    assert sorted(m for chunk in found for m in chunk.members) == [one.member for one in everyone]
    for chunk in found:
        own = [one for one in everyone if one.member in chunk.members]
        assert {(one.program, one.start, one.goal) for one in own} == {
            (chunk.program, chunk.start, chunk.goal)
        }
        assert chunk.start < chunk.until <= chunk.goal
    assert [chunk.start for chunk in found] == sorted(chunk.start for chunk in found)


def test_small_networks_share_a_chunk_and_large_ones_do_not():
    small, large = cut(waiting(100, seconds=0.01), 2), cut(waiting(4, seconds=2.0), 2)
    assert [len(chunk.members) for chunk in small] == [33, 33, 33, 1]
    assert [chunk.until for chunk in small] == [9, 9, 9, 9]
    assert [(len(chunk.members), chunk.until) for chunk in large] == [(1, 1)] * 4


def test_no_lane_is_left_without_a_network_where_there_are_enough():
    assert len(cut(waiting(64, seconds=1e-6), 16)) == 16


def test_a_card_gets_as_many_as_it_trains_at_once():
    assert [len(one.members) for one in cut(waiting(600, seconds=9.0), 2, 256)] == [256, 256, 88]


def test_networks_whose_states_lie_together_stay_together():
    here, there = object(), object()
    mixed = [
        one
        for pair in zip(
            waiting(4, source=here, seconds=0.1),
            waiting(4, source=there, seconds=0.1, first=4),
            strict=True,
        )
        for one in pair
    ]
    found = [{member.candidate // 4 for member in chunk.members} for chunk in cut(mixed, 4)]
    assert found in ([{0}, {0}, {1}, {1}], [{1}, {1}, {0}, {0}])


class Field:
    """Workers that take their time, on a clock that goes on only while somebody waits."""

    def __init__(self, speeds, lanes=1):
        self.speeds = dict(speeds)  # seconds of work a second; 0 hangs
        self._lanes = dict.fromkeys(self.speeds, lanes)
        self.now, self.events, self.numbers = 0.0, [], itertools.count()
        self.trained, self.cancelled, self.homes = {}, [], {}
        self.launched, self.led = [], []

    @property
    def lanes(self):
        return dict(self._lanes)

    def finished(self, timeout):
        end = self.now + timeout
        if self.events and self.events[0][0] <= end:
            self.now = max(self.now, self.events[0][0])
            return [heapq.heappop(self.events)[1]]
        self.now = end
        return []

    def cancel(self, futures):
        self.cancelled += futures

    def check(self):
        if not self._lanes:
            raise DeviceError("nobody")

    def trust(self, worker):
        assert worker in self.speeds

    def rest(self, worker):
        del self._lanes[worker]

    def home(self, chunk):
        return self.homes.get(chunk.members[0])

    def launch(self, chunk, worker):
        number = next(self.numbers)
        self.launched.append((self.now, worker, chunk))
        if self.speeds[worker]:
            ended = self.now + chunk.expected / self.speeds[worker]
            heapq.heappush(self.events, (ended, f"report {number}", worker))
        return f"done {number}", f"report {number}"

    def ahead(self, worker):
        self.led.append((self.now, worker))
        return False

    def busy(self):
        return []

    def land(self, chunk, done, report):
        for member in chunk.members:
            assert self.trained.get(member, 0) == chunk.start, "each epoch once, in order"
            self.trained[member] = chunk.until
        return chunk.rest(chunk.members, chunk.seconds)

    def run(self, everyone, proceed=lambda: True):
        found = cut(everyone, sum(self._lanes.values()))
        return Dispatch(self, self, found, lambda: self.now).run(proceed)


def test_all_arrive():
    field = Field({"a": 1.0, "b": 1.0})
    assert field.run(waiting(5, seconds=2.0))
    assert field.trained == dict.fromkeys((one.member for one in waiting(5)), 9)


def test_a_fast_worker_does_more_than_a_slow_one():
    field = Field({"slow": 0.25, "fast": 1.0})
    assert field.run(waiting(40, seconds=1.0))
    shares = [sum(who == name for _, who, _ in field.launched) for name in ("slow", "fast")]
    assert shares[1] > 3 * shares[0]


def test_a_worker_that_hangs_keeps_nobody_waiting_for_ever():
    field = Field({"hung": 0.0, "well": 1.0})
    assert field.run(waiting(6, seconds=2.0))
    assert set(field.trained.values()) == {9}
    assert field.cancelled, "what hangs is not waited for"
    late = dispatch.LATE * chunks.SLICE_SECONDS + dispatch.GRACE_SECONDS
    assert field.now < 6 * 9 * 2.0 + late


def test_whoever_joins_has_work_at_once():
    field = Field({"first": 1.0})

    def proceed():
        if field.now > 20 and "second" not in field.speeds:
            field.speeds["second"], field._lanes["second"] = 1.0, 1
        return True

    assert field.run(waiting(20, seconds=1.0), proceed)
    began = min(now for now, worker, _ in field.launched if worker == "second")
    assert began < 20 + 2 * chunks.SLICE_SECONDS


def test_a_chunk_of_many_is_shared_with_whoever_is_idle():
    field = Field({"first": 1.0})
    many = waiting(30, seconds=0.3, goal=9)

    def proceed():
        field.speeds["second"], field._lanes["second"] = 1.0, 1
        return True

    assert field.run(many, proceed)
    assert {worker for _, worker, _ in field.launched} == {"first", "second"}


def test_work_goes_to_whoever_holds_its_states():
    field = Field({"a": 1.0, "b": 1.0})
    everyone = waiting(2, seconds=5.0, goal=4)
    field.homes = {everyone[0].member: "b", everyone[1].member: "a"}
    assert field.run(everyone)
    assert {(worker, chunk.members[0].candidate) for _, worker, chunk in field.launched} == {
        ("b", 0),
        ("a", 1),
    }


def test_who_has_nothing_to_do_is_asked_to_go_ahead_and_nobody_else():
    field = Field({"slow": 0.5, "fast": 1.0})
    assert field.run(waiting(2, seconds=3.0, goal=2))
    assert field.led
    assert all(worker == "fast" and now >= 6.0 for now, worker in field.led)


def test_a_clock_that_says_stop_leaves_what_is_on_its_way():
    field = Field({"a": 1.0})
    assert not field.run(waiting(4, seconds=2.0), lambda: field.now < 7)
    assert field.now < 8
    assert 0 < sum(field.trained.values()) < 36
    assert len(field.cancelled) == 2


def test_it_ends_where_there_is_nobody():
    with pytest.raises(DeviceError):
        Field({}).run(waiting(2))
