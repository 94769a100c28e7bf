"""Which networks go to a worker together, and how far.

A chunk holds networks of one program that are equally far, and takes a worker's lane for a few
seconds: so the driver hears of them often, a lost worker costs little, and whoever joins has work
at once. How networks are cut into chunks is chosen by speed, and changes no result.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fleetgrad.shapes import Shape
from fleetgrad.trainees import Member

SLICE_SECONDS = 3.0  # of a lane's work on a chunk
TINY = 1e-9  # seconds: nothing is faster


class Waiting(NamedTuple):
    """A network that is to go on.

    member: Who.
    program: That it trains in.
    start: Whole epochs done.
    goal: The epoch until which it goes on.
    seconds: What an epoch takes a lane.
    source: Whatever holds its state; those of one source lie on one worker.
    """

    member: Member
    program: Shape
    start: int
    goal: int
    seconds: float
    source: Any = None


class Chunk(NamedTuple):
    """Networks that train together.

    members: Who.
    program: That they train in.
    start: Whole epochs done.
    until: The epoch at which they come to rest.
    goal: The epoch until which they then go on.
    seconds: What an epoch takes a lane, for as many as it trains at once.
    width: How many that are.
    """

    members: tuple[Member, ...]
    program: Shape
    start: int
    until: int
    goal: int
    seconds: float
    width: int

    @property
    def expected(self) -> float:
        """Seconds that it should take a lane."""
        return self._epoch * (self.until - self.start)

    @property
    def _epoch(self) -> float:
        return self.seconds * -(-len(self.members) // self.width)

    def slice(self) -> "Chunk":
        """As far as it gets in a few seconds, but at least an epoch."""
        epochs = max(1, int(SLICE_SECONDS / max(self._epoch, TINY)))
        return self._replace(until=min(self.goal, self.start + epochs))

    def rest(self, members: Sequence[Member], seconds: float) -> "Chunk | None":
        """What is left to do for these of its members; None where it is all done."""
        if not members or self.until >= self.goal:
            return None
        return self._replace(members=tuple(members), start=self.until, seconds=seconds).slice()

    def halves(self) -> "tuple[Chunk, Chunk]":
        """The same work for two lanes."""
        middle = len(self.members) // 2
        first, second = self.members[:middle], self.members[middle:]
        return self._replace(members=first).slice(), self._replace(members=second).slice()


def cut(waiting: Iterable[Waiting], lanes: int, width: int = 1) -> list[Chunk]:
    """Chunks, who is least far first.

    Args:
        waiting: Networks.
        lanes: How many chunks are trained at once.
        width: How many networks of a chunk are trained at once.
    """
    groups: dict[tuple[Any, ...], list[Waiting]] = defaultdict(list)
    for one in waiting:
        groups[one.program, one.start, one.goal].append(one)
    total = sum(map(len, groups.values()))
    most = max(1, -(-total // max(1, lanes)))
    chunks = [chunk for group in groups.values() for chunk in _pieces(group, most, width)]
    return sorted(chunks, key=lambda chunk: chunk.start)


def _pieces(group: list[Waiting], most: int, width: int) -> list[Chunk]:
    first = group[0]
    together = [one.member for one in sorted(group, key=lambda one: id(one.source))]
    whole = first.seconds * (first.goal - first.start)
    size = min(most, max(width, int(width * SLICE_SECONDS / max(whole, TINY))))
    begun = first.start
    return [
        Chunk(
            tuple(together[place : place + size]),
            first.program,
            begun,
            begun,
            first.goal,
            first.seconds,
            width,
        ).slice()
        for place in range(0, len(together), size)
    ]
