"""Features: what a network reads, as one plain array of rows.

Anything array-like passes through `as_features` once and comes out as (rows, features), either
uint8 as it was (images stay an eighth of their size in float64, and are scaled inside the
program) or float32, every number finite.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float32, Num, UInt8

from fleetgrad.data import mapped
from fleetgrad.errors import DataError

LARGEST = 1e37  # a tenth of what float32 holds, so that differences of features stay finite

Features = UInt8[np.ndarray, "rows features"] | Float32[np.ndarray, "rows features"]


def as_features(X: Any, name: str = "X") -> tuple[Features, tuple[int, ...] | None]:  # noqa: N803
    """Features as rows, and the shape of one image where they came as images.

    Args:
        X: (rows, features), or images as (rows, height, width) or (rows, height, width, channels),
            of any real type; uint8 is kept, and not copied where it is contiguous.
        name: What messages call it.

    Returns:
        The rows, uint8 or float32, C-contiguous, read-only; and (height, width[, channels]) or
        None.

    Raises:
        DataError: The shape or type is none of these, there are no rows, or a number is not finite.
    """
    values = numeric(X, name)
    if values.ndim not in {2, 3, 4}:
        raise DataError(
            f"`{name}` must have the shape (rows, features), or (rows, height, width[, channels]) "
            f"for images, got {values.shape}; reshape it, a single column with "
            f"`{name}.reshape(-1, 1)`."
        )
    if values.size == 0:
        raise DataError(
            f"`{name}` must hold rows and features, got the shape {values.shape}; give it data."
        )
    image_shape = values.shape[1:] if values.ndim > 2 else None  # noqa: PLR2004
    rows = values.reshape(len(values), -1)
    return frozen(_finite(rows, name)), image_shape


def agreed_shape(
    own: tuple[int, ...] | None, given: tuple[int, ...] | None, features: int
) -> tuple[int, ...] | None:
    """The shape of one image, from the images' own and the one given; None where rows are none.

    Raises:
        DataError: They do not agree with each other, or with the number of features.
    """
    if given is None:
        return own
    given = tuple(int(side) for side in given)
    fits = len(given) in {2, 3} and int(np.prod(given)) == features and own in {None, given}
    if not fits:
        raise DataError(
            f"`image_shape` must be (height, width[, channels]) of the {features} features"
            f"{f' and equal {own}, the shape of `X`' if own else ''}, got {given}; leave it out "
            "where rows are no images."
        )
    return given


def feature_names_of(
    X: Any,  # noqa: N803
    given: tuple[str, ...] | None,
    features: int,
) -> tuple[str, ...] | None:
    """The names of features: those given, or a frame's own.

    Raises:
        DataError: They are not one for each feature, or not all different.
    """
    names = getattr(X, "columns", None) if given is None else given
    if names is None:
        return None
    names = tuple(str(name) for name in names)
    if len(names) != features or len(set(names)) != features:
        raise DataError(
            f"`feature_names` must be {features} different names, one for each feature, got "
            f"{len(names)} ({len(set(names))} different); give each feature a name of its own."
        )
    return names


def numeric(values: Any, name: str) -> Num[np.ndarray, "..."]:
    """An array of real numbers, not copied where it is one already.

    Raises:
        DataError: It holds text, objects, complex numbers, dates, or has masked cells.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise DataError(
            f"`{name}` must have no missing cells, got {int(np.sum(values.mask))} masked ones; "
            "fill or drop them first."
        )
    array = _as_array(values, name)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"`{name}` must hold real numbers, got the type {array.dtype}; encode text as numbers "
            f"first, then convert with `{name}.astype('float32')`, or give a frame to "
            "`Dataset.from_frame`."
        )
    return array


def _as_array(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "toarray"):
        raise DataError(
            f"`{name}` must be a dense array, got {type(values).__name__}; use `{name}.toarray()`."
        )
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"`{name}` must be a regular array, got rows of different lengths or kinds ({error}); "
            "give every row the same number of features."
        ) from None


def _finite(rows: Num[np.ndarray, "..."], name: str) -> Features:
    if rows.dtype == np.uint8:
        return mapped.resting(rows, np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        small = mapped.resting(rows, np.float32)
        low, high = float(small.min()), float(small.max())  # NaN comes through both
    if not (low >= -LARGEST and high <= LARGEST):
        raise DataError(_where_not_finite(rows, small, name))
    return small


def _where_not_finite(rows: np.ndarray, small: np.ndarray, name: str) -> str:
    bad = ~(np.abs(small) <= LARGEST)
    row, feature = (int(index) for index in np.unravel_index(bad.argmax(), bad.shape))
    value = float(rows[row, feature])
    kind = "too large for float32" if math.isfinite(value) else "not finite"
    return (
        f"`{name}` must hold finite numbers of at most {LARGEST:g} in size, got {value} in row "
        f"{row}, feature {feature} ({int(bad.sum()):,} such cells, {kind}); drop or fill those "
        "rows, or rescale that feature."
    )


def frozen(rows: Features) -> Features:
    """A view that cannot be written through."""
    rows = rows.view()  # the caller's own array stays writable
    rows.flags.writeable = False
    return rows
