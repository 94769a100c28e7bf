"""How fast this machine trains, beside the fastest it can multiply.

Networks are trained on made-up images of MNIST's size, so nothing has to be fetched. A row is the
median of a few slices of time of a whole population, warmed up; the peak is the largest of many
matrix products on all lanes at once, taken between those slices.
"""

import dataclasses
import math
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from fleetgrad import soundness, training
from fleetgrad.clock import Clock, Progress
from fleetgrad.limits import Peak, ways
from fleetgrad.machine import Machine, cores
from fleetgrad.material import Material, SeededDraws, View
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.slices import EPOCHS, Slices
from fleetgrad.trainees import Member

ROWS, FEATURES, CLASSES = 60_000, 784, 10
INKED = 49  # of 256: the share of MNIST's pixels that are not zero
SLICES, SECONDS = 3, 2.0  # slices to take the median of, and the length of each

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
        epochs=EPOCHS,
    )
    return Case(settings, population)


def usual_cases() -> list[Case]:
    """The notebook's network, and wide ones that arithmetic should keep busy."""
    wide = Settings(
        hidden=(512, 512), optimizer="adamw", weight_decay=0.01, batch_size=256, epochs=EPOCHS
    )
    changes: tuple[dict[str, Any], ...] = ({}, {"precision": "bfloat16"}, {"hidden": (1024, 1024)})
    return [notebook_case(16), *(Case(dataclasses.replace(wide, **one), 16) for one in changes)]


def all_cases() -> list[Case]:
    """The same, the notebook's network from one member to 256, and one with Adam."""
    adam = Settings(hidden=(256, 128), optimizer="adam", batch_size=128, epochs=EPOCHS)
    others = [*map(notebook_case, (1, 2, 64, 256)), Case(adam, 16)]
    return sorted(usual_cases() + others, key=lambda case: (case.settings.hidden, case.population))


def run(
    cases: Sequence[Case],
    report: Report = lambda _: None,
    *,
    rows: int = ROWS,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Measure the cases, and the machine's peak in between.

    Args:
        cases: What to measure; settings that ask for `EPOCHS` epochs.
        report: Told of progress.
        rows: Made-up images to train on; rates are given for `ROWS` of them.
        seconds: Of a slice.

    Returns:
        The object that `fleetgrad bench --json` prints.
    """
    with compiling():
        here, clock = soundness.here(), Clock(None)
        material, peak = images(rows), Peak(here.lanes, ways(here))
        found = []
        for number, case in enumerate(cases, start=1):

            def tell(done: float, number: int = number, case: Case = case) -> None:
                place = (number, len(cases), case.population)
                report(Progress("bench", *place, math.nan, done, clock.elapsed, None))

            found.append(_measured(case, material, peak, seconds, tell))
    return {
        "machine": description(),
        "peak_gflops": peak.best,
        "rows": [
            row | {"fraction_of_peak": row["gflops"] / peak.best[row["precision"]]} for row in found
        ],
    }


@contextmanager
def compiling() -> Iterator[None]:
    """A block in which no program comes from an earlier run: its compilations are real ones."""
    config: Any = jax.config  # its update() has no types
    before = config.jax_enable_compilation_cache
    config.update("jax_enable_compilation_cache", False)  # noqa: FBT003 - JAX's own
    compilation_cache.reset_cache()  # JAX asks once whether to look there, and remembers
    try:
        yield
    finally:
        config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def images(rows: int) -> Material:
    """Made-up images: a fifth of the pixels not zero, as in MNIST, and labels at random."""
    generator = np.random.Generator(np.random.Philox(0))
    x = generator.integers(1, 256, (rows, FEATURES), np.uint8)
    x *= generator.integers(0, 256, x.shape, np.uint8) < INKED
    y = generator.integers(0, CLASSES, rows, np.int32)
    order = np.arange(rows, dtype=np.int32)
    shift, scale = np.zeros(FEATURES, np.float32), np.full(FEATURES, 1 / 255, np.float32)
    return Material(x, y, CLASSES, {0: View(order, order[:0], shift, scale)})


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
    case: Case, material: Material, peak: Peak, seconds: float, tell: Callable[[float], None]
) -> dict[str, Any]:
    machine = Machine.here()  # its own, so that each row pays for its compilation
    members = {Member(number, 0): case.settings for number in range(case.population)}
    population = Population(material, members, SeededDraws(0), machine)
    rate = _rate(Slices(population, case.settings.batch_size), peak, seconds, tell) / ROWS
    shape = training.shape_of(case.settings, FEATURES, CLASSES, validation_rows=0, epochs=1)
    return {
        "hidden": list(case.settings.hidden),
        "batch_size": case.settings.batch_size,
        "optimizer": case.settings.optimizer,
        "precision": machine.arithmetic(case.settings.precision, material.filled).precision,
        "population": case.population,
        "network_epochs_per_s": rate,
        "gflops": 1e-9 * rate * shape.step_flops * (ROWS / case.settings.batch_size),
        "compile_s": machine.compile_seconds,
    }


def _rate(slices: Slices, peak: Peak, seconds: float, tell: Callable[[float], None]) -> float:
    """Rows a second."""
    slices.warm()
    found = []
    for _ in range(SLICES):
        peak.measure()
        found.append(slices.rate(seconds, tell))
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
