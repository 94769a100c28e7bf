"""What the record knows of each candidate, and what a search trains next because of it.

A strategy sees trials, never training: the same trials, memory and budget give the same step, so a
search can be gone on with, replayed, or tested without a single network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from fleetgrad.settings import Settings


class Trial(NamedTuple):
    """A candidate, as far as it came.

    Args:
        id: Its lasting id.
        settings: Its own.
        scores: Validation score after each epoch; the greater, the better.
        diverged: Whether it did, after these.
        kept: Whether its weights are at hand, so that it can go on from where it stands.
    """

    id: int
    settings: Settings
    scores: tuple[float, ...]
    diverged: bool = False
    kept: bool = True

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.scores)


@dataclass(frozen=True)
class Step:
    """What to train next; false where a search is over.

    Args:
        goals: Known candidates, and the epoch until which each goes on.
        fresh: New settings.
        until: The epoch until which new ones are trained.
        parents: Known candidates whose training each of `fresh` goes on with; none where they
            begin anew.
        memory: What the strategy wants to be told at the next step; plain values.
    """

    goals: Mapping[int, int] = field(default_factory=dict)
    fresh: tuple[Settings, ...] = ()
    until: int = 0
    parents: tuple[int, ...] = ()
    memory: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.goals or self.fresh)


@runtime_checkable
class Strategy(Protocol):
    """Decides what a search trains next."""

    def decide(
        self, trials: Sequence[Trial], left: float, memory: Mapping[str, Any] | None
    ) -> Step:
        """The next step.

        Args:
            trials: Everyone who was trained so far, by id.
            left: Epochs of a typical network that may still be spent.
            memory: Of the step before, or None.
        """

    def wanted(self, trials: Sequence[Trial]) -> tuple[int, ...]:
        """Ids of those that may yet go on, or win."""
