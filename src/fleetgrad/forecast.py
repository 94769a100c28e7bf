"""What a run would do, before it does anything: its schedule, its networks, bytes and seconds.

The candidates are the very ones that the search would begin with. What an epoch takes is measured
as for a budget in time, on the cohorts with the most candidates; the others are reckoned from
their arithmetic at the speed that was measured, and say so.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fleetgrad import memory, timing
from fleetgrad.clock import Clock
from fleetgrad.earlier import summary
from fleetgrad.fleet import Fleet
from fleetgrad.plan import Plan
from fleetgrad.preparing import Asked, decide_programs, first_candidates, planned
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape
from fleetgrad.timing import Expected

MOST_MEASURED = 16  # cohorts; each may have to be compiled first
STATIC = (
    "members",
    "parametric",
    "bias",
    "parametrization",
    "front_scale",
    "embedding",
    "normalization",
    "loss",
    "optimizer",
    "batch_size",
)


class Cohort(NamedTuple):
    """Candidates of the first generation that share a program.

    Args:
        settings: What the program is for: the widest `hidden` layers, every `activation`, and what
            all have in common; of dropout, noise, clipping and averaging, whether anybody has it.
        candidates: How many they are.
        member_bytes: Weights, optimizer state, statistics and average of one, padded to `hidden`.
        epoch_seconds: What an epoch of one takes on one lane.
        measured: Whether that was measured, or reckoned from the others' speed.
    """

    settings: dict[str, Any]
    candidates: int
    member_bytes: int
    epoch_seconds: float
    measured: bool


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    Args:
        run: Where it would lie.
        dataset: Name, rows, features, classes, test rows.
        budget_s: The budget in time, or None.
        plan: The schedule.
        cohorts: Of the first generation, the most candidates first.
        lanes: How many networks train at once.
        data_bytes: Of inputs and labels.
        available_bytes: Of memory, that the machine can still give.
        compile_s: What compiling the cohorts' programs should take.
        loading_s: What loading the data took.
        expected: Seconds of each part; a budget in time also gets repeats for what is left.
        warm_start: Earlier runs it would begin with.
    """

    run: Path
    dataset: dict[str, Any]
    budget_s: float | None
    plan: Plan
    cohorts: tuple[Cohort, ...]
    lanes: int
    data_bytes: int
    available_bytes: int
    compile_s: float
    loading_s: float
    expected: Expected
    warm_start: tuple[Mapping[str, Any], ...] = ()

    @property
    def network_epochs(self) -> int:
        """Of search, repeats, refit and all that is learned after it, if nobody diverges."""
        return self.plan.network_epochs

    @property
    def population_bytes(self) -> int:
        """Of the first generation's networks together."""
        return sum(one.candidates * one.member_bytes for one in self.cohorts)

    @property
    def turns(self) -> int:
        """Groups that train one after another, where memory has no room for all at once."""
        return max(1, math.ceil(self.population_bytes / (memory.SHARE * self.available_bytes)))

    @property
    def expected_s(self) -> float:
        """Of everything; a budget in time is kept."""
        whole = self.loading_s + self.compile_s + sum(self.expected) + timing.END_SECONDS
        return whole if self.budget_s is None else min(whole, self.budget_s)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        plan = self.plan
        halves = plan.strategy == "halving"
        rungs = [plan.rungs(number) for number in range(len(plan.generations))] if halves else []
        return {
            "run": str(self.run),
            "dataset": self.dataset,
            "budget_s": self.budget_s,
            "candidates": self.plan.candidates,
            "strategy": self.plan.strategy,
            "generations": list(self.plan.generations),
            "rungs": [
                {"epochs": list(one.epochs), "survivors": list(one.survivors)} for one in rungs
            ],
            "stops": [] if halves else list(plan.stops),
            "epochs": self.plan.epochs,
            "last_epochs": self.plan.last,
            "finalists": self.plan.finalists,
            "replicates": self.plan.replicates,
            "ensemble": self.plan.ensemble,
            "distill": self.plan.distill,
            "network_epochs": self.network_epochs,
            "lanes": self.lanes,
            "cohorts": [one._asdict() for one in self.cohorts],
            "population_bytes": self.population_bytes,
            "turns": self.turns,
            "data_bytes": self.data_bytes,
            "available_bytes": self.available_bytes,
            "expected_s": self.expected_s,
            "expected": {"loading": self.loading_s, "compile": self.compile_s}
            | self.expected._asdict(),
            "warm_start": [dict(one) for one in self.warm_start],
            "measured": all(one.measured for one in self.cohorts),
        }


def forecast(task: Asked, run: Path, fleet: Fleet, clock: Clock) -> Forecast:
    """Plan a run, and measure what its networks cost.

    Args:
        task: What was asked for.
        run: Where it would lie.
        fleet: Over the task's data.
        clock: With the task's budget, started before the data were loaded.

    Raises:
        FleetgradError: The run could not begin.
    """
    loading, data = clock.elapsed, task.data
    plan = planned(task.config, fleet, clock)
    decide_programs(task.config, fleet, plan)
    cohorts = _cohorts(first_candidates(task.config, plan), fleet)
    compiled = fleet.machine.compilations
    each = fleet.compile_seconds / compiled if compiled else 0.0
    seconds = [one.epoch_seconds for one in cohorts for _ in range(one.candidates)]
    return Forecast(
        run=run,
        dataset=task.config["dataset"],
        budget_s=task.seconds,
        plan=plan,
        cohorts=cohorts,
        lanes=fleet.lanes,
        data_bytes=data.x.nbytes + data.y.nbytes,
        available_bytes=memory.available(fleet.machine.lanes),
        compile_s=each * len(cohorts) / min(fleet.lanes, len(cohorts)),
        loading_s=loading,
        expected=timing.expected(plan, seconds, fleet.lanes),
        warm_start=summary(task.config),
    )


def _cohorts(candidates: Sequence[Settings], fleet: Fleet) -> tuple[Cohort, ...]:
    shapes = [fleet.program(one) for one in candidates]
    examples = dict(zip(shapes, candidates, strict=True))
    counts = dict(Counter(shapes).most_common())
    tried = list(counts)[:MOST_MEASURED]
    seconds = dict(
        zip(tried, fleet.epoch_seconds([examples[shape] for shape in tried]), strict=True)
    )
    work = {shape: shape.step_flops * fleet.steps(examples[shape]) for shape in counts}
    pace = sum(seconds.values()) / sum(work[shape] for shape in tried)
    return tuple(
        Cohort(
            settings=_common(shape),
            candidates=count,
            member_bytes=memory.state_bytes(shape),
            epoch_seconds=seconds.get(shape, pace * work[shape]),
            measured=shape in seconds,
        )
        for shape, count in counts.items()
    )


def _common(shape: Shape) -> dict[str, Any]:
    """What a program is for, by the names of hyperparameters."""
    return {
        "hidden": list(shape.hidden),
        "activation": ", ".join(shape.activations),
        **{name: getattr(shape, name) for name in STATIC},
        **shape.noisy._asdict(),
        "gradient_clipping": shape.clips,
        "ema": shape.averages,
        "augment": shape.augment.kind if shape.augment else "none",
        "precision": shape.arithmetic.precision,
    }
