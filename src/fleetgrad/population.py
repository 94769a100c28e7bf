"""Many members training side by side: one program a shape, every core or card busy.

A member is one network: a candidate's settings at one replicate. Members whose settings need the
same program (`training.Shape`) form a cohort and share one compilation, whatever their rates and
however many they are. Work is a queue of short stretches of steps, who is least far first; each
lane (a core, or a card) takes the next stretch as soon as it is free, so mixed shapes pack without
holes and a clock can stop the fleet between two stretches. On a CPU a lane runs one member at a
time, whose weights then stay in that core's cache; on a card it runs many at once.

State lives here between calls: `keep` drops losers and costs nothing, `state` and `restore` carry
survivors through a file.
"""

import heapq
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from fleetgrad import failures, memory, training
from fleetgrad.feeds import Feeds
from fleetgrad.machine import GUESSED_FLOPS, Machine
from fleetgrad.material import Draws, Material, steps_per_epoch
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member
from fleetgrad.underway import Training

STRETCH_SECONDS = 0.4  # how long a lane works before it looks at the clock
MOST_EPOCHS_A_CALL = 8


class Population:
    """Members in training.

    Args:
        material: The rows and each replicate's view of them.
        settings: Member -> its settings.
        draws: The random choices.
        machine: Lanes and compiled programs; share one to share compilations.

    Raises:
        BudgetError: The members need more memory than the machine has free.
        SettingsError: A batch is larger than the rows, or images are to be disturbed that are none.
    """

    def __init__(
        self,
        material: Material,
        settings: Mapping[Member, Settings],
        draws: Draws,
        machine: Machine,
    ) -> None:
        memory.check(list(settings.values()), material.features, material.classes)
        self.material = material
        self.machine = machine
        self.network_epochs = 0.0
        self._feeds = Feeds(material, draws)
        self._lock = threading.Lock()
        self._training = {
            member: self._begin(member, one, draws) for member, one in settings.items()
        }

    @property
    def members(self) -> tuple[Member, ...]:
        """Everyone still kept, in the order given."""
        return tuple(self._training)

    def advance(self, until: int, proceed: Callable[[], bool] = lambda: True) -> bool:
        """Train every member until it has done `until` epochs, or all that its settings ask for.

        Args:
            until: Epochs since the start.
            proceed: Asked before every stretch, from any lane; once false, all lanes stop.

        Returns:
            Whether everyone arrived. Diverged members count as arrived.

        Raises:
            DeviceError: A device has no room for even one member, or is gone.
        """
        chunks = self._chunks([one for one in self._training.values() if one.needs(until)])
        numbers = itertools.count()
        queue = [(chunk[0].done, next(numbers), chunk) for chunk in chunks]
        heapq.heapify(queue)
        stop = threading.Event()

        def lane(device: jax.Device) -> None:
            try:
                while not stop.is_set():
                    with self._lock:
                        if not queue:
                            return
                        chunk = heapq.heappop(queue)[-1]
                    if not proceed():
                        stop.set()
                        return
                    for left in self._attempt(device, chunk, until):
                        with self._lock:
                            heapq.heappush(queue, (left[0].done, next(numbers), left))
            except BaseException:
                stop.set()
                raise

        lanes = self.machine.lanes[: max(1, len(chunks))]
        with ThreadPoolExecutor(len(lanes)) as pool:
            try:  # from the first lane on: the pool waits for its lanes however this block ends
                for future in [pool.submit(lane, device) for device in lanes]:
                    future.result()
            finally:
                stop.set()
        return not any(one.needs(until) for one in self._training.values())

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
            return jax.tree.map(np.asarray, training.predicting(self._training[member].state))

    def keep(self, members: Iterable[Member]) -> None:
        """Drop everyone else; those kept go on as if nobody had been dropped."""
        self._training = {member: self._training[member] for member in members}

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
                for name, array in one.saved().items()
            }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put every member where `state` left it.

        Raises:
            RunError: A member is missing, or its arrays do not fit its settings.
        """
        grouped: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        for name, array in arrays.items():
            prefix, _, rest = name.rpartition(".")
            grouped[prefix][rest] = array
        for member, one in self._training.items():
            one.load(grouped[f"{member.candidate}.{member.replicate}"])

    def _begin(self, member: Member, settings: Settings, draws: Draws) -> Training:
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
        params = draws.initial(settings, member.replicate, features, classes)
        return Training(
            member=member,
            settings=settings,
            shape=shape,
            rates=training.rates_of(settings, steps),
            state=training.begin(shape, params),
            steps_per_epoch=steps,
        )

    def _chunks(self, waiting: Sequence[Training]) -> list[list[Training]]:
        """Members that can run in one call: of one shape, and equally far."""
        groups: dict[tuple[Any, ...], list[Training]] = defaultdict(list)
        for one in waiting:
            groups[one.shape, one.position, one.steps_per_epoch].append(one)
        return [chunk for group in groups.values() for chunk in self._cut(group)]

    def _cut(self, group: list[Training]) -> list[list[Training]]:
        width = self.machine.width_of(group[0].shape)
        return [group[first : first + width] for first in range(0, len(group), width)]

    def _attempt(
        self, device: jax.Device, chunk: list[Training], until: int
    ) -> list[list[Training]]:
        """One call; who has to go on, in chunks of half the width where there was no room.

        Raises:
            DeviceError: There was no room for one member, or the device failed otherwise.
        """
        shape = chunk[0].shape
        width = self.machine.width_of(shape)
        if len(chunk) > width:  # narrowed by another lane meanwhile
            return self._cut(chunk)
        with failures.explained():
            try:
                self._stretch(device, chunk, until, width)
            except failures.FAILURES as error:
                if width == 1 or not failures.no_room(error):
                    raise
            else:
                left = [one for one in chunk if one.needs(until)]
                return [left] if left else []
        # The program has taken over copies of the members' states; their own are as before.
        self.machine.narrow(shape, width // 2)
        return self._cut(chunk)

    def _stretch(self, device: jax.Device, chunk: list[Training], until: int, width: int) -> None:
        """Run one call for members that are equally far, and note where they got to."""
        first = chunk[0]
        epoch, start = divmod(first.position, first.steps_per_epoch)
        goal = min(until, *(one.settings.epochs for one in chunk))
        stop = self._stop(first, start, goal - epoch)
        arguments = (
            *self.machine.stack([self._arguments(one, epoch) for one in chunk], device, width),
            self.machine.resident(self.material.x, self.material.y, device),
            np.int32(start),
            np.int32(stop),
        )
        program = self.machine.program(first.shape, device, arguments)
        began = time.perf_counter()
        state, found = program(*arguments)
        curves = np.asarray(found)
        self.machine.note(first.shape, time.perf_counter() - began, stop - start)
        states = self.machine.unstack(state, len(chunk))
        rows = [curves] if width == 1 else curves
        for one, state_, curve in zip(chunk, states, rows, strict=False):
            one.note(state_, curve, epoch * one.steps_per_epoch + stop)
        with self._lock:
            self.network_epochs += len(chunk) * (stop - start) / first.steps_per_epoch

    def _arguments(self, one: Training, epoch: int) -> tuple[Any, training.Rates, training.Feed]:
        feed = self._feeds.of(one.member.replicate, epoch, one.shape.epochs, one.steps_per_epoch)
        return one.state, one.rates, feed

    def _stop(self, one: Training, start: int, epochs: int) -> int:
        pace = self.machine.step_seconds(one.shape)
        most = min(epochs, one.shape.epochs) * one.steps_per_epoch
        return min(most, start + max(1, int(STRETCH_SECONDS / pace)))
