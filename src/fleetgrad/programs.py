"""Which networks share a program: what padding wastes, weighed against what compiling costs.

A network may train in the program of a larger shape, with wider layers, more activations to choose
from, or dropout, clipping and averaging that are off for it, and its curve stays the same. Each
program fewer saves a compilation; each network in a larger program pays for arithmetic that it does
not need. `share` decides from what is recorded of a run, never from a clock, so a resumed run and
the survivors of a rung train in the programs they began in.
"""

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from fleetgrad import layers
from fleetgrad.network import Noisy
from fleetgrad.shapes import Shape

# Seconds of one core, measured (docs/decisions.md). Only the differences between programs matter.
FLOP = 1e-11  # of a matrix product
SKIPPING = 0.35  # what the first layer takes of that where it skips zeros
WEIGHT = {"adam": 1.5e-9, "adamw": 1.5e-9, "rmsprop": 1e-9, "sgd": 0.3e-9}  # of a step, each
WEIGHT_ELSE, WEIGHT_AVERAGED, WEIGHT_CLIPPED = 0.6e-9, 0.6e-9, 1.4e-9
UNIT, UNIT_DROPPED, UNIT_PADDED, UNIT_CHOSEN = 1e-9, 5e-9, 0.3e-9, 0.5e-9  # of a row, each
STEP, INPUT, INPUT_DROPPED, INPUT_NOISE, WAVE = 1e-5, 2e-9, 2e-9, 7e-9, 5e-9
PROGRAM, LAYER, CHOICE, MASK = 1.3, 0.15, 0.05, 0.3  # of a compilation
AVERAGED, CLIPPED, AUGMENTED = 0.15, 0.3, 1.0


class Cost(NamedTuple):
    """What a program costs, in seconds of one core.

    step: Of one step of one network.
    compiling: Of its compilation.
    """

    step: Callable[[Shape], float]
    compiling: Callable[[Shape], float]


def step_seconds(program: Shape) -> float:
    """What a step of one network in a program should take."""
    rows = program.batch_size * program.members
    first = 4.0 * rows * program.inputs * (program.hidden or (program.classes,))[0]
    skipped = (1 - SKIPPING) * first if program.arithmetic.skips_zeros else 0
    weight = WEIGHT.get(program.optimizer, WEIGHT_ELSE)
    weight += WEIGHT_AVERAGED * program.averages + WEIGHT_CLIPPED * program.clips
    noisy, chosen = program.noisy, len(program.activations) > 1
    unit = UNIT + UNIT_DROPPED * noisy.dropout
    unit += UNIT_PADDED * program.padded + UNIT_CHOSEN * chosen
    disturbed = INPUT_DROPPED * noisy.input_dropout + INPUT_NOISE * noisy.input_noise
    waves = layers.embedded(program, program.features, program.places) * program.embedding_waves
    units = rows * unit * sum(program.hidden)
    inputs = program.batch_size * ((INPUT + disturbed) * program.features + WAVE * waves)
    flops = FLOP * (program.step_flops - skipped)
    return STEP + flops + weight * program.weights + units + inputs


def compile_seconds(program: Shape) -> float:
    """What compiling a program should take."""
    depth, noisy = len(program.hidden), program.noisy
    masks = depth * noisy.dropout + noisy.input_dropout + noisy.input_noise
    layers = LAYER * depth + MASK * masks + CHOICE * depth * (len(program.activations) - 1)
    rest = AVERAGED * program.averages + CLIPPED * program.clips
    return PROGRAM + layers + rest + AUGMENTED * (program.augment is not None)


COST = Cost(step_seconds, compile_seconds)


def joined(one: Shape, other: Shape) -> Shape:
    """The smallest shape whose program serves both, which must be `alike`."""
    hidden = tuple(map(max, one.hidden, other.hidden))
    skips_zeros = one.arithmetic.skips_zeros and other.arithmetic.skips_zeros
    return replace(
        one,
        hidden=hidden,
        padded=one.padded or other.padded or one.hidden != other.hidden,
        activations=tuple(sorted({*one.activations, *other.activations})),
        clips=one.clips or other.clips,
        averages=one.averages or other.averages,
        noisy=Noisy(*(a or b for a, b in zip(one.noisy, other.noisy, strict=True))),
        arithmetic=one.arithmetic._replace(skips_zeros=skips_zeros),
    )


