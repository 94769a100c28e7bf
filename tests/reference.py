"""One network trained alone, in plain NumPy and float64, from the definitions.

Nothing is fused, traced or differentiated automatically: the backward pass is derived by hand, so
that it can find the engine wrong. Only what must be the same draw is shared with the engine: the
initial weights, the order of rows, and the masks, noise and disturbances of images, which are asked
for by the same keys.
"""

import itertools
from dataclasses import dataclass

import jax
import numpy as np

from fleetgrad import augment, network
from fleetgrad.material import Draws, Material
from fleetgrad.metrics import METRICS
from fleetgrad.settings import Settings


def logistic(z):
    return 1 / (1 + np.exp(-z))


def logistic_slope(z):
    return logistic(z) * (1 - logistic(z))


def gelu(z):  # Hendrycks and Gimpel 2016, the form with tanh
    return z / 2 * (1 + np.tanh(gelu_inner(z)))


def gelu_inner(z):
    return np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)


def gelu_slope(z):
    inner = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    return (1 + np.tanh(gelu_inner(z))) / 2 + z / 2 * inner * (1 - np.tanh(gelu_inner(z)) ** 2)


def selu(z):  # Klambauer et al. 2017
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))


def selu_slope(z):
    below = 1.6732632423543772 * np.exp(np.minimum(z, 0))
    return 1.0507009873554805 * np.where(z > 0, 1, below)


def mish(z):  # Misra 2020
    return z * np.tanh(np.logaddexp(0, z))


def mish_slope(z):
    gate = np.tanh(np.logaddexp(0, z))
    return gate + z * (1 - gate**2) * logistic(z)


