"""The notebook's `mnist.pkl`: a pickled dictionary of four NumPy arrays."""

from pathlib import Path

from fleetgrad.data import unpickling
from fleetgrad.data.dataset import Dataset
from fleetgrad.errors import DataError

KEYS = ("training_images", "training_labels", "test_images", "test_labels")


def read(path: Path) -> Dataset:
    """The dataset in a pickled dictionary of the notebook's four arrays.

    Raises:
        DataError: It names anything but NumPy arrays (the message says what), is broken, or lacks
            one of the four.
    """
    arrays = unpickling.load(path)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise DataError(
            f"`{path}` must hold the arrays {', '.join(KEYS)}, got none of the name "
            f"{' or '.join(missing)}; save the arrays as .npz with X, y, X_test and y_test."
        )
    return Dataset.from_arrays(*(arrays[key] for key in KEYS), name=path.stem)