def alike(shape: Shape) -> Shape:
    """What shapes must have in common to share a program: all that cannot be made neutral."""
    return replace(
        shape,
        hidden=(0,) * len(shape.hidden),
        padded=False,
        activations=(),
        clips=False,
        averages=False,
        noisy=Noisy(dropout=False, input_dropout=False, input_noise=False),
        arithmetic=shape.arithmetic._replace(skips_zeros=False),
    )


def serves(program: Shape, shape: Shape) -> bool:
    """Whether a network of this shape can train in a program, with the curve it has in its own."""
    return alike(program) == alike(shape) and joined(program, shape) == program


@dataclass(frozen=True)
class Programs:
    """The programs of a run, as far as they are decided.

    Args:
        known: Their shapes.
    """

    known: tuple[Shape, ...] = ()

    def serving(self, shape: Shape) -> Shape:
        """The cheapest known program that serves a shape, or its own."""
        able = self._by_kind.get(alike(shape), ())
        return next((program for program in able if joined(program, shape) == program), shape)

    @cached_property
    def _by_kind(self) -> dict[Shape, list[Shape]]:
        """Of those that share anything at all, the cheapest first."""
        kinds: dict[Shape, list[Shape]] = defaultdict(list)
        for program in sorted(self.known, key=lambda one: (step_seconds(one), repr(one))):
            kinds[alike(program)].append(program)
        return kinds


def share(
    steps: Mapping[Shape, float], known: Programs | None = None, cost: Cost = COST
) -> Programs:
    """Decide on programs: those known, which are paid for, and as many more as are worth it.

    Args:
        steps: Of training that the networks of each shape are expected to get, all together.
        known: Decided before.
        cost: Of steps and compilations.
    """
    known = known or Programs()
    groups: dict[Shape, list[_Group]] = defaultdict(list)
    for shape in sorted(steps, key=repr):
        one = _Group(shape, steps[shape])
        there = known.serving(shape)
        if there not in known.known or one.moved(there, cost) >= cost.compiling(shape):
            groups[alike(shape)].append(one)
    new = (one.program for kind in groups.values() for one in _merged(kind, cost))
    return Programs(tuple(dict.fromkeys((*known.known, *new))))


class _Group(NamedTuple):
    """Networks that share a program, and the steps they are expected to take together."""

    program: Shape
    steps: float

    def moved(self, program: Shape, cost: Cost) -> float:
        """Seconds of arithmetic that moving them into a larger program costs."""
        return self.steps * (cost.step(program) - cost.step(self.program))


def _merged(groups: Iterable[_Group], cost: Cost) -> list[_Group]:
    """Merge pairs while a merger costs less arithmetic than it saves compiling.

    First those that cost least for each second saved. That order is the same however long all
    train, so longer training only stops earlier: it never means fewer programs.
    """
    alive: dict[int, _Group] = {}
    offers: list[tuple[float, int, int, _Group]] = []

    def enter(number: int, group: _Group) -> None:
        for other, one in alive.items():
            price, both = _offer(one, group, cost)
            if price < 1:
                heapq.heappush(offers, (price, other, number, both))
        alive[number] = group

    numbers = itertools.count()
    for group in groups:
        enter(next(numbers), group)
    while offers:
        _, one, other, both = heapq.heappop(offers)
        if one in alive and other in alive:
            del alive[one], alive[other]
            enter(next(numbers), both)
    return list(alive.values())


def _offer(one: _Group, other: _Group, cost: Cost) -> tuple[float, _Group]:
    """What two groups make together, and its price: arithmetic for each second of compiling."""
    program = joined(one.program, other.program)
    compiling = cost.compiling(one.program) + cost.compiling(other.program)
    saved = compiling - cost.compiling(program)
    moved = one.moved(program, cost) + other.moved(program, cost)
    price = moved / saved if saved > 0 else math.inf
    return price, _Group(program, one.steps + other.steps)
