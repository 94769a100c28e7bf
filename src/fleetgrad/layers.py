"""Which arrays the layers of a network hold, and their shapes; pure Python.

What draws them, what counts their bytes and what reads them from a file all ask here.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

Places = tuple[int, ...] | None  # which features are embedded, where any are; None for all
Shapes = tuple[dict[str, tuple[int, ...]], ...]  # of each layer, first to last, by name


class Dense(Protocol):
    """What says which layers there are: `Settings`, or the shape of a program."""

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths."""

    @property
    def members(self) -> int:
        """How many networks share the hidden layers' weights."""

    @property
    def bias(self) -> bool:
        """Whether layers have biases."""

    @property
    def parametric(self) -> bool:
        """Whether hidden units have shares of their activation."""

    @property
    def normalization(self) -> str:
        """Of hidden layers."""

    @property
    def parametrization(self) -> str:
        """How weights stand in the arrays."""

    @property
    def front_scale(self) -> bool:
        """Whether inputs of the first layer have factors."""

    @property
    def embedding(self) -> str:
        """What stands for each input beside itself."""

    @property
    def embedding_waves(self) -> int:
        """Cosines of each input."""

    @property
    def embedding_size(self) -> int:
        """Numbers that stand for each input."""


def numbers(limit: Sequence[float] | None) -> Places:
    """The features that are numbers, by how far out each is bent back (`data.scaling`)."""
    if limit is None or all(limit):
        return None
    return tuple(place for place, end in enumerate(limit) if end)


def embedded(settings: Dense, features: int, places: Places = None) -> int:
    """How many features are embedded, of those that could be."""
    if settings.embedding == "none":
        return 0
    return features if places is None else len(places)


def entering(settings: Dense, features: int, places: Places = None) -> int:
    """Inputs of the first layer."""
    more = embedded(settings, features, places) * (settings.embedding_size - 1)
    return features + more


def learned(settings: Dense, features: int, classes: int, places: Places = None) -> Shapes:
    """The arrays that training changes by gradients.

    Args:
        settings: What a network is made of.
        features: Inputs of the network.
        classes: Outputs of the last.
        places: Which features can be embedded.
    """
    many = (settings.members,) if settings.members > 1 else ()
    widths = (entering(settings, features, places), *settings.hidden, classes)
    found: list[dict[str, tuple[int, ...]]] = []
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        layer: dict[str, tuple[int, ...]] = {"weight": (inputs, outputs)}
        if number == len(settings.hidden):
            layer["weight"] = (*many, inputs, outputs)
        elif many:
            layer |= {"inward": (*many, inputs), "outward": (*many, outputs)}
        normalized = settings.normalization != "none" and number < len(settings.hidden)
        if number == 0:
            layer |= _in_front(settings, features, places)
        if settings.bias and not (normalized and settings.normalization == "batch"):
            layer["bias"] = (*many, outputs)
        if normalized:
            layer |= {"gain": (outputs,), "offset": (outputs,)}
        if settings.parametric and number < len(settings.hidden):
            layer["slant"] = (outputs,)
        found.append(layer)
    return tuple(found)


def _in_front(settings: Dense, features: int, places: Places) -> dict[str, tuple[int, ...]]:
    """What stands before the first layer."""
    found: dict[str, tuple[int, ...]] = {}
    if settings.front_scale:
        found["front"] = (entering(settings, features, places),)
    if count := embedded(settings, features, places):
        waves, more = (count, settings.embedding_waves), settings.embedding_size - 1
        found |= {"frequency": waves, "phase": waves}
        found |= {"mixture": (*waves, more), "level": (count, more)}
    return found


def predicting(settings: Dense, features: int, classes: int, places: Places = None) -> Shapes:
    """The arrays that prediction needs: those learned, and batch normalization's statistics."""
    *hidden, last = learned(settings, features, classes, places)
    if settings.normalization == "batch":
        for layer in hidden:
            layer |= {"mean": layer["gain"], "variance": layer["gain"]}
    return (*hidden, last)


def paces(settings: Dense) -> Mapping[str, float]:
    """What the learning rate is multiplied by, of arrays that do not learn at the rate itself.

    The factors of RealMLP (Holzmüller, Grinsztajn and Steinwart 2024, arXiv 2407.04491).
    """
    return _PACES | ({"bias": 0.1} if settings.parametrization == "ntk" else {})


_SLOW = ("frequency", "phase", "mixture", "level", "slant")
_PACES = {"front": 6.0} | dict.fromkeys(_SLOW, 0.1)
