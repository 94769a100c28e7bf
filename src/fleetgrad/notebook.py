"""The coursework notebook's three experiments, as settings of the same engine.

One network, 784-100-100-10, on MNIST: weights from N(0, 1), batches in file order, each (position
in the batch, pixel) scaled to [0, 1] by its own extremes, squared error with the slope of the
logistic taken at the rounded input, two remembered steps. The notebook ran each setting once and
judged by raw test images, which it had never scaled; here every setting runs from many initial
weights, on raw and on scaled test images.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from fleetgrad import network, soundness
from fleetgrad.clock import Clock, Progress, Throttle
from fleetgrad.data import Dataset, load
from fleetgrad.errors import DataError, UsageError
from fleetgrad.layers import Places
from fleetgrad.material import Material, View
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member

BATCH, TEN = 50, 10
WHITE = 255


class Published(NamedTuple):
    """What the notebook printed for one experiment, and what decides whether a run is alive.

    A run is alive when no output unit died; one that did costs a digit, and the raw test accuracy
    falls below `alive_above`.
    """

    rate: float
    epochs: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    alive_above: float


EXPERIMENTS = (
    Published(0.01, 100, 22.39, 0.95, 0.9424, 0.93),
    Published(0.001, 100, 51.34, 0.86, 0.9145, 0.90),
    Published(0.01, 50, 48.61, 0.90, 0.9403, 0.93),
)


def settings(rate: float, epochs: int) -> Settings:
    """The notebook's network and rule, with both of its rates equal, as it used them."""
    return Settings(
        hidden=(100, 100),
        activation="rounded_sigmoid",
        bias=False,
        init="normal",
        loss="notebook",
        optimizer="two_tap",
        learning_rate=rate,
        momentum=rate,
        schedule="constant",
        batch_size=BATCH,
        epochs=epochs,
    )


@dataclass(frozen=True)
class NotebookDraws:
    """Rows in file order, no noise, and initial weights from `RandomState(replicate).randn`."""

    def initial(
        self,
        settings: Settings,
        replicate: int,
        features: int,
        classes: int,
        places: Places = None,
    ) -> Any:
        """W1, W2, W3 in that order from one legacy generator, as float32."""
        del places
        draw = np.random.RandomState(replicate)
        sizes = network.layer_sizes(settings.hidden, features, classes)
        return tuple({"weight": draw.randn(*size).astype(np.float32)} for size in sizes)

    def order(
        self, rows: Int[np.ndarray, " rows"], replicate: int, epoch: int
    ) -> Int[np.ndarray, " rows"]:
        """The rows as they come."""
        del replicate, epoch
        return rows

    def noise(self, replicate: int, epoch: int) -> np.ndarray:
        """A key nobody uses."""
        del replicate, epoch
        return np.zeros(2, np.uint32)


def view(x: UInt8[np.ndarray, "rows features"]) -> View:
    """All whole batches, each (position in the batch, pixel) scaled by its extremes."""
    rows = len(x) // BATCH * BATCH
    batched = x[:rows].reshape(-1, BATCH, x.shape[1])
    low, high = batched.min(axis=0).astype(np.float32), batched.max(axis=0).astype(np.float32)
    spread = np.where(high > low, high - low, 1)
    everything = np.arange(rows, dtype=np.int32)
    return View(everything, everything[:0], shift=low, scale=(1 / spread).astype(np.float32))


