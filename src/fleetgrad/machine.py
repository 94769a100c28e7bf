"""The machine a fleet runs on: its lanes, and one compiled program a shape.

A lane is a core of the CPU, or one card. Lanes of a CPU share one XLA device, whose programs are
compiled to run on the calling thread alone: a program compiles once, and each core works through
another network (measured against a mesh of CPU devices in docs/decisions.md).
"""

import ctypes
import functools
import os
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fleetgrad import batches, cache, products, training
from fleetgrad.kernels import adam, sparse
from fleetgrad.kernels import bfloat16 as rounding
from fleetgrad.products import Arithmetic
from fleetgrad.shapes import Shape
from fleetgrad.states import State

CARD_WIDTH = 256  # members a card trains at once, at most
CPU_OPTIONS = {
    "xla_cpu_multi_thread_eigen": False,  # a lane is one core
    "xla_cpu_copy_insertion_use_region_analysis": True,  # no copies of weights in the step loop
}
HALF_LIFE = 20.0  # seconds of training after which a measurement counts half
GUESSED_FLOPS = 2e10  # a lane's speed before it has been measured, per second

Program = Callable[..., tuple[State, jax.Array]]
Place = tuple[Shape, jax.Device, tuple[Any, ...]]  # a shape, where, and of what arrays


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
    _programs: dict[Place, Program] = field(default_factory=dict)
    _locks: dict[Place, threading.Lock] = field(default_factory=dict)
    _spent: dict[Shape, tuple[float, float]] = field(default_factory=dict)
    _narrowed: dict[Shape, int] = field(default_factory=dict)
    _fastest: dict[str, Arithmetic] = field(default_factory=dict)
    _rows: dict[jax.Device, tuple[Any, batches.Rows]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tracing: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def here(cls) -> "Machine":
        """All cores of this machine, or all its cards where JAX sees any.

        Programs compiled from now on are kept in the user's cache, for the next run.
        """
        _keep_programs()
        devices = jax.devices()
        if devices[0].platform == "cpu":
            return cls((devices[0],) * cores(), width=1)
        return cls(tuple(devices), width=CARD_WIDTH)

    @property
    def title(self) -> str:
        """What it is, in words: "2 cores", or its cards."""
        kind, count = self.lanes[0].device_kind, len(self.lanes)
        if self.lanes[0].platform == "cpu":
            return "1 core" if count == 1 else f"{count} cores"
        return kind if count == 1 else f"{count} x {kind}"

    def arithmetic(self, precision: str, filled: float) -> Arithmetic:
        """How programs multiply here.

        Args:
            precision: As in `Settings`; `auto` becomes the faster, measured once.
            filled: The share of inputs that are not zero.
        """
        dense = self.dense(precision)
        alone = dense.on_cpu and self.width == 1
        return dense._replace(
            skips_zeros=alone and filled <= sparse.WORTH and sparse.available(),
            in_place=alone and adam.available(),
        )

    def settle(self, precision: str, way: Arithmetic) -> None:
        """From now on multiply this way, where this machine can.

        Args:
            precision: As in `Settings`.
            way: What `dense` gave, here or on another machine.
        """
        on_cpu = all(device.platform == "cpu" for device in self.lanes)
        if way.on_cpu == on_cpu and (rounding.available() or not way.by_kernel):
            with self._lock:
                self._fastest[precision] = way

    def dense(self, precision: str) -> Arithmetic:
        """The same as `arithmetic` before it heeds zeros: the fastest way, measured once."""
        with self._lock:
            if precision not in self._fastest:
                options = compiler_options(self.lanes[0])
                self._fastest[precision] = products.fastest(precision, self.lanes, options)
            return self._fastest[precision]

    def width_of(self, shape: Shape) -> int:
        """Members of a shape that are trained at once."""
        return self._narrowed.get(shape, self.width)

    def narrow(self, shape: Shape, width: int) -> None:
        """From now on, train at most so many members of a shape at once."""
        with self._lock:
            self._narrowed[shape] = min(width, self.width_of(shape))

    def program(self, shape: Shape, device: jax.Device, arguments: Any) -> Program:
        """The compiled `training.advance` for a shape, compiling it at the first call.

        Args:
            shape: What is static.
            device: The lane's.
            arguments: Of the first call; their shapes and types are compiled for.
        """
        # The arrays too: another dataset, say, may have the same shape but not as many rows.
        arrays = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(arguments))
        place = (shape, device, arrays)
        with self._lock:
            lock = self._locks.setdefault(place, threading.Lock())
        with lock:
            if place not in self._programs:
                self._programs[place] = self._compile(shape, device, arguments)
        return self._programs[place]

    def resident(
        self,
        x: np.ndarray,
        y: np.ndarray,
        device: jax.Device,
        targets: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> batches.Rows:
        """The rows on a lane's device, put there once and shared by all populations."""
        with self._lock:
            source, rows = self._rows.get(device, ((None,) * 4, None))
            if rows is None or source[0] is not x or source[1] is not y:
                source, rows = (x, y, None, None), batches.Rows(*jax.device_put((x, y), device))
            if source[2] is not targets:
                rows = rows._replace(targets=jax.device_put(targets, device))
            if source[3] is not weights:
                rows = rows._replace(weights=jax.device_put(weights, device))
            self._rows[device] = ((x, y, targets, weights), rows)
            return rows

    def knows(self, shape: Shape) -> bool:
        """Whether anybody of a shape has trained here."""
        return _step_of(shape) in self._spent

    def step_seconds(self, shape: Shape) -> float:
        """What a step takes a lane, as of late, or guessed from its arithmetic."""
        seconds, steps = self._spent.get(_step_of(shape), (0.0, 0))
        return seconds / steps if steps else shape.step_flops / GUESSED_FLOPS

    def note(self, shape: Shape, seconds: float, steps: int) -> None:
        """Remember that steps took so long; what is long ago fades, for machines slow down."""
        fading, step = 0.5 ** (seconds / HALF_LIFE), _step_of(shape)
        with self._lock:
            before, done = self._spent.get(step, (0.0, 0.0))
            self._spent[step] = (fading * before + seconds, fading * done + steps)

    def _compile(self, shape: Shape, device: jax.Device, arguments: Any) -> Program:
        started = time.perf_counter()
        run: Callable[..., Any] = partial(training.advance, shape)
        if arguments[0].step.ndim:  # several members
            run = jax.vmap(run, in_axes=(0, 0, batches.FEED_AXES, None, None, None))
        jitted = jax.jit(run, donate_argnums=0, compiler_options=compiler_options(device))
        with self._tracing:  # it is Python's work: two threads at it take longer than one
            lowered = jitted.lower(*arguments)
        program: Program = lowered.compile()
        _return_memory()
        with self._lock:
            self.compilations += 1
            self.compile_seconds += time.perf_counter() - started
        return program

    def stack(self, members: list[Any], device: jax.Device, width: int | None = None) -> Any:
        """The arguments of several members as one, padded by the last to the full width.

        Args:
            members: (state, rates, feed) of each.
            device: Where they are to run.
            width: The machine's by default.
        """
        members, width = [_moved(member, device) for member in members], width or self.width
        if width == 1:
            return members[0]
        steps = members[0][2].steps
        padded = members + members[-1:] * (width - len(members))
        state, rates, feed = jax.tree.map(_side_by_side, *padded)
        return jax.device_put((state, rates, feed._replace(steps=steps)), device)

    def unstack(self, tree: Any, count: int) -> list[Any]:
        """The results of the first `count` members, one by one."""
        if tree.step.ndim == 0:
            return [tree]
        return [_picked(tree, np.int32(number)) for number in range(count)]


@functools.lru_cache(maxsize=1024)  # asked of every network at every look
def _step_of(shape: Shape) -> Shape:
    """What a step's time hangs on: not how many epochs a call trains."""
    return replace(shape, epochs=1)


def _side_by_side(*leaves: Any) -> Any:
    """One array of several; on the host where all lie there, which spares a call for each."""
    on_device = any(isinstance(leaf, jax.Array) for leaf in leaves)
    return jnp.stack(leaves) if on_device else np.stack(leaves)


@jax.jit
def _picked(tree: Any, number: jax.Array) -> Any:
    """One of the members laid side by side: one call, and not one for each of its arrays."""
    return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, number, keepdims=False), tree)


