"""LCBench's surrogate: the learning curve of any dense network, on any of its tasks, untrained.

What it learned from are 2,000 networks on each task, trained for 52 epochs (Zimmer, Lindauer and
Hutter 2021), as YAHPO Gym packed them (Pfisterer et al. 2022). A network is a row of seven numbers
in the order of `RANGES`; accuracies are shares, in [0, 1] but for the surrogate's own errors.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

EPOCHS = 52
SAMPLE, SAMPLE_SEED = 20_000, 20_000  # random networks that say what is good on a task
CHUNK = 2_000  # rows a call: larger ones leave the cache
DEVELOPMENT = (
    *("3945", "34539", "126026", "146212", "167149", "167161", "167181", "167185", "167200"),
    *("168329", "168331", "168868", "168910", "189862", "189866", "189905", "189908"),
)

Networks = Float[np.ndarray, "networks hyperparameters"]
Curves = Float[np.ndarray, "networks epochs"]


class Range(NamedTuple):
    """What a hyperparameter may be."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, unit: np.ndarray) -> np.ndarray:
        """Values at places of [0, 1]; whole numbers are all as wide."""
        half = 0.5 if self.whole else 0.0
        low, high = self.low - half, self.high + half
        found = low * (high / low) ** unit if self.log else low + (high - low) * unit
        return np.clip(np.round(found) if self.whole else found, self.low, self.high)


RANGES = {
    "batch_size": Range(16, 512, log=True, whole=True),
    "learning_rate": Range(1e-4, 0.1, log=True),
    "momentum": Range(0.1, 0.99),
    "weight_decay": Range(1e-5, 0.1),
    "num_layers": Range(1, 5, whole=True),
    "max_units": Range(64, 1024, log=True, whole=True),
    "max_dropout": Range(0.0, 1.0),
}


class Surrogate:
    """All tasks.

    Args:
        folder: Where `model.onnx` and `encoding.json` lie.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # noqa: PLC0415 - only the benchmark that uses it needs it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._numbers = tasks(folder)

    def accuracies(self, task: str, networks: Networks, epochs: np.ndarray) -> np.ndarray:
        """(networks,) validation accuracy of each after so many epochs."""
        rows = np.column_stack([epochs, networks]).astype(np.float32)
        number = self._numbers[task]
        found = []
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            which = np.full((len(part), 1), number, np.int32)
            found.append(self._session.run(None, {"x_cat": which, "x_cont": part})[0][:, 1])
        return np.concatenate(found).astype(float) / 100

    def curves(self, task: str, networks: Networks) -> Curves:
        """Validation accuracy after each of the 52 epochs."""
        epochs = np.tile(np.arange(1, EPOCHS + 1), len(networks))
        every = np.repeat(networks, EPOCHS, axis=0)
        return self.accuracies(task, every, epochs).reshape(-1, EPOCHS)

    def yardstick(self, task: str) -> "Yardstick":
        """What random networks reach on a task."""
        networks = random_networks(SAMPLE, SAMPLE_SEED)
        reached = self.accuracies(task, networks, np.full(SAMPLE, EPOCHS))
        return Yardstick(float(reached.max()), float(np.median(reached)))


class Yardstick(NamedTuple):
    """The best and the median of `SAMPLE` random networks at the end of their training."""

    best: float
    median: float

    def regret(self, found: float) -> float:
        """How far below the best: 0 at the best, 1 at the median, negative above the best."""
        return (self.best - found) / (self.best - self.median)


class Meter:
    """One task as a search sees it: curves, and epochs to spend on them.

    Args:
        curves: Of networks; one that trains always goes the same way.
        budget: Epochs there are.
    """

    def __init__(self, curves: Callable[[Networks], Curves], budget: int) -> None:
        self._curves, self.budget, self.spent = curves, budget, 0
        self._known: dict[bytes, np.ndarray] = {}

    @property
    def left(self) -> int:
        """Epochs not spent."""
        return self.budget - self.spent

    def train(self, epochs: int) -> None:
        """Spend epochs; they must be there."""
        assert 0 <= epochs <= self.left, f"{epochs} epochs of {self.left} left"
        self.spent += epochs

    def curves(self, networks: Networks) -> Curves:
        """The whole curves of networks, each worked out once; look only at what was paid for."""
        rows = np.asarray(networks, float)
        missing = {row.tobytes(): row for row in rows if row.tobytes() not in self._known}
        if missing:
            found = self._curves(np.array(list(missing.values())))
            self._known |= dict(zip(missing, found, strict=True))
        return np.array([self._known[row.tobytes()] for row in rows])

    def final(self, network: np.ndarray) -> float:
        """Accuracy at the end of training."""
        return float(self.curves(network[None])[0, -1])


def tasks(folder: Path) -> dict[str, int]:
    """The number of each task, by its name at OpenML."""
    names = json.loads((folder / "encoding.json").read_text("utf-8"))["OpenML_task_id"]
    return {name: number for name, number in names.items() if name.isdigit()}


def random_networks(count: int, seed: int) -> Networks:
    """Networks drawn independently from `RANGES`."""
    return at(np.random.default_rng(seed).random((count, len(RANGES))))


def at(unit: np.ndarray) -> Networks:
    """The networks at points of the unit cube."""
    ranges = zip(RANGES.values(), unit.T, strict=True)
    return np.column_stack([span.at(places) for span, places in ranges])
