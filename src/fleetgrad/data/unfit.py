"""Columns that nothing can be learned from as they are, and what is said of them."""

import numpy as np

from fleetgrad.data import coding, gathering
from fleetgrad.data.columns import CATEGORY, Column, Table
from fleetgrad.errors import DataError

LONG = 30  # letters of a text in the mean, from which on it is no name of a category
FEW = 20  # different words can be told apart in any table
STRAY = 0.1  # the largest share of words among numbers that looks like an oversight
SHOWN = 4  # columns that a message names


def check(table: Table) -> None:
    """Refuse free text, and numbers with stray words among them.

    Raises:
        DataError: A column is unfit.
    """
    words = [one for one in table.columns if one.kind == CATEGORY]
    for one in words:
        _check_no_mixture(table, one)
    found = [one for one in words if _is_text(one)]
    if not found:
        return
    shown = [
        f"`{one.name}` ({np.count_nonzero(one.counts):,} different, such as {one.words[0][:40]!r})"
        for one in found[:SHOWN]
    ]
    more = f" and {len(found) - SHOWN} more columns" if len(found) > SHOWN else ""
    raise DataError(
        f"{table.source} must have columns of numbers, dates or categories that recur, got text "
        f"that differs from row to row in {', '.join(shown)}{more}; drop such columns, or make "
        "numbers or categories of them (dates are read as 2026-01-31)."
    )


def _is_text(column: Column) -> bool:
    """Whether a category is none: most rows say something else, at length, or all of them do."""
    counts = column.counts
    different, known = int(np.count_nonzero(counts)), int(counts.sum())
    if different <= FEW:
        return False
    letters = sum(len(word) * int(times) for word, times in zip(column.words, counts, strict=True))
    long = letters > LONG * known
    return 2 * different > known and (long or not coding.words(column)[0])


def _check_no_mixture(table: Table, column: Column) -> None:
    known = [word for word, times in zip(column.words, column.counts, strict=True) if times]
    odd = [word for word in known if gathering.parsed([word]) is None]
    numbers = len(known) - len(odd)
    if not odd or numbers <= FEW or len(odd) > STRAY * numbers:
        return
    row = int(np.argmax(column.values == column.words.index(odd[0])))
    raise DataError(
        f"column `{column.name}` of {table.source} must hold numbers or words, got {numbers:,} "
        f"different numbers and {odd[0][:40]!r} (training row {row}); leave cells empty where a "
        "number is not known, or put a letter before each number that is a code."
    )
