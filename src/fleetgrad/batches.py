"""The rows that programs are given, what of them a network sees next, and in which form.

Rows lie on the device as they were given; a batch of them is scaled when it is taken.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from fleetgrad.data.scaling import FARTHEST


class Rows(NamedTuple):
    """The data on the device; uint8 stays uint8 and is scaled batch by batch.

    Where there are `targets`, they are what is learned, as they are: labels are only what is
    scored, and it is for whoever makes targets of labels to smooth these. `y` are class numbers,
    or numbers to predict; `weights` say how much each row counts.
    """

    x: Num[Array, "rows features"]
    y: Num[Array, " rows"]
    targets: Float[Array, "rows classes"] | None = None
    weights: Float[Array, " rows"] | None = None


class Feed(NamedTuple):
    """What one member sees over the next epochs.

    order: Row numbers, batch after batch; the tail that fills no batch is never read.
    noise: Key data, one pair of words an epoch.
    validation: Row numbers to score after each epoch.
    shift, scale: Scaled input = (x - shift) * scale; (features,) or (batch, features).
    steps: Steps an epoch, <= rows // batch_size.
    center, spread: Standardized target = (y - center) / spread, where numbers are predicted.
    limit: How far out each feature is bent back, as in `data.scaling`; None where none is.
    """

    order: Int[Array, "epochs rows"]
    noise: Array
    validation: Int[Array, " validation"]
    shift: Float[Array, "*batch features"]
    scale: Float[Array, "*batch features"]
    steps: Int[Array, ""]
    center: Float[Array, ""] | None = None
    spread: Float[Array, ""] | None = None
    limit: Float[Array, " features"] | None = None


_AXES: dict[str, Any] = dict.fromkeys(Feed._fields, 0) | {"steps": None}
# The axes along which members are laid side by side; the number of steps is theirs in common.
FEED_AXES = Feed(**_AXES)


def take(rows: Rows, chosen: Array, feed: Feed) -> tuple[Array, Array]:
    """Rows as a network sees them, and their labels, or their standardized target."""
    x = rows.x.at[chosen].get(mode="promise_in_bounds").astype(jnp.float32)
    return scaled(x, rows, chosen, feed)


def scaled(x: Array, rows: Rows, chosen: Array, feed: Feed) -> tuple[Array, Array]:
    """The same for raw inputs that have been taken already."""
    x = (x - feed.shift) * feed.scale
    if feed.limit is not None:
        x = bent(x, feed.limit)
    return x, truth(rows, chosen, feed)


def bent(
    x: Float[Array, "batch features"], limit: Float[Array, " features"]
) -> Float[Array, "batch features"]:
    """Scaled inputs of a table, what is missing 0 and what lies far out bent back."""
    x = jnp.clip(jnp.where(jnp.isnan(x), 0, x), -FARTHEST, FARTHEST)
    return x / jnp.sqrt(1 + jnp.square(limit * x))


def truth(rows: Rows, chosen: Array, feed: Feed) -> Array:
    """The labels of rows, or their standardized target."""
    y = rows.y.at[chosen].get(mode="promise_in_bounds")
    if feed.center is None or feed.spread is None:
        return y
    return (y - feed.center) / feed.spread


def chosen_of(part: Array | None, chosen: Array) -> Array | None:
    """What is said of these rows, if anything is."""
    return None if part is None else part.at[chosen].get(mode="promise_in_bounds")
