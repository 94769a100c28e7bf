"""Normalization of a hidden layer before its activation, and the statistics it keeps.

Batch normalization (Ioffe and Szegedy 2015) centers and scales each unit over the minibatch; layer
normalization (Ba et al. 2016) centers and scales each row over its units. Both then apply a learned
`gain` and `offset`. What batch normalization predicts with, a running `mean` and `variance` of each
unit, is followed in training but not learned, so it travels beside the parameters; for prediction
the two are put together, and a layer's arrays say how it is normalized.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Layer = Mapping[str, Array]
Hidden = Float[Array, "batch units"]
Mask = Bool[Array, " units"]  # which units are real, in a program wider than the network
Moments = dict[str, Float[Array, " units"]]  # `mean` and `variance` of one layer's units
Statistics = tuple[Moments, ...]  # of all hidden layers; empty without batch normalization

EPSILON = 1e-5  # added to a variance before its root is divided by
RENEWED = 0.1  # share of a running statistic that each step renews: a momentum of 0.9


def untouched(layer: Layer, x: Hidden, real: Mask | None = None) -> tuple[Hidden, Moments | None]:
    """No normalization at all."""
    del layer, real
    return x, None


def over_batch(layer: Layer, x: Hidden, real: Mask | None = None) -> tuple[Hidden, Moments | None]:
    """The layer normalized over the rows, and the moments to be followed.

    Units that are not real are 0 in every row, and so are their moments.

    The variance to follow is the unbiased one, as in the paper (algorithm 2) and in PyTorch: it
    stands for all rows, of which the batch is a sample; the batch itself is divided by its own.
    """
    del real
    mean, variance = _moments(x, axis=0)
    rows = x.shape[0]
    moments = {"mean": mean[0], "variance": variance[0] * (rows / (rows - 1))}
    return _standard(layer, x, mean, variance), moments


def over_units(layer: Layer, x: Hidden, real: Mask | None = None) -> tuple[Hidden, Moments | None]:
    """The layer normalized over its units, of those that are real, each row by itself."""
    mean, variance = _moments(x, 1, real)
    return _standard(layer, x, mean, variance), None


KINDS: Mapping[str, Callable[[Layer, Hidden, Mask | None], tuple[Hidden, Moments | None]]] = {
    "batch": over_batch,
    "layer": over_units,
    "none": untouched,
}


def predicting(layer: Layer, x: Hidden, real: Mask | None = None) -> Hidden:
    """The layer as normalized for prediction, which its arrays tell."""
    if "mean" in layer:
        return _standard(layer, x, layer["mean"], layer["variance"])
    return over_units(layer, x, real)[0] if "gain" in layer else x


def begin(kind: str, widths: Sequence[int]) -> Any:
    """Statistics before the first step, on the host: means 0, variances 1, as in PyTorch."""
    if kind != "batch":
        return ()
    return tuple(
        {"mean": np.zeros(width, np.float32), "variance": np.ones(width, np.float32)}
        for width in widths
    )


def follow(running: Statistics, found: Statistics) -> tuple[Statistics, Bool[Array, ""]]:
    """Running statistics after a step, and whether what it found is finite.

    A variance can overflow where the loss does not: all that was infinite is divided away.
    """
    moved = jax.tree.map(lambda old, new: old + RENEWED * (new - old), running, found)
    sound = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(found)]
    return moved, jnp.stack(sound).all()


def _moments(x: Hidden, axis: int, real: Mask | None = None) -> tuple[Array, Array]:
    """Mean and biased variance along an axis, which stays, of what is real."""
    mean = x.mean(axis, keepdims=True, where=real)
    return mean, jnp.square(x - mean).mean(axis, keepdims=True, where=real)


def _standard(layer: Layer, x: Hidden, mean: Array, variance: Array) -> Hidden:
    return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * layer["gain"] + layer["offset"]
