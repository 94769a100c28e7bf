"""Several trained networks as one: their probabilities, or numbers, are averaged by weight.

It is saved as a model is, with all networks' arrays in the one weights file, each under the number
of its network, and `Model.load` gives it back.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Float64, Num, Shaped

from fleetgrad import inference, saved
from fleetgrad.data.encoding import Encoding
from fleetgrad.errors import ModelError
from fleetgrad.inference import Network, Part
from fleetgrad.metrics import REGRESSION
from fleetgrad.predictor import PLAIN, Predictor, frozen, logits, plain
from fleetgrad.settings import Settings
from fleetgrad.views import PLAIN as PLAIN_VIEWS
from fleetgrad.views import REACH, View, Views, seen

FORMAT = {"format": "fleetgrad ensemble", "version": 1}
SEEING = 2  # the version of those that say where they see images from
MOST_VIEWS = 100
MOST_MEMBERS = 100
_SUM = 1e-6  # how far weights may be from a sum of 1
_SHARED = ("image_shape", "feature_names", "encoding")


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(Predictor):
    """Networks that predict together, from raw inputs as in training; its arrays are read-only.

    Each has a scaling of its own. The other arguments are as for `Model`.

    Args:
        members: The networks, each with its weight, > 0; the weights sum to 1.
        views: Where images are seen from, by all of them.

    Raises:
        ModelError: These do not fit each other.
    """

    members: Sequence[Part]
    classes: Shaped[np.ndarray, " classes"]
    dataset: str = "arrays"
    image_shape: tuple[int, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    information: Mapping[str, Any] = field(default_factory=dict)
    views: Views = PLAIN_VIEWS
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        _check_weights([part.weight for part in self.members])
        object.__setattr__(self, "views", _checked_views(self.views, self.image_shape))
        object.__setattr__(self, "members", tuple(map(_held, self.members)))
        self._hold()
        odd = {np.size(part.network.shift) for part in self.members} - {self.features}
        if odd:
            raise ModelError(
                f"members must all have {self.features} features, got one with {min(odd)}; give "
                "models of the same data."
            )
        self._check()

    @classmethod
    def of(
        cls,
        models: Sequence[Predictor],
        weights: Sequence[float],
        information: Mapping[str, Any] | None = None,
        views: Views | None = None,
    ) -> Self:
        """The ensemble of trained models of the same data.

        Args:
            models: At least one with a weight above 0; an ensemble brings all its members.
            weights: One a model, >= 0, as `selection.select` gives them; divided by their sum.
            information: As for `Model`, beside what the first model says of images' `white`.
            views: Where images are seen from, by all of them; as the models do by default.

        Raises:
            ModelError: The models are of different data, see images from different places, or the
                weights are none.
        """
        given = [float(weight) for weight in weights]
        total = math.fsum(given)
        if len(given) != len(models) or not 0 < total < math.inf or min(given) < 0:
            raise ModelError(
                f"an ensemble needs one weight a model, each at least 0 and not all 0, got {given} "
                f"for {len(models)} models; use [1.0] * len(models)."
            )
        chosen = [
            (one, weight / total) for one, weight in zip(models, given, strict=True) if weight
        ]
        first = chosen[0][0]
        for one, _ in chosen:
            _check_kin(first, one)
        parts = [Part(net, share * weight) for one, weight in chosen for net, share in one.parts]
        kept = {name: first.information[name] for name in ("white",) if name in first.information}
        return cls(
            members=[part for part in parts if part.weight > 0],
            classes=first.classes,
            dataset=first.dataset,
            image_shape=first.image_shape,
            feature_names=first.feature_names,
            information={**kept, **(information or {})},
            views=_common_views([one for one, _ in chosen]) if views is None else views,
            encoding=first.encoding,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """An ensemble from its directory, its `model.json`, or the directory of its run.

        Raises:
            ModelError: There is none, or it is not as `save` writes it.
        """
        path = Path(path)
        try:
            return cls(**_read(saved.find(path)))
        except saved.MALFORMED as error:
            raise saved.malformed(path, error) from error

    @property
    def parts(self) -> Sequence[Part]:
        """Its members."""
        return self.members

    def __repr__(self) -> str:
        return f"Ensemble({self.dataset!r}: {len(self.members)} networks)"

    def _outputs(self, rows: Num[np.ndarray, "batch features"]) -> Float64[np.ndarray, "batch cls"]:
        found = np.zeros((len(rows), len(self.classes) or 1))
        for view in self.views:
            images = seen(rows, self.image_shape or (), view)
            for network, weight in self.members:
                outputs = logits(network, images)
                if self.task == REGRESSION:
                    said = inference.numbers(network, outputs)
                else:
                    said = inference.probabilities(network.settings.loss, outputs)
                found += weight / len(self.views) * said
        return found

    def _shares(
        self, outputs: Float[np.ndarray, "batch cls"]
    ) -> Float64[np.ndarray, "batch classes"]:
        shares: Float64[np.ndarray, "batch classes"] = outputs / outputs.sum(axis=1, keepdims=True)
        return shares

    def _files(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        described = [
            {"weight": weight, "settings": network.settings.to_dict()}
            | ({"target": [network.center, network.spread]} if self.task == REGRESSION else {})
            for network, weight in self.members
        ]
        arrays = {
            f"{_prefix(number)}{name}": array
            for number, part in enumerate(self.members)
            for name, array in part.network.arrays.items()
        }
        head = {**FORMAT, "members": described}
        if self.views != PLAIN_VIEWS:
            head |= {"version": SEEING, "views": [list(view) for view in self.views]}
        return head, arrays


def _read(directory: Path) -> dict[str, Any]:
    """What `Ensemble` is made from."""
    head = saved.describe(directory)
    seeing = head.get("version") == SEEING
    saved.check_format(
        head,
        {**FORMAT, "version": SEEING if seeing else 1},
        {*PLAIN, "members", "features", "classes", *(("views",) if seeing else ())},
    )
    views = tuple(map(_view, head["views"])) if seeing else PLAIN_VIEWS
    classes, features = saved.labels(head["classes"]), index(head["features"])
    members = [_member(one) for one in _listed(head["members"])]
    sizes = [inference.bytes_held(one, features, len(classes) or 1) for one, *_ in members]
    arrays = saved.arrays(directory, head, *map(sum, zip(*sizes, strict=True)))
    known: list[Part] = []
    for number, (settings, weight, target) in enumerate(members):
        own = _own(arrays, _prefix(number))
        known.append(Part(Network.of(settings, own, target), weight))
    if sum(len(part.network.arrays) for part in known) != len(arrays):
        raise ValueError("weights of more networks than are described")
    if any(np.shape(part.network.shift) != (features,) for part in known):
        raise ValueError(f"weights of other than the {features} features described")
    return {"members": known, "classes": classes, "views": views, **plain(head)}


def _listed(members: Any) -> list[Any]:
    if not isinstance(members, list) or not 0 < len(members) <= MOST_MEMBERS:
        raise ValueError(f"members that are no list of 1 to {MOST_MEMBERS}")
    return members


def _member(described: Any) -> tuple[Settings, float, tuple[float, float]]:
    match described:
        case {"settings": settings, "weight": float(weight)}:
            return Settings.from_dict(settings), weight, saved.target(described.get("target"))
    raise ValueError("a member without settings and a weight")


def _own(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """One member's arrays, by the names they have alone."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _prefix(number: int) -> str:
    return f"member{number}."


