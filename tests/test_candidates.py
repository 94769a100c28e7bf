"""Many settings, each under an id that lasts."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.candidates import Candidates
from fleetgrad.settings import Settings
from spaces import SETTINGS


@given(st.lists(SETTINGS, max_size=6), st.integers(0, 1000))
def test_ids_count_up_from_the_first(settings, first):
    candidates = Candidates.numbered(settings, first)
    assert candidates.ids == tuple(range(first, first + len(settings)))
    assert len(candidates) == len(settings)
    assert list(candidates) == list(zip(candidates.ids, settings, strict=True))


@given(st.data(), st.lists(SETTINGS, min_size=1, max_size=6))
def test_a_chosen_few_keep_their_ids_in_any_order(data, settings):
    everyone = Candidates.numbered(settings, 7)
    chosen = data.draw(st.lists(st.sampled_from(everyone.ids), unique=True))
    few = everyone.only(iter(chosen))
    assert few.ids == tuple(chosen)
    assert all(few[candidate] == everyone[candidate] for candidate in chosen)


def test_nobody_is_a_fleet_too():
    assert len(Candidates((), ())) == 0
    assert Candidates.numbered([]).only([]) == Candidates((), ())


def test_candidates_never_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Candidates((), ()).ids = (1,)


def test_one_id_names_one_candidate():
    with pytest.raises(AssertionError):
        Candidates((1, 1), (Settings(), Settings()))
