"""Fewer of many, where all would be too many to draw."""

from collections.abc import Sequence
from typing import TypeVar

One = TypeVar("One")


def evenly(items: Sequence[One], most: int) -> Sequence[One]:
    """At most so many of the items, in their order, at even distances; the first among them.

    >>> evenly("abcdefgh", 3)
    ['a', 'c', 'f']
    """
    count = len(items)
    if count <= most:
        return items
    return [items[place * count // most] for place in range(most)]
