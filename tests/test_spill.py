"""Law: members that take turns, for want of memory, train as if all were there at once."""

import gc
import os
from pathlib import Path

import jax
import numpy as np
import pytest

from digits_fleet import DRAWS, MIXED, curves, digits, machine, members, populate
from fleetgrad import memory, spill
from fleetgrad.errors import BudgetError, DeviceError, RunError
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.spill import Spill
from fleetgrad.store import Run
from fleetgrad.trainees import Member
from runs import no_file_longer_than, script

EPOCHS = 4
ONE = Member(0, 0)


@pytest.fixture(scope="module")
def lanes():
    return machine(lanes=2)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where states wait."""
    (tmp_path / "waiting").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "waiting"))
    return tmp_path / "waiting"


class Tight:
    """A machine with room for so many bytes of states, all populations together."""

    def __init__(self, room):
        self.total, self.populations, self.most = room / memory.SHARE + 1, [], 0

    @property
    def held(self):
        return sum(population._held() for population in self.populations)

    def available(self, _):
        self.most = max(self.most, self.held)
        return self.total - self.held

    def populate(self, settings, machine, replicates=1):
        made = Population(digits(), members(settings, replicates), DRAWS, machine)
        self.populations.append(made)
        return made


@pytest.fixture
def tight(place, monkeypatch):
    """Room for a few of the smallest of `MIXED`, or the largest and one more."""
    largest = max(memory.member_bytes(one, 64, 10) for one in MIXED)
    made = Tight(1.5 * largest)
    monkeypatch.setattr(memory, "available", made.available)
    return made


def rungs(population):
    """Two rungs, a restart of the same, and the end: everything that can be asked for."""
    population.advance(1)
    kept = [Member(number, replicate) for number in (8, 4, 1, 6, 2, 0) for replicate in (1, 0)]
    population.keep(kept)
    first = population.state()
    population.advance(2)
    population.keep(kept[2:])
    assert population.advance(EPOCHS)
    weights = {member: population.params(member) for member in kept[2:]}
    return first, curves(population), population.state(), weights


def equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    return True


def test_turns_change_no_bit(lanes, tight, place, monkeypatch):
    limited = rungs(tight.populate(MIXED, lanes, 2))
    assert list(place.iterdir())  # somebody has waited
    assert tight.most <= tight.total * memory.SHARE
    monkeypatch.undo()
    assert equal(limited, rungs(populate(MIXED, lanes, replicates=2)))


def test_a_restored_population_takes_turns_too(lanes, tight, place):
    first = tight.populate(MIXED, lanes, 2)
    first.advance(2)
    saved = first.state()
    copies = {name: array.copy() for name, array in saved.items()}
    tight.populations.clear()
    second = tight.populate(MIXED, lanes, 2)
    second.restore(saved)
    assert tight.held <= tight.total * memory.SHARE
    assert equal(second.state(), copies)
    tight.populations[:] = [first]
    first.advance(EPOCHS)
    tight.populations[:] = [second]
    second.advance(EPOCHS)
    assert equal(second.state(), first.state())
    assert equal(saved, copies)  # training has not written into what was handed out


def on_disk(array):
    """Whether it is a view of a file."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


def test_what_waits_goes_into_the_record_and_comes_back_without_all_in_memory(
    lanes, tight, place, tmp_path
):
    first = tight.populate(MIXED, lanes, 2)
    first.advance(2)
    saved = first.state()
    there = sum(array.nbytes for array in saved.values() if not on_disk(array))
    with Run.create(tmp_path / "run", {}) as run:
        run.commit("search/0", payload={}, weights=saved)
        found = run.weights("search/0")
        assert all(map(on_disk, found.values()))
        tight.populations.clear()
        second = tight.populate(MIXED, lanes, 2)
        second.restore(found)
    assert tight.held <= tight.total * memory.SHARE
    tight.populations[:] = [first]
    first.advance(EPOCHS)
    tight.populations[:] = [second]
    second.advance(EPOCHS)
    assert equal(curves(second), curves(first))
    assert there < tight.total < sum(array.nbytes for array in saved.values()) / 2


def test_many_at_once_take_turns_too(tight, place):
    wide = machine(width=2)
    cohort = MIXED[:3]
    tight.total = 2.2 * memory.member_bytes(cohort[0], 64, 10) / memory.SHARE
    limited = tight.populate(cohort, wide, 2)
    assert limited.advance(2)
    assert limited.advance(EPOCHS)
    assert tight.most <= tight.total * memory.SHARE
    tight.total *= 100
    whole = populate(cohort, machine(width=2), replicates=2)
    whole.advance(EPOCHS)
    for name, curve in curves(whole).items():
        np.testing.assert_allclose(curves(limited)[name], curve, rtol=1e-4, atol=1e-5)