def _moved(member: Any, device: jax.Device) -> Any:
    """The member with its state on this device; one still on the host stays there."""
    state, rates, feed = member
    if isinstance(state.step, jax.Array) and state.step.devices() != {device}:
        state = jax.device_put(state, device)
    return state, rates, feed


def compiler_options(device: jax.Device) -> dict[str, Any] | None:
    """How programs for a device are compiled."""
    return CPU_OPTIONS if device.platform == "cpu" else None


def _keep_programs() -> None:
    """Let JAX keep compiled programs, unless the user has told it where to, or not to.

    Nor where XLA would fill the terminal at every program loaded (see `fleetgrad.__init__`).
    """
    config: Any = jax.config  # its update() has no types
    told = config.jax_compilation_cache_dir or not config.jax_enable_compilation_cache
    folder = cache.private("programs")
    if told or folder is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") < "3":
        return
    # By processor: homes are shared by machines that differ, and a program suits only its own.
    place = folder / cache.processor()
    cache.mend(place)
    # It is compiled anew, and the user can do no more about it.
    broken = "Error (reading|writing) persistent compilation cache entry"
    warnings.filterwarnings("ignore", broken, UserWarning)
    config.update("jax_compilation_cache_dir", str(place))
    config.update("jax_persistent_cache_min_compile_time_secs", 0)
    config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _return_memory() -> None:
    """Give the system back what a compilation has freed: 100 to 200 MB, which glibc keeps."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
