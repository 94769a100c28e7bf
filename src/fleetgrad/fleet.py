"""Populations over one dataset: its replicates' views, and the machine they share.

What the search asks for. A stand-in with the same three methods, over a table of learning curves
say, lets the same search run without training anything.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from fleetgrad import inference, layers, metrics, programs, shapes, soundness, views
from fleetgrad.data import Dataset, Split
from fleetgrad.inference import Network
from fleetgrad.layers import Places
from fleetgrad.machine import Machine
from fleetgrad.material import Material, SeededDraws, View, mixed, steps_per_epoch
from fleetgrad.population import Population
from fleetgrad.products import Arithmetic
from fleetgrad.programs import Programs
from fleetgrad.settings import Settings
from fleetgrad.shapes import Scored, Shape
from fleetgrad.trainees import ALONE, Member
from fleetgrad.views import CENTER

BLOCK = 1024  # rows predicted at once
COMPILING = 1 / 6  # of a time, at most, for compiling, as far as that is reckoned


class Fleet:
    """Makes populations that learn from the training part of a dataset.

    Args:
        data: Only its training part is touched.
        seed: Of splits, weights, shuffles and noise.
        machine: Where to train; all of this machine by default.
        metric: What networks are scored by; the default of the data's task by default.
        splits: What each replicate learns from and is judged by, the same counts in each; drawn
            from the seed where there are none.

    Networks train in the programs of `programs`, at first each in its own.
    """

    def __init__(
        self,
        data: Dataset,
        seed: int,
        machine: Machine | None = None,
        metric: str | None = None,
        splits: Sequence[Split] | None = None,
    ) -> None:
        self.machine = machine or soundness.here()
        self.metric = metrics.chosen(metric, data.task)
        self._data = data
        self._seed = seed
        self._splits = splits
        self._classes = len(data.classes) or 1  # outputs
        self._views: dict[int, View] = {}
        self.programs = Programs()

    @property
    def lanes(self) -> int:
        """How many networks train at once (of a card's lane, one batch of networks)."""
        return len(self.machine.lanes)

    @property
    def place(self) -> str:
        """Where networks train, in words."""
        return self.machine.title

    @property
    def compile_seconds(self) -> float:
        """Spent on compilation so far."""
        return self.machine.compile_seconds

    def multiplying(self, precisions: Iterable[str]) -> dict[str, Arithmetic]:
        """How networks of each precision multiply here: the fastest way, measured once."""
        return {name: self.machine.dense(name) for name in precisions}

    def multiply(self, ways: Mapping[str, Arithmetic]) -> None:
        """From now on multiply as `multiplying` said, here or elsewhere, where this machine can."""
        for name, way in ways.items():
            self.machine.settle(name, way)

    def populate(self, settings: Mapping[Member, Settings]) -> Population:
        """A population in which each replicate has its own split, held-out rows validating."""
        views = {member.replicate: self.view(member.replicate) for member in settings}
        return self._population(views, settings)

    def refit(self, settings: Settings) -> tuple[Population, View]:
        """One member that learns from every row of the training part, and its view."""
        return self.refit_all({ALONE: settings})

    def refit_all(self, settings: Mapping[Member, Settings]) -> tuple[Population, View]:
        """Members of replicate 0 that learn from every row of the training part, and their view."""
        view = self._whole
        return self._population({0: view}, settings), view

    def pupil(
        self, settings: Settings, shares: np.ndarray, part: float, *, refitted: bool
    ) -> Population:
        """One member that learns what teachers say of the rows it sees, beside their labels.

        Args:
            settings: Its own.
            shares: What they say, as `teach` gives it.
            part: The share of their word in what it learns, the rest being the labels'.
            refitted: Whether it sees every row of the training part, or replicate 0's split.
        """
        view = self._whole if refitted else self.view(0)
        targets = mixed(shares, self._data.y, view.train, part, settings.label_smoothing)
        return self._population({0: view}, {ALONE: settings}, targets)

    def teach(self, settings: Settings, params: Any, *, refitted: bool) -> np.ndarray:
        """(rows, classes): what a network says of the rows it has learned from."""
        view = self._whole if refitted else self.view(0)
        return self._said(settings, params, view, view.train)

    def probabilities(
        self, settings: Settings, params: Any, view: views.View = CENTER
    ) -> np.ndarray:
        """(rows, classes): what a network of replicate 0 says of its validation rows.

        (rows, 1) where numbers are predicted, in their own units.
        """
        own = self.view(0)
        return self._said(settings, params, own, own.validation, view)

    def labels(self) -> np.ndarray:
        """(rows,): the true classes of replicate 0's validation rows, or numbers."""
        labels: np.ndarray = self._data.y[self.view(0).validation]
        return labels

    def row_weights(self) -> np.ndarray | None:
        """(rows,): how much each of these rows counts; None where all count alike."""
        given = self._data.weights
        return None if given is None else given[self.view(0).validation]

    def steps(self, settings: Settings) -> int:
        """Steps an epoch."""
        return steps_per_epoch(settings.batch_size, len(self.view(0).train))

    def epoch_seconds(self, settings: Iterable[Settings]) -> list[float]:
        """What an epoch of each takes on one lane, measured; programs compiled for it stay."""
        settings = list(settings)
        shared = [self.program(one) for one in settings]
        members = {program: Member(number, 0) for number, program in enumerate(shared)}
        probe = self.populate({member: settings[member.candidate] for member in members.values()})
        tried(probe)
        seconds = {one: probe.epoch_seconds(member) for one, member in members.items()}
        return [seconds[program] for program in shared]

    def epoch_cost(self, settings: Settings) -> float:
        """Seconds that an epoch of such a network takes one lane, as last measured."""
        return self.machine.step_seconds(self.program(settings)) * self.steps(settings)

    def epoch_costs(self, settings: Iterable[Settings]) -> list[float]:
        """The same of each, where those that nobody has trained here are tried for a moment.

        A process that goes on with a run has trained nobody yet, and to guess would be too little
        for how long networks are to train.
        """
        settings = list(settings)
        fresh = [one for one in settings if not self.machine.knows(self.program(one))]
        if fresh:
            self.epoch_seconds(fresh)
        return [self.epoch_cost(one) for one in settings]

    def reckoned_seconds(self, settings: Iterable[Settings]) -> list[float]:
        """What an epoch of each should take one core, reckoned without training anything."""
        return [self.steps(one) * programs.step_seconds(self.shape(one)) for one in settings]

    def reckoned_cost(self, settings: Settings) -> float:
        """The same in the program that these settings train in."""
        return self.steps(settings) * programs.step_seconds(self.program(settings))

    @property
    def reckoned_compile_seconds(self) -> float:
        """What the programs decided on should take to compile, reckoned for cores side by side."""
        return math.fsum(map(programs.compile_seconds, self.programs.known)) / self.lanes

    def share(self, foreseen: Iterable[tuple[Settings, float]], seconds: float = math.inf) -> None:
        """Decide on programs for networks, beside those decided before, which stay.

        Args:
            foreseen: Settings, and for how many epochs they should train, all replicates together.
            seconds: The time there is for everything. Where compiling should take more than
                `COMPILING` of it, fewer programs serve all, as if there were less to train, but
                never less than an epoch.
        """
        foreseen, before = list(foreseen), self.programs
        steps: dict[Shape, list[float]] = defaultdict(list)
        for one, epochs in foreseen:
            steps[self.shape(one)].append(epochs * self.steps(one))
        wanted = {shape: math.fsum(parts) for shape, parts in steps.items()}
        part, least = 1.0, 1 / max((epochs for _, epochs in foreseen), default=1.0)
        while True:
            self.programs = programs.share({one: part * n for one, n in wanted.items()}, before)
            if part <= least or self.reckoned_compile_seconds <= COMPILING * seconds:
                break
            part = max(part / 2, least)

    def share_in(self, seconds: float, typical: Sequence[Settings]) -> None:
        """The same for networks that are typical of what a time will be spent on."""
        each = seconds * self.lanes / math.fsum(self.reckoned_seconds(typical))
        self.share(((one, each) for one in typical), seconds)

    def view(self, replicate: int) -> View:
        """The split of a replicate and the scaling fitted on its training rows."""
        if replicate not in self._views:
            given = self._splits
            split = given[replicate] if given else self._data.split(replicate, self._seed)
            self._views[replicate] = self._seen(split.train, split.validation)
        return self._views[replicate]

    def program(self, settings: Settings) -> Shape:
        """The program that settings train in: those that share one are a cohort."""
        return self.programs.serving(self.shape(settings))

    def shape(self, settings: Settings) -> Shape:
        """What settings need of a program."""
        features, validation = self._data.x.shape[1], len(self.view(0).validation)
        return shapes.shape_of(
            settings,
            features,
            self._classes,
            validation,
            epochs=1,
            image_shape=self._data.image_shape,
            arithmetic=self.machine.arithmetic(settings.precision, filled=self._filled),
            scored=Scored(self.metric.name, self._data.weights is not None),
            places=self._places,
        )

    @cached_property
    def _places(self) -> Places:
        """Which features are numbers, which can be embedded."""
        limit = self.view(0).limit
        return None if limit is None else layers.numbers(limit.tolist())

    @cached_property
    def _whole(self) -> View:
        """Every row of the training part."""
        rows = np.arange(self._data.rows, dtype=np.int32)
        # Scored on rows they have learned from, only to be programs that are compiled already.
        return self._seen(rows, self.view(0).validation)

    def _seen(self, train: np.ndarray, validation: np.ndarray) -> View:
        """These rows, with all that is fitted on those that train."""
        scaling, target = self._data.scaling(train), (0.0, 1.0)
        if self._data.task == metrics.REGRESSION:
            target = self._data.standard(train)
        return View(train, validation, scaling.shift, scaling.scale, *target, scaling.limit)

    def _said(
        self,
        settings: Settings,
        params: Any,
        view: View,
        rows: np.ndarray,
        seen_from: views.View = CENTER,
    ) -> np.ndarray:
        """Probabilities of some rows, block by block."""
        network = Network(
            settings, params, view.shift, view.scale, view.center, view.spread, view.limit
        )
        blocks, image = np.array_split(rows, -(-len(rows) // BLOCK)), self._data.image_shape or ()
        inputs = (views.seen(self._data.x[block], image, seen_from) for block in blocks)
        together = np.concatenate([inference.logits(network, block) for block in inputs])
        if self.metric.task == metrics.REGRESSION:
            return inference.numbers(network, together)
        return inference.probabilities(settings.loss, together)

    def _population(
        self,
        views: Mapping[int, View],
        settings: Mapping[Member, Settings],
        targets: np.ndarray | None = None,
    ) -> Population:
        draws, serving = SeededDraws(self._seed), self.programs.serving
        return Population(self._material(views, targets), settings, draws, self.machine, serving)

    def _material(self, views: Mapping[int, View], targets: np.ndarray | None) -> Material:
        data = self._data
        return Material(
            data.x,
            data.y,
            self._classes,
            views,
            data.image_shape,
            targets,
            data.weights,
            self.metric.name,
        )

    @cached_property
    def _filled(self) -> float:
        """The share of inputs that are not zero, as the first replicate scales them."""
        data = self._data
        return Material(data.x, data.y, self._classes, {0: self.view(0)}).filled


def tried(probe: Population) -> None:
    """Let all members train for a moment, so that what a step takes is measured."""
    for _ in range(2):  # the first stretch is short, and may run on cold caches
        probe.advance(1, _Once(len(probe.members)))


class _Once:
    """Lets a fixed number of stretches pass, then stops the lanes."""

    def __init__(self, stretches: int) -> None:
        self._left = iter(range(stretches))

    def __call__(self) -> bool:
        return next(self._left, None) is not None
