"""Who lives, and until which epoch: schedules as plain values, decisions as pure functions.

A schedule never sees training. It is fixed before the first network starts, so the budget it
will cost is known (`Rungs.cost`), and the same scores always give the same survivors.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fleetgrad.errors import BudgetError, UsageError

FIRST_SHARE = 9  # scores at a ninth of the epochs order the networks nearly as the end does


@dataclass(frozen=True, slots=True)
class Rungs:
    """A schedule: train until an epoch, keep so many, train on.

    Args:
        epochs: Epoch at which each rung ends, strictly rising; the last is the full training.
        survivors: How many go on after each rung, never rising; the last are the finalists.

    Raises:
        UsageError: The two differ in length, are empty, or are out of order.
    """

    epochs: tuple[int, ...]
    survivors: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.epochs or len(self.epochs) != len(self.survivors):
            raise UsageError(
                "`Rungs` must have as many survivors as epochs and at least one, "
                f"got {self.epochs} and {self.survivors}; use Rungs((1, 3, 9), (9, 3, 3))."
            )
        if self.epochs[0] < 1 or any(b <= a for a, b in pairwise(self.epochs)):
            raise UsageError(f"`epochs` must rise from 1 or more, got {self.epochs}; sort them.")
        if self.survivors[-1] < 1 or any(b > a for a, b in pairwise(self.survivors)):
            raise UsageError(
                f"`survivors` must never rise and end at 1 or more, got {self.survivors}; "
                "sort them from many to few."
            )

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs of (until this epoch, keep so many)."""
        return iter(zip(self.epochs, self.survivors, strict=True))

    def cost(self, candidates: int) -> int:
        """Network-epochs the schedule takes when `candidates` start and nobody diverges.

        >>> Rungs((1, 3, 9), (9, 3, 3)).cost(27)
        63
        """
        total, alive, before = 0, candidates, 0
        for until, keep in self:
            total += alive * (until - before)
            alive, before = min(alive, keep), until
        return total


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bet of Hyperband: how many candidates start, and their schedule."""

    candidates: int
    rungs: Rungs


def successive_halving(
    candidates: int,
    epochs: int,
    *,
    eta: float = 3,
    first: int | None = None,
    finalists: int = 3,
) -> Rungs:
    """The schedule that keeps one in `eta` per rung (Jamieson and Talwalkar, AISTATS 2016).

    The rungs stand at even ratios from `first` to `epochs`, about `eta` apart. A rung that would
    drop nobody is left out, so a handful of candidates, or a single epoch, gives one rung.

    Args:
        candidates: How many start, >= 1.
        epochs: The full training, >= 1.
        eta: One in how many survives a rung, > 1.
        first: Epoch of the first decision, in [1, epochs]; None takes about a ninth of `epochs`.
        finalists: Fewest to keep to the end, >= 1 (all, where fewer start).

    Raises:
        BudgetError: A count is below one, or `first` is past `epochs`.

    >>> successive_halving(32, 9)
    Rungs(epochs=(1, 3, 9), survivors=(10, 3, 3))
    """
    first = max(1, round(epochs / FIRST_SHARE)) if first is None else first
    _check(candidates=candidates, epochs=epochs, finalists=finalists, first=first)
    _check_eta(eta)
    stops = _geometric(first, epochs, eta)
    fewest = min(candidates, finalists)
    kept = [max(fewest, int(candidates / eta ** (k + 1))) for k in range(len(stops))]
    kept[-1] = fewest
    return _without_idle(candidates, stops, kept)


def hyperband(
    epochs: int, *, eta: float = 3, first: int = 1, finalists: int = 1
) -> tuple[Bracket, ...]:
    """All brackets of one pass of Hyperband (Li et al., JMLR 18(185), 2018, algorithm 1).

    Each bracket costs about the same; the first stops boldly and early, the last stops nobody.

    Args:
        epochs: The full training (R of the paper), >= 1.
        eta: One in how many survives a rung, > 1.
        first: Epoch of the boldest bracket's first decision (R is counted in these), >= 1.
        finalists: Fewest each bracket keeps to the end, >= 1.

    Raises:
        BudgetError: A count is below one, or `first` is past `epochs`.

    >>> [bracket.candidates for bracket in hyperband(81)]
    [81, 34, 15, 8, 5]
    """
    _check(candidates=1, epochs=epochs, finalists=finalists, first=first)
    _check_eta(eta)
    most = int(math.log(epochs / first, eta) + 1e-9)
    brackets = []
    for halvings in range(most, -1, -1):
        start = math.ceil((most + 1) / (halvings + 1) * eta**halvings - 1e-9)
        stops = _distinct([round(epochs / eta**k) for k in range(halvings, -1, -1)])
        fewest = min(start, finalists)
        kept = [max(fewest, int(start / eta ** (k + 1))) for k in range(len(stops))]
        kept[-1] = fewest
        brackets.append(Bracket(start, _without_idle(start, stops, kept)))
    return tuple(brackets)


def survivors(scores: Sequence[float], keep: int) -> tuple[int, ...]:
    """Positions of the best `keep` scores, best first.

    A NaN (diverged) never survives, so fewer than `keep` may come back; equal scores go by
    position, so the choice does not depend on a sort's whims.

    >>> survivors([0.2, float("nan"), 0.9, 0.2], 3)
    (2, 0, 3)
    """
    alive = [position for position, score in enumerate(scores) if not math.isnan(score)]
    return tuple(sorted(alive, key=lambda position: (-scores[position], position))[: max(keep, 0)])


def _geometric(first: int, last: int, eta: float) -> list[int]:
    steps = round(math.log(last / first, eta))
    if first < last:
        steps = max(steps, 1)
    if steps == 0:
        return [last]
    return _distinct([round(first * (last / first) ** (k / steps)) for k in range(steps + 1)])


def _distinct(stops: list[int]) -> list[int]:
    return sorted({max(1, stop) for stop in stops})


def _without_idle(candidates: int, stops: list[int], kept: list[int]) -> Rungs:
    before = [candidates, *kept[:-1]]
    last = len(stops) - 1
    useful = [k for k in range(len(stops)) if k == last or kept[k] < before[k]]
    return Rungs(tuple(stops[k] for k in useful), tuple(kept[k] for k in useful))


def _check(*, candidates: int, epochs: int, finalists: int, first: int) -> None:
    counts = {"candidates": candidates, "epochs": epochs, "finalists": finalists, "first": first}
    for name, count in counts.items():
        if count < 1:
            raise BudgetError(f"`{name}` must be at least 1, got {count}; use 1 or more.")
    if first > epochs:
        raise BudgetError(
            f"`first` must be at most `epochs` = {epochs}, got {first}; "
            f"use {max(1, round(epochs / FIRST_SHARE))}."
        )


def _check_eta(eta: float) -> None:
    if not eta > 1:
        raise BudgetError(f"`eta` must be above 1, got {eta}; use 3 to keep a third per rung.")
