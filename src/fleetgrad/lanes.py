"""Members at work: a queue of short stretches of steps, who is least far first.

Each lane (a core, or a card) takes the next stretch as soon as it is free, so mixed shapes pack
without holes and a clock can stop the fleet between two stretches. A call trains as many members of
one shape as the machine is wide, or half as many where the device has no room.
"""

import heapq
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from fleetgrad import batches, failures
from fleetgrad.feeds import Feeds
from fleetgrad.machine import Machine
from fleetgrad.material import Material
from fleetgrad.shapes import Rates
from fleetgrad.underway import Training

STRETCH_SECONDS = 0.4  # how long a lane works before it looks at the clock
WAKE = 0.5  # seconds after which whoever waits for the lanes looks for a signal


class Lanes:
    """The lanes of a machine, over one material.

    Args:
        machine: Devices and programs.
        material: The rows.
        feeds: What members see, epoch by epoch.
    """

    def __init__(self, machine: Machine, material: Material, feeds: Feeds) -> None:
        self.network_epochs = 0.0
        self._machine, self._material, self._feeds = machine, material, feeds
        self._lock = threading.Lock()

    def train(self, turn: Sequence[Training], proceed: Callable[[], bool]) -> bool:
        """Train members, whose states are in memory, to their goals; whether all arrived.

        Args:
            turn: Who.
            proceed: Asked before every stretch, from any lane; once false, all lanes stop.

        Raises:
            DeviceError: A device has no room for even one member, or is gone.
        """
        chunks = self._chunks(turn)
        numbers = itertools.count()
        queue = [(chunk[0].done, next(numbers), chunk) for chunk in chunks]
        heapq.heapify(queue)
        stop = threading.Event()

        def work(device: jax.Device) -> None:
            while not stop.is_set():
                with self._lock:
                    if not queue:
                        return
                    chunk = heapq.heappop(queue)[-1]
                if not proceed():
                    stop.set()
                    return
                for left in self._attempt(device, chunk):
                    with self._lock:
                        heapq.heappush(queue, (left[0].done, next(numbers), left))

        _side_by_side(work, self._machine.lanes[: max(1, len(chunks))], stop)
        return not any(one.needs for one in turn)

    def _chunks(self, waiting: Sequence[Training]) -> list[list[Training]]:
        """Members that can run in one call: of one shape, and equally far."""
        groups: dict[tuple[Any, ...], list[Training]] = defaultdict(list)
        for one in waiting:
            groups[one.shape, one.position, one.steps_per_epoch].append(one)
        return [chunk for group in groups.values() for chunk in self._cut(group)]

    def _cut(self, group: list[Training]) -> list[list[Training]]:
        width = self._machine.width_of(group[0].shape)
        return [group[first : first + width] for first in range(0, len(group), width)]

    def _attempt(self, device: jax.Device, chunk: list[Training]) -> list[list[Training]]:
        """One call; who has to go on, in chunks of half the width where there was no room.

        Raises:
            DeviceError: There was no room for one member, or the device failed otherwise.
        """
        shape = chunk[0].shape
        width = self._machine.width_of(shape)
        if len(chunk) > width:  # narrowed by another lane meanwhile
            return self._cut(chunk)
        with failures.explained():
            try:
                self._stretch(device, chunk, width)
            except failures.FAILURES as error:
                if width == 1 or not failures.no_room(error):
                    raise
            else:
                left = [one for one in chunk if one.needs]
                return [left] if left else []
        # The program has taken over copies of the members' states; their own are as before.
        self._machine.narrow(shape, width // 2)
        return self._cut(chunk)

    def _stretch(self, device: jax.Device, chunk: list[Training], width: int) -> None:
        """Run one call for members that are equally far, and note where they got to."""
        first = chunk[0]
        epoch, start = divmod(first.position, first.steps_per_epoch)
        goal = min(one.stage[0] for one in chunk)
        stop = self._stop(first, start, goal - epoch)
        arguments = (
            *self._machine.stack([self._arguments(one, epoch) for one in chunk], device, width),
            self._machine.resident(
                self._material.x,
                self._material.y,
                device,
                self._material.targets,
                self._material.weights,
            ),
            np.int32(start),
            np.int32(stop),
        )
        program = self._machine.program(first.shape, device, arguments)
        began = time.perf_counter()
        state, found = program(*arguments)
        curves = np.asarray(found)
        self._machine.note(first.shape, time.perf_counter() - began, stop - start)
        states = self._machine.unstack(state, len(chunk))
        rows = [curves] if width == 1 else curves
        for one, state_, curve in zip(chunk, states, rows, strict=False):
            one.note(state_, curve, epoch * one.steps_per_epoch + stop)
        with self._lock:
            self.network_epochs += len(chunk) * (stop - start) / first.steps_per_epoch

    def _arguments(self, one: Training, epoch: int) -> tuple[Any, Rates, batches.Feed]:
        feed = self._feeds.of(one.member.replicate, epoch, one.shape.epochs, one.steps_per_epoch)
        return one.state, one.stage[1], feed

    def _stop(self, one: Training, start: int, epochs: int) -> int:
        pace = self._machine.step_seconds(one.shape)
        most = min(epochs, one.shape.epochs) * one.steps_per_epoch
        return min(most, start + max(1, int(STRETCH_SECONDS / pace)))


def _side_by_side(
    work: Callable[[jax.Device], None], devices: Sequence[jax.Device], stop: threading.Event
) -> None:
    """Work on all devices at once, until all are done; whatever ends it, nobody works after it.

    Args:
        work: Ends soon after `stop` is set, which the first that fails does.
        devices: A thread for each.
        stop: Set in the end.
    """

    def lane(device: jax.Device, busy: threading.Lock) -> None:
        try:
            with busy:
                work(device)
        except BaseException:
            stop.set()
            raise

    locks = [threading.Lock() for _ in devices]
    with ThreadPoolExecutor(len(devices)) as pool:
        try:
            futures = [pool.submit(lane, *one) for one in zip(devices, locks, strict=True)]
            # A signal that another thread was given waits until this one wakes.
            while wait(futures, timeout=WAKE).not_done:
                pass
            for future in futures:
                future.result()
        finally:
            stop.set()
            for busy in locks:  # a pool interrupted as it starts a thread does not know of it
                with busy:
                    pass
