"""Many members training side by side: one program a shape, every core or card busy.

A member is one network: a candidate's settings at one replicate. Members that train in the same
program form a cohort and share one compilation, whatever their rates and however many they are
(`lanes`): those whose settings need the same `shapes.Shape`, and those that were told to share a
larger one (`programs`). On a CPU a lane runs one member at a time, whose weights then stay
in that core's cache; on a card it runs many at once.

States are made when their turn comes. Members that do not fit into memory together train to the
same epoch in turns, between which their states wait on the disk (`spill`).

State lives here between calls: `keep` drops losers and costs nothing, `state` and `restore` carry
survivors through a file.
"""

import bisect
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from fleetgrad import failures, memory, shapes, states, training
from fleetgrad.feeds import Feeds
from fleetgrad.lanes import STRETCH_SECONDS, Lanes
from fleetgrad.machine import GUESSED_FLOPS, Machine
from fleetgrad.material import Draws, Material, steps_per_epoch
from fleetgrad.settings import Settings, check_loss
from fleetgrad.shapes import Shape
from fleetgrad.spill import Spill
from fleetgrad.states import State
from fleetgrad.trainees import Member
from fleetgrad.underway import Training

MOST_EPOCHS_A_CALL = 8


class Population:
    """Members in training.

    Args:
        material: The rows and each replicate's view of them.
        settings: Member -> its settings.
        draws: The random choices.
        machine: Lanes and compiled programs; share one to share compilations.
        serving: The program that serves a shape, each of one epoch a call; its own by default.

    Raises:
        BudgetError: A member needs more memory than the machine has free.
        SettingsError: A batch is larger than the rows, images are to be disturbed that are none, or
            a loss is not of what is predicted.
    """

    def __init__(
        self,
        material: Material,
        settings: Mapping[Member, Settings],
        draws: Draws,
        machine: Machine,
        serving: Callable[[Shape], Shape] = lambda shape: shape,
    ) -> None:
        self.material = material
        self.machine = machine
        self._draws = draws
        self._lanes = Lanes(machine, material, Feeds(material, draws))
        self._spill = Spill()
        self._training: dict[Member, Training] = {}
        self._serving = serving
        self._check(settings)
        self._training = {member: self._begin(member, one) for member, one in settings.items()}

    @property
    def members(self) -> tuple[Member, ...]:
        """Everyone still kept, in the order given."""
        return tuple(self._training)

    @property
    def network_epochs(self) -> float:
        """Epochs trained so far, over all members."""
        return self._lanes.network_epochs

    def advance(
        self, until: int | Mapping[Member, int], proceed: Callable[[], bool] = lambda: True
    ) -> bool:
        """Train every member until it has done so many epochs, or all that its settings ask for.

        Args:
            until: Epochs since the start: of all, or of each; whoever is not named stays.
            proceed: Asked before every stretch, from any lane; once false, all lanes stop.

        Returns:
            Whether everyone arrived. Diverged members count as arrived.

        Raises:
            DeviceError: A device has no room for even one member, or is gone.
        """
        for member, one in self._training.items():
            one.goal = until if isinstance(until, int) else until.get(member, 0)
        waiting = self._in_turn([one for one in self._training.values() if one.needs])
        while waiting:
            with failures.explained():
                turn = self._bring(waiting)
            if not self._lanes.train(turn, proceed):
                return False
            waiting = waiting[len(turn) :]
        return True

    def epochs(self, member: Member) -> int:
        """Whole epochs a member has done."""
        return len(self._training[member].curve)

    def curve(self, member: Member) -> Float[np.ndarray, "epochs 4"]:
        """A member's history, a row an epoch; columns as `training.CURVE`."""
        return np.array(self._training[member].curve, np.float32).reshape(-1, len(training.CURVE))

    def diverged_at(self, member: Member) -> int | None:
        """The step at which a member's loss was first not finite, or None."""
        return self._training[member].diverged_at

    def params(self, member: Member) -> Any:
        """A member's layers as they are scored and predicted with, as NumPy arrays."""
        with failures.explained():
            state = self._state(self._training[member])
            return jax.tree.map(np.asarray, states.predicting(state))

    def keep(self, members: Iterable[Member]) -> None:
        """Drop everyone else; those kept go on as if nobody had been dropped."""
        before, self._training = self._training, {one: self._training[one] for one in members}
        self._spill.drop(before.keys() - self._training.keys())

    def epoch_seconds(self, member: Member) -> float:
        """What an epoch of a member takes a lane, as last measured or else guessed."""
        one = self._training[member]
        return self.machine.step_seconds(one.shape) * one.steps_per_epoch

    def state(self) -> dict[str, np.ndarray]:
        """Everything `restore` needs to go on, as named arrays."""
        with failures.explained():
            found: dict[str, np.ndarray] = {}
            for member, one in self._training.items():
                found |= named(member, one.saved(self._state(one)))
            return found

    def restore(
        self, arrays: Mapping[str, np.ndarray], members: Iterable[Member] | None = None
    ) -> None:
        """Put every member, or each of these, where `state` left it.

        Raises:
            RunError: A member is missing, or its arrays do not fit its settings.
        """
        saved = by_member(arrays)
        for member in self.members if members is None else members:
            one = self._training[member]
            one.load(saved[key(member)])
            self._spill.drop([member])
            if self._held() > self._room():
                self._put_away([one])

    def _check(self, settings: Mapping[Member, Settings]) -> None:
        """Refuse, before anything is compiled, whoever cannot run."""
        room, material = self._room(), self.material
        for member, one in settings.items():
            steps_per_epoch(one.batch_size, len(material.views[member.replicate].train))
            one.augment.check(material.image_shape)
            check_loss(one.loss, numbers=material.numbers)
            size = memory.member_bytes(one, material.features, material.classes, material.places)
            memory.check(one, size, room)

    def _begin(self, member: Member, settings: Settings) -> Training:
        rows = len(self.material.views[member.replicate].train)
        steps = steps_per_epoch(settings.batch_size, rows)
        own = shapes.shape_of(
            settings,
            self.material.features,
            self.material.classes,
            max(len(view.validation) for view in self.material.views.values()),
            epochs=1,
            image_shape=self.material.image_shape,
            arithmetic=self.machine.arithmetic(settings.precision, self.material.filled),
            scored=self.material.scored,
            places=self.material.places,
        )
        program = self._serving(own)
        # All rows, not this view's, so that a refit on more of them needs no other program.
        seconds = program.step_flops * (len(self.material.y) / settings.batch_size) / GUESSED_FLOPS
        epochs = int(np.clip(STRETCH_SECONDS / max(seconds, 1e-9), 1, MOST_EPOCHS_A_CALL))
        return Training(
            member=member,
            settings=settings,
            own=own,
            shape=replace(program, epochs=epochs),
            course=tuple(
                (until, shapes.rates_of(stage, steps)) for until, stage in settings.timeline
            ),
            steps_per_epoch=steps,
            size=memory.state_bytes(program),
        )

    def _state(self, one: Training) -> State:
        """A member's state in its own form: in memory, put away, or made now."""
        if one.state is not None:
            return one.trimmed
        if one.member in self._spill:
            put_away: State = self._spill.get(one.member)
            return put_away
        features, classes = self.material.features, self.material.classes
        params = self._draws.initial(
            one.settings, one.member.replicate, features, classes, self.material.places
        )
        return states.begin(one.own, params)

    def _held(self) -> int:
        """Bytes of the states that are in memory."""
        return sum(one.size for one in self._training.values() if one.state is not None)

    def _room(self) -> int:
        """Bytes that states may take."""
        return memory.room(self.machine.lanes, self._held())

    def _in_turn(self, waiting: list[Training]) -> list[Training]:
        """Those in memory first, and those of one shape together."""
        places = {shape: n for n, shape in enumerate(dict.fromkeys(one.shape for one in waiting))}
        return sorted(waiting, key=lambda one: (one.state is None, places[one.shape]))

    def _bring(self, waiting: list[Training]) -> list[Training]:
        """The first of these that fit into memory together, at least one, and their states."""
        room, turn = self._room(), waiting
        if self._held() + sum(one.size for one in waiting if one.state is None) > room:
            fit = bisect.bisect(list(itertools.accumulate(one.size for one in waiting)), room)
            turn = waiting[: max(1, fit)]
            staying = {one.member for one in turn}
            self._put_away(one for one in self._training.values() if one.member not in staying)
        for one in turn:
            if one.member in self._spill:
                one.take(jax.tree.map(np.array, self._spill.get(one.member)))
                self._spill.drop([one.member])
            elif one.state is None:
                one.take(self._state(one))
        return turn

    def _put_away(self, members: Iterable[Training]) -> None:
        """Take states out of memory; those before the first step are made again when needed."""
        for one in members:
            if one.state is not None and not one.untouched:
                self._spill.put(one.member, one.trimmed)
            one.state = None


def key(member: Member) -> str:
    """What stands before the names of a member's arrays, among those of others."""
    return f"{member.candidate}.{member.replicate}"


def named(member: Member, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A member's arrays as `Population.state` names them."""
    return {f"{key(member)}.{name}": array for name, array in arrays.items()}


def by_member(arrays: Mapping[str, np.ndarray]) -> Mapping[str, dict[str, np.ndarray]]:
    """The arrays of many, by the `key` of each; of one that is not there, none."""
    found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for name, array in arrays.items():
        prefix, _, rest = name.rpartition(".")
        found[prefix][rest] = array
    return found
