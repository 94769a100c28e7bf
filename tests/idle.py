"""A machine on which nothing is learned, under the real names and the real command line.

Networks keep the weights that they began with, and their curves are invented, as in `simulated`;
all else is as ever: data, spaces, plans, records, models, files. Nothing is compiled. Time passes
only as networks would train, and every budget in time is worth as many of their epochs, so that a
search of two hours takes no longer than one of a minute.
"""

from functools import cache

from fleetgrad import keys, network, normalization
from fleetgrad.fleet import Fleet
from fleetgrad.machine import Machine
from fleetgrad.metrics import METRICS
from fleetgrad.products import PLAIN
from simulated import Simulated, World

EPOCHS = 30  # that a network takes for the whole of a time


class Idle(Simulated):
    """Members with weights of the right shapes, which never change."""

    def __init__(self, world, settings, material):
        super().__init__(world, settings)
        self.material = material

    def advance(self, until, proceed=lambda: True):
        return super().advance(until, proceed)

    def params(self, member):
        settings, rows = self.settings[member], self.material
        draw = keys.generator(0, "init", member.replicate)
        layers = network.init(draw, settings, rows.features, rows.classes, rows.places)
        return network.predicting(
            layers, normalization.begin(settings.normalization, settings.hidden)
        )

    def curve(self, member):
        rows = super().curve(member)
        if not METRICS[self.material.metric].greater:
            rows[:, 1::2] -= 1  # scores of errors lie below 0
        return rows


def install(patch):
    """Let nothing be learned for as long as a monkeypatch lasts."""
    world = World()
    world.row = cache(world.row)  # asked for again at every stretch

    def population(fleet, views, settings, targets=None):
        return Idle(world, settings, fleet._material(views, targets))

    def costs(fleet, settings):
        return [world.costs(one) for one in settings]

    def clock(seconds, elapsed=0.0):
        if seconds:
            world.costs = lambda settings: seconds / EPOCHS
        return world.clock(seconds, elapsed)

    patch.setattr(Fleet, "_population", population)
    patch.setattr(Fleet, "epoch_seconds", costs)
    patch.setattr(Fleet, "reckoned_seconds", costs)
    patch.setattr(Fleet, "epoch_costs", costs)
    patch.setattr(Fleet, "epoch_cost", lambda fleet, settings: world.costs(settings))
    patch.setattr(Fleet, "multiplying", lambda fleet, precisions: {})
    patch.setattr(Machine, "arithmetic", lambda *_, **__: PLAIN)
    patch.setattr("fleetgrad.soundness.here", Machine.here)
    patch.setattr("fleetgrad.api.Clock", clock)
    patch.setattr("fleetgrad.api.after.explain", lambda run: None)
