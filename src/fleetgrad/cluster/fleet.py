"""Where populations come from that train on a cluster: a `Fleet` whose lanes are the workers'.

What is asked of all rows (probabilities, labels) is worked out here, as it is without a cluster;
workers get the training part once, and never the test part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import uuid4

import numpy as np

from fleetgrad import soundness
from fleetgrad.cluster import tasks
from fleetgrad.cluster.crew import Crew
from fleetgrad.cluster.population import ClusterPopulation
from fleetgrad.cluster.shared import Lesson, Shared
from fleetgrad.cluster.site import Site
from fleetgrad.data import Dataset
from fleetgrad.data.sealed import SealedTest
from fleetgrad.fleet import Fleet
from fleetgrad.machine import CARD_WIDTH, Machine
from fleetgrad.material import SeededDraws, View
from fleetgrad.products import Arithmetic
from fleetgrad.programs import step_seconds as reckoned
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape
from fleetgrad.trainees import Member


class ClusterMachine(Machine):
    """The lanes of all workers together, and how they multiply: as one of them says."""

    def __init__(self, crew: Crew) -> None:
        here = soundness.here()
        lanes = here.lanes[:1] * sum(crew.lanes.values())
        super().__init__(lanes, CARD_WIDTH if crew.on_cards else 1)
        self._crew = crew
        self._told: dict[tuple[str, float], Arithmetic] = {}
        self._ways: dict[str, Arithmetic] = {}

    @property
    def title(self) -> str:
        """How large the cluster is."""
        return f"a cluster of {len(self.lanes)} lanes"

    def arithmetic(self, precision: str, filled: float) -> Arithmetic:
        """How programs multiply there; `auto` is measured by one worker, once, for all."""
        asked = self.dense(precision).precision, filled
        if asked not in self._told:
            self._told[asked] = self._crew.ask(tasks.arithmetic, *asked)
        return self._told[asked]

    def dense(self, precision: str) -> Arithmetic:
        """The same before it heeds zeros, as one worker says, for all."""
        if precision not in self._ways:
            self._ways[precision] = self._crew.ask(tasks.dense, precision)
        return self._ways[precision]

    def settle(self, precision: str, way: Arithmetic) -> None:
        """From now on multiply this way; a worker that cannot, multiplies as precisely."""
        self._ways[precision] = way

    def step_seconds(self, shape: Shape) -> float:
        """What a step takes a lane, as of late, or reckoned with all that small steps cost."""
        return super().step_seconds(shape) if self.knows(shape) else reckoned(shape)


class ClusterFleet(Fleet):
    """Makes populations that learn from the training part of a dataset, on a cluster.

    Args:
        data: Only its training part is touched, and sent.
        seed: Of splits, weights, shuffles and noise.
        crew: The workers.
        metric: What networks are scored by; the default of the data's task by default.
    """

    def __init__(self, data: Dataset, seed: int, crew: Crew, metric: str | None = None) -> None:
        super().__init__(data, seed, ClusterMachine(crew), metric)
        name = f"fleetgrad-{uuid4().hex}"
        blind = replace(data, test=SealedTest(data.x[:0], data.y[:0]))
        crew.station(Site(name, blind, seed, self.metric.name))
        self._shared = Shared(crew, name)

    @property
    def compiled(self) -> Mapping[str, float]:
        """Seconds that each worker that has trained has spent on compilation."""
        return dict(self._shared.compiled)

    def epoch_seconds(self, settings: Iterable[Settings]) -> list[float]:
        """What an epoch of each takes on one lane, measured; programs compiled for it stay."""
        settings = list(settings)
        shared = [self.program(one) for one in settings]
        examples = dict(zip(shared, settings, strict=True))
        crew = self._shared.crew
        asked = [
            crew.submit(tasks.measure, self._shared.site, one, program)
            for program, one in examples.items()
        ]
        for program, report in zip(examples, crew.gather(asked), strict=True):
            steps = self.steps(examples[program])
            self._shared.heard(report, self.machine, program, steps)
        return [self.epoch_cost(one) for one in settings]

    def _population(
        self,
        views: Mapping[int, View],
        settings: Mapping[Member, Settings],
        targets: np.ndarray | None = None,
    ) -> ClusterPopulation:
        taught = None if targets is None else self._shared.crew.submit(tasks.same, targets)
        lesson = Lesson(views.get(0) is self._whole, taught)
        return ClusterPopulation(
            self._material(views, targets),
            settings,
            SeededDraws(self._seed),
            self.machine,
            self.programs.serving,
            shared=self._shared,
            lesson=lesson,
        )
