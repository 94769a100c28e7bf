"""Our own search over the surrogate: what `fleetgrad.tune` runs, on a fleet that trains nothing.

The record, the rounds, the strategy and the plan are the library's own; only the population stands
in for one that trains, as the two protocols of `fleetgrad.trainees` allow.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from fleetgrad import plan as plans
from fleetgrad import strategies
from fleetgrad.budget import Budget
from fleetgrad.clock import Clock
from fleetgrad.pace import Pace
from fleetgrad.rounds import Rounds
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space
from fleetgrad.store import Run
from fleetgrad.strategies.thaw import Thaw
from fleetgrad.trainees import Member
from rowless import Rowless
from surrogate import EPOCHS, Meter

LANES = 2  # networks side by side, as on two cores; fixed, so that results are the same anywhere
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
WIDTHS = tuple(int(width) for width in np.round(np.geomspace(64, 1024, 17)))
SPACE = Space(
    hidden=Choice(*((width,) * layers for layers in range(1, 6) for width in WIDTHS)),
    optimizer="momentum",
    batch_size=Int(16, 512, log=True),
    learning_rate=Float(1e-4, 0.1, log=True),
    momentum=Float(0.1, 0.99),
    weight_decay=Float(1e-5, 0.1),
    dropout=Float(0.0, np.nextafter(1.0, 0.0)),
)


def fleetgrad(meter: Meter, seed: int) -> np.ndarray:
    """The best network that our search finds, as `tune` would for a budget of these passes."""
    name = strategies.resolved("auto", SPACE, by_candidates=False, sampler=None)
    budget = Budget(network_epochs=meter.budget, epochs=EPOCHS)
    plan = plans.counted(budget, adaptive=False, strategy=name, dimensions=SPACE.dimensions)
    strategy = Thaw(SPACE, plan.options(seed, LANES))
    fleet, clock = Fleet(meter), Clock(None)
    pace = Pace(plan, clock, LANES, lambda _: None)
    with (
        tempfile.TemporaryDirectory(dir=_memory()) as folder,
        Run.create(Path(folder) / "run", {"seed": seed}) as run,
    ):
        rounds = Rounds(run, strategy, plan, fleet, pace)
        rounds.run()
        return network(rounds.best(1).settings[0])


def network(settings: Settings) -> np.ndarray:
    """The surrogate's network that settings mean."""
    layers, width = len(settings.hidden), settings.hidden[0]
    rates = (settings.learning_rate, settings.momentum, settings.weight_decay)
    return np.array([settings.batch_size, *rates, layers, width, settings.dropout], float)


class Fleet(Rowless["StandIns"]):
    """`fleetgrad.trainees.Trainer` over a meter."""

    lanes = LANES

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def populate(self, settings: Mapping[Member, Settings]) -> "StandIns":
        """Networks about to go along their curves."""
        return StandIns(self._meter, settings)


class StandIns:
    """`fleetgrad.trainees.Trainees`, whose whole state is the epoch each has come to."""

    def __init__(self, meter: Meter, settings: Mapping[Member, Settings]) -> None:
        self._meter = meter
        rows = np.array([network(one) for one in settings.values()]).reshape(len(settings), -1)
        curves = meter.curves(rows) if len(rows) else ()
        self._curves = dict(zip(settings, map(_table, curves), strict=True))
        self._epoch = dict.fromkeys(settings, 0)
        self.network_epochs = 0.0

    @property
    def members(self) -> tuple[Member, ...]:
        """Everyone still kept."""
        return tuple(self._epoch)

    def advance(self, until: int | Mapping[Member, int], proceed: Callable[[], bool]) -> bool:
        """Spend the epochs that all need to come so far; there is no clock to stop them."""
        assert proceed()
        goals = until if isinstance(until, Mapping) else dict.fromkeys(self._epoch, until)
        for member, epoch in self._epoch.items():
            goal = max(epoch, min(goals.get(member, epoch), EPOCHS))
            self._meter.train(goal - epoch)
            self.network_epochs += goal - epoch
            self._epoch[member] = goal
        return True

    def curve(self, member: Member) -> np.ndarray:
        """(epochs, 4): train loss and accuracy, validation loss and accuracy."""
        return self._curves[member][: self._epoch[member]]

    def diverged_at(self, member: Member) -> None:
        """The surrogate knows of no such thing."""

    def epoch_seconds(self, member: Member) -> float:  # noqa: ARG002 - as the protocol has it
        """All cost the same."""
        return 1.0

    def keep(self, members: Iterable[Member]) -> None:
        """Drop everyone else."""
        self._epoch = {member: self._epoch[member] for member in members}

    def params(self, member: Member) -> int:
        """In place of weights: the epoch."""
        return self._epoch[member]

    def state(self) -> dict[str, np.ndarray]:
        """Everything `restore` needs."""
        return {_key(member): np.array([epoch]) for member, epoch in self._epoch.items()}

    def restore(
        self, arrays: Mapping[str, np.ndarray], members: Iterable[Member] | None = None
    ) -> None:
        """Go on from where `state` was taken."""
        for member in self.members if members is None else members:
            self._epoch[member] = int(arrays[_key(member)][0])


def _table(curve: np.ndarray) -> np.ndarray:
    """A curve of validation accuracy as a population shows it; the errors stand for losses."""
    return np.column_stack([1 - curve, curve, 1 - curve, curve])


def _key(member: Member) -> str:
    return f"{member.candidate}.{member.replicate}"


def _memory() -> Path | None:
    """Where a record need not wait for a disk, if there is such a place."""
    return MEMORY if os.access(MEMORY, os.W_OK) else None
