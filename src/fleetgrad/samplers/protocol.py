"""What a search asks of whoever proposes its candidates."""

from collections.abc import Sequence
from typing import Protocol

from fleetgrad.candidates import Candidates


class Sampler(Protocol):
    """Proposes candidates and learns from their scores."""

    def ask(self, n: int) -> Candidates:
        """The next `n` candidates; fewer, then none, once the space is used up."""
        ...

    def tell(self, candidates: Candidates, scores: Sequence[float]) -> None:
        """Learn the score of each candidate; a later score replaces an earlier one."""
        ...
