"""Settings of a generation as text: the first whole, each other as far as it differs from it.

A whole one names every hyperparameter, some 580 bytes that say mostly the same; a million of them
would make a record outgrow a gigabyte.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fleetgrad.payload import decode, encode
from fleetgrad.settings import Settings

_DIFFERS = "differs"  # no hyperparameter's name


def written(settings: Iterable[Settings]) -> Iterator[str]:
    """A text for each."""
    first: dict[str, Any] = {}
    for one in settings:
        plain = one.to_dict()
        if not first:
            first = plain
            yield encode(plain)
            continue
        # What only the first has are stages of a past.
        names = [name for name in first | plain if plain.get(name, []) != first.get(name, [])]
        yield encode({_DIFFERS: {name: plain.get(name, []) for name in names}})


def read(texts: Iterable[str]) -> Iterator[Settings]:
    """The settings whose `written` texts these are, or of texts that are all whole.

    Raises:
        ValueError: A text is none of these; as do TypeError, AttributeError and SettingsError.
    """
    first: dict[str, Any] = {}
    for text in texts:
        plain = decode(text)
        if _DIFFERS in plain:
            plain = first | plain[_DIFFERS]
        elif not first:
            first = plain
        yield Settings.from_dict(plain)
