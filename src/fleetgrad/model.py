"""The winner, ready for use: what it was trained on and what it predicts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Float32, Float64, Num, Shaped

from fleetgrad import ensemble, inference, saved
from fleetgrad.data.encoding import Encoding
from fleetgrad.ensemble import Ensemble
from fleetgrad.inference import Part
from fleetgrad.metrics import REGRESSION
from fleetgrad.predictor import PLAIN, Predictor, frozen, logits, plain
from fleetgrad.settings import Settings

FORMAT = {"format": "fleetgrad model", "version": 1}


@dataclass(frozen=True, eq=False, repr=False)
class Model(Predictor):
    """A trained network that predicts, from raw inputs as in training; its arrays are read-only.

    Args:
        settings: What it was trained with.
        params: Its layers, first to last, as in `network.predicting`; float32.
        shift: Scaled input = (x - shift) * scale, per feature; float32.
        scale: As in `shift`; float32.
        classes: The label each output stands for, sorted; whole numbers or text. None where numbers
            are predicted.
        dataset: The name of the data it was trained on.
        image_shape: (height, width[, channels]) of the training images, if they were images.
        feature_names: Of the training table, if it was one.
        limit: How far out each feature is bent back, as in `data.scaling`, float32; None where
            none is.
        encoding: What makes features of a raw table, where it was trained on one.
        information: What else is worth keeping (figures, seed, versions); plain values. `white`
            is the largest value in training images that were not uint8; 255 unless it says so.
        target: Where numbers are predicted, mean and deviation: center + spread * output.

    Raises:
        ModelError: These do not fit each other.
    """

    settings: Settings
    params: Sequence[Mapping[str, np.ndarray]]
    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]
    classes: Shaped[np.ndarray, " classes"]
    dataset: str = "arrays"
    image_shape: tuple[int, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    information: Mapping[str, Any] = field(default_factory=dict)
    target: tuple[float, float] = (0.0, 1.0)
    limit: Float32[np.ndarray, " features"] | None = None
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        layers = tuple({name: frozen(a) for name, a in layer.items()} for layer in self.params)
        object.__setattr__(self, "params", layers)
        for name in ("shift", "scale", *(() if self.limit is None else ("limit",))):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        object.__setattr__(self, "target", saved.target(self.target))
        self._hold()
        self._check()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self | Ensemble:
        """A model from its directory, its `model.json`, or the directory of the run that made it.

        Returns:
            The model, or the `Ensemble` where one lies there. Both predict, save and export alike;
            only a model has `settings` and `params`, so ask `isinstance(found, Model)` for those.

        Raises:
            ModelError: There is none, or it is not as `save` writes it.
        """
        path = Path(path)
        try:
            directory = saved.find(path)
            head = saved.describe(directory)
            if head.get("format") == ensemble.FORMAT["format"]:
                return Ensemble.load(directory)
            return cls(**_read(directory, head))
        except saved.MALFORMED as error:
            raise saved.malformed(path, error) from error

    @property
    def parts(self) -> Sequence[Part]:
        """Itself."""
        return (Part(self._network, 1.0),)

    def __repr__(self) -> str:
        outputs = len(self.classes) or 1
        widths = "-".join(map(str, (self.features, *self.settings.hidden, outputs)))
        return f"Model({self.dataset!r}: {widths} {self.settings.activation})"

    @property
    def _network(self) -> inference.Network:
        return inference.Network(
            self.settings, self.params, self.shift, self.scale, *self.target, self.limit
        )

    def _outputs(self, rows: Num[np.ndarray, "batch features"]) -> Float[np.ndarray, "batch cls"]:
        outputs = logits(self._network, rows)
        return inference.numbers(self._network, outputs) if self.task == REGRESSION else outputs

    def _shares(
        self, outputs: Float[np.ndarray, "batch cls"]
    ) -> Float64[np.ndarray, "batch classes"]:
        return inference.probabilities(self.settings.loss, outputs)

    def _files(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        own = {"settings": self.settings.to_dict()}
        told = {"target": list(self.target)} if self.task == REGRESSION else {}
        return {**FORMAT, **own, **told}, self._network.arrays


def _read(directory: Path, head: Mapping[str, Any]) -> dict[str, Any]:
    """What `Model` is made from."""
    saved.check_format(head, FORMAT, {*PLAIN, "settings", "features", "classes"})
    settings, classes = Settings.from_dict(head["settings"]), saved.labels(head["classes"])
    features = index(head["features"])
    sizes = inference.bytes_held(settings, features, len(classes) or 1)
    arrays = saved.arrays(directory, head, *sizes)
    network, target = inference.Network.of(settings, arrays), saved.target(head.get("target"))
    if np.shape(network.shift) != (features,):
        raise ValueError(f"weights of other than the {features} features described")
    names = ("settings", "params", "shift", "scale", "limit")
    parts = {name: getattr(network, name) for name in names}
    return {**parts, "classes": classes, "target": target, **plain(head)}
