"""Images disturbed on their way into a training step: shifted, turned, scaled, sheared, bent.

Every image of a batch has draws of its own. Whole-pixel shifts read one pixel for each; all else is
composed into one grid of places to read from, and read once, bilinearly. Outside an image lies raw
0: black, where numbers are brightness.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from fleetgrad.augmentation import Augmentation

# Folded into a step's key; higher than any layer's number, and the same at every depth, so that
# networks of one replicate see the same images.
NUMBER = 1_000_000
CELLS = 4  # of the elastic grid along each side

_REAL = np.float32


class Form(NamedTuple):
    """What a program is compiled for.

    Args:
        kind: "shift", "affine" (rotation, scale and shear too), or "elastic" (everything).
        image: (height, width[, channels]).
    """

    kind: str
    image: tuple[int, ...]


class Amounts(NamedTuple):
    """One member's amounts, as in `Augmentation`; scalars, each traced."""

    shift: Int[Array, ""]
    rotation: Float[Array, ""]
    scale: Float[Array, ""]
    shear: Float[Array, ""]
    elastic: Float[Array, ""]


class Draws(NamedTuple):
    """What happens to each image of a batch; None where the program has no such kind.

    shift: Pixels down and to the right.
    angle: Radians, counterclockwise.
    factor: Of the size.
    slope: Pixels that a row one further down lies further right.
    bend: Pixels down and to the right that each point of the elastic grid reads from further on.
    """

    shift: Int[Array, "batch 2"]
    angle: Float[Array, " batch"] | None = None
    factor: Float[Array, " batch"] | None = None
    slope: Float[Array, " batch"] | None = None
    bend: Float[Array, "batch 2 points"] | None = None


def form_of(augmentation: Augmentation, image_shape: tuple[int, ...] | None) -> Form | None:
    """The program that an augmentation needs; None where images stay as they are.

    Raises:
        SettingsError: Rows are no images (`image_shape` is None), or images too small.
    """
    if not augmentation:
        return None
    augmentation.check(image_shape)
    affine = augmentation.rotation or augmentation.scale or augmentation.shear
    kind = "elastic" if augmentation.elastic else "affine" if affine else "shift"
    return Form(kind, tuple(image_shape or ()))


def amounts_of(augmentation: Augmentation) -> Amounts:
    """The traced side, as NumPy scalars (int32, float32)."""
    amounts: dict[str, np.generic] = {
        "shift": np.int32(augmentation.shift),
        "rotation": _REAL(augmentation.rotation),
        "scale": _REAL(augmentation.scale),
        "shear": _REAL(augmentation.shear),
        "elastic": _REAL(augmentation.elastic),
    }
    return Amounts(**amounts)  # type: ignore[arg-type]


def images(
    rows: Num[Array, "rows features"],
    chosen: Int[Array, " batch"],
    key: jax.Array,
    form: Form,
    amounts: Amounts,
) -> Float[Array, "batch features"]:
    """The chosen rows, disturbed; raw values, not yet scaled.

    Args:
        rows: Images as flat rows, uint8 or float32.
        chosen: Row numbers.
        key: Of this step.
        form: What is static.
        amounts: How far each part may go.
    """
    return disturbed(rows, chosen, form, draw(key, form, amounts, len(chosen)))


def draw(key: jax.Array, form: Form, amounts: Amounts, batch: int) -> Draws:
    """Draws for the images of one step, uniform over what the amounts allow.

    Each part has a key of its own, so turning one on never shifts another's draws.
    """
    own = jax.random.fold_in(key, NUMBER)

    def uniform(part: int, shape: tuple[int, ...], most: Array) -> Array:
        return most * jax.random.uniform(jax.random.fold_in(own, part), shape, _REAL, -1, 1)

    key_of_shift = jax.random.fold_in(own, 0)
    shift = jax.random.randint(key_of_shift, (batch, 2), -amounts.shift, amounts.shift + 1)
    drawn = Draws(shift)
    if form.kind != "shift":
        drawn = drawn._replace(
            angle=jnp.radians(uniform(1, (batch,), amounts.rotation)),
            factor=1 + uniform(2, (batch,), amounts.scale),
            slope=jnp.tan(jnp.radians(uniform(3, (batch,), amounts.shear))),
        )
    if form.kind == "elastic":
        points = (batch, 2, (CELLS + 1) ** 2)
        drawn = drawn._replace(bend=uniform(4, points, amounts.elastic))
    return drawn


