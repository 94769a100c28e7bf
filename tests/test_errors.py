"""The tree of errors, and the remedy for a misspelled name."""

import inspect

import pytest

from fleetgrad import errors
from fleetgrad.errors import FleetgradError, suggestion

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value.__module__ == errors.__name__
]
KNOWN = ("batch_size", "dropout", "hidden", "learning_rate", "momentum")


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_a_mistake_the_user_can_catch_by_one_name_or_the_users_own_wish(error):
    assert issubclass(error, FleetgradError | KeyboardInterrupt)


@pytest.mark.parametrize("error", CLASSES)
def test_the_tree_drawn_at_the_head_shows_every_error(error):
    assert error.__name__ in errors.__doc__


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_says_nothing_but_its_message(error):
    assert str(error("`keep` must be in (0, 1), got 1.5; use 0.25.")) == (
        "`keep` must be in (0, 1), got 1.5; use 0.25."
    )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("learning_rat", "learning_rate"), ("Hidden", "hidden"), ("batchsize", "batch_size")],
)
def test_a_misspelled_name_brings_the_nearest(wrong, right):
    assert suggestion(wrong, KNOWN) == f"did you mean `{right}`?"


def test_a_name_like_none_brings_the_whole_sorted_list():
    assert suggestion("q", reversed(KNOWN)) == f"use one of: {', '.join(KNOWN)}."
