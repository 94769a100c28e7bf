"""The workers of a cluster: who is there, how many networks each trains at once, what they do.

A worker is asked once what it runs, and gets work if its versions are ours. One that has not been
heard of for a while (stopped, or cut off) is reported to the scheduler as gone, which has its tasks
done again elsewhere, and what only it held recomputed; so is whatever a worker took with it that
died.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import dask
from distributed import CancelledError, Client, Future, KilledWorker
from distributed.client import ClosedClientError

from fleetgrad.cluster.site import Site
from fleetgrad.cluster.versions import versions
from fleetgrad.errors import DeviceError

LOOK_SECONDS = 1.0  # between two looks at who is there
PATIENCE = 6  # times as long as for a worker to be there: its answer, if others keep it busy
SILENT_SECONDS = 30.0  # without a sign of life, which Dask's workers give a few times a minute
DESERTED_SECONDS = 120.0  # without any worker
REST_SECONDS = 120.0  # of a worker that another overtook
ANSWER_SECONDS = 5.0  # for what has been answered to come here, and to close
CARD = "GPU"  # the resource that workers with cards offer, as many as they have
GONE = (
    CancelledError,
    ClosedClientError,
    OSError,
    TimeoutError,
)  # what Dask raises when the scheduler is no more

log = logging.getLogger(__name__)


class Crew:
    """A client's workers.

    Args:
        client: Connected.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.refused: dict[str, str] = {}  # workers that get no work, and why
        self.versions = versions()
        self._lanes: dict[str, int] = {}
        self._asked: dict[str, Future[Any]] = {}
        self._judgements: dict[str, str] = {}
        self._trusted: set[str] = set()  # workers that have done something
        self._signs: dict[str, tuple[Any, float]] = {}  # the last of each, and when it came
        self._manned = time.monotonic()  # when there last was anybody
        self._resting: dict[str, float] = {}  # until when
        self._sites: list[str] = []
        self.on_cards = False  # whether it is cards that train
        self._done: queue.Queue[Future[Any]] = queue.Queue()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._watching, name="fleetgrad-crew", daemon=True)

    def start(self, timeout: float) -> None:
        """Wait until the workers that are there have answered; for the first one, if there is none.

        Args:
            timeout: For the first to be there; for their answers several times as much.
        """
        began = time.monotonic()
        self._look()
        while not self._answered():
            if time.monotonic() - began > timeout * (PATIENCE if self._asked else 1):
                break
            time.sleep(0.05)
            self._look()
        self._watch.start()

    @property
    def lanes(self) -> Mapping[str, int]:
        """How many networks, or on cards batches of them, each worker trains at once."""
        now, lanes = time.monotonic(), dict(self._lanes)
        awake = {one: count for one, count in lanes.items() if self._resting.get(one, now) <= now}
        return awake or lanes

    @property
    def address(self) -> str:
        """The scheduler's."""
        scheduler = self.client.scheduler
        return str(scheduler.address) if scheduler is not None else "an address that is gone"

    def station(self, place: Site) -> None:
        """Give every worker, and whoever comes later, the rows of a study."""
        with self._reaching():
            self.client.register_plugin(place, name=place.name)
        self._sites.append(place.name)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function says on whichever worker is free."""
        return self.gather([self.submit(function, *arguments)])[0]

    def submit(
        self, function: Callable[..., Any], *arguments: Any, worker: str | None = None
    ) -> "Future[Any]":
        """Have a function called, at best by this worker, and by none that is refused.

        What is short goes before what is long: only chunks name their worker.
        """
        key = f"fleetgrad-{function.__name__}-{uuid4().hex}"
        options: dict[str, Any] = {"key": key, "pure": False}
        options |= {"priority": 10} if worker is None else {}
        options |= {"resources": {CARD: 1}} if worker is not None and self.on_cards else {}
        if self.refused:
            options |= {"workers": list(self._lanes)}
        elif worker is not None:
            options |= {"workers": [worker], "allow_other_workers": True}
        quiet = dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})
        with self._reaching(), quiet:
            return self.client.submit(function, *arguments, **options)

    def tell(self, future: "Future[Any]") -> None:
        """Have `finished` give this one when it is done, or has failed."""
        future.add_done_callback(self._done.put)

    def finished(self, timeout: float) -> "list[Future[Any]]":
        """Those done since the last call; waits a moment for the first."""
        found = []
        with suppress(queue.Empty):
            found.append(self._done.get(timeout=timeout))
            while True:
                found.append(self._done.get_nowait())
        return found

    def gather(self, futures: "Sequence[Future[Any]]") -> list[Any]:
        """Their results.

        Raises:
            DeviceError: The scheduler is gone, or a task has killed one worker after another.
            FleetgradError: Of a task that failed.
        """
        with self._reaching():
            for one in futures:
                while not one.done():
                    with suppress(TimeoutError):
                        one.exception(timeout=LOOK_SECONDS)
                    self.check()
            return self._brought(futures)

    def _brought(self, futures: "Sequence[Future[Any]]") -> list[Any]:
        """Results that are there, but may be gone with their workers before they are here."""

        async def gathered() -> list[Any]:
            return list(await self.client.gather(list(futures), asynchronous=True))

        loop: Any = self.client.loop
        coming = asyncio.run_coroutine_threadsafe(gathered(), loop.asyncio_loop)
        try:
            while not wait([coming], LOOK_SECONDS).done:
                self.check()
            return coming.result()
        finally:
            coming.cancel()

    def check(self) -> None:
        """Raise `DeviceError` where there has been no worker for long."""
        gone = time.monotonic() - self._manned
        if gone > DESERTED_SECONDS:
            raise DeviceError(
                f"a cluster must keep some workers, got none for {gone:.0f} s; start some at "
                f"{self.address}."
            )

    def cancel(self, futures: "Sequence[Future[Any]]") -> None:
        """Have these not done, as far as they are not done yet."""
        if futures:
            with suppress(*GONE):
                self.client.cancel(list(futures))

    def trust(self, worker: str) -> None:
        """Expect signs of life from now on: what a worker imports at first may keep it silent."""
        self._trusted.add(worker)

    def rest(self, worker: str) -> None:
        """Give a worker nothing for a while, as long as there are others."""
        self._resting[worker] = time.monotonic() + REST_SECONDS

    def close(self) -> None:
        """Let go of all that was given to the workers."""
        scheduler: Any = self.client.scheduler
        for name in self._sites:
            with suppress(*GONE, ValueError, AttributeError):
                self.client.sync(
                    scheduler.unregister_worker_plugin, name=name, callback_timeout=ANSWER_SECONDS
                )
        self._over.set()
        if self._watch.is_alive():
            self._watch.join(ANSWER_SECONDS)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """A block in which the scheduler, or a worker, may fail."""
        try:
            yield
        except KilledWorker as error:
            raise DeviceError(
                f"a worker must outlive the networks it trains, got {error.allowed_failures + 1} "
                "that died of the same; give workers more memory, or search narrower `hidden`."
            ) from error
        except GONE as error:
            words = str(error) or type(error).__name__
            raise DeviceError(
                f"the cluster must stay within reach, got `{words}` of "
                f"{self.address}; see that its scheduler runs."
            ) from error

    def _watching(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with suppress(*GONE):
                self._look()

    def _look(self) -> None:
        """Ask who is there; take up those that have answered, and give up those that are silent."""
        there = self.client.scheduler_info().get("workers")
        if there is None:  # the scheduler is gone; whoever waits for it will hear of that
            return
        for address in self._asked.keys() - there:
            del self._asked[address]
            self._judgements.pop(address, None)
            self._trusted.discard(address)
        for address in there:
            if address not in self._asked:
                self._asked[address] = self.client.submit(
                    versions, workers=[address], pure=False, priority=100
                )
        known = {address: self._judged(address) for address in there}
        able = {address: there[address] for address, reason in known.items() if reason == ""}
        self.refused = {address: reason for address, reason in known.items() if reason}
        cards = {a: int(one.get("resources", {}).get(CARD, 0)) for a, one in able.items()}
        self.on_cards = any(cards.values())
        lanes = cards if self.on_cards else {a: int(one["nthreads"]) for a, one in able.items()}
        self._lanes = {address: count for address, count in lanes.items() if count}
        if self._lanes:
            self._manned = time.monotonic()
        self._give_up(there)

    def _answered(self) -> bool:
        return bool(self._asked) and self._asked.keys() == self._judgements.keys()

    def _judged(self, address: str) -> str | None:
        """Why a worker gets no work; "" where it does, None where it has not answered."""
        if address not in self._judgements:
            asked = self._asked[address]
            if not asked.done():
                return None
            self._judgements[address] = self._judgement(asked)
        return self._judgements[address]

    def _judgement(self, asked: "Future[dict[str, str]]") -> str:
        if asked.status != "finished":
            return f"has no fleetgrad that answers ({asked.exception()})"
        theirs, ours = asked.result(timeout=ANSWER_SECONDS), self.versions
        other = [f"{name} {theirs[name]}" for name in ours if theirs[name] != ours[name]]
        return f"has {', '.join(other)}" if other else ""

    def _give_up(self, there: Mapping[str, Any]) -> None:
        now = time.monotonic()
        for address, one in there.items():
            sign, since = self._signs.get(address, (None, now))
            if one["last_seen"] != sign or address not in self._trusted:
                self._signs[address] = (one["last_seen"], now)
            elif now - since > SILENT_SECONDS:
                log.warning("worker %s has been silent for %.0f s: given up", address, now - since)
                self._unregister(address)

    def _unregister(self, address: str) -> None:
        """Have the scheduler do without a worker."""
        scheduler: Any = self.client.scheduler
        self.client.sync(scheduler.unregister, address=address, stimulus_id="fleetgrad-silent")
