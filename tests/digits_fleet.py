"""What the tests of the engine train on: 200 of scikit-learn's digits, two replicates, small nets.

Also a script: `python digits_fleet.py FILE` trains a cohort on as many CPU devices as JAX is told
to make, and writes the curves; so a test can shard a fleet in a process of its own.
"""

import sys

import jax
import numpy as np
from sklearn.datasets import load_digits

import reference
from fleetgrad.machine import Machine
from fleetgrad.material import Material, SeededDraws, View
from fleetgrad.population import Population
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member

ROWS, VALIDATION = 200, 40
DRAWS = SeededDraws(seed=0)

# Fleet against fleet: two roads to the same float32 sums.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
# Fleet (float32) against reference (float64) after two epochs: losses within 2e-3 of themselves,
# weights within 5e-4, accuracies to half a row, so no row is counted differently.
LOSSES_CLOSE = {"rtol": 2e-3, "atol": 1e-4}
WEIGHTS_CLOSE = {"rtol": 2e-3, "atol": 5e-4}

# Five programs; within each, members that differ in every way that needs no other program.
MIXED = (
    Settings(hidden=(8,), batch_size=20, epochs=4, optimizer="momentum", learning_rate=0.05),
    Settings(hidden=(8,), batch_size=20, epochs=5, optimizer="momentum", learning_rate=0.2,
             schedule="one_cycle", momentum=0.5, weight_decay=1e-3),
    Settings(hidden=(8,), batch_size=20, epochs=4, optimizer="momentum", learning_rate=0.02,
             init="lecun", warmup=0.3),
    Settings(hidden=(6,), batch_size=32, epochs=4, activation="tanh", dropout=0.2),
    Settings(hidden=(6,), batch_size=32, epochs=3, activation="tanh", dropout=0.5,
             learning_rate=0.01, schedule="cosine", label_smoothing=0.1),
    Settings(hidden=(), batch_size=50, epochs=4, input_dropout=0.1, optimizer="sgd",
             learning_rate=0.1, schedule="linear", augment={"shift": 1, "elastic": 0.5}),
    Settings(hidden=(7, 5), batch_size=25, epochs=4, normalization="batch", ema=0.8,
             gradient_clipping=0.5, learning_rate=0.02),
    Settings(hidden=(7, 5), batch_size=25, epochs=5, normalization="batch", ema=0.3,
             gradient_clipping=2.0, learning_rate=0.01, schedule="step", weight_decay=1e-2),
    Settings(hidden=(9,), batch_size=32, epochs=4, normalization="layer", ema=0.95,
             activation="gelu", optimizer="nesterov", learning_rate=0.05, schedule="step"),
)  # fmt: skip


def views(train: int = ROWS - VALIDATION, replicates: int = 2) -> dict[int, View]:
    """Splits of the rows, of one size, the pixels' range scaled to [0, 1]."""
    cuts = {}
    for replicate in range(replicates):
        rows = np.random.default_rng(replicate).permutation(ROWS).astype(np.int32)
        shift, scale = np.zeros(64, np.float32), np.full(64, 1 / 16, np.float32)
        cuts[replicate] = View(rows[VALIDATION:][:train], rows[:VALIDATION], shift, scale)
    return cuts


def digits(**changes) -> Material:
    """The material; `changes` are `views`' arguments."""
    x, y = load_digits(return_X_y=True)
    x, y = x[:ROWS].astype(np.uint8), y[:ROWS].astype(np.int32)
    return Material(x, y, 10, views(**changes), image_shape=(8, 8))


def members(settings, replicates: int = 1) -> dict[Member, Settings]:
    """Every settings at every replicate, numbered in order."""
    return {
        Member(number, replicate): one
        for number, one in enumerate(settings)
        for replicate in range(replicates)
    }


def machine(lanes: int = 1, width: int = 1) -> Machine:
    """Lanes on the first CPU device."""
    return Machine((jax.devices("cpu")[0],) * lanes, width)


def populate(settings, machine: Machine, replicates: int = 1, **changes) -> Population:
    """A population of them, not yet trained."""
    return Population(digits(**changes), members(settings, replicates), DRAWS, machine)


def curves(population: Population) -> dict[str, np.ndarray]:
    """Every member's history, by name."""
    return {f"{m.candidate}.{m.replicate}": population.curve(m) for m in population.members}


def agree(found, expected) -> None:
    """Every curve found is the one expected."""
    assert found.keys() <= expected.keys()
    for name, curve in found.items():
        np.testing.assert_allclose(curve, expected[name], **CLOSE, err_msg=name)


def check_against_reference(population: Population, until: int) -> None:
    """Every member was trained as by hand, for so many epochs or its own."""
    for member in population.members:
        one = population._training[member].settings
        curve, weights = reference.train(
            population.material, one, DRAWS, min(until, one.epochs), member.replicate
        )
        found, note = population.curve(member), f"{member} {one}"
        assert population.diverged_at(member) is None
        np.testing.assert_allclose(found[:, ::2], curve[:, ::2], **LOSSES_CLOSE, err_msg=note)
        np.testing.assert_allclose(found[:, 1::2], curve[:, 1::2], atol=0.5 / 200, err_msg=note)
        for layer, exact in zip(population.params(member), weights, strict=True):
            for name, leaf in layer.items():
                np.testing.assert_allclose(leaf, exact[name], **WEIGHTS_CLOSE, err_msg=note)


def main(file: str) -> None:
    """Train a cohort over all CPU devices, one and two members at a time, and write the curves."""
    devices, found = tuple(jax.devices("cpu")), {}
    for machine, fleet in ((Machine(devices, 1), MIXED[:2]), (Machine(devices[:2], 2), MIXED[:3])):
        population = populate(fleet, machine, replicates=2)
        population.advance(1)
        population.keep(population.members[1:])  # pairs form anew, of members on other devices
        population.advance(4)
        found |= {f"{machine.width}.{name}": curve for name, curve in curves(population).items()}
    np.savez(file, devices=len(devices), **found)


if __name__ == "__main__":
    main(sys.argv[1])
