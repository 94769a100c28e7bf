"""What a candidate costs in bytes, and the refusal of what cannot fit."""

import jax
import pytest

from digits_fleet import DRAWS
from fleetgrad import memory, training
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
    shape = training.shape_of(settings, 64, 10, validation_rows=0, epochs=1)
    state = training.begin(shape, DRAWS.initial(settings, 0, 64, 10))
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


@pytest.fixture
def room(monkeypatch):
    """A machine with room for ten small networks under plain gradient descent."""
    monkeypatch.setattr(memory, "available", lambda: 10 * BYTES)


SMALL = Settings(hidden=(8,), optimizer="sgd")


def test_what_fits_is_let_in(room):
    memory.check([SMALL] * 10, 64, 10)
    memory.check([], 64, 10)


def test_what_does_not_fit_is_refused_with_how_many_would(room):
    with pytest.raises(BudgetError, match="25 networks need .* use at most 10 candidates"):
        memory.check([SMALL] * 25, 64, 10)


def test_one_that_does_not_fit_is_refused_too(room):
    large = Settings(hidden=(800,), optimizer="sgd")
    with pytest.raises(BudgetError, match="1 networks need"):
        memory.check([large], 64, 10)


def test_a_mixed_population_costs_the_sum(room):
    three = Settings(hidden=(8,), optimizer="adam")
    memory.check([SMALL] * 3 + [three] * 2, 64, 10)
    with pytest.raises(BudgetError):
        memory.check([SMALL] * 2 + [three] * 3, 64, 10)


def test_an_average_costs_a_copy_in_any_company(room):
    averaged = Settings(hidden=(8,), optimizer="sgd", ema=0.9)
    memory.check([SMALL] * 4 + [averaged] * 3, 64, 10)
    with pytest.raises(BudgetError):
        memory.check([SMALL] * 4 + [averaged] * 4, 64, 10)