def test_a_stop_leaves_everyone_where_they_are_and_the_rest_for_later(lanes, tight, place):
    population = tight.populate(MIXED, lanes, 2)
    asked = iter(range(10))
    assert not population.advance(EPOCHS, lambda: next(asked, None) is not None)
    epochs = [population.epochs(member) for member in population.members]
    assert min(epochs) == 0 < max(epochs)
    assert population.advance(EPOCHS)
    tight.total *= 100
    whole = populate(MIXED, lanes, replicates=2)
    whole.advance(EPOCHS)
    assert equal(curves(population), curves(whole))


def test_who_has_room_never_waits_and_nobody_is_made_before_the_turn_comes(lanes, place):
    population = populate(MIXED, lanes)
    assert population._held() == 0
    before = population.params(ONE)
    assert equal(before, DRAWS.initial(MIXED[0], 0, 64, 10))
    population.advance(2)
    population.keep(population.members[:4])
    population.advance(EPOCHS)
    assert list(place.iterdir()) == []


def test_one_too_large_for_any_turn_is_refused_before_anything_is_compiled(lanes, tight):
    before, large = lanes.compilations, Settings(hidden=(4000,), batch_size=20)
    with pytest.raises(BudgetError, match="`hidden` 4000 under adam needs"):
        tight.populate((*MIXED, large), lanes)
    assert lanes.compilations == before


def test_the_files_of_the_dropped_go_at_once_and_all_with_the_population(lanes, tight, place):
    population = tight.populate(MIXED, lanes, 2)
    population.advance(1)
    (folder,) = place.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    waiting = {path.name for path in folder.iterdir()} - {spill.OWNER}
    assert all(name.endswith(".safetensors") for name in waiting)
    population.keep([ONE])
    assert {path.name for path in folder.iterdir()} - {spill.OWNER} <= {"0-0.safetensors"} & waiting
    tight.populations.clear()
    del population
    gc.collect()
    assert list(place.iterdir()) == []


def test_a_full_disk_is_told_with_a_way_out(lanes, tight, place):
    population = tight.populate(MIXED, lanes, 2)
    words = "must fit on the disk between their turns, got .*; free disk space, or set TMPDIR"
    with no_file_longer_than(64), pytest.raises(DeviceError, match=words):
        population.advance(1)


STATE = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": (np.int32(-1), np.bool_(1))}


def test_a_state_comes_back_bit_by_bit(place):
    spill, odd = Spill(), {"a": np.array([np.nan, -0.0, np.inf, 1e-45], np.float32)}
    spill.put(ONE, STATE)
    spill.put(Member(1, 2), odd)
    assert equal(spill.get(ONE), STATE)
    assert spill.get(Member(1, 2))["a"].tobytes() == odd["a"].tobytes()
    spill.put(ONE, odd)
    assert spill.get(ONE)["a"].tobytes() == odd["a"].tobytes()
    spill.drop([ONE, Member(5, 5)])
    assert ONE not in spill
    assert Member(1, 2) in spill


def test_a_file_that_was_changed_is_not_trained_on(place):
    spill = Spill()
    spill.put(ONE, STATE)
    (file,) = place.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match="checksum"):
        spill.get(ONE)


def test_states_wait_on_a_disk_where_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv("TMPDIR", raising=False)
    spill = Spill()
    spill.put(ONE, STATE)
    folder = spill._directory
    assert folder.parent == Path("/var/tmp") or not os.access("/var/tmp", os.W_OK)
    del spill
    gc.collect()
    assert not folder.exists()


KILLED = """
import os, signal, sys
import numpy as np
from fleetgrad.spill import Spill
from fleetgrad.trainees import Member

spill = Spill()
spill.put(Member(0, 0), {"weight": np.ones(3, np.float32)})
print("ready", flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_waiting_is_removed_by_the_next_one(place, faults):
    with faults.against("states left in a temporary directory"):
        with script(KILLED) as process:
            assert process.stdout.readline() == "ready\n"
            (left,) = place.iterdir()
            long_ago = left.stat().st_mtime - 2 * spill.GRACE
            os.utime(left, (long_ago, long_ago))
            own = Spill()
            own.put(ONE, {"weight": np.ones(3, np.float32)})
            assert left.exists(), "its process lives"
            del own
            process.stdin.close()
            process.wait(60)
        own = Spill()
        own.put(ONE, {"weight": np.ones(3, np.float32)})
        assert not left.exists()
        assert len(list(place.iterdir())) == 1


def test_what_is_not_ours_to_remove_stays(place):
    (place / "fleetgrad-notes").mkdir()
    os.utime(place / "fleetgrad-notes", (1, 1))
    Spill().put(ONE, {"weight": np.ones(3, np.float32)})
    assert (place / "fleetgrad-notes").exists()