def run(
    data: str | PathLike[str] | Dataset | None = None,
    replicates: int = 16,
    epochs_scale: float = 1.0,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the three experiments, all replicates side by side.

    Args:
        data: The folder of MNIST's four files, or a dataset; `load("mnist")` by default.
        replicates: Initial weights a setting, >= 1.
        epochs_scale: Factor on the epochs of each experiment, > 0.
        report: Told of progress.

    Returns:
        `{"experiments": [...], "seconds": ...}`; lists hold one number a replicate. `seconds` of
        an experiment is its share of the whole by network-epochs, since all run at once.

    Raises:
        UsageError: A count is out of range.
        DataError: The data are not images of ten classes in bytes.
    """
    _check(replicates, epochs_scale)
    data = data if isinstance(data, Dataset) else load(data or "mnist")
    _check_data(data)
    everyone = [settings(one.rate, max(1, round(one.epochs * epochs_scale))) for one in EXPERIMENTS]
    members = {
        Member(number, replicate): one
        for number, one in enumerate(everyone)
        for replicate in range(replicates)
    }
    views = dict.fromkeys(range(replicates), view(data.x))
    material = Material(data.x, data.y, len(data.classes), views)
    population = Population(material, members, NotebookDraws(), soundness.here())
    began = time.perf_counter()
    population.advance(max(one.epochs for one in everyone), _reporting(population, report))
    seconds = time.perf_counter() - began
    opened = data.test.open("notebook", lambda _: 1)
    shares = [one.epochs * replicates / population.network_epochs for one in everyone]
    experiments = [
        _experiment(population, number, replicates, opened) | {"seconds": seconds * share}
        for number, share in enumerate(shares)
    ]
    return {"experiments": experiments, "seconds": seconds}


def table(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row an experiment: medians over those alive beside what the notebook published."""
    rows = []
    for number, (found, published) in enumerate(
        zip(result["experiments"], EXPERIMENTS, strict=True), start=1
    ):
        raw = np.array(found["test_accuracy_raw"])
        alive = raw > published.alive_above
        chosen = alive if alive.any() else np.ones_like(alive)

        def median(name: str, found: Mapping[str, Any] = found, chosen: Any = chosen) -> float:
            return float(np.median(np.array(found[name])[chosen]))

        rows.append(
            {
                "experiment": number,
                "eta": found["eta"],
                "epochs": found["epochs"],
                "alive": found["alive"],
                "replicates": found["replicates"],
                "loss": median("loss_running_mean"),
                "loss_published": published.loss,
                "train_accuracy": median("train_accuracy_running_mean"),
                "train_accuracy_published": published.train_accuracy,
                "test_accuracy_raw": median("test_accuracy_raw"),
                "test_accuracy_published": published.test_accuracy,
                "test_accuracy_scaled": median("test_accuracy_scaled"),
                "lowest_raw": float(raw.min()),
                "highest_raw": float(raw.max()),
                "mean_raw": float(raw.mean()),
            }
        )
    return rows


def _experiment(population: Population, number: int, replicates: int, test: Any) -> dict[str, Any]:
    published = EXPERIMENTS[number]
    members = [Member(number, replicate) for replicate in range(replicates)]
    curves = [population.curve(member) for member in members]
    params = [population.params(member) for member in members]
    raw = [_accuracy(one, test.x, test.y, 1) for one in params]
    return {
        "eta": published.rate,
        "alpha": published.rate,
        "epochs": len(curves[0]),
        "replicates": replicates,
        # The mean of all batches since the start: the mean over epochs of each epoch's mean.
        "loss_running_mean": [float(curve[:, 0].mean(dtype=np.float64)) for curve in curves],
        "train_accuracy_running_mean": [
            float(curve[:, 1].mean(dtype=np.float64)) for curve in curves
        ],
        "test_accuracy_raw": raw,
        "test_accuracy_scaled": [_accuracy(one, test.x, test.y, WHITE) for one in params],
        "alive": sum(accuracy > published.alive_above for accuracy in raw),
    }


@partial(jax.jit, static_argnums=2)
def _labels(params: network.Params, x: jax.Array, activation: str) -> jax.Array:
    return network.apply(params, activation, x).argmax(axis=-1)


def _accuracy(
    params: Any, x: UInt8[np.ndarray, "rows features"], y: Int[np.ndarray, " rows"], white: int
) -> float:
    scaled: Float[np.ndarray, "rows features"] = x.astype(np.float32) / white
    return float((np.asarray(_labels(params, scaled, "rounded_sigmoid")) == y).mean())


def _reporting(population: Population, report: Callable[[Progress], None]) -> Callable[[], bool]:
    clock, throttle = Clock(None), Throttle()

    def tell() -> None:
        curves = [population.curve(member) for member in population.members]
        best = max((float(curve[-1, 1]) for curve in curves if len(curve)), default=float("nan"))
        alive = len(population.members)
        done = population.network_epochs
        report(Progress("notebook", 1, 1, alive, best, done, clock.elapsed, None))

    def proceed() -> bool:
        throttle(tell)
        return True

    return proceed


def _check(replicates: int, epochs_scale: float) -> None:
    if replicates < 1 or not 0 < epochs_scale < float("inf"):
        raise UsageError(
            "`replicates` must be at least 1 and `epochs_scale` above 0, got "
            f"{replicates} and {epochs_scale:g}; use 16 and 1."
        )


def _check_data(data: Dataset) -> None:
    fits = data.x.dtype == np.uint8 and len(data.classes) == TEN and data.rows >= BATCH
    if not fits:
        raise DataError(
            f"the notebook's experiments need at least {BATCH} byte images of ten classes, got "
            f"{data.rows} rows of {data.x.dtype} in {len(data.classes)}; give the folder of "
            "MNIST's four files."
        )
