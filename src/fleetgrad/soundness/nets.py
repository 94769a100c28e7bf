"""A few small networks, trained by the engine and again by a few lines of NumPy in float64.

They differ in width, rate and momentum and share a program, as networks of a fleet do: one after
the other on a core, side by side on a card. All are tanh's: each activation more is compiled, too.
"""

import math
from functools import reduce
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float, Int

from fleetgrad import programs
from fleetgrad.machine import Machine
from fleetgrad.material import Material, SeededDraws, View
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member

if TYPE_CHECKING:
    from fleetgrad.shapes import Shape

ROWS, TRAINING, FEATURES, CLASSES, BATCH, EPOCHS = 100, 72, 11, 3, 24, 2
DRAWS = SeededDraws(0)
# Relative to the largest number of an array: what rounding makes of a few steps in float32; and
# where factors may have ten bits (TF32) or eight (bfloat16), as cards may take them.
CLOSE, CLOSE_ELSEWHERE = 1e-4, 5e-2


def _settings(hidden: int, rate: float, momentum: float) -> Settings:
    return Settings(
        hidden=(hidden,),
        activation="tanh",
        optimizer="momentum",
        learning_rate=rate,
        momentum=momentum,
        batch_size=BATCH,
        epochs=EPOCHS,
    )


FLEET = (_settings(7, 0.2, 0.5), _settings(13, 0.1, 0.9), _settings(13, 0.05, 0.0))


def wrong(device: jax.Device, width: int) -> str | None:
    """What a device computes wrongly, in words; None where it is right.

    Args:
        device: Where to train.
        width: How many members of a fleet it trains at once.
    """
    off = _off(Machine((device,), min(width, len(FLEET))))
    if off <= (CLOSE if device.platform == "cpu" else CLOSE_ELSEWHERE):  # NaN is not
        return None
    return f"networks whose weights and losses are off by {100 * off:.2g} %"


def _off(machine: Machine) -> float:
    """How far the engine is from NumPy, as a share of the size of what it computes."""
    material = _material()
    members = {Member(number, 0): one for number, one in enumerate(FLEET)}
    needed: list[Shape] = []

    def noted(own: "Shape") -> "Shape":
        needed.append(own)
        return own

    Population(material, members, DRAWS, machine, noted)
    program = reduce(programs.joined, needed)
    population = Population(material, members, DRAWS, machine, lambda _: program)
    population.advance(EPOCHS)
    return float(np.max([_distance(population, material, *pair) for pair in members.items()]))


def _distance(
    population: Population, material: Material, member: Member, settings: Settings
) -> float:
    losses, layers = trained(material, settings)
    if population.diverged_at(member) is not None:
        return math.inf
    found = [population.curve(member)[:, [0, 2]], *_arrays(population.params(member))]
    pairs = zip(found, [losses, *_arrays(layers)], strict=True)
    return float(np.max([np.abs(one - exact).max() / np.abs(exact).max() for one, exact in pairs]))


def _arrays(layers: Any) -> list[np.ndarray]:
    return [layer[name] for layer in layers for name in ("weight", "bias")]


def _material() -> Material:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((ROWS, FEATURES), np.float32)
    y = (x @ draw.standard_normal((FEATURES, CLASSES))).argmax(1).astype(np.int32)
    rows = np.arange(ROWS, dtype=np.int32)
    still = np.zeros(FEATURES, np.float32), np.ones(FEATURES, np.float32)
    return Material(x, y, CLASSES, {0: View(rows[:TRAINING], rows[TRAINING:], *still)})


def trained(
    material: Material, settings: Settings
) -> tuple[Float[np.ndarray, "epochs 2"], list[dict[str, np.ndarray]]]:
    """Train by hand: the losses of training and validation by epoch, and the layers in the end."""
    drawn = DRAWS.initial(settings, 0, FEATURES, CLASSES)
    layers = [{name: leaf.astype(np.float64) for name, leaf in layer.items()} for layer in drawn]
    speed = [{name: np.zeros_like(leaf) for name, leaf in layer.items()} for layer in layers]
    x, y, view = material.x.astype(np.float64), material.y, material.views[0]
    curve = []
    for epoch in range(EPOCHS):
        losses = []
        for rows in DRAWS.order(view.train, 0, epoch).reshape(-1, BATCH):
            loss, slopes = _slopes(layers, x[rows], y[rows])
            losses.append(loss)
            for layer, slope, moved in zip(layers, slopes, speed, strict=True):
                for name in layer:
                    moved[name] = slope[name] + settings.momentum * moved[name]
                    layer[name] = layer[name] - settings.learning_rate * moved[name]
        held = _slopes(layers, x[view.validation], y[view.validation])[0]
        curve.append((np.mean(losses), held))
    return np.array(curve), layers


def _slopes(
    layers: list[dict[str, np.ndarray]],
    x: Float[np.ndarray, "rows features"],
    y: Int[np.ndarray, " rows"],
) -> tuple[float, list[dict[str, np.ndarray]]]:
    """The mean cross entropy of some rows, and its slopes."""
    first, last = layers
    hidden = np.tanh(x @ first["weight"] + first["bias"])
    logits = hidden @ last["weight"] + last["bias"]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    error = (shares - np.eye(CLASSES)[y]) / len(y)
    behind = error @ last["weight"].T * (1 - hidden**2)
    slopes = [
        {"weight": x.T @ behind, "bias": behind.sum(0)},
        {"weight": hidden.T @ error, "bias": error.sum(0)},
    ]
    return float(-np.log(shares[np.arange(len(y)), y]).mean()), slopes
