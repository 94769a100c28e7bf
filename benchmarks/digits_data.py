"""MNIST, as every racer gets it: the same rows, the same split, the same sealed test part."""

from pathlib import Path

import numpy as np

import fleetgrad as fg
from fleetgrad.data import folders
from fleetgrad.data.sealed import Opened
from racing import Task

NAME = "mnist"
MEAN, SPREAD = 0.1307, 0.3081  # of MNIST's pixels, as everyone scales them


def missing(folder: Path) -> bool:
    """Whether MNIST is not there."""
    return folders.find(folder / NAME) is None


def dataset(task: Task) -> fg.Dataset:
    """All rows, or the first ones; a smaller test part then, too."""
    data = fg.load(NAME, data_dir=task.folder)
    if task.rows is None:
        return data
    test, rows = opened(data), slice(task.rows)
    parts = (data.x[rows], data.y[rows], test.x[rows], test.y[rows])
    return fg.Dataset.from_arrays(*parts, name=NAME, image_shape=data.image_shape)


def opened(data: fg.Dataset) -> Opened:
    """The test part; for refits, when the clock has stopped."""
    return data.test.open("a benchmark's refit", lambda _: 1)


def scaled(x: np.ndarray) -> np.ndarray:
    """Pixels as the peers take them, float32."""
    return (x.astype(np.float32) / 255 - MEAN) / SPREAD
