"""Points that were fixed beforehand: a grid, chance, or Sobol's sequence. Scores change nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from fleetgrad import keys
from fleetgrad.candidates import Candidates
from fleetgrad.errors import UsageError
from fleetgrad.settings import Settings
from fleetgrad.space import Space

_RANDOM, _SOBOL = 1, 2  # counters that keep the samplers' random numbers apart; 3 is TPE's
_PATIENCE = 1000  # repeats in a row after which a space counts as used up


class Stream:
    """Proposes points of a sequence that was fixed beforehand; scores change nothing."""

    def __init__(
        self, points: Callable[[int], Iterator[dict[str, Any]]], epochs: int, first_id: int
    ) -> None:
        """Propose what `points` (given the first ask's size) yields; arguments as for `make`."""
        self._open = points
        self._points: Iterator[dict[str, Any]] | None = None
        self._epochs = epochs
        self._next_id = first_id
        self._seen: set[Settings] = set()

    def ask(self, n: int) -> Candidates:
        """The next `n` points that are new."""
        check_count(n)
        if self._points is None and n:
            self._points = self._open(n)
        settings = list(islice(self._fresh(self._points or iter(())), n))
        found = Candidates.numbered(settings, self._next_id)
        self._next_id += len(found)
        return found

    def tell(self, candidates: Candidates, scores: Sequence[float]) -> None:
        """Take note of nothing, after a look that the two belong together."""
        check_scores(candidates, scores)

    def skip(self, settings: Settings) -> None:
        """Never propose these settings, which came from elsewhere."""
        self._seen.add(settings)

    def _fresh(self, points: Iterator[dict[str, Any]]) -> Iterator[Settings]:
        repeats = 0
        while repeats < _PATIENCE:
            point = next(points, None)
            if point is None:
                return
            settings = settled(point, self._epochs)
            if settings in self._seen:
                repeats += 1
                continue
            repeats = 0
            self._seen.add(settings)
            yield settings


def grid(space: Space, seed: int, epochs: int, first_id: int) -> Stream:
    """About as many evenly spread points as the first ask wants, then no more."""
    del seed  # a grid leaves nothing to chance
    return Stream(lambda n: iter(space.grid(n)), epochs, first_id)


def random(space: Space, seed: int, epochs: int, first_id: int) -> Stream:
    """Independent points (Bergstra and Bengio, JMLR 13, 2012)."""

    def points(_: int) -> Iterator[dict[str, Any]]:
        generator = keys.generator(seed, "sampler", _RANDOM)
        while True:
            yield space.decode(generator.random(space.dimensions).tolist())

    return Stream(points, epochs, first_id)


def sobol(space: Space, seed: int, epochs: int, first_id: int) -> Stream:
    """Evenly spread points, one scrambled sequence (Sobol 1967; Owen 1998) over all asks."""

    def points(_: int) -> Iterator[dict[str, Any]]:
        from scipy.stats import qmc  # noqa: PLC0415 - takes most of a second

        generator = keys.generator(seed, "sampler", _SOBOL)
        sequence = qmc.Sobol(space.dimensions, scramble=True, rng=generator)
        while True:  # one at a time: the first ask may be for any number, balanced or not
            yield space.decode(sequence.random(1)[0].tolist())

    return Stream(points, epochs, first_id)


def settled(values: Mapping[str, Any], epochs: int) -> Settings:
    """Settings of a point; `epochs` is the full training unless the point says otherwise."""
    return Settings(**{"epochs": epochs, **values})


def check_count(n: int) -> None:
    """Raise `UsageError` for a negative count."""
    if n < 0:
        raise UsageError(f"`ask` takes a count of at least 0, got {n}; use 1 or more.")


def check_scores(candidates: Candidates, scores: Sequence[float]) -> None:
    """Raise `UsageError` unless there is one score a candidate."""
    if len(candidates) != len(scores):
        raise UsageError(
            f"`tell` takes one score a candidate, got {len(scores)} for {len(candidates)}; "
            "give NaN for one that diverged."
        )
