"""States in the form of a larger program, and trimmed again."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digits_fleet import DRAWS
from fleetgrad import states
from fleetgrad.programs import joined
from fleetgrad.settings import NORMALIZATIONS, OPTIMIZERS, Settings
from fleetgrad.shapes import shape_of


def shape(settings):
    return shape_of(settings, 64, 10, validation_rows=0, epochs=1)


def begun(settings):
    return states.begin(shape(settings), DRAWS.initial(settings, 0, 64, 10))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_description_tells_the_arrays_of_a_beginning(optimizer, normalization, ema):
    settings = Settings(
        hidden=(5, 3), optimizer=optimizer, normalization=normalization, ema=ema, bias=ema == 0
    )
    described, state = states.described(shape(settings)), begun(settings)
    assert jax.tree.structure(described) == jax.tree.structure(state)
    for wanted, leaf in zip(*map(jax.tree.leaves, (described, state)), strict=True):
        assert (wanted.shape, wanted.dtype) == (np.shape(leaf), leaf.dtype)


WIDTHS = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(
    WIDTHS,
    WIDTHS,
    st.sampled_from(OPTIMIZERS),
    st.sampled_from(NORMALIZATIONS),
    st.tuples(st.booleans(), st.booleans()),
)
def test_what_is_padded_is_trimmed_to_what_it_was(hidden, others, optimizer, normalization, ema):
    common = {"optimizer": optimizer, "normalization": normalization}
    settings = Settings(hidden=hidden, ema=0.9 * ema[0], **common)
    own = shape(settings)
    program = joined(own, shape(Settings(hidden=others, ema=0.9 * ema[1], **common)))
    state = begun(settings)
    padded = states.padded(state, own, program)
    wanted = states.described(program)
    assert jax.tree.structure(padded) == jax.tree.structure(wanted)
    for leaf, described in zip(*map(jax.tree.leaves, (padded, wanted)), strict=True):
        assert (np.shape(leaf), leaf.dtype) == (described.shape, described.dtype)
    assert sum(map(np.count_nonzero, jax.tree.leaves(padded.params))) == sum(
        map(np.count_nonzero, jax.tree.leaves(state.params))
    )
    jax.tree.map(np.testing.assert_array_equal, states.trimmed(padded, own, program), state)


def test_whoever_needs_no_padding_is_left_alone():
    settings = Settings(hidden=(5,))
    own, state = shape(settings), begun(settings)
    assert states.padded(state, own, own) is states.trimmed(state, own, own) is state
    averaging = shape(Settings(hidden=(5,), ema=0.5))
    padded = states.padded(state, own, averaging)
    assert padded.params[0]["weight"] is state.params[0]["weight"]
    # A program takes over the memory of its arguments: none may stand for two of them.
    assert padded.average[0]["weight"] is not state.params[0]["weight"]