def disturbed(
    rows: Num[Array, "rows features"], chosen: Int[Array, " batch"], form: Form, drawn: Draws
) -> Float[Array, "batch features"]:
    """The chosen rows with these draws applied; arguments as for `images`."""
    places = _Places.of(form.image)
    if form.kind == "shift":
        down, right = drawn.shift[:, :1], drawn.shift[:, 1:]
        return _pixels(rows, chosen, places, places.row - down, places.column - right)
    return _between(rows, chosen, places, *_sources(form, places, drawn))


class _Places(NamedTuple):
    """Where each feature of a flat image lies; constants of the program."""

    image: tuple[int, int, int]
    row: Int[Array, " features"]
    column: Int[Array, " features"]
    channel: Int[Array, " features"]

    @classmethod
    def of(cls, image: tuple[int, ...]) -> "_Places":
        height, width, channels = (*image, 1)[:3]
        where: Any = np.indices((height, width, channels), np.int32).reshape(3, -1)
        return cls((height, width, channels), *where)


def _sources(form: Form, places: _Places, drawn: Draws) -> tuple[Array, Array]:
    """Where each feature of each image is read from: row and column, real numbers.

    The image is scaled, sheared, turned about its center, and shifted, in this order; reading
    goes back the same way. Bending comes on top of that.
    """
    height, width, _ = places.image
    center = _REAL((height - 1) / 2), _REAL((width - 1) / 2)
    down = places.row.astype(_REAL) - center[0] - drawn.shift[:, :1]
    right = places.column.astype(_REAL) - center[1] - drawn.shift[:, 1:]
    angle, factor, slope = (_column(one) for one in (drawn.angle, drawn.factor, drawn.slope))
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    down, right = cos * down + sin * right, cos * right - sin * down
    row, column = down / factor + center[0], (right - slope * down) / factor + center[1]
    if form.kind == "elastic" and drawn.bend is not None:
        bend = drawn.bend @ _smooth(places)
        row, column = row + bend[:, 0], column + bend[:, 1]
    return row, column


def _column(of_images: Array | None) -> Float[Array, "batch 1"]:
    assert of_images is not None  # the kind says that it was drawn
    return of_images[:, None]


def _smooth(places: _Places) -> Any:
    """How much each point of the elastic grid moves each feature; (points, features), constant.

    Simard, Steinkraus and Platt (ICDAR 2003) draw a displacement for every pixel and smooth it by
    a Gaussian. Here only the corners of a few cells are drawn and blended over each cell by
    1 - 3 t^2 + 2 t^3 (Perlin's value noise), which is as smooth to the eye, bounded by what was
    drawn, and costs a product with a constant matrix.
    """
    height, width, _ = places.image
    corners = np.arange(CELLS + 1)

    def weights(place: Any, side: int) -> Any:
        scaled = place * (CELLS / max(1, side - 1))
        t = np.minimum(np.abs(scaled - corners[:, None]), 1)
        return 1 - t * t * (3 - 2 * t)

    down, right = weights(places.row, height), weights(places.column, width)
    both = down[:, None] * right[None]
    return both.reshape(len(corners) ** 2, -1).astype(_REAL)


def _between(
    rows: Array, chosen: Array, places: _Places, row: Array, column: Array
) -> Float[Array, "batch features"]:
    """The value at places between pixels: bilinear, from the four around each."""
    height, width, _ = places.image
    # No further than where all is black anyway: whole numbers stay small.
    row, column = jnp.clip(row, -1, height), jnp.clip(column, -1, width)
    above, before = jnp.floor(row), jnp.floor(column)
    down, right = row - above, column - before
    top, left = above.astype(jnp.int32), before.astype(jnp.int32)

    def mixed(line: Array) -> Array:
        first = _pixels(rows, chosen, places, line, left)
        return first + right * (_pixels(rows, chosen, places, line, left + 1) - first)

    upper = mixed(top)
    return upper + down * (mixed(top + 1) - upper)


def _pixels(
    rows: Array, chosen: Array, places: _Places, row: Array, column: Array
) -> Float[Array, "batch features"]:
    """Raw values at whole places, read straight from the data; 0 outside."""
    height, width, channels = places.image
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    feature = jnp.where(inside, (row * width + column) * channels + places.channel, 0)
    found = rows.at[chosen[:, None], feature].get(mode="promise_in_bounds")
    return jnp.where(inside, found, 0).astype(jnp.float32)
