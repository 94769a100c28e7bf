"""The machine: lanes, one compiled program a shape, and rows that lie on it once."""

import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from digits_fleet import DRAWS, VALIDATION, digits, machine
from fleetgrad import batches, cache, shapes, states
from fleetgrad.feeds import Feeds
from fleetgrad.machine import GUESSED_FLOPS, Machine, cores
from fleetgrad.settings import Settings

DEVICE = jax.devices("cpu")[0]
MATERIAL = digits()
SMALL = Settings(hidden=(), optimizer="sgd", batch_size=40)
SHAPE = shapes.shape_of(SMALL, 64, 10, VALIDATION, epochs=1)


def member(replicate=0):
    state = states.begin(SHAPE, DRAWS.initial(SMALL, replicate, 64, 10))
    return state, shapes.rates_of(SMALL, 4), Feeds(MATERIAL, DRAWS).of(replicate, 0, 1, 4)


def arguments(lanes, *members):
    rows = lanes.resident(MATERIAL.x, MATERIAL.y, DEVICE)
    return (*lanes.stack(list(members), DEVICE), rows, np.int32(0), np.int32(4))


@pytest.fixture
def lane():
    return machine()


def test_a_machine_is_named_by_what_it_trains_on():
    assert [machine(lanes).title for lanes in (1, 2)] == ["1 core", "2 cores"]
    card = SimpleNamespace(platform="gpu", device_kind="NVIDIA H200")
    cards = [Machine((card,) * count, width=9).title for count in (1, 2)]
    assert cards == ["NVIDIA H200", "2 x NVIDIA H200"]


def test_here_is_a_lane_for_every_core():
    here = Machine.here()
    assert len(here.lanes) == cores() >= 1
    assert set(here.lanes) == {DEVICE}
    assert here.width == 1


def test_lanes_that_ask_at_once_wait_for_one_compilation(monkeypatch):
    lanes, found, compiled = machine(lanes=4), [], []

    def slowly(*_):
        time.sleep(0.1)
        compiled.append(object())
        return compiled[-1]

    monkeypatch.setattr(lanes, "_compile", slowly)

    def ask():
        found.append(lanes.program(SHAPE, DEVICE, arguments(lanes, member())))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == compiled * 4
    assert len(compiled) == 1


def test_a_compilation_is_counted_and_timed_and_its_program_trains():
    lanes = machine()
    state, curve = lanes.program(SHAPE, DEVICE, arguments(lanes, member()))(
        *arguments(lanes, member())
    )
    assert lanes.compilations == 1
    assert lanes.compile_seconds > 0
    assert state.step == 4
    assert np.isfinite(curve).all()


def test_a_dataset_of_another_size_or_type_is_another_program(lane, monkeypatch):
    monkeypatch.setattr(lane, "_compile", lambda *_: object())
    program = lane.program(SHAPE, DEVICE, arguments(lane, member()))
    state, rates, feed = member()
    for x in (MATERIAL.x.astype(np.float32), MATERIAL.x[:190]):
        rows = jax.device_put(batches.Rows(x, MATERIAL.y[: len(x)]), DEVICE)
        other = (state, rates, feed, rows, np.int32(0), np.int32(0))
        assert lane.program(SHAPE, DEVICE, other) is not program
    assert lane.program(SHAPE, DEVICE, arguments(lane, member())) is program


def test_rows_lie_on_the_machine_once(lane):
    first = lane.resident(MATERIAL.x, MATERIAL.y, DEVICE)
    assert lane.resident(MATERIAL.x, MATERIAL.y, DEVICE) is first
    np.testing.assert_array_equal(first.x, MATERIAL.x)
    assert first.x.dtype == np.uint8


