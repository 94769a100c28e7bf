"""What hidden units compute: their activation, and which of them a network has at all.

A program may serve networks with different activations and widths. Which activation it is, and
how many units are the network's own, are then traced; the other units stay 0 whatever the
activation of 0 is, and so do the weights around them.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from fleetgrad.layers import Places
from fleetgrad.settings import ACTIVATIONS as NAMES

Activation = Callable[[Array], Array]


@jax.custom_jvp
def rounded_sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The logistic function with its slope taken at the rounded input (half to even).

    The rule of the coursework notebook: d/dx is s(r) (1 - s(r)) with r = rint(x).
    """
    return jax.nn.sigmoid(x)


@rounded_sigmoid.defjvp
def _rounded_sigmoid_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    at_rounded = jax.nn.sigmoid(jnp.rint(x))
    return jax.nn.sigmoid(x), at_rounded * (1 - at_rounded) * tangent


ACTIVATIONS: Mapping[str, Activation] = {
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "leaky_relu": jax.nn.leaky_relu,
    "mish": jax.nn.mish,
    "relu": jax.nn.relu,
    "rounded_sigmoid": rounded_sigmoid,
    "selu": jax.nn.selu,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}


class Units(NamedTuple):
    """The hidden units of one network in its program.

    activate: Their activation.
    widths: How many units of each hidden layer are the network's own; None where all are.
    ntk: Whether weights are divided by the root of their layer's inputs.
    places: Which features are embedded, where any are.
    """

    activate: Activation
    widths: tuple[Int[Array, ""], ...] | None = None
    ntk: bool = False
    places: Places = None

    def real(self, layer: int, units: int) -> Bool[Array, " units"] | None:
        """Which of the program's units in a hidden layer, from 0, are real; None where all are."""
        if self.widths is None:
            return None
        return lax.iota(jnp.int32, units) < self.widths[layer]

    def share(self, layer: int, inputs: int) -> Array | float | None:
        """What a layer's product is multiplied by, given the program's inputs of it."""
        if not self.ntk:
            return None
        if layer == 0 or self.widths is None:
            return 1 / math.sqrt(inputs)
        share: Array = lax.rsqrt(self.widths[layer - 1].astype(jnp.float32))
        return share


def chosen(names: tuple[str, ...], number: Int[Array, ""]) -> Activation:
    """One of a program's activations.

    Args:
        names: Those the program serves; a single one is no choice.
        number: Which it is, as a place in `settings.ACTIVATIONS`.
    """
    if len(names) == 1:
        return ACTIVATIONS[names[0]]
    places = np.array([names.index(name) if name in names else 0 for name in NAMES], np.int32)
    return partial(_one_of(names), jnp.asarray(places)[number])


@cache
def _one_of(names: tuple[str, ...]) -> Callable[[Array, Array], Array]:
    """The activation at a traced place among these.

    Its slope is worked out anew from the input: differentiated by itself, a choice would keep the
    intermediate results of every alternative.
    """
    functions = [ACTIVATIONS[name] for name in names]
    slopes = [partial(_slope, function) for function in functions]

    @jax.custom_vjp
    def activate(place: Array, x: Array) -> Array:
        value: Array = lax.switch(place, functions, x)
        return value

    def forward(place: Array, x: Array) -> tuple[Array, Any]:
        return activate(place, x), (place, x)

    def backward(kept: Any, slope: Array) -> tuple[None, Array]:
        place, x = kept
        return None, lax.switch(place, slopes, x, slope)

    activate.defvjp(forward, backward)
    return activate


def _slope(function: Activation, x: Array, slope: Array) -> Array:
    back: Array = jax.vjp(function, x)[1](slope)[0]
    return back