ACTIVATIONS = {  # name -> (value, slope)
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    ),
    "gelu": (gelu, gelu_slope),
    "leaky_relu": (lambda z: np.where(z >= 0, z, z / 100), lambda z: np.where(z >= 0, 1, 1 / 100)),
    "mish": (mish, mish_slope),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1, 0)),
    "rounded_sigmoid": (logistic, lambda z: logistic_slope(np.rint(z))),
    "selu": (selu, selu_slope),
    "sigmoid": (logistic, logistic_slope),
    "silu": (lambda z: z * logistic(z), lambda z: logistic(z) * (1 + z * (1 - logistic(z)))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


def log_softmax(z):
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def softmax(z):
    return np.exp(log_softmax(z))


def summed_cross_entropy(z, t):
    p = logistic(z)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum()


LOSSES = {  # name -> (what is reported, slope of what is minimized with respect to the logits)
    "binary_cross_entropy": (
        lambda z, t: summed_cross_entropy(z, t) / len(z),
        lambda z, t: (logistic(z) - t) / len(z),
    ),
    "cross_entropy": (
        lambda z, t: -(t * log_softmax(z)).sum() / len(z),
        lambda z, t: (softmax(z) - t) / len(z),
    ),
    "notebook": (
        summed_cross_entropy,
        lambda z, t: -2 * (t - logistic(z)) * logistic_slope(np.rint(z)),
    ),
    "squared_error": (
        lambda z, t: ((t - logistic(z)) ** 2).sum() / len(z),
        lambda z, t: -2 * (t - logistic(z)) * logistic_slope(z) / len(z),
    ),
}


NUMBERS = {  # the same of one linear output and a standardized target
    "huber": (
        lambda z, t: np.where(abs(z - t) < 1, (z - t) ** 2, 2 * abs(z - t) - 1).sum() / len(z),
        lambda z, t: 2 * np.clip(z - t, -1, 1) / len(z),
    ),
    "squared_error": (
        lambda z, t: ((z - t) ** 2).sum() / len(z),
        lambda z, t: 2 * (z - t) / len(z),
    ),
}


def weighed(reported, weights):
    """A loss of rows that count so much: the mean, or sum, of single rows' losses."""
    summed = reported is LOSSES["notebook"][0]

    def weighted(z, t):
        rows = [reported(z[[one]], t[[one]]) for one in range(len(z))]
        return np.dot(weights, rows) / (1 if summed else len(z))

    return weighted


def probabilities(loss, z):
    """Softmax, or for the logistic losses the outputs brought to a sum of 1."""
    if loss == "cross_entropy":
        return softmax(z)
    return logistic(z) / logistic(z).sum(1, keepdims=True)


class Sgd:
    """One array's change at one step; the others remember something from step to step."""

    def __init__(self, settings):
        self.momentum, self.beta2 = settings.momentum, settings.beta2
        self.first = self.second = 0.0
        self.count = 0

    def change(self, gradient, rate):
        return -rate * gradient


class Momentum(Sgd):
    def change(self, gradient, rate):
        self.first = gradient + self.momentum * self.first
        return -rate * self.first


class Nesterov(Sgd):
    def change(self, gradient, rate):
        self.first = gradient + self.momentum * self.first
        return -rate * (gradient + self.momentum * self.first)


class TwoTap(Sgd):
    def change(self, gradient, rate):
        tap, before = -rate * gradient, self.first
        self.first = tap
        return tap + self.momentum * before


class RmsProp(Sgd):
    def change(self, gradient, rate):
        self.second = 0.9 * self.second + 0.1 * gradient**2
        return -rate * gradient / np.sqrt(self.second + 1e-8)


class Adam(Sgd):
    def change(self, gradient, rate):
        self.count += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = self.beta2 * self.second + (1 - self.beta2) * gradient**2
        mean = self.first / (1 - 0.9**self.count)
        square = self.second / (1 - self.beta2**self.count)
        return -rate * mean / (np.sqrt(square) + 1e-8)


OPTIMIZERS = {
    "adam": Adam,
    "adamw": Adam,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RmsProp,
    "sgd": Sgd,
    "two_tap": TwoTap,
}


EPSILON = 1e-5  # of both normalizations, as in PyTorch
AXES = {"batch": 0, "layer": 1}  # over the rows of a unit; over the units of a row


class Normalization:
    """One layer's, by the moments of a batch; its backward pass by hand.

    With m values along the axis, d = z - mean, v the mean of d**2 and y = d / sqrt(v + eps), a
    change of z[j] moves y[i] by ((i == j) - 1/m - y[i] y[j] / m) / sqrt(v + eps): directly, by the
    mean, and by the variance (whose slope in z[j] is 2 d[j] / m, the mean's part adding up to 0).
    """

    def __init__(self, kind, layer):
        self.axis, self.layer = AXES[kind], layer

    def forward(self, z):
        self.mean = z.mean(self.axis, keepdims=True)
        self.variance = ((z - self.mean) ** 2).mean(self.axis, keepdims=True)
        self.y = (z - self.mean) / np.sqrt(self.variance + EPSILON)
        return self.layer["gain"] * self.y + self.layer["offset"]

    def backward(self, error):
        """The slopes of gain and offset, and of z, where `error` is the result's slope."""
        slopes = {"gain": (error * self.y).sum(0), "offset": error.sum(0)}
        inner = error * self.layer["gain"]
        mean, along = (part.mean(self.axis, keepdims=True) for part in (inner, inner * self.y))
        return slopes, (inner - mean - self.y * along) / np.sqrt(self.variance + EPSILON)


def shortened(gradients, longest):
    """All of them by one factor, so that together they are no longer than this."""
    length = np.sqrt(sum((leaf**2).sum() for layer in gradients for leaf in layer.values()))
    factor = min(1.0, longest / length) if length > 0 else 1.0
    return [{name: factor * leaf for name, leaf in layer.items()} for layer in gradients]


def factor(schedule, warmup, step, steps):
    """The share of the peak learning rate used at this step."""
    if schedule == "one_cycle":
        warmup = warmup or 0.3
    rising = warmup * steps if schedule != "coslog" else 0
    if step < rising:
        up = min(1, (step + 1) / max(1, rising))
        return 1 / 25 + 24 / 25 * (1 - np.cos(np.pi * up)) / 2 if schedule == "one_cycle" else up
    done = (step - rising) / max(1, steps - rising)
    if schedule == "constant":
        return 1.0
    if schedule == "coslog":
        return (1 - np.cos(2 * np.pi * np.log2(1 + 15 * done))) / 2
    if schedule == "step":
        return 1.0 if done < 1 / 2 else 0.1 if done < 3 / 4 else 0.01
    return 1 - done if schedule == "linear" else (1 + np.cos(np.pi * done)) / 2


def scaled_as(view, x):
    z = (x.astype(np.float64) - view.shift) * view.scale
    if view.limit is None:
        return z
    z = np.where(np.isnan(z), 0, z)
    return z / np.sqrt(1 + (view.limit * z) ** 2)


def by_member(layer, name, otherwise):
    """Every member's own, to go with (members, rows, units); or what is everybody's."""
    found = layer.get(name, otherwise)
    return found[:, None] if np.ndim(found) > 1 else found


def smooth(labels, classes, smoothing):
    return np.eye(classes)[labels] * (1 - smoothing) + smoothing / classes


def each(drawn):
    """The draws of one image after another, in float64; what was not drawn changes nothing."""
    size = len(drawn.shift)
    still = augment.Draws(
        np.zeros((size, 2)), np.zeros(size), np.ones(size), np.zeros(size), np.zeros((size, 2, 25))
    )
    parts = (one if one is not None else none for one, none in zip(drawn, still, strict=True))
    return zip(*(np.asarray(part, np.float64) for part in parts), strict=True)


def warped(flat, drawn, image_shape):
    """One image, each pixel read where the map of the plane takes it from; outside lies 0."""
    height, width, channels = (*image_shape, 1)[:3]
    shift, angle, factor, slope, bend = drawn
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = turn @ np.array([[1, 0], [slope, 1]]) @ (factor * np.eye(2))  # (down, right)
    back, middle = np.linalg.inv(forward), np.array([height - 1, width - 1]) / 2
    image = np.reshape(flat, (height, width, channels)).astype(np.float64)
    out = np.zeros_like(image)
    for place in np.ndindex(height, width):
        source = back @ (place - middle - shift) + middle + bent(bend, place, (height, width))
        down, right = (
            np.maximum(0, 1 - np.abs(np.arange(side) - at))  # bilinear: a hat over each pixel
            for side, at in zip((height, width), source, strict=True)
        )
        out[place] = np.einsum("r,c,rck->k", down, right, image)
    return out.ravel()


def bent(bend, place, sides):
    """How far the elastic grid moves a pixel: its cell's corners, blended by 3 t^2 - 2 t^3."""
    corners = np.reshape(bend, (2, 5, 5))
    at = [4 * one / (side - 1) for one, side in zip(place, sides, strict=True)]
    (i, t), (j, u) = ((min(int(one), 3), one - min(int(one), 3)) for one in at)
    t, u = (3 * one**2 - 2 * one**3 for one in (t, u))
    upper = (1 - u) * corners[:, i, j] + u * corners[:, i, j + 1]
    lower = (1 - u) * corners[:, i + 1, j] + u * corners[:, i + 1, j + 1]
    return (1 - t) * upper + t * lower


@dataclass
class Disturbance:
    """The masks and the noise of one step, drawn as the engine draws them."""

    key: jax.Array
    settings: Settings

    def images(self, x, image_shape):
        form = augment.form_of(self.settings.augment, image_shape)
        if form is None:
            return x
        drawn = augment.draw(self.key, form, augment.amounts_of(self.settings.augment), len(x))
        return np.array([warped(*one, image_shape) for one in zip(x, each(drawn), strict=True)])

    def inputs(self, x):
        layer = len(self.settings.hidden) + 1
        draw = jax.random.normal(jax.random.fold_in(self.key, layer), x.shape, np.float32)
        x = x + self.settings.input_noise * np.asarray(draw, np.float64)
        return x * self.kept(0, self.settings.input_dropout, x.shape)

    def kept(self, layer, rate, shape):
        """What a unit is multiplied by: 0 where it is dropped, more than 1 where it stays."""
        if rate == 0:
            return 1.0
        mask = network.keep_mask(jax.random.fold_in(self.key, layer), np.float32(rate), shape)
        return np.asarray(mask, np.float64) / (1 - rate)


SLOW = ("frequency", "phase", "mixture", "level", "slant")
PACES = {"front": 6.0} | dict.fromkeys(SLOW, 0.1)  # of the learning rate (arXiv 2407.04491)


class Network:
    """Weights, what a forward pass leaves behind, and one step of training.

    Args:
        layers: Initial parameters, as the engine draws them.
        settings: The hyperparameters.
        steps: In the whole training, the schedule's horizon.
        places: Which features can be embedded; None for all.
    """

    def __init__(self, layers, settings, steps, places=None):
        self.places = places
        self.layers = [{k: v.astype(np.float64) for k, v in layer.items()} for layer in layers]
        self.settings = settings
        self.steps = steps
        self.step = 0
        make = OPTIMIZERS[settings.optimizer]
        self.rules = [{name: make(settings) for name in layer} for layer in self.layers]
        self.running = [
            {"mean": np.zeros(width), "variance": np.ones(width)}
            for width in (settings.hidden if settings.normalization == "batch" else ())
        ]
        self.paces = PACES | ({"bias": 0.1} if settings.parametrization == "ntk" else {})
        self.average = self._whole()

    @property
    def kept(self):
        """The layers that predict, with the statistics that go with them."""
        return self.average if self.settings.ema else self._whole()

    def logits(self, x):
        """What is predicted: no noise, nothing dropped, by statistics of the past."""
        value, _ = ACTIVATIONS[self.settings.activation]
        *hidden, last = self.kept
        x = np.tile(self._entered(self.kept[0], x), (self.settings.members, 1))
        for layer in hidden:
            z = self._affine(layer, x)
            if self.settings.normalization == "batch":
                deviation = np.sqrt(layer["variance"] + EPSILON)
                z = layer["gain"] * (z - layer["mean"]) / deviation + layer["offset"]
            elif self.settings.normalization == "layer":
                z = Normalization("layer", layer).forward(z)
            x = z + layer.get("slant", 1) * (value(z) - z)
        return self._pooled(self._affine(last, x))

    def _pooled(self, z):
        """The logits of the mean of the members' probabilities."""
        if self.settings.members == 1:
            return z
        members = z.reshape(self.settings.members, -1, z.shape[1])
        if z.shape[1] == 1:
            return members.mean(0)
        if self.settings.loss == "cross_entropy":
            return np.log(np.mean([softmax(one) for one in members], axis=0))
        mean = logistic(members).mean(0)
        return np.log(mean) - np.log(1 - mean)

    def _share(self, layer):
        """What weights are multiplied by."""
        return layer["weight"].shape[-2] ** -0.5 if self.settings.parametrization == "ntk" else 1.0

    def _affine(self, layer, x):
        """Of every member's rows, which follow one another."""
        members = self.settings.members
        x = x.reshape(members, -1, x.shape[1])
        product = self._product(layer, x) * by_member(layer, "outward", 1)
        return np.concatenate(product + by_member(layer, "bias", 0))

    def _product(self, layer, x):
        return self._share(layer) * ((x * by_member(layer, "inward", 1)) @ layer["weight"])

    def _unaffine(self, layer, x, error):
        """The slopes of a layer's arrays and of its input, from that of its result."""
        members = self.settings.members
        x, error = (rows.reshape(members, -1, rows.shape[1]) for rows in (x, error))
        inward, share = by_member(layer, "inward", 1), self._share(layer)
        behind = share * error * by_member(layer, "outward", 1)
        weight = np.swapaxes(x * inward, 1, 2) @ behind
        entered = behind @ np.swapaxes(layer["weight"], -1, -2)
        slopes = {
            "bias": error.sum(1),
            "weight": weight,
            "outward": (error * self._product(layer, x)).sum(1),
            "inward": (entered * x).sum(1),
        }
        for name in ("bias", "weight"):
            if name in layer and slopes[name].ndim > layer[name].ndim:
                slopes[name] = slopes[name].sum(0)
        return slopes, np.concatenate(entered * inward)

    def _entered(self, first, x):
        """What the first layer multiplies."""
        return self._embedded(first, x) * first.get("front", 1.0)

    def _embedded(self, first, x):
        """Every number, then what stands for it, number by number."""
        if "frequency" not in first:
            return x
        waves = np.cos(self._phases(first, self._numbers(x)))
        mixed = np.einsum("bnw,nwm->bnm", waves, first["mixture"]) + first["level"]
        return np.hstack([x, mixed.reshape(len(x), -1)])

    def _numbers(self, x):
        """Of the inputs, those that are embedded."""
        return x if self.places is None else x[:, list(self.places)]

    def _phases(self, first, x):
        return 2 * np.pi * x[:, :, None] * first["frequency"] + first["phase"]

    def _unembedded(self, first, x, error):
        """The slopes of an embedding's arrays, from that of what it gives."""
        mixed = error[:, x.shape[1] :].reshape(len(x), -1, first["level"].shape[1])
        x = self._numbers(x)
        phases = self._phases(first, x)
        turned = -np.sin(phases) * np.einsum("bnm,nwm->bnw", mixed, first["mixture"])
        return {
            "level": mixed.sum(0),
            "mixture": np.einsum("bnw,bnm->nwm", np.cos(phases), mixed),
            "phase": turned.sum(0),
            "frequency": 2 * np.pi * (turned * x[:, :, None]).sum(0),
        }

    def _whole(self):
        """The newest layers and running statistics."""
        several = itertools.zip_longest(self.layers, self.running, fillvalue={})
        return [{**layer, **moments} for layer, moments in several]

    def learn(self, x, labels, key, told=None, weights=None):
        """One minibatch; returns the loss and the correct count before the update.

        The outputs are kept as `outputs`.

        What it is `told` of the rows, distributions over classes, takes the place of their labels;
        labels that are no whole numbers are a standardized target.
        """
        settings, disturbance = self.settings, Disturbance(key, self.settings)
        factors = {}

        def kept(layer, shape):
            factors[layer] = disturbance.kept(layer, settings.dropout, shape)
            return factors[layer]

        *inputs, logits = self._forward(disturbance.inputs(x), kept)
        if labels.dtype.kind == "f":
            targets, (reported, slope) = labels[:, None], NUMBERS[settings.loss]
        else:
            targets = smooth(labels, logits.shape[1], settings.label_smoothing)
            reported, slope = LOSSES[settings.loss]
        targets = targets if told is None else told
        if weights is not None:
            reported = weighed(reported, weights)
        each_own, counted = np.split(logits, settings.members), 1 if weights is None else weights
        slopes = [np.transpose(counted * slope(own, targets).T) for own in each_own]
        error = np.concatenate(slopes) / settings.members
        self._update(self._backward(inputs, factors, error))
        self._follow(len(logits))
        self.outputs = self._pooled(logits)
        loss = np.mean([reported(own, targets) for own in each_own])
        return loss, (self.outputs.argmax(1) == labels).sum()

    def _forward(self, x, kept):
        """The input of every layer, and the logits at the end."""
        value, _ = ACTIVATIONS[self.settings.activation]
        self.entering = x
        entered = np.tile(self._entered(self.layers[0], x), (self.settings.members, 1))
        self.sums, self.norms, passed = [], [], [entered]
        for number, layer in enumerate(self.layers, start=1):
            z = self._affine(layer, passed[-1])
            last = number == len(self.layers)
            if self.settings.normalization != "none" and not last:
                self.norms.append(Normalization(self.settings.normalization, layer))
                z = self.norms[-1].forward(z)
            self.sums.append(z)
            bent = z + layer.get("slant", 1) * (value(z) - z)
            passed.append(z if last else bent * kept(number, z.shape))
        return passed

    def _backward(self, inputs, factors, error):
        """Gradients, layer by layer from the last, of which `error` is the logits' slope."""
        value, slope = ACTIVATIONS[self.settings.activation]
        gradients = []
        for number in reversed(range(len(self.layers))):
            slopes = {}
            if number < len(self.layers) - 1:
                z, slant = self.sums[number], self.layers[number].get("slant", 1)
                error = error * factors[number + 1]
                slopes["slant"] = (error * (value(z) - z)).sum(0)
                error = error * (1 + slant * (slope(z) - 1))
            if number < len(self.norms):
                more, error = self.norms[number].backward(error)
                slopes |= more
            more, behind = self._unaffine(self.layers[number], inputs[number], error)
            slopes |= more
            if number == 0:
                behind = sum(np.split(behind, self.settings.members))
                first, x = self.layers[0], self.entering
                slopes |= {"front": (behind * self._embedded(first, x)).sum(0)}
                if "frequency" in first:
                    slopes |= self._unembedded(first, x, behind * first.get("front", 1.0))
            gradients.insert(0, {name: slopes[name] for name in self.layers[number]})
            error = behind
        return gradients

    def _update(self, gradients):
        settings = self.settings
        if settings.gradient_clipping:
            gradients = shortened(gradients, settings.gradient_clipping)
        share = factor(settings.schedule, settings.warmup, self.step, self.steps)
        rate = settings.learning_rate * share
        self.step += 1
        for layer, rules, slopes in zip(self.layers, self.rules, gradients, strict=True):
            for name, rule in rules.items():
                own = rate * self.paces.get(name, 1.0)
                decay = settings.weight_decay * layer[name] if name == "weight" else 0.0
                if settings.optimizer == "adamw":
                    layer[name] = layer[name] + rule.change(slopes[name], own) - own * decay
                else:
                    layer[name] = layer[name] + rule.change(slopes[name] + decay, own)

    def _follow(self, rows):
        """Running statistics, a tenth renewed, then the moving average of everything."""
        for moments, norm in zip(self.running, self.norms, strict=False):
            moments["mean"] = 0.9 * moments["mean"] + 0.1 * norm.mean[0]
            unbiased = norm.variance[0] * rows / (rows - 1)
            moments["variance"] = 0.9 * moments["variance"] + 0.1 * unbiased
        before = self.step - 1
        decay = min(self.settings.ema, (1 + before) / (10 + before))
        self.average = [
            {name: decay * old[name] + (1 - decay) * leaf for name, leaf in newest.items()}
            for old, newest in zip(self.average, self._whole(), strict=True)
        ]


def scored(metric, loss, outputs, truth, weights, spread):
    """The score of rows, by the metric's definition; `truth` of numbers is standardized."""
    if METRICS[metric].task == "regression":
        value = METRICS[metric].of(spread * outputs[:, 0], spread * truth, weights)
    else:
        value = METRICS[metric].of(probabilities(loss, outputs), truth, weights)
    return METRICS[metric].score(value)


def followed(metric, loss, steps, spread):
    """The score of what was seen while learning: (outputs, truth, weights) of every step."""
    if metric in {"auc", "balanced_accuracy"}:
        return np.nan
    outputs, truth, weights = (np.concatenate(part) for part in zip(*steps, strict=True))
    if METRICS[metric].task == "classification":
        shares = probabilities(loss, outputs)
        own = shares[np.arange(len(truth)), truth]
        rows = shares.argmax(1) == truth if metric == "accuracy" else np.log(own)
        return (weights * rows).mean()
    far = abs(outputs[:, 0] - truth)
    if metric == "mae":
        return -spread * (weights * far).mean()
    mean = (weights * far**2).mean()
    return 1 - mean if metric == "r2" else -spread * np.sqrt(mean)


def train(
    material: Material, settings: Settings, draws: Draws, epochs: int, replicate: int = 0
) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """Train one member; returns its curve, a row an epoch, and the layers that predict."""
    view, size, metric = material.views[replicate], settings.batch_size, material.metric
    steps = len(view.train) // size
    initial = draws.initial(
        settings, replicate, material.features, material.classes, material.places
    )
    net = Network(initial, settings, settings.epochs * steps, material.places)
    scaled = scaled_as(view, material.x)
    truth = material.y
    if material.numbers:
        truth = (truth.astype(np.float64) - view.center) / view.spread
    given = material.weights
    weights = np.ones(len(truth)) if given is None else given.astype(np.float64)
    curve = []
    for epoch in range(epochs):
        order = draws.order(view.train, replicate, epoch)
        key = jax.random.wrap_key_data(draws.noise(replicate, epoch))
        losses, seen = [], []
        for step in range(steps):  # the rows that fill no batch are left out
            rows = order[step * size : (step + 1) * size]
            own = jax.random.fold_in(key, step)
            raw = Disturbance(own, settings).images(material.x[rows], material.image_shape)
            x = scaled_as(view, raw)
            told = None if material.targets is None else material.targets[rows].astype(np.float64)
            counting = None if given is None else weights[rows]
            losses.append(net.learn(x, truth[rows], own, told, counting)[0])
            seen.append((net.outputs, truth[rows], weights[rows]))
        held = view.validation
        outputs, labels, counting = net.logits(scaled[held]), truth[held], weights[held]
        if material.numbers:
            even = counting / counting.mean()
            lost = weighed(NUMBERS[settings.loss][0], even)(outputs, labels[:, None])
        else:
            likelihood = probabilities(settings.loss, outputs)[np.arange(len(labels)), labels]
            lost = np.average(-np.log(likelihood), weights=counting)
        curve.append(
            (
                np.mean(losses),
                followed(metric, settings.loss, seen, view.spread),
                lost,
                scored(metric, settings.loss, outputs, labels, counting, view.spread),
            )
        )
    return np.array(curve), net.kept
