"""A sampler that is led by settings from elsewhere: these first, then its own."""

from collections.abc import Iterable, Sequence

from fleetgrad.candidates import Candidates
from fleetgrad.samplers.protocol import Sampler
from fleetgrad.samplers.streams import check_count
from fleetgrad.settings import Settings


class Led:
    """Proposes given settings before those of another sampler, and none of them twice.

    Args:
        sampler: The other one; it is told of all scores.
        first: Distinct settings.
        first_id: Id of the first of them; the others count up from it.
    """

    def __init__(self, sampler: Sampler, first: Iterable[Settings], first_id: int) -> None:
        self._sampler = sampler
        self._waiting = list(first)
        self._first = frozenset(self._waiting)
        self._next_id = first_id

    def ask(self, n: int) -> Candidates:
        """The next `n` candidates; fewer, then none, once the space is used up."""
        check_count(n)
        chosen, self._waiting = self._waiting[:n], self._waiting[n:]
        while len(chosen) < n:
            more = self._sampler.ask(n - len(chosen))
            if not more:
                break
            chosen += [one for one in more.settings if one not in self._first]
        found = Candidates.numbered(chosen, self._next_id)
        self._next_id += len(found)
        return found

    def tell(self, candidates: Candidates, scores: Sequence[float]) -> None:
        """Pass scores on."""
        self._sampler.tell(candidates, scores)
