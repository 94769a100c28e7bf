"""Many settings, each with an id that lasts for the whole run.

An id is given once, when a sampler proposes the settings, and names the candidate in curves,
rungs, files and the leaderboard ever after, however the fleet is permuted, cut or resumed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from fleetgrad.settings import Settings


@dataclass(frozen=True, slots=True)
class Candidates:
    """Settings with their ids, in order.

    Args:
        ids: Lasting ids, distinct.
        settings: The settings of each, as many as `ids`.
    """

    ids: tuple[int, ...]
    settings: tuple[Settings, ...]

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.settings) == len(set(self.ids))

    @classmethod
    def numbered(cls, settings: Sequence[Settings], first: int = 0) -> Self:
        """Candidates with ids counted up from `first`."""
        return cls(tuple(range(first, first + len(settings))), tuple(settings))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[int, Settings]]:
        return iter(zip(self.ids, self.settings, strict=True))

    def __getitem__(self, candidate: int) -> Settings:
        """The settings of the candidate with this id."""
        return self.settings[self.ids.index(candidate)]

    def only(self, ids: Iterable[int]) -> "Candidates":
        """The named candidates, in the order of `ids`."""
        ids, known = tuple(ids), dict(self)
        return Candidates(ids, tuple(known[candidate] for candidate in ids))
