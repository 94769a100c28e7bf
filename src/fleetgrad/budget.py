"""How much a run may spend: a time, or counts of candidates or of passes."""

import math
import re
from dataclasses import dataclass
from typing import Any

from fleetgrad.errors import BudgetError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Budget:
    """How much to spend: `candidates` and `epochs`, `network_epochs` and `epochs`, or `seconds`.

    Args:
        candidates: How many settings to try, >= 1.
        epochs: Passes over the training rows of those that go all the way, >= 1.
        seconds: Wall-clock time for everything, compilation and the final test included, > 0.
        network_epochs: Passes of the search, over all its networks, >= `epochs`; repeats and refit
            are not counted.

    Raises:
        BudgetError: None or several are given, or one is out of range.

    Examples:
        >>> Budget(candidates=64, epochs=20).seconds is None
        True
    """

    candidates: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    network_epochs: int | None = None

    def __post_init__(self) -> None:
        timed = self.seconds is not None
        limits = (self.candidates, self.network_epochs, self.seconds)
        if sum(limit is not None for limit in limits) != 1 or timed == (self.epochs is not None):
            raise BudgetError(
                "a budget must be a time, or candidates and epochs together, or network_epochs "
                f"and epochs, got {self}; use 10m, or Budget(candidates=32, epochs=9)."
            )
        if timed and not _is_time(self.seconds):
            raise BudgetError(f"a budget must be above 0 s, got {self.seconds!r}; use 60s or 10m.")
        for name in ("candidates", "epochs", "network_epochs"):
            count = getattr(self, name)
            if count is not None and not _is_count(count):
                raise BudgetError(
                    f"`{name}` must be a whole number of at least 1, got {count!r}; use 9."
                )
        if self.network_epochs is not None and self.network_epochs < (self.epochs or 1):
            raise BudgetError(
                f"`network_epochs` must be enough for one candidate of {self.epochs} epochs, got "
                f"{self.network_epochs}; use {20 * (self.epochs or 1)}."
            )

    @classmethod
    def of(cls, budget: "str | float | Budget") -> "Budget":
        """A budget from "90s", "10m", "2h", a number of seconds, or a budget.

        Raises:
            BudgetError: It is none of these, or not above 0.

        Examples:
            >>> Budget.of("10m").seconds
            600.0
        """
        if isinstance(budget, Budget):
            return budget
        if isinstance(budget, int | float) and not isinstance(budget, bool):
            return cls(seconds=float(budget))
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", str(budget))
        if not found:
            raise BudgetError(
                f"a budget must be a time such as 90s, 10m or 2h, got {budget!r}; use 10m."
            )
        return cls(seconds=float(found[1]) * UNITS[found[2] or "s"])


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= 1
