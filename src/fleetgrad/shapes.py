"""What is fixed when a program is compiled, and what varies between the networks it trains.

Networks of one `Shape` share a program; a network may also train in a program of a larger shape,
as a part of it (`programs`). Its `Rates` are the numbers that the program is given for it.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from fleetgrad import augment, layers, network, optimizers
from fleetgrad.augment import Amounts, Form
from fleetgrad.metrics import METRICS, REGRESSION
from fleetgrad.products import PLAIN, Arithmetic
from fleetgrad.settings import ACTIVATIONS, Settings

# On the host NumPy's scalars stand where a program has arrays; to the type checker they are Any.
_REAL: Any = np.float32
_WHOLE: Any = np.int32


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that is static in a program; equal shapes share one compilation.

    Args:
        features: Inputs a row.
        classes: Outputs; one where numbers are predicted.
        hidden: Widths of the hidden layers, at most.
        members: As in `Settings`.
        activations: Of the hidden layers; where there are several, each network says which.
        parametric, bias, parametrization, front_scale, normalization: As in `Settings`.
        embedding, embedding_waves, embedding_size, loss, optimizer, batch_size: As in `Settings`.
        places: Which features are embedded, where any are.
        clips: Whether gradients are clipped at all.
        averages: Whether weights are averaged at all.
        noisy: Which disturbances the program contains.
        validation_rows: Rows scored after each epoch; 0 leaves the scores NaN.
        epochs: Most epochs one call can cover.
        augment: How training images are disturbed, or None.
        arithmetic: How its layers multiply.
        padded: Whether networks may be narrower than `hidden`.
        metric: What the scores of a curve are, one of `metrics.METRICS`.
        weighted: Whether rows have weights.
    """

    features: int
    classes: int
    hidden: tuple[int, ...]
    members: int
    activations: tuple[str, ...]
    parametric: bool
    bias: bool
    parametrization: str
    front_scale: bool
    embedding: str
    embedding_waves: int
    embedding_size: int
    normalization: str
    loss: str
    optimizer: str
    batch_size: int
    clips: bool
    averages: bool
    noisy: network.Noisy
    validation_rows: int
    epochs: int
    augment: Form | None = None
    arithmetic: Arithmetic = PLAIN
    padded: bool = False
    metric: str = "accuracy"
    weighted: bool = False
    places: layers.Places = None

    @property
    def numbers(self) -> bool:
        """Whether numbers are predicted, and not classes."""
        return METRICS[self.metric].task == REGRESSION

    @property
    def counts(self) -> bool:
        """Whether the score of training rows is a count of those that are right."""
        return self.metric == "accuracy" and not self.weighted

    @property
    def inputs(self) -> int:
        """Of the first layer."""
        return layers.entering(self, self.features, self.places)

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one forward pass over one row."""
        sizes = network.layer_sizes(self.hidden, self.inputs, self.classes)
        return self.members * sum(inputs * outputs for inputs, outputs in sizes)

    @property
    def weights(self) -> int:
        """Numbers that layers multiply by."""
        learned = layers.learned(self, self.features, self.classes, self.places)
        return sum(math.prod(layer["weight"]) for layer in learned)

    @property
    def step_flops(self) -> float:
        """Floating-point operations of one step's matrix products.

        Forward, gradient of the weights, and gradient of the inputs of all layers but the first.
        """
        first = self.members * self.inputs * (self.hidden or (self.classes,))[0]
        return 2.0 * self.batch_size * (3 * self.multiplications - first)


class Scored(NamedTuple):
    """What a program scores.

    metric: One of `metrics.METRICS`.
    weighted: Whether rows have weights.
    """

    metric: str = "accuracy"
    weighted: bool = False


PLAINLY = Scored()


def shape_of(  # noqa: PLR0913 - all that makes a program
    settings: Settings,
    features: int,
    classes: int,
    validation_rows: int,
    epochs: int,
    *,
    image_shape: tuple[int, ...] | None = None,
    arithmetic: Arithmetic = PLAIN,
    scored: Scored = PLAINLY,
    places: layers.Places = None,
) -> Shape:
    """The program that these settings need.

    Args:
        settings: Of one network.
        features: Inputs a row.
        classes: Outputs.
        validation_rows: Rows scored after each epoch.
        epochs: Most epochs one call can cover.
        image_shape: Of a row, or None where rows are no images.
        arithmetic: As the machine and the inputs suggest; noise and embeddings leave no zeros.
        scored: By what metric, and whether rows have weights.
        places: Which features can be embedded.

    Raises:
        SettingsError: Images are to be disturbed, and rows are none.
    """
    noisy = network.Noisy(
        settings.dropout > 0, settings.input_dropout > 0, settings.input_noise > 0
    )
    embeds = layers.embedded(settings, features, places) > 0
    return Shape(
        features=features,
        classes=classes,
        hidden=settings.hidden,
        members=settings.members,
        activations=(settings.activation,),
        parametric=settings.parametric,
        bias=settings.bias,
        parametrization=settings.parametrization,
        front_scale=settings.front_scale,
        embedding=settings.embedding if embeds else "none",
        embedding_waves=settings.embedding_waves if embeds else 0,
        embedding_size=settings.embedding_size if embeds else 1,
        normalization=settings.normalization,
        loss=settings.loss,
        optimizer=settings.optimizer,
        batch_size=settings.batch_size,
        clips=settings.gradient_clipping > 0,
        averages=settings.ema > 0,
        noisy=noisy,
        validation_rows=validation_rows,
        epochs=epochs,
        augment=augment.form_of(settings.augment, image_shape),
        arithmetic=arithmetic._replace(
            skips_zeros=arithmetic.skips_zeros and not (noisy.input_noise or embeds)
        ),
        metric=scored.metric,
        weighted=scored.weighted,
        places=places if embeds else None,
    )


class Rates(NamedTuple):
    """One member's traced hyperparameters; scalars.

    `renewed` is the share of the average that each step renews in the end, 1 - `ema`;
    `activation` is a place in `settings.ACTIVATIONS`, `widths` are the hidden layers'.
    """

    learning_rate: Float[Array, ""]
    momentum: Float[Array, ""]
    weight_decay: Float[Array, ""]
    beta2: Float[Array, ""]
    schedule: Int[Array, ""]
    warmup: Float[Array, ""]
    steps: Int[Array, ""]
    label_smoothing: Float[Array, ""]
    gradient_clipping: Float[Array, ""]
    renewed: Float[Array, ""]
    noise: network.Noise
    augment: Amounts
    activation: Int[Array, ""]
    widths: tuple[Int[Array, ""], ...]


def rates_of(settings: Settings, steps_per_epoch: int) -> Rates:
    """The traced side of the settings, as NumPy scalars (float32, int32)."""
    noise = network.Noise(
        _REAL(settings.dropout), _REAL(settings.input_dropout), _REAL(settings.input_noise)
    )
    return Rates(
        learning_rate=_REAL(settings.learning_rate),
        momentum=_REAL(settings.momentum),
        weight_decay=_REAL(settings.weight_decay),
        beta2=_REAL(settings.beta2),
        schedule=_WHOLE(optimizers.SCHEDULES[settings.schedule]),
        warmup=_REAL(settings.warmup),
        steps=_WHOLE(settings.epochs * steps_per_epoch),
        label_smoothing=_REAL(settings.label_smoothing),
        gradient_clipping=_REAL(settings.gradient_clipping),
        renewed=_REAL(1 - settings.ema),
        noise=noise,
        augment=augment.amounts_of(settings.augment),
        activation=_WHOLE(ACTIVATIONS.index(settings.activation)),
        widths=tuple(map(_WHOLE, settings.hidden)),
    )
