"""A folder of the four IDX files that MNIST and its relatives come as.

Training images and labels, test images and labels, under their usual names, each packed or not.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Num

from fleetgrad.data import idx
from fleetgrad.data.dataset import Dataset
from fleetgrad.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def find(folder: Path) -> tuple[Path, ...] | None:
    """The four files, in the order of `FILES`, or None where the folder has none of them.

    Raises:
        DataError: Some are there and some are not.
    """
    found = [_find_one(folder, name) for name in FILES]
    if not any(found):
        return None
    missing = [name for name, path in zip(FILES, found, strict=True) if path is None]
    if missing:
        raise DataError(
            f"`{folder}` must hold all four IDX files, got none of the name {' or '.join(missing)}"
            "[.gz]; put what is missing beside the others."
        )
    return tuple(path for path in found if path is not None)


def read(files: tuple[Path, ...], name: str) -> Dataset:
    """The dataset in four IDX files, in the order of `FILES`.

    Raises:
        DataError: A file is broken, or they do not fit together.
    """
    x, y, x_test, y_test = map(idx.read, files)
    _check_counts(files[0], x, files[1], y)
    _check_counts(files[2], x_test, files[3], y_test)
    return Dataset.from_arrays(x, y, x_test, y_test, name=name)


def _find_one(folder: Path, name: str) -> Path | None:
    for variant in (name, name.replace("-idx", ".idx")):
        for suffix in ("", ".gz"):
            path = folder / (variant + suffix)
            if path.is_file():
                return path
    return None


def _check_counts(
    images: Path,
    x: Num[np.ndarray, "..."],
    labels: Path,
    y: Num[np.ndarray, "..."],
) -> None:
    if len(x) != len(y):
        raise DataError(
            f"`{images}` and `{labels}` must hold one label for each image, got {len(x):,} images "
            f"and {len(y):,} labels; check that both are of the same part of the same set."
        )
