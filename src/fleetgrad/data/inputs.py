"""What to predict from: rows of features in a file of any kind, told by its first bytes."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fleetgrad.data import archives, frames, idx, numbers, packing, pictures, tables
from fleetgrad.data.columns import Table
from fleetgrad.data.encoding import Encoding
from fleetgrad.data.features import Features, as_features
from fleetgrad.errors import DataError

NPY = b"\x93NUMPY"
WHITE = 255


def read_inputs(
    path: str | os.PathLike[str],
    *,
    features: int,
    image_shape: tuple[int, ...] | None = None,
    feature_names: Sequence[str] | None = None,
    white: float = WHITE,
) -> Features:
    """The rows in a file, checked against what a model was trained on.

    Args:
        path: `.npy` (rows, one row, images, or one image), a table (`.csv`, `.csv.gz`), an IDX
            file of images, or a PNG picture (see `pictures` for how it is resized).
        features: How many a row must have.
        image_shape: (height, width[, channels]) of the training images, if they were images.
        feature_names: Of the training table, if it was one; a table's columns are found by them.
        white: What full light is in the training images; pictures are brought to it.

    Returns:
        Rows, uint8 or float32.

    Raises:
        DataError: The file is of no such kind, broken, or has other features.
    """
    path = Path(path)
    with packing.opened(path) as stream:
        head = stream.read(len(pictures.MAGIC))
    if head == pictures.MAGIC:
        return _picture(path, image_shape, white)
    if head.startswith(NPY):
        array = archives.read_npy(path)
        is_one = array.shape in {(features,), image_shape}
        rows, shape = as_features(array[np.newaxis] if is_one else array, path.name)
    elif head[:2] == b"\0\0" and head[2:3] and head[2] in idx.TYPES:
        rows, shape = as_features(idx.read(path), path.name)
    elif path.name.lower().endswith((".csv", ".csv.gz")):
        rows, shape = as_features(numbers.read(path, features, feature_names), path.name)
    else:
        raise DataError(
            f"inputs must be a .npy, .csv or .csv.gz file, IDX images or a PNG picture, got "
            f"`{path}`; convert it to one of these, with `numpy.save` say."
        )
    _check_fits(path, rows, shape, features, image_shape)
    return rows


def read_table(path: str | os.PathLike[str], encoding: Encoding) -> Table:
    """The columns in a file that an encoding needs.

    Args:
        path: A table (`.csv`, `.csv.gz`, `.parquet`), whose columns are found by name, or `.npy`
            with all columns of training in their order.
        encoding: Of the training table.

    Raises:
        DataError: The file is of no such kind, broken, or has other columns.
    """
    path = Path(path)
    if tables.is_table(path):
        return tables.read_columns(path, encoding.kinds, encoding.columns)
    if path.suffix.lower() == ".npy":
        return frames.of_array(archives.read_npy(path), encoding.columns, encoding.kinds)
    raise DataError(
        f"`{path}` must be a table (.csv, .csv.gz, .parquet or .npy) with the columns of training, "
        "got a file of another name; save it as one of these."
    )


def _picture(path: Path, image_shape: tuple[int, ...] | None, white: float) -> Features:
    if image_shape is None:
        raise DataError(
            f"`{path}` must hold rows of features, since the model was not trained on images, got "
            "a picture; give .npy or .csv, or train with `image_shape`."
        )
    row = pictures.read(path, image_shape)
    if white == WHITE:
        return row
    return (row * np.float32(white / WHITE)).astype(np.float32)


def _check_fits(
    path: Path,
    rows: Features,
    shape: tuple[int, ...] | None,
    features: int,
    image_shape: tuple[int, ...] | None,
) -> None:
    if rows.shape[1] != features or (shape and image_shape and shape != image_shape):
        expected = f"{features} features" + (f" (images {image_shape})" if image_shape else "")
        raise DataError(
            f"`{path}` must have the {expected} of training in each row, got "
            f"{shape or rows.shape[1]}; give what the model was trained on."
        )
