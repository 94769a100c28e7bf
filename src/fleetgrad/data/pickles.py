"""The notebook's `mnist.pkl`, read without ever running what it says.

A pickle is a small program: it may name any function and have it called. This reader knows what a
pickled NumPy array calls (for all versions of NumPy and of the format), gives each of these names
a stand-in that does nothing but note shape, type and bytes, and refuses every other name. No
function of NumPy's runs, and no byte more than the file has is ever held.
"""

import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Num

from fleetgrad.data import packing
from fleetgrad.data.dataset import Dataset
from fleetgrad.errors import DataError

KEYS = ("training_images", "training_labels", "test_images", "test_labels")


def read(path: Path) -> Dataset:
    """The dataset in a pickled dictionary of the notebook's four arrays.

    Raises:
        DataError: It names anything but NumPy arrays (the message says what), is broken, or lacks
            one of the four.
    """
    held = load(path)
    if not isinstance(held, dict) or any(not isinstance(held.get(key), np.ndarray) for key in KEYS):
        got = sorted(map(str, held)) if isinstance(held, dict) else f"a {type(held).__name__}"
        raise DataError(
            f"`{path}` must hold a dictionary of the arrays {', '.join(KEYS)}, got {got}; save "
            "the arrays as .npz with X, y, X_test and y_test."
        )
    return Dataset.from_arrays(*(held[key] for key in KEYS), name=path.stem)


def load(path: Path) -> Any:
    """What a pickle holds, where that is arrays of numbers in plain containers.

    Raises:
        DataError: It names anything else, or is broken.
    """
    with packing.opened(path) as stream:
        reader = _Reader(stream, path.stat().st_size)
        try:
            return _finished(_Unpickler(reader, path).load())
        except (DataError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - a forged program can fail in any way it likes
            raise DataError(
                f"`{path}` must be a whole pickle of NumPy arrays, got one that breaks off or "
                f"makes no sense ({error}); save the arrays as .npz."
            ) from None
