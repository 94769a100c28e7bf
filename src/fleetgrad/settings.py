"""The hyperparameters of one network, checked once and never changed after.

Pure Python, so that spaces, samplers and the command line can speak of settings without JAX.
The names are the field's; the tables that implement them (`activations.ACTIVATIONS`,
`network.INITIALIZERS`, `losses.LOSSES`, `normalization.KINDS`, `optimizers.OPTIMIZERS`,
`optimizers.SCHEDULES`) have exactly these keys, and a test says so.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from fleetgrad import checks, stages
from fleetgrad.augmentation import NONE, Augmentation
from fleetgrad.errors import SettingsError, suggestion

ACTIVATIONS = (
    *("elu", "gelu", "leaky_relu", "mish", "relu", "rounded_sigmoid", "selu", "sigmoid", "silu"),
    "tanh",
)
EMBEDDINGS = ("none", "periodic")
INITIALIZERS = ("glorot", "he", "lecun", "normal", "orthogonal")
CLASS_LOSSES = ("binary_cross_entropy", "cross_entropy", "notebook", "squared_error")
NUMBER_LOSSES = ("huber", "squared_error")
NUMBER_LOSS = "squared_error"  # where nothing is said
LOSSES = tuple(sorted({*CLASS_LOSSES, *NUMBER_LOSSES}))
NORMALIZATIONS = ("batch", "layer", "none")
OPTIMIZERS = ("adam", "adamw", "momentum", "nesterov", "rmsprop", "sgd", "two_tap")
PARAMETRIZATIONS = ("ntk", "standard")
PRECISIONS = ("auto", "bfloat16", "float32")
SCHEDULES = ("constant", "cosine", "coslog", "linear", "one_cycle", "step")

LEAST_NORMALIZED = 2  # rows whose mean and variance say anything


@dataclass(frozen=True, slots=True)
class Settings:
    """One network's hyperparameters.

    Args:
        hidden: Widths of the hidden layers; `()` is a linear model.
        members: How many networks share the hidden layers' weights, each with factors, biases and a
            last layer of its own, >= 1 (TabM, arXiv 2410.24210); what they say is averaged.
        activation: Of the hidden layers, one of `ACTIVATIONS`.
        parametric: Whether each hidden unit has a learned share a of its activation f, started at
            1, which learns at a tenth of the rate: x + a (f(x) - x) (RealMLP).
        bias: Whether layers have biases (started at 0). Under batch normalization hidden layers
            have none: subtracting the batch's mean would undo them, and the offset does their work.
        init: How weights are drawn, one of `INITIALIZERS`.
        init_scale: Factor on the drawn weights, > 0.
        parametrization: How weights stand in the arrays, one of `PARAMETRIZATIONS`: as they
            multiply (`standard`), or (`ntk`; Jacot et al. 2018, as in RealMLP, arXiv 2407.04491)
            to be divided by the root of a layer's inputs. Those are then drawn from N(0, 1)
            whatever `init`, and so are biases, which learn at a tenth of the rate; the last
            layer starts at 0.
        front_scale: Whether each input of the first layer has a learned factor, started at 1, which
            learns at six times the rate (RealMLP).
        embedding: What stands for each input beside itself, one of `EMBEDDINGS`: mixtures of its
            cosines (`periodic`; PBLD of RealMLP), which learn at a tenth of the rate.
        embedding_waves: Cosines of each input that are mixed, >= 1.
        embedding_size: Numbers that stand for an input, itself among them, >= 2.
        embedding_scale: Standard deviation of the first frequencies, in turns for each unit of a
            scaled input, > 0.
        normalization: Of each hidden layer before its activation, one of `NORMALIZATIONS`, with a
            learned gain (started at 1) and offset (started at 0): over the minibatch (`batch`;
            Ioffe and Szegedy 2015) or over the layer's units (`layer`; Ba et al. 2016).
        loss: Of classes one of `CLASS_LOSSES`, of numbers one of `NUMBER_LOSSES`; `notebook` is
            the rule of the coursework notebook (summed, rounded).
        optimizer: One of `OPTIMIZERS`.
        learning_rate: Peak step size, > 0.
        momentum: In [0, 1); used by `momentum`, `nesterov` and `two_tap`.
        beta2: Decay of the gradient's mean square under `adam` and `adamw`, in [0, 1).
        weight_decay: >= 0, on weights only; decoupled for `adamw`, an L2 gradient elsewhere.
        gradient_clipping: Longest gradient, all layers together (Pascanu et al. 2013), >= 0; a
            longer one is shortened before decay and optimizer see it. 0 never clips.
        schedule: Shape of the learning rate over training, one of `SCHEDULES`.
        warmup: Share of all steps over which the rate rises linearly from 0, in [0, 1); not of
            `coslog`, which rises four times by itself.
        batch_size: Rows a step, >= 1; >= 2 under batch normalization.
        epochs: Passes over the training rows; the horizon of `schedule`.
        dropout: Share of hidden units dropped a step, in [0, 1).
        input_dropout: Share of inputs dropped a step, in [0, 1).
        input_noise: Standard deviation of Gaussian noise on the scaled inputs, >= 0.
        label_smoothing: Share of a label spread evenly over all classes, in [0, 1).
        augment: How images are disturbed: "none", "shift", "affine", "elastic", or amounts such as
            {"shift": 2, "rotation": 10}, as in `augmentation.Augmentation`, which it becomes.
        ema: Decay of the moving average of weights that is scored and kept (Polyak and Juditsky
            1992), in [0, 1); 0 keeps the last weights.
        precision: Of the factors that layers multiply, one of `PRECISIONS`; weights, sums and the
            optimizer stay float32. `auto` is the faster on the machine that trains, so a result
            then depends a little on where it was made.
        evolved: Stages of the training before these values held, as in [{"until": 4,
            "learning_rate": 0.1}]: in epochs 1 to 4 the rate was another. Of `stages.EVOLVING`, and
            what is 0 stays 0.

    Raises:
        SettingsError: A value is out of its range or of a wrong type.
    """

    hidden: tuple[int, ...] = (128,)
    members: int = 1
    activation: str = "relu"
    parametric: bool = False
    bias: bool = True
    init: str = "he"
    init_scale: float = 1.0
    parametrization: str = "standard"
    front_scale: bool = False
    embedding: str = "none"
    embedding_waves: int = 16
    embedding_size: int = 4
    embedding_scale: float = 0.1
    normalization: str = "none"
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    gradient_clipping: float = 0.0
    schedule: str = "constant"
    warmup: float = 0.0
    batch_size: int = 128
    epochs: int = 10
    dropout: float = 0.0
    input_dropout: float = 0.0
    input_noise: float = 0.0
    label_smoothing: float = 0.0
    augment: Any = NONE
    ema: float = 0.0
    precision: str = "float32"
    evolved: Any = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", checks.widths(self.hidden))
        object.__setattr__(self, "augment", Augmentation.of(self.augment))
        for name, allowed in _NAMED.items():
            checks.named(name, getattr(self, name), allowed)
        for name, least in _COUNTS.items():
            object.__setattr__(self, name, checks.count(name, getattr(self, name), least))
        for name, (low, high, open_low) in _RANGES.items():
            value = checks.number(name, getattr(self, name), low, high, open_low=open_low)
            object.__setattr__(self, name, value)
        for name in _SWITCHED:
            checks.switch(name, getattr(self, name))
        if self.normalization == "batch" and self.batch_size < LEAST_NORMALIZED:
            raise SettingsError(
                f"`batch_size` must be at least {LEAST_NORMALIZED} under batch normalization, got "
                f"{self.batch_size}, a batch that is its own mean; use 32, or layer normalization."
            )
        object.__setattr__(self, "evolved", tuple(map(self._staged, stages.parsed(self.evolved))))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain values, as read from JSON or TOML.

        Raises:
            SettingsError: A name is unknown (the nearest is suggested) or a value is out of range.
        """
        for name in values:
            if name != EVOLVED:
                check_name(name)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; stages only where there are any."""
        plain = {**asdict(self), "hidden": list(self.hidden), "augment": self.augment.plain()}
        del plain[EVOLVED]
        return plain | ({EVOLVED: stages.plain(self.evolved)} if self.evolved else {})

    @property
    def timeline(self) -> tuple[tuple[int, Self], ...]:
        """What holds until which epoch, as settings without stages; the last holds to the end."""
        past = ((one.until, self._with(dict(one.values))) for one in self.evolved)
        return (*past, (self.epochs, self._with({})))

    def then(self, epoch: int, values: Mapping[str, float]) -> Self:
        """Settings that are these until an epoch, and go on with other values.

        Args:
            epoch: After which they change; later than all of `evolved`.
            values: Of names of `stages.EVOLVING`.

        Raises:
            SettingsError: A value is out of range.

        Examples:
            >>> Settings(learning_rate=0.1).then(4, {"learning_rate": 0.02}).to_dict()["evolved"]
            [{'until': 4, 'learning_rate': 0.1}]
        """
        held = {name: getattr(self, name) for name in stages.EVOLVING}
        past = stages.before(self.evolved, held, epoch, values)
        return replace(self._with(values), evolved=past)

    def _with(self, values: Mapping[str, Any]) -> Self:
        """Settings without stages, with other values."""
        return replace(self, evolved=(), **values)

    def _staged(self, stage: stages.Stage) -> stages.Stage:
        """A stage with its values as settings hold them."""
        own = self._with(dict(stage.values))
        for name in stages.SWITCHES:
            if (getattr(own, name) > 0) != (getattr(self, name) > 0):
                raise SettingsError(
                    f"`{name}` must be 0 in all stages of a training or in none, got "
                    f"{getattr(own, name)!r} until epoch {stage.until} and then "
                    f"{getattr(self, name)!r}; use a small number in place of 0."
                )
        return stages.Stage(stage.until, tuple((n, getattr(own, n)) for n, _ in stage.values))


def check_loss(loss: str, *, numbers: bool) -> None:
    """Raise `SettingsError` unless a loss suits what is predicted: numbers, or classes."""
    able = NUMBER_LOSSES if numbers else CLASS_LOSSES
    if loss not in able:
        raise SettingsError(
            f"`loss` must suit {'numbers' if numbers else 'classes'}, which these data predict, "
            f"got {loss!r}; use one of: {', '.join(able)}."
        )


def check_name(name: str) -> None:
    """Raise `SettingsError` unless `name` is a hyperparameter; the nearest name is suggested."""
    if name not in NAMES:
        raise SettingsError(f"`{name}` is no hyperparameter; {suggestion(name, NAMES)}")


EVOLVED = "evolved"  # no hyperparameter: what was before
NAMES = tuple(field.name for field in fields(Settings) if field.name != EVOLVED)

_NAMED = {
    "activation": ACTIVATIONS,
    "embedding": EMBEDDINGS,
    "init": INITIALIZERS,
    "loss": LOSSES,
    "normalization": NORMALIZATIONS,
    "optimizer": OPTIMIZERS,
    "parametrization": PARAMETRIZATIONS,
    "precision": PRECISIONS,
    "schedule": SCHEDULES,
}
_SWITCHED = ("bias", "front_scale", "parametric")
_COUNTS = {"batch_size": 1, "embedding_size": 2, "embedding_waves": 1, "epochs": 1, "members": 1}
_RANGES: dict[str, tuple[float, float, bool]] = {  # low, high (excluded), whether low is excluded
    "init_scale": (0.0, math.inf, True),
    "embedding_scale": (0.0, math.inf, True),
    "learning_rate": (0.0, math.inf, True),
    "momentum": (0.0, 1.0, False),
    "beta2": (0.0, 1.0, False),
    "weight_decay": (0.0, math.inf, False),
    "gradient_clipping": (0.0, math.inf, False),
    "warmup": (0.0, 1.0, False),
    "dropout": (0.0, 1.0, False),
    "input_dropout": (0.0, 1.0, False),
    "input_noise": (0.0, math.inf, False),
    "label_smoothing": (0.0, 1.0, False),
    "ema": (0.0, 1.0, False),
}
