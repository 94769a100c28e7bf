"""What a candidate costs in bytes, and the refusal of what cannot fit."""

import jax
import pytest

from digits_fleet import DRAWS
from fleetgrad import memory, shapes, states
from fleetgrad.errors import BudgetError
from fleetgrad.settings import NORMALIZATIONS, OPTIMIZERS, Settings

BYTES = 4 * (64 * 8 + 8 + 8 * 10 + 10)  # weights and biases of 64-8-10


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("hidden", [(), (8,), (9, 3)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_member_costs_what_its_arrays_hold(optimizer, hidden, bias, normalization, ema):
    settings = Settings(
        hidden=hidden, bias=bias, optimizer=optimizer, normalization=normalization, ema=ema
    )
    shape = shapes.shape_of(settings, 64, 10, validation_rows=0, epochs=1)
    state = states.begin(shape, DRAWS.initial(settings, 0, 64, 10))
    parts = (state.params, state.optimizer, state.running, state.average)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(parts))
    assert memory.member_bytes(settings, 64, 10) == held


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 1), ("momentum", 2), ("adam", 3)])
def test_an_optimizer_keeps_as_many_copies_of_the_weights_as_it_remembers(optimizer, copies):
    cost = memory.member_bytes(Settings(hidden=(8,), optimizer=optimizer), 64, 10)
    assert BYTES * copies <= cost <= BYTES * copies + 4


def test_this_machine_has_some_memory_free():
    assert 1e8 < memory.available() < 1e14


def test_where_the_system_does_not_say_half_of_the_memory_is_taken_to_be_free(monkeypatch):
    monkeypatch.setattr(memory.Path, "read_text", lambda *_: "Nothing of the kind")
    assert 1e8 < memory.available() < 1e14


class Card:
    """A device with memory of its own."""

    platform = "gpu"

    def __init__(self, stats):
        self.stats = stats

    def memory_stats(self):
        return self.stats


def test_of_cards_their_own_memory_counts_each_once():
    card, other = (Card({"bytes_limit": 10**9, "bytes_in_use": used}) for used in (10**8, 0))
    assert memory.available([card, card, other]) == 19 * 10**8
    assert memory.available([Card(None)]) > 1e8


def test_a_fifth_of_what_is_available_is_left_to_others(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda _: 600)
    assert memory.room([]) == 480
    assert memory.room([], held=400) == 800


def test_in_a_larger_program_a_member_takes_what_that_takes():
    small, large = Settings(hidden=(5, 9)), Settings(hidden=(8, 9), ema=0.9)
    own, program = (shapes.shape_of(one, 64, 10, 0, 1) for one in (small, large))
    state = states.begin(own, DRAWS.initial(small, 0, 64, 10))
    state = states.padded(state, own, program)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) - 16  # less four scalars
    assert memory.state_bytes(program) == held == memory.member_bytes(large, 64, 10)


def test_one_that_does_not_fit_is_refused_by_name():
    large = Settings(hidden=(800, 8), optimizer="sgd")
    size = memory.member_bytes(large, 64, 10)
    memory.check(large, size, size)
    with pytest.raises(BudgetError, match="`hidden` 800-8 under sgd needs .* GB, got .*narrower"):
        memory.check(large, size, size - 1)