def _held(part: Part) -> Part:
    own = part.network
    layers = tuple({name: frozen(a) for name, a in layer.items()} for layer in own.params)
    limit = None if own.limit is None else frozen(own.limit)
    shift, scale = frozen(own.shift), frozen(own.scale)
    held = own._replace(params=layers, shift=shift, scale=scale, limit=limit)
    return Part(held, float(part.weight))


def _check_weights(weights: Sequence[float]) -> None:
    sound = all(0 < weight <= 1 for weight in weights)
    if not (0 < len(weights) <= MOST_MEMBERS and sound and abs(math.fsum(weights) - 1) < _SUM):
        raise ModelError(
            f"an ensemble must have 1 to {MOST_MEMBERS} members with weights above 0 that sum to "
            f"1, got {len(weights)} with a sum of {math.fsum(weights):g}; use `Ensemble.of`."
        )


def _view(pair: Sequence[float]) -> View:
    down, right = pair
    return View(float(down), float(right))


def _common_views(models: Sequence[Predictor]) -> Views:
    kinds = {model.views for model in models}
    if len(kinds) > 1:
        raise ModelError(
            f"models must see images from the same places to predict together, got {len(kinds)} "
            "sets of `views`; name one for all of them."
        )
    return kinds.pop()


def _checked_views(views: Views, image_shape: tuple[int, ...] | None) -> Views:
    held = tuple(map(_view, views))
    near = all(max(map(abs, view)) <= REACH for view in held)
    if not (0 < len(held) <= MOST_VIEWS and near and (image_shape or held == PLAIN_VIEWS)):
        raise ModelError(
            f"`views` must be 1 to {MOST_VIEWS} shifts of images by at most {REACH} pixel, got "
            f"{list(map(tuple, held))} for {'images' if image_shape else 'rows that are none'}; "
            "leave them out to see images as they are."
        )
    return held


def _check_kin(first: Predictor, other: Predictor) -> None:
    alike = first.classes.tolist() == other.classes.tolist()
    if not alike or any(getattr(first, name) != getattr(other, name) for name in _SHARED):
        raise ModelError(
            f"an ensemble must be of models of the same data, got {first!r} and {other!r}, whose "
            "classes, image shapes, columns or names of features differ; train them on one dataset."
        )
