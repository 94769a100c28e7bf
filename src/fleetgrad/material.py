"""What members learn from: the rows, each replicate's view of them, and every random draw.

A replicate is a seed with a split of its own, so repeating settings over replicates repeats the
choice of training rows, the initial weights, the order of rows and the noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Float, Int, Num

from fleetgrad import keys, layers, network
from fleetgrad.errors import SettingsError
from fleetgrad.layers import Places
from fleetgrad.metrics import METRICS, REGRESSION
from fleetgrad.settings import Settings
from fleetgrad.shapes import Scored

SAMPLE = 1000  # rows, of which the share of zeros is counted


@dataclass(frozen=True, eq=False)
class View:
    """One replicate's view: which rows train, which validate, how inputs are scaled.

    Args:
        train: Row numbers.
        validation: Row numbers, the same count in every view, or none at all.
        shift, scale: Scaled input = (x - shift) * scale, per feature; fitted on `train` alone.
        center, spread: Mean and deviation of the target on `train`, where numbers are predicted.
        limit: How far out each feature is bent back, as in `data.scaling`; None where none is.
    """

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    shift: Float[np.ndarray, "*batch features"]
    scale: Float[np.ndarray, "*batch features"]
    center: float = 0.0
    spread: float = 1.0
    limit: Float[np.ndarray, " features"] | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """Rows with labels, and the view of each replicate.

    Args:
        x: uint8 or float32 inputs; never scaled here.
        y: Class indices, int32; or numbers to predict, float32.
        classes: How many there are; 1 for numbers.
        views: Replicate -> its view.
        image_shape: (height, width[, channels]) where rows are images.
        targets: What each row that trains is to be taken for, a distribution over classes, float32;
            None for its label.
        weights: How much each row counts, float32; None for all alike.
        metric: What networks are scored by, one of `metrics.METRICS`.
    """

    x: Num[np.ndarray, "rows features"]
    y: Num[np.ndarray, " rows"]
    classes: int
    views: Mapping[int, View]
    image_shape: tuple[int, ...] | None = None
    targets: Float[np.ndarray, "rows classes"] | None = None
    weights: Float[np.ndarray, " rows"] | None = None
    metric: str = "accuracy"

    @property
    def scored(self) -> Scored:
        """What programs score."""
        return Scored(self.metric, self.weights is not None)

    @property
    def numbers(self) -> bool:
        """Whether numbers are predicted, and not classes."""
        return METRICS[self.metric].task == REGRESSION

    @cached_property
    def places(self) -> Places:
        """Which features can be embedded: numbers."""
        limits = [view.limit for view in self.views.values() if view.limit is not None]
        return layers.numbers(limits[0].tolist()) if limits else None

    @property
    def features(self) -> int:
        """Inputs a row."""
        return int(self.x.shape[1])

    @cached_property
    def filled(self) -> float:
        """The share of scaled inputs that are not zero, in a sample of rows of the fullest view."""
        step = max(1, len(self.x) // SAMPLE)
        sample = self.x[::step].astype(np.float32)
        return max((_filled(sample, view) for view in self.views.values()), default=1.0)


def mixed(
    shares: Float[np.ndarray, "train classes"],
    labels: Int[np.ndarray, " rows"],
    train: Int[np.ndarray, " train"],
    part: float,
    smoothing: float = 0.0,
) -> Float[np.ndarray, "rows classes"]:
    """Targets between what teachers say of some rows and the labels of these.

    Args:
        shares: What is said, in the order of `train`; each row's sum to 1.
        labels: Of all rows.
        train: Row numbers.
        part: The share of the teachers' word in each target, 0 to 1.
        smoothing: Of the labels; what teachers say is as soft as they are.

    Returns:
        float32; NaN for all other rows, so that a network that came to learn from them would show.
    """
    classes = shares.shape[1]
    targets = np.full((len(labels), classes), np.nan, np.float32)
    truth = np.eye(classes)[labels[train]] * (1 - smoothing) + smoothing / classes
    targets[train] = part * np.asarray(shares, np.float64) + (1 - part) * truth
    return targets


def steps_per_epoch(batch_size: int, rows: int) -> int:
    """Steps of a pass over so many training rows; the rest that fills no batch is left out.

    Raises:
        SettingsError: Not even one batch is filled.
    """
    if batch_size > rows:
        raise SettingsError(
            f"`batch_size` must not exceed the {rows} training rows, got {batch_size}; "
            f"use at most {rows}."
        )
    return rows // batch_size


def _filled(sample: Float[np.ndarray, "rows features"], view: View) -> float:
    shift, scale = (np.resize(part, sample.shape) for part in (view.shift, view.scale))
    scaled = (sample - shift) * scale
    return float(np.count_nonzero((scaled != 0) & ~np.isnan(scaled)) / sample.size)


class Draws(Protocol):
    """Every random choice of a member's training."""

    def initial(
        self,
        settings: Settings,
        replicate: int,
        features: int,
        classes: int,
        places: Places = None,
    ) -> Any:
        """Initial parameters, as `network.init` gives them."""

    def order(self, rows: Int[np.ndarray, " rows"], replicate: int, epoch: int) -> np.ndarray:
        """The rows in the order of this epoch."""

    def noise(self, replicate: int, epoch: int) -> np.ndarray:
        """Key data (two words) of the masks and noise of this epoch."""


@dataclass(frozen=True)
class SeededDraws:
    """The draws of a run, from `keys` and one seed; none depends on the candidate."""

    seed: int

    def initial(
        self,
        settings: Settings,
        replicate: int,
        features: int,
        classes: int,
        places: Places = None,
    ) -> Any:
        """Weights drawn for this replicate by the settings' rule."""
        generator = keys.generator(self.seed, "init", replicate)
        return network.init(generator, settings, features, classes, places)

    def order(self, rows: Int[np.ndarray, " rows"], replicate: int, epoch: int) -> np.ndarray:
        """The rows, shuffled."""
        return keys.generator(self.seed, "shuffle", replicate, epoch).permutation(rows)

    def noise(self, replicate: int, epoch: int) -> np.ndarray:
        """Words of the key for this replicate and epoch."""
        return np.asarray(jax.random.key_data(keys.key(self.seed, "noise", replicate, epoch)))
