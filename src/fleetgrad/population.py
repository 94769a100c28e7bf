"""Many members training side by side: one program a shape, every core or card busy.

A member is one network: a candidate's settings at one replicate. Members whose settings need the
same program (`training.Shape`) form a cohort and share one compilation, whatever their rates and
however many they are (`lanes`). On a CPU a lane runs one member at a time, whose weights then stay
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
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from fleetgrad import failures, memory, training
from fleetgrad.feeds import Feeds
from fleetgrad.lanes import STRETCH_SECONDS, Lanes
from fleetgrad.machine import GUESSED_FLOPS, Machine
from fleetgrad.material import Draws, Material, steps_per_epoch
from fleetgrad.settings import Settings
from fleetgrad.spill import Spill
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

    Raises:
        BudgetError: A member needs more memory than the machine has free.
        SettingsError: A batch is larger than the rows, or images are to be disturbed that are none.
    """

    def __init__(
        self,
        material: Material,
        settings: Mapping[Member, Settings],
        draws: Draws,
        machine: Machine,
    ) -> None:
        self.material = material
        self.machine = machine
        self._draws = draws
        self._lanes = Lanes(machine, material, Feeds(material, draws))
        self._spill = Spill()
        self._training: dict[Member, Training] = {}
        sizes = memory.sizes(settings.values(), material.features, material.classes)
        self._check(settings, sizes)
        self._training = {
            member: self._begin(member, one, size)
            for (member, one), size in zip(settings.items(), sizes, strict=True)
        }

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
            return jax.tree.map(np.asarray, training.predicting(state))

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
            return {
                f"{one.member.candidate}.{one.member.replicate}.{name}": array
                for one in self._training.values()
                for name, array in one.saved(self._state(one)).items()
            }

    def restore(
        self, arrays: Mapping[str, np.ndarray], members: Iterable[Member] | None = None
    ) -> None:
        """Put every member, or each of these, where `state` left it.

        Raises:
            RunError: A member is missing, or its arrays do not fit its settings.
        """
        grouped: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        for name, array in arrays.items():
            prefix, _, rest = name.rpartition(".")
            grouped[prefix][rest] = array
        for member in self.members if members is None else members:
            one = self._training[member]
            one.load(grouped[f"{member.candidate}.{member.replicate}"], self._state(one))
            self._spill.drop([member])
            if self._held() > self._room():
                self._put_away([one])

    def _check(self, settings: Mapping[Member, Settings], sizes: Iterable[int]) -> None:
        """Refuse, before anything is compiled, whoever cannot run."""
        room = self._room()
        for (member, one), size in zip(settings.items(), sizes, strict=True):
            steps_per_epoch(one.batch_size, len(self.material.views[member.replicate].train))
            one.augment.check(self.material.image_shape)
            memory.check(one, size, room)

    def _begin(self, member: Member, settings: Settings, size: int) -> Training:
        features, classes = self.material.features, self.material.classes
        rows = len(self.material.views[member.replicate].train)
        steps = steps_per_epoch(settings.batch_size, rows)
        validation = max(len(view.validation) for view in self.material.views.values())
        describe = partial(
            training.shape_of,
            settings,
            features,
            classes,
            validation,
            image_shape=self.material.image_shape,
            arithmetic=self.machine.arithmetic(settings.precision, self.material.filled),
        )
        shape = describe(epochs=1)
        # All rows, not this view's, so that a refit on more of them needs no other program.
        seconds = shape.step_flops * (len(self.material.y) / settings.batch_size) / GUESSED_FLOPS
        epochs = int(np.clip(STRETCH_SECONDS / max(seconds, 1e-9), 1, MOST_EPOCHS_A_CALL))
        shape = describe(epochs=epochs)
        return Training(
            member=member,
            settings=settings,
            shape=shape,
            rates=training.rates_of(settings, steps),
            steps_per_epoch=steps,
            size=size,
        )

    def _state(self, one: Training) -> Any:
        """A member's state: in memory, put away, or made now."""
        if one.state is not None:
            return one.state
        if one.member in self._spill:
            return self._spill.get(one.member)
        features, classes = self.material.features, self.material.classes
        params = self._draws.initial(one.settings, one.member.replicate, features, classes)
        return training.begin(one.shape, params)

    def _held(self) -> int:
        """Bytes of the states that are in memory."""
        return sum(one.size for one in self._training.values() if one.state is not None)

    def _room(self) -> int:
        """Bytes that states may take."""
        return memory.room(self.machine.lanes, self._held())

    def _in_turn(self, waiting: list[Training]) -> list[Training]:
        """Those in memory first, and those of one shape together."""
        shapes = {shape: n for n, shape in enumerate(dict.fromkeys(one.shape for one in waiting))}
        return sorted(waiting, key=lambda one: (one.state is None, shapes[one.shape]))

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
                one.state = jax.tree.map(np.array, self._spill.get(one.member))
                self._spill.drop([one.member])
            else:
                one.state = self._state(one)
        return turn

    def _put_away(self, members: Iterable[Training]) -> None:
        """Take states out of memory; those before the first step are made again when needed."""
        for one in members:
            if one.state is not None and not one.untouched:
                self._spill.put(one.member, one.state)
            one.state = None
