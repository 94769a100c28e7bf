"""What the machine can do at best: how fast it multiplies, and how fast it moves numbers.

Machines are noisy, and a peak from a quiet minute would flatter nobody: both are measured between
the very slices of training that are compared with them.

A step can take no less than the larger of two times: its matrix products at the peak, and its
weights and optimizer state, each read once and written once, at the bandwidth (Williams et al.
2009, "Roofline"). Everything else, a second reading of the weights say, is the program's to save.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fleetgrad import memory
from fleetgrad.machine import CPU_OPTIONS, Machine
from fleetgrad.products import Product
from fleetgrad.settings import Settings

KINDS = ("float32", "bfloat16")
SIZES = {"cpu": 1024}  # of the square matrices whose product is timed
CARD_SIZE = 8192
PRODUCTS = 10  # one after another, without looking up
MOVED = {"cpu": 5e8}  # bytes that a lane reads and writes in one measurement
CARD_MOVED = 5e10
NUMBER = 4  # bytes of a float32

Way = tuple[Product, str]  # a product, and the type of its factors


class Limit(NamedTuple):
    """The least that some work can take, in seconds of the whole machine.

    Args:
        arithmetic: Of its products, at the peak.
        memory: Of its weights and state, at the bandwidth.
    """

    arithmetic: float
    memory: float

    @property
    def seconds(self) -> float:
        """The larger of the two."""
        return max(self)

    @property
    def by(self) -> str:
        """Which of the two it is: `arithmetic` or `memory`."""
        return "arithmetic" if self.arithmetic >= self.memory else "memory"


def step_bytes(settings: Settings, features: int, classes: int) -> int:
    """Bytes that one step of a network moves at least.

    Weights, optimizer state and whatever else a network carries from step to step: read once,
    written once. Inputs are not counted; networks that learn from the same rows can share them.

    Args:
        settings: Of the network.
        features: Inputs of the first layer.
        classes: Outputs of the last.
    """
    return 2 * memory.member_bytes(settings, features, classes)


def working_set(machine: Machine, settings: Settings, features: int, classes: int) -> int:
    """Bytes of the networks that a lane trains at once, padding included."""
    return machine.width * memory.member_bytes(settings, features, classes)


def ways(machine: Machine) -> dict[str, tuple[Way, ...]]:
    """How matrices can be multiplied in each precision here: by XLA, and as networks do it.

    Nobody's share of the peak should be large only because XLA is slow at it.
    """
    own = {kind: machine.arithmetic(kind, filled=1.0).products.others for kind in KINDS}
    return {kind: ((jnp.matmul, kind), (own[kind], "float32")) for kind in KINDS}


class Peak:
    """Matrix products on all lanes at once, as large as keeps a lane busy.

    Args:
        lanes: The device of each lane.
        ways: How to multiply in each of `KINDS`; the fastest at the moment counts.
    """

    def __init__(self, lanes: Sequence[jax.Device], ways: Mapping[str, Sequence[Way]]) -> None:
        self.gflops: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self._lanes = lanes
        self._size = SIZES.get(lanes[0].platform, CARD_SIZE)
        self._ways = {
            kind: [(_compiled(product, lanes), factors) for product, factors in ways[kind]]
            for kind in KINDS
        }
        for kind in KINDS:
            self._seconds(kind)  # compiles

    @property
    def best(self) -> dict[str, float]:
        """The largest GFLOP/s seen of each kind."""
        return {kind: max(found) for kind, found in self.gflops.items()}

    def measure(self) -> None:
        """Take one more measurement of each kind."""
        for kind in KINDS:
            products = len(self._lanes) * PRODUCTS
            self.gflops[kind].append(2e-9 * self._size**3 * products / self._seconds(kind))

    def _seconds(self, kind: str) -> float:
        return min(self._timed(product, factors) for product, factors in self._ways[kind])

    def _timed(self, product: Callable[..., Any], factors: str) -> float:
        def work(factor: jax.Array) -> None:
            found = factor
            for _ in range(PRODUCTS):
                found = product(found, factor)
            found.block_until_ready()

        square = (self._size, self._size)  # full of 1 / size: its own square, nothing overflows
        return _together(work, [_full(square, 1 / self._size, factors, to) for to in self._lanes])


class Bandwidth:
    """Numbers read and written again on all lanes at once, as an update does with weights.

    Args:
        lanes: The device of each lane.
        size: Bytes of each lane's numbers: give what its networks take, so that they lie where
            those do, in a core's cache or in memory.
    """

    def __init__(self, lanes: Sequence[jax.Device], size: int) -> None:
        self.gigabytes: list[float] = []  # a second
        self._lanes = lanes
        self._count = max(1, size // NUMBER)
        moved = MOVED.get(lanes[0].platform, CARD_MOVED)
        self._rounds = math.ceil(moved / (2 * NUMBER * self._count))
        self._again = _compiled(partial(_again, self._rounds), lanes, donate_argnums=0)
        self._seconds()  # compiles

    @property
    def best(self) -> float:
        """The most GB/s seen."""
        return max(self.gigabytes)

    def measure(self) -> None:
        """Take one more measurement."""
        moved = 2 * NUMBER * self._count * self._rounds * len(self._lanes)
        self.gigabytes.append(1e-9 * moved / self._seconds())

    def _seconds(self) -> float:
        def work(numbers: jax.Array) -> None:
            self._again(numbers, np.float32(1)).block_until_ready()

        return _together(work, [_full((self._count,), 1, "float32", to) for to in self._lanes])


def limit(flops: float, size: float, gflops: float, gigabytes: float) -> Limit:
    """The least that work can take.

    Args:
        flops: Of its matrix products.
        size: Bytes that it has to move.
        gflops: The peak, in GFLOP/s.
        gigabytes: The bandwidth, in GB/s.
    """
    return Limit(arithmetic=1e-9 * flops / gflops, memory=1e-9 * size / gigabytes)


def _again(rounds: int, numbers: jax.Array, factor: jax.Array) -> jax.Array:
    """Multiply by what XLA cannot know to be 1, in place, so often."""
    ended: jax.Array = lax.fori_loop(0, rounds, lambda _, one: one * factor, numbers)
    return ended


def _compiled(run: Callable[..., Any], lanes: Sequence[jax.Device], **how: Any) -> Any:
    options = CPU_OPTIONS if lanes[0].platform == "cpu" else None
    return jax.jit(run, compiler_options=options, **how)


def _full(shape: tuple[int, ...], value: float, kind: str, device: jax.Device) -> jax.Array:
    return jnp.full(shape, value, kind, device=device)


def _together(work: Callable[[jax.Array], None], arrays: Sequence[jax.Array]) -> float:
    """Seconds until every lane is done with its array."""
    with ThreadPoolExecutor(len(arrays)) as pool:
        list(pool.map(jax.block_until_ready, arrays))
        began = time.perf_counter()
        list(pool.map(work, arrays))
        return time.perf_counter() - began
