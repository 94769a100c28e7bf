"""What a trained network computes, without JAX: in NumPy, for this process (`graph`: for others).

Importing JAX and compiling a program cost a second; a row costs a tenth of a millisecond either
way. So prediction is NumPy, and both forms are held against `network.apply` by the tests.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Num

from fleetgrad import forward, layers
from fleetgrad.errors import ModelError
from fleetgrad.forward import Hidden, Layer, Logits
from fleetgrad.layers import Places
from fleetgrad.settings import Settings, check_loss

MOST_LAYERS = 1000


class Network(NamedTuple):
    """A trained network: its settings, and its arrays in float32.

    `params` are layers as in `network.predicting`; an input is scaled as (x - shift) * scale, and
    where there is a `limit`, bent back by it (`data.scaling`). What predicts numbers has one
    output, and says center + spread * output.
    """

    settings: Settings
    params: Sequence[Layer]
    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]
    center: float = 0.0
    spread: float = 1.0
    limit: Float32[np.ndarray, " features"] | None = None

    @classmethod
    def of(
        cls,
        settings: Settings,
        arrays: Mapping[str, np.ndarray],
        target: tuple[float, float] = (0.0, 1.0),
    ) -> "Network":
        """The network of named arrays, as `arrays` gives them; the names must be complete.

        Args:
            settings: Its own.
            arrays: Under their names.
            target: `center` and `spread`.
        """
        limit = arrays.get("limit")
        places = None if limit is None else layers.numbers(limit.tolist())
        held = layers.predicting(settings, np.size(arrays["shift"]), 1, places)  # names matter
        params = tuple(
            {kind: arrays[f"layer{n}.{kind}"] for kind in kinds} for n, kinds in enumerate(held)
        )
        return cls(settings, params, arrays["shift"], arrays["scale"], *target, limit)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays, each under a name of its own."""
        held = enumerate(self.params)
        named = {f"layer{n}.{kind}": array for n, layer in held for kind, array in layer.items()}
        limit = {} if self.limit is None else {"limit": self.limit}
        return {"shift": self.shift, "scale": self.scale, **limit, **named}

    @property
    def places(self) -> Places:
        """Which features can be embedded: numbers."""
        return None if self.limit is None else layers.numbers(self.limit.tolist())

    @property
    def folded(self) -> Sequence[Layer]:
        """The layers, with all that multiplies weights multiplied into them."""
        ntk = self.settings.parametrization == "ntk"
        if not ntk and "front" not in self.params[0]:
            return self.params
        return [forward.folded(layer, ntk=ntk) for layer in self.params]

    def check(self, classes: int) -> None:
        """Raise `ModelError` unless the arrays are finite and fit the settings and classes.

        Args:
            classes: How many there are; 0 where numbers are predicted.
        """
        check_loss(self.settings.loss, numbers=classes == 0)
        if not (math.isfinite(self.center) and 0 < self.spread < math.inf):
            raise ModelError(
                f"a target must have a finite mean and a deviation above 0, got {self.center} and "
                f"{self.spread}"
            )
        features = np.size(self.shift)
        arrays = self.arrays
        expected = array_shapes(self.settings, features, classes or 1, self.places)
        if self.limit is not None:
            expected["limit"] = expected["shift"]
        odd = sorted(expected.keys() ^ arrays.keys())
        if odd:
            fault = "missing" if odd[0] in expected else "too many"
            raise ModelError(f"arrays must be those that the settings need, got {odd[0]} {fault}")
        for name, shape in expected.items():
            array = arrays[name]
            if array.dtype != np.float32 or array.shape != shape or not np.isfinite(array).all():
                raise ModelError(
                    f"`{name}` must be finite float32 of the shape {shape}, got {array.dtype} of "
                    f"{array.shape}{'' if array.shape != shape else ' or a number that is not'}"
                )
            if name.endswith(".variance") and (array < 0).any():
                raise ModelError(f"`{name}` must not be negative, got {array.min()}")


class Part(NamedTuple):
    """A network and its share, in (0, 1], of what is predicted together."""

    network: Network
    weight: float


def array_shapes(
    settings: Settings, features: int, classes: int, places: Places = None
) -> dict[str, tuple[int, ...]]:
    """The shape of each of a network's arrays, by the names of `Network.arrays`."""
    if len(settings.hidden) >= MOST_LAYERS:
        raise ModelError(f"`hidden` must be shorter than {MOST_LAYERS}, got {len(settings.hidden)}")
    shapes: dict[str, tuple[int, ...]] = {"shift": (features,), "scale": (features,)}
    for number, layer in enumerate(layers.predicting(settings, features, classes, places)):
        shapes |= {f"layer{number}.{kind}": shape for kind, shape in layer.items()}
    return shapes


def bytes_held(settings: Settings, features: int, classes: int) -> tuple[int, int]:
    """Least and most bytes of such arrays: with no feature to be embedded, and with all."""
    least, most = (
        4 * sum(map(math.prod, array_shapes(settings, features, classes, places).values()))
        for places in ((), None)
    )
    return least, most


def logits(network: Network, x: Num[np.ndarray, "batch features"]) -> Logits:
    """The outputs for raw inputs; inputs far too large give infinities or NaN, and no warning."""
    activation = forward.ACTIVATIONS[network.settings.activation]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        hidden: Hidden = (x.astype(np.float32) - network.shift) * network.scale
        if network.limit is not None:
            hidden = forward.bent(hidden, network.limit)
        hidden = forward.embedded(network.params[0], hidden, network.places)
        *before, last = network.folded
        for layer in before:
            hidden = forward.normalized(layer, forward.affine(layer, hidden))
            hidden = forward.activated(layer, activation, hidden)
        return forward.pooled(network.settings.loss, forward.affine(last, hidden))


def probabilities(loss: str, outputs: Logits) -> Float64[np.ndarray, "batch classes"]:
    """Class probabilities from finite outputs, each row's summing to 1.

    A softmax for `cross_entropy`; the other losses train independent logistic outputs, which are
    divided by their sum.
    """
    logs = outputs.astype(np.float64)
    with np.errstate(under="ignore"):
        if loss != "cross_entropy":
            logs = -np.logaddexp(0, -logs)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    normalized: Float64[np.ndarray, "batch classes"] = shares / shares.sum(axis=1, keepdims=True)
    return normalized


def numbers(network: Network, outputs: Logits) -> Float64[np.ndarray, "batch 1"]:
    """What a network that predicts numbers says, in the units of its target."""
    said: Float64[np.ndarray, "batch 1"] = network.center + network.spread * outputs.astype(
        np.float64
    )
    return said
