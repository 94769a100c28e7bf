"""How fast this machine trains, beside the fastest it can multiply.

The network is the coursework notebook's, on made-up images of MNIST's size, so nothing has to be
fetched. A row is the median of a few passes of a whole population, warmed up; the peak is the
largest of many matrix products on all lanes at once, taken between those passes, because machines
are noisy and a peak from a quiet minute would flatter nobody.
"""

import itertools
import math
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fleetgrad import training
from fleetgrad.clock import Clock, Progress
from fleetgrad.machine import Machine, cores
from fleetgrad.material import Material, SeededDraws, View
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member

ROWS, FEATURES, CLASSES = 60_000, 784, 10
INKED = 49  # of 256: the share of MNIST's pixels that are not zero
FEWEST, MOST, ENOUGH_SECONDS = 2, 5, 15.0  # passes to take the median of, and when to stop
WARM = 4  # stretches of each lane before the clock starts
KINDS = ("float32", "bfloat16")
SIZES = {"cpu": 1024}  # of the square matrices whose product is timed
CARD_SIZE = 8192
PRODUCTS = 10  # one after another, without looking up

Report = Callable[[Progress], None]


class Case(NamedTuple):
    """One row of the bench: a network, and how many of it train side by side."""

    settings: Settings
    population: int


def notebook_case(population: int) -> Case:
    """The notebook's network, trained with plain gradient steps."""
    settings = Settings(
        hidden=(100, 100),
        activation="sigmoid",
        init="glorot",
        optimizer="sgd",
        learning_rate=0.1,
        batch_size=50,
        epochs=100,
    )
    return Case(settings, population)


def all_cases() -> list[Case]:
    """The notebook's network from one member to 256, and a wider one with Adam."""
    wide = Settings(hidden=(256, 128), optimizer="adam", batch_size=128, epochs=100)
    return [*map(notebook_case, (1, 2, 16, 64, 256)), Case(wide, 16)]


def run(
    cases: Sequence[Case], report: Report = lambda _: None, *, rows: int = ROWS
) -> dict[str, Any]:
    """Measure the cases, and the machine's peak in between.

    Args:
        cases: What to measure.
        report: Told of progress.
        rows: Made-up images to train on; rates are given for `ROWS` of them.

    Returns:
        The object that `fleetgrad bench --json` prints.
    """
    material, peak, clock = images(rows), Peak(Machine.here().lanes), Clock(None)
    found = []
    for number, case in enumerate(cases, start=1):

        def tell(done: float, number: int = number, case: Case = case) -> None:
            seconds, place = clock.elapsed, (number, len(cases), case.population)
            report(Progress("bench", *place, math.nan, done, seconds, None))

        found.append(_measured(case, material, peak, tell))
    best = {kind: max(peak.gflops[kind]) for kind in KINDS}
    return {
        "machine": description(),
        "peak_gflops": best,
        "rows": [row | {"fraction_of_peak": row["gflops"] / best["float32"]} for row in found],
    }


def images(rows: int) -> Material:
    """Made-up images: a fifth of the pixels not zero, as in MNIST, and labels at random."""
    generator = np.random.Generator(np.random.Philox(0))
    x = generator.integers(1, 256, (rows, FEATURES), np.uint8)
    x *= generator.integers(0, 256, x.shape, np.uint8) < INKED
    y = generator.integers(0, CLASSES, rows, np.int32)
    order = np.arange(rows, dtype=np.int32)
    shift, scale = np.zeros(FEATURES, np.float32), np.full(FEATURES, 1 / 255, np.float32)
    return Material(x, y, CLASSES, {0: View(order, order[:0], shift, scale)})


class Peak:
    """Matrix products on all lanes at once, as large as keeps a lane busy.

    Args:
        lanes: The device of each lane.
    """

    def __init__(self, lanes: Sequence[jax.Device]) -> None:
        self.gflops: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self._lanes = lanes
        platform = lanes[0].platform
        self._size = SIZES.get(platform, CARD_SIZE)
        options = {"xla_cpu_multi_thread_eigen": False} if platform == "cpu" else None
        self._product = jax.jit(jnp.matmul, compiler_options=options)
        for kind in KINDS:
            self._seconds(kind)  # compiles

    def measure(self) -> None:
        """Take one more measurement of each kind."""
        for kind in KINDS:
            products = len(self._lanes) * PRODUCTS
            self.gflops[kind].append(2e-9 * self._size**3 * products / self._seconds(kind))

    def _seconds(self, kind: str) -> float:
        square = (self._size, self._size)
        full = np.full(square, 1 / self._size, np.float32)  # its own square: nothing overflows
        factors = [jax.device_put(jnp.asarray(full, kind), device) for device in self._lanes]

        def work(factor: jax.Array) -> None:
            product = factor
            for _ in range(PRODUCTS):
                product = self._product(product, factor)
            product.block_until_ready()

        with ThreadPoolExecutor(len(factors)) as pool:
            list(pool.map(jax.block_until_ready, factors))
            began = time.perf_counter()
            list(pool.map(work, factors))
            return time.perf_counter() - began


def description() -> dict[str, Any]:
    """What this machine is."""
    device = jax.devices()[0]
    return {
        "processor": _processor(),
        "cores": cores(),
        "devices": [device.device_kind for device in jax.devices()],
        "platform": device.platform,
        "system": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def _measured(
    case: Case, material: Material, peak: Peak, tell: Callable[[float], None]
) -> dict[str, Any]:
    machine = Machine.here()  # its own, so that each row pays for its compilation
    members = {Member(number, 0): case.settings for number in range(case.population)}
    population = Population(material, members, SeededDraws(0), machine)
    rate = _rate(population, tell, peak) * len(material.y) / ROWS
    shape = training.shape_of(case.settings, FEATURES, CLASSES, validation_rows=0, epochs=1)
    return {
        "hidden": list(case.settings.hidden),
        "batch_size": case.settings.batch_size,
        "optimizer": case.settings.optimizer,
        "precision": "float32",
        "population": case.population,
        "network_epochs_per_s": rate,
        "gflops": 1e-9 * rate * shape.step_flops * (ROWS // case.settings.batch_size),
        "compile_s": machine.compile_seconds,
    }


def _rate(population: Population, tell: Callable[[float], None], peak: Peak) -> float:
    """Network-epochs a second, over the material's rows."""
    stretches, lanes = itertools.count(), len(population.machine.lanes)
    population.advance(1, lambda: next(stretches) < WARM * lanes)  # compiles, and warms the caches

    def proceed() -> bool:
        tell(population.network_epochs)
        return True

    found: list[float] = []
    started = time.perf_counter()
    for until in range(2, 2 + MOST):
        peak.measure()
        before, began = population.network_epochs, time.perf_counter()
        if len(found) >= FEWEST and began - started > ENOUGH_SECONDS:
            break
        population.advance(until, proceed)
        found.append((population.network_epochs - before) / (time.perf_counter() - began))
    peak.measure()
    return median(found)


def _processor() -> str:
    """The processor's name; what Python knows where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
