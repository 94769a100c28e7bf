"""The machine a fleet runs on: its lanes, and one compiled program a shape.

A lane is a core of the CPU, or one card. Lanes of a CPU share one XLA device, whose programs are
compiled to run on the calling thread alone: a program compiles once, and each core works through
another network (measured against a mesh of CPU devices in docs/decisions.md).
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fleetgrad import train

CARD_WIDTH = 256  # members a card trains at once, at most

Program = Callable[..., tuple[train.State, jax.Array]]


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class Machine:
    """Lanes, and the programs compiled for them so far.

    Args:
        lanes: The device of each lane; one device may carry several.
        width: Members a program trains at once; 1 runs them one after another.
    """

    lanes: tuple[jax.Device, ...]
    width: int
    compilations: int = 0
    compile_seconds: float = 0.0
    _programs: dict[tuple[train.Shape, jax.Device], Program] = field(default_factory=dict)
    _locks: dict[tuple[train.Shape, jax.Device], threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def here(cls) -> "Machine":
        """All cores of this machine, or all its cards where JAX sees any."""
        devices = jax.devices()
        if devices[0].platform == "cpu":
            return cls((devices[0],) * cores(), width=1)
        return cls(tuple(devices), width=CARD_WIDTH)

    def program(self, shape: train.Shape, device: jax.Device, arguments: Any) -> Program:
        """The compiled `train.advance` for a shape, compiling it at the first call.

        Args:
            shape: What is static.
            device: The lane's.
            arguments: Of the first call; their shapes and types are compiled for.
        """
        place = (shape, device)
        with self._lock:
            lock = self._locks.setdefault(place, threading.Lock())
        with lock:
            if place not in self._programs:
                self._programs[place] = self._compile(shape, device, arguments)
        return self._programs[place]

    def _compile(self, shape: train.Shape, device: jax.Device, arguments: Any) -> Program:
        started = time.perf_counter()
        run: Callable[..., Any] = partial(train.advance, shape)
        if self.width > 1:
            run = jax.vmap(run, in_axes=(0, 0, train.FEED_AXES, None, None, None))
        options = {"xla_cpu_multi_thread_eigen": False} if device.platform == "cpu" else None
        jitted = jax.jit(run, donate_argnums=0, compiler_options=options)
        program: Program = jitted.lower(*arguments).compile()
        with self._lock:
            self.compilations += 1
            self.compile_seconds += time.perf_counter() - started
        return program

    def stack(self, members: list[Any], device: jax.Device) -> Any:
        """The arguments of several members as one, padded by the last to the full width.

        Args:
            members: (state, rates, feed) of each.
            device: Where they are to run.
        """
        if self.width == 1:
            return members[0]
        steps = members[0][2].steps
        padded = members + members[-1:] * (self.width - len(members))
        state, rates, feed = jax.tree.map(lambda *leaves: jnp.stack(leaves), *padded)
        return jax.device_put((state, rates, feed._replace(steps=steps)), device)

    def unstack(self, tree: Any, count: int) -> list[Any]:
        """The results of the first `count` members, one by one."""
        if self.width == 1:
            return [tree]
        return [jax.tree.map(lambda leaf, i=i: leaf[i], tree) for i in range(count)]
