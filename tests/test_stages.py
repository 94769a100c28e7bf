"""Stages: settings that say what held earlier, so that a training can be taken again."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.errors import SettingsError
from fleetgrad.settings import NAMES, Settings
from fleetgrad.stages import EVOLVING, Stage

CHANGES = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.dictionaries(
            st.sampled_from(["learning_rate", "momentum", "weight_decay", "label_smoothing"]),
            st.sampled_from([0.1, 0.2, 0.3]),
        ),
    ),
    max_size=6,
)


def at(settings, epoch):
    """What holds in an epoch, counted from 1."""
    timeline = settings.timeline
    return next((own for until, own in timeline if epoch <= until), timeline[-1][1])


@given(CHANGES)
def test_every_epoch_is_known_by_the_values_that_held_in_it(changes):
    held, now, settings = {}, 0, Settings(epochs=30)
    plain = settings
    for epochs, values in changes:
        for epoch in range(now + 1, now + epochs + 1):
            held[epoch] = plain
        now += epochs
        settings = settings.then(now, values)
        plain = Settings.from_dict({**plain.to_dict(), **values})
    held |= dict.fromkeys(range(now + 1, 31), plain)
    assert {epoch: at(settings, epoch) for epoch in range(1, 31)} == held
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@given(CHANGES)
def test_one_way_has_one_writing(changes):
    settings, now = Settings(epochs=30), 0
    for epochs, values in changes:
        now += epochs
        settings = settings.then(now, values)
    stages = [own for _, own in settings.timeline]
    assert all(before != after for before, after in pairwise(stages))


def test_settings_without_a_past_are_written_as_ever():
    assert "evolved" not in Settings().to_dict()
    assert "evolved" not in NAMES
    assert Settings().then(3, {"learning_rate": 1e-3}) == Settings()


def test_what_can_change_are_numbers_of_settings():
    assert all(isinstance(getattr(Settings(), name), float) for name in EVOLVING)


def test_plain_stages_become_stages():
    settings = Settings(evolved=[{"until": 2, "learning_rate": 1}])
    assert settings.evolved == (Stage(2, (("learning_rate", 1.0),)),)


@pytest.mark.parametrize(
    ("evolved", "told"),
    [
        (3, "list of stages"),
        ([{"learning_rate": 0.1}], "at least 1 as `until`"),
        ([{"until": True, "learning_rate": 0.1}], "at least 1 as `until`"),
        ([{"until": 4}, {"until": 4}], "one after the other"),
        ([{"until": 4, "hidden": [3]}], "`hidden` cannot change"),
        ([{"until": 4, "learning_rat": 0.1}], "did you mean `learning_rate`"),
        ([{"until": 4, "learning_rate": -1}], "`learning_rate` must be in"),
        ([{"until": 4, "dropout": 0.1}], "`dropout` must be 0 in all stages"),
    ],
)
def test_stages_that_cannot_be_are_refused(evolved, told):
    with pytest.raises(SettingsError, match=told):
        Settings(evolved=evolved)