def test_targets_come_and_go_beside_rows_that_stay(lane):
    first = lane.resident(MATERIAL.x, MATERIAL.y, DEVICE)
    for value in range(3):
        targets = np.full((len(MATERIAL.y), 10), value, np.float32)
        taught = lane.resident(MATERIAL.x, MATERIAL.y, DEVICE, targets)
        assert (np.asarray(taught.targets) == value).all()
        assert taught.x is first.x
        assert lane.resident(MATERIAL.x, MATERIAL.y, DEVICE, targets) is taught
    plain = lane.resident(MATERIAL.x, MATERIAL.y, DEVICE)
    assert plain.targets is None
    assert plain.x is first.x


def test_other_rows_are_never_taken_for_those_before(lane):
    for value in range(5):  # each array may get the address of the one before
        x, y = np.full((200, 64), value, np.uint8), np.full(200, value, np.int32)
        rows = lane.resident(x, y, DEVICE)
        assert (np.asarray(rows.x) == value).all()
        other = lane.resident(x, y + 1, DEVICE)
        assert (np.asarray(other.y) == value + 1).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_is_stacked_and_padded_comes_apart_as_it_was(count):
    wide = machine(width=3)
    members = [member(replicate=number % 2) for number in range(count)]
    state, _, feed = wide.stack(members, DEVICE)
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(state))
    assert feed.steps == 4
    apart = wide.unstack(state, count)
    assert len(apart) == count
    for found, (expected, _, _) in zip(apart, members, strict=True):
        for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_machine_of_width_one_takes_members_as_they_are(lane):
    one = member()
    assert lane.stack([one], DEVICE)[0] is one[0]
    assert lane.unstack(one[0], 1)[0] is one[0]


def test_a_step_is_guessed_until_it_has_been_measured():
    lanes = machine()
    assert lanes.step_seconds(SHAPE) == SHAPE.step_flops / GUESSED_FLOPS
    lanes.note(SHAPE, seconds=2.0, steps=4)
    assert lanes.step_seconds(SHAPE) == 0.5
    lanes.note(SHAPE, seconds=1.0, steps=8)
    assert lanes.step_seconds(SHAPE) == pytest.approx(3 / 12, rel=0.05)


def test_measurements_of_long_ago_fade():
    lanes = machine()
    for seconds in [1.0] * 100 + [4.0] * 50:
        lanes.note(SHAPE, seconds=seconds, steps=1)
    assert lanes.step_seconds(SHAPE) == pytest.approx(4.0, rel=0.01)


# Programs are kept for the next run.


def kept(place, *lines, **environment):
    """What a new process prints that compiles on this machine, with its cache at `place`."""
    script = "\n".join([
        *lines,
        "import jax, fleetgrad",
        "from fleetgrad.machine import Machine",
        "Machine.here()",
        "print(jax.config.jax_compilation_cache_dir)",
    ])  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "FLEETGRAD_CACHE": str(place), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_programs_are_kept_in_the_users_cache_by_processor(tmp_path):
    assert kept(tmp_path) == str(tmp_path / "programs" / cache.processor())


def test_where_the_user_has_said_programs_go_they_go(tmp_path):
    own = str(tmp_path / "own")
    assert kept(tmp_path, JAX_COMPILATION_CACHE_DIR=own) == own
    assert kept(tmp_path, JAX_ENABLE_COMPILATION_CACHE="0") == "None"


def test_nothing_is_kept_where_loading_would_fill_the_terminal(tmp_path):
    assert kept(tmp_path, TF_CPP_MIN_LOG_LEVEL="0") == "None"


def test_a_second_process_compiles_nothing_and_says_nothing(tmp_path):
    script = (
        "import fleetgrad as fg; from fleetgrad.fleet import Fleet;"
        "fleet = Fleet(fg.load('digits'), 0);"
        "fleet.epoch_seconds([fg.Settings(hidden=(64, 32), dropout=0.1, optimizer='adamw')])"
    )
    programs = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "FLEETGRAD_CACHE": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stderr == ""
        programs.append({path.name for path in (tmp_path / "programs").rglob("*-cache")})
    assert any(name.startswith("jit_advance") for name in programs[0])
    assert programs[1] == programs[0]
