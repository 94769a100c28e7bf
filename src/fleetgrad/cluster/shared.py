"""What all populations of a study on a cluster share: where states lie, and who was sent ahead."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from distributed import Future

from fleetgrad.cluster.crew import Crew
from fleetgrad.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from fleetgrad.cluster.work import Done, Report
    from fleetgrad.machine import Machine
    from fleetgrad.shapes import Shape
    from fleetgrad.underway import Training

MOST_KEPT = 512  # states that stay on workers when their population is gone


class Held(NamedTuple):
    """Where a state lies.

    source: A chunk that is done, or the arrays of this network, or None before its first step.
    place: Of it in the chunk.
    worker: The one that has the chunk.
    arrays: The same here, if they are.
    """

    source: Any
    place: int = 0
    worker: str | None = None
    arrays: Any = None

    @property
    def afar(self) -> bool:
        """Whether that is on a worker."""
        return isinstance(self.source, Future)


class Lead(NamedTuple):
    """A network that has been sent ahead of what was asked for, while a lane had nothing to do."""

    start: int
    until: int
    worker: str
    done: "Future[Done]"
    report: "Future[Report]"

    def fits(self, one: "Training") -> bool:
        """Whether it goes on from where a network is, and not beyond where that is to go."""
        goal = min(one.goal, one.settings.epochs)
        return self.start * one.steps_per_epoch == one.position and self.until <= goal


class Lesson(NamedTuple):
    """What networks learn from.

    whole: Every row, or their replicate's split.
    targets: What rows are to be taken for, on the cluster; None for their labels.
    """

    whole: bool
    targets: "Future[np.ndarray] | None" = None

    @property
    def plain(self) -> bool:
        """Whether it is what all of a search learn from, so that others may go on from there."""
        return not self.whole and self.targets is None


@dataclass
class Shared:
    """What all populations of a study share.

    Args:
        crew: The workers.
        site: The study's name there.
        kept: States that lie on workers, with their position, by settings and replicate: whoever
            goes on from there need not be sent anywhere.
        leads: Networks that were sent ahead, in the same way.
        compiled: Seconds that each worker has spent on compilation.
    """

    crew: Crew
    site: str
    kept: OrderedDict[tuple[Settings, int], tuple[int, Held]] = field(default_factory=OrderedDict)
    leads: dict[tuple[Settings, int], Lead] = field(default_factory=dict)
    compiled: dict[str, float] = field(default_factory=dict)

    def keep(self, settings: Settings, replicate: int, position: int, held: Held) -> None:
        """Remember where a state lies."""
        place = (settings, replicate)
        self.kept[place] = position, held
        self.kept.move_to_end(place)
        while len(self.kept) > MOST_KEPT:
            self.kept.popitem(last=False)

    def send(self, settings: Settings, replicate: int, lead: Lead) -> None:
        """Remember who was sent ahead; of many, those of late."""
        self.leads[settings, replicate] = lead
        while len(self.leads) > MOST_KEPT:
            del self.leads[next(iter(self.leads))]

    def heard(self, report: "Report", machine: "Machine", shape: "Shape", steps: int) -> None:
        """Take note of what a worker says of itself.

        Args:
            report: Of a chunk.
            machine: Told how long steps take.
            shape: Of the program that was used.
            steps: That each network took in it.
        """
        self.crew.trust(report.worker)
        self.compiled[report.worker] = report.compile_seconds
        machine.compile_seconds = sum(self.compiled.values())
        for one in dict.fromkeys((shape, replace(shape, epochs=1))):
            machine.note(one, report.step_seconds * steps, steps)

    def recall(self, settings: Settings, replicate: int, position: int) -> Held | None:
        """Where the state of such a network lies, after so many steps."""
        at, held = self.kept.get((settings, replicate), (None, None))
        return held if at == position else None
