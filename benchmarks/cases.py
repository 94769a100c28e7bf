"""What the throughput benchmark trains: six networks, on made-up rows of two kinds."""

from typing import Any, NamedTuple

import numpy as np

from fleetgrad import bench, limits, settings, training
from fleetgrad.material import Material, View
from fleetgrad.settings import Settings
from fleetgrad.slices import EPOCHS
from peers import Net

TABLE_ROWS, TABLE_FEATURES, TABLE_CLASSES = 20_000, 16, 26
QUICK_ROWS = 12_000  # of 60,000 images
POPULATIONS, QUICK_POPULATIONS = (1, 2, 16, 64, 256), (1, 16)
CARD_POPULATIONS = (*POPULATIONS, 1024)


class Case(NamedTuple):
    """One network, and what it is trained on.

    Args:
        name: As in `NAMES`.
        settings: Of every network.
        features, classes: Inputs and outputs.
        rows: In a network-epoch.
        note: What differs from what was asked for; empty where nothing.
    """

    name: str
    settings: Settings
    features: int
    classes: int
    rows: int
    note: str

    @property
    def epoch_flops(self) -> float:
        """Floating-point operations of the matrix products of a network-epoch."""
        shape = training.shape_of(
            self.settings, self.features, self.classes, validation_rows=0, epochs=1
        )
        return shape.step_flops * self.epoch_steps

    @property
    def epoch_bytes(self) -> float:
        """Bytes of weights and state that a network-epoch moves at least."""
        moved = limits.step_bytes(self.settings, self.features, self.classes)
        return moved * self.epoch_steps

    @property
    def epoch_steps(self) -> float:
        """Steps of a network-epoch."""
        return self.rows / self.settings.batch_size

    @property
    def precision(self) -> str:
        """Of the matrix products."""
        return str(getattr(self.settings, "precision", "float32"))

    def net(self) -> Net:
        """The same network, as the peers are told of it; they do know bfloat16."""
        one = self.settings
        return Net(
            features=self.features,
            hidden=one.hidden,
            classes=self.classes,
            activation=one.activation,
            optimizer=one.optimizer,
            learning_rate=one.learning_rate,
            weight_decay=one.weight_decay,
            dropout=one.dropout,
            batch_size=one.batch_size,
            precision=_WANTED[self.name].get("precision", "float32"),
        )


_NOTEBOOK = {"hidden": (100, 100), "activation": "sigmoid", "init": "glorot", "optimizer": "sgd"}
_WANTED: dict[str, dict[str, Any]] = {
    "notebook": {**_NOTEBOOK, "learning_rate": 0.1, "batch_size": 50},
    "dropout": {"hidden": (256, 128), "optimizer": "adam", "batch_size": 128, "dropout": 0.2},
    "bfloat16": {
        "hidden": (512, 512),
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "batch_size": 256,
        "precision": "bfloat16",
    },
    "float32": {
        "hidden": (512, 512),
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "batch_size": 256,
    },
    "wide": {
        "hidden": (1024, 1024),
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "batch_size": 256,
    },
    "tabular": {"hidden": (64, 64), "optimizer": "adam", "batch_size": 256},
}
NAMES = tuple(_WANTED)


def case(name: str) -> Case:
    """The named case; in float32, saying so, where `Settings` knows no other precision yet."""
    precision = _WANTED[name].get("precision", "float32")
    values = {**_WANTED[name], "epochs": EPOCHS, "precision": precision}
    note = ""
    if "precision" not in settings.NAMES:
        note = "" if values.pop("precision") == "float32" else "ran in float32"
    table = name == "tabular"
    return Case(
        name=name,
        settings=Settings.from_dict(values),
        features=TABLE_FEATURES if table else bench.FEATURES,
        classes=TABLE_CLASSES if table else bench.CLASSES,
        rows=TABLE_ROWS if table else bench.ROWS,
        note=note,
    )


def material(case: Case, *, quick: bool) -> Material:
    """Made-up rows: images as `fleetgrad bench` has them, or a table of floats."""
    if case.name == "tabular":
        return table(case.rows)
    return bench.images(QUICK_ROWS if quick else case.rows)


def table(rows: int) -> Material:
    """Made-up rows of a table: inputs from N(0, 1) as float32, and labels at random."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((rows, TABLE_FEATURES), np.float32)
    y = generator.integers(0, TABLE_CLASSES, rows, np.int32)
    order = np.arange(rows, dtype=np.int32)
    shift, scale = np.zeros(TABLE_FEATURES, np.float32), np.ones(TABLE_FEATURES, np.float32)
    return Material(x, y, TABLE_CLASSES, {0: View(order, order[:0], shift, scale)})


def scaled(material: Material) -> np.ndarray:
    """The rows as the networks see them, in float32: peers get them ready-made."""
    view = material.views[0]
    scaled: np.ndarray = (material.x.astype(np.float32) - view.shift) * view.scale
    return scaled
