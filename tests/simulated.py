"""A fleet that trains nothing: invented learning curves, and a clock of its own.

`World` stands in for `fleet.Fleet`, `Simulated` for `population.Population`. Time passes only as
networks train, on lanes side by side, so a test of a budget takes no time; and every call can be
the last, so a crash or an interrupt can be tried everywhere.
"""

import heapq
import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from fleetgrad import samplers
from fleetgrad.candidates import Candidates
from fleetgrad.clock import Clock
from fleetgrad.plan import Plan
from fleetgrad.programs import Programs
from fleetgrad.settings import Settings
from fleetgrad.space import Float, Space
from fleetgrad.store import Run
from fleetgrad.study import Study
from fleetgrad.trainees import Member

BEST_RATE, BROKEN_RATE = 0.01, 1.0  # the planted optimum; from here on nothing is finite
SPLIT, WHOLE = 40, 240  # rows that a replicate learns from, and all of them
SPACE = Space(learning_rate=Float(1e-4, 5.0, log=True))
SOUND = Space(learning_rate=Float(1e-4, 0.9, log=True))


class Crash(BaseException):
    """The process dies; nothing may catch this."""


class World:
    """Curves, costs and time.

    Args:
        lanes: How many networks train at once.
        costs: Seconds an epoch, from its settings.
        noise: Of the accuracy, over replicates.
    """

    compile_seconds = 0.0
    place = "nowhere"
    programs, machine = Programs(), SimpleNamespace(compilations=0)

    def __init__(self, lanes=2, costs=lambda settings: 1.0, noise=0.01):
        self.lanes, self.costs, self.noise = lanes, costs, noise
        self.now = 100.0
        self.calls = 0
        self.last_call, self.error = math.inf, Crash
        self.longest_stretch = 0.0

    def breaks(self, at, error):
        """Raise `error` at the call of this number, counted from now."""
        self.calls, self.last_call, self.error = 0, at, error
        return self

    def called(self):
        self.calls += 1
        if self.calls == self.last_call:
            raise self.error

    def clock(self, seconds=None, elapsed=0.0):
        return Clock(seconds, elapsed, lambda: self.now)

    def row(self, settings, replicate, epoch):
        """Train loss and accuracy, validation loss and accuracy after an epoch."""
        draw = np.random.default_rng([replicate, epoch, int(settings.learning_rate * 1e9)])
        top = 0.95 - 0.2 * abs(math.log10(settings.learning_rate / BEST_RATE))
        accuracy = top * (1 - 0.5 ** (epoch + 1)) + self.noise * draw.uniform(-1, 1)
        return 1 - accuracy, accuracy + 0.01, 1.1 - accuracy, accuracy

    def multiplying(self, precisions):
        """Nothing is multiplied here."""
        return {}

    def multiply(self, ways):
        """As little as before."""

    def populate(self, settings):
        self.called()
        return Simulated(self, settings)

    def refit(self, settings):
        self.called()
        return Simulated(self, {Member(0, 0): settings}), self.view(0)

    def refit_all(self, settings):
        self.called()
        return Simulated(self, settings), self.view(0)

    def pupil(self, settings, shares, part, *, refitted):
        """One network, below zero in its weights, by as much as was taught."""
        self.called()
        assert np.allclose(shares.sum(axis=1), 1)
        assert len(shares) == (WHOLE if refitted else SPLIT)
        return Simulated(self, {Member(0, 0): settings}, -1000 * part * shares[:, 1].mean())

    def teach(self, settings, params, *, refitted):
        """What these very weights say of two classes, the same of every row."""
        share = 0.2 + (float(params[0]["weight"][0, 0]) + settings.learning_rate) % 7 / 10
        return np.tile([1 - share, share], (WHOLE if refitted else SPLIT, 1))

    def probabilities(self, settings, params):
        """Of 200 rows of two classes: as many are right as the network would score at its end."""
        right = np.arange(200) < 200 * self.row(settings, 0, 50)[3]
        shares = np.where(right, 0.9, 0.2)
        return np.stack([1 - shares, shares], axis=1)

    def labels(self):
        return np.ones(200, int)

    def row_weights(self):
        """All rows count alike."""

    def view(self, replicate):
        return Seen()

    def steps(self, settings):
        return 10

    def share(self, foreseen, seconds=math.inf):
        """Nothing here needs a program."""

    def share_in(self, seconds, typical):
        """Nor anything else."""

    def epoch_seconds(self, settings):
        return [self.costs(one) for one in settings]

    reckoned_seconds = epoch_costs = epoch_seconds

    def epoch_cost(self, settings):
        return self.costs(settings)

    reckoned_cost = epoch_cost

    def program(self, settings):
        """Each has one of its own."""
        return settings


class Seen:
    """What a network sees: here nothing but the scaling."""

    shift, scale, limit = np.zeros(64, np.float32), np.ones(64, np.float32), None


class Simulated:
    """Members on their way along their curves; `memory` goes wrong if an epoch is lost."""

    def __init__(self, world, settings, memory=0.0):
        self.world, self.settings = world, dict(settings)
        self.position = dict.fromkeys(self.settings, 0)
        self.memory = dict.fromkeys(self.settings, memory)
        self.network_epochs = 0.0

    @property
    def members(self):
        return tuple(self.settings)

    def advance(self, until, proceed):
        """Fewest epochs first, a stretch an epoch, as many at once as there are lanes."""
        self.world.called()
        begun = self.world.now
        until = until if isinstance(until, dict) else dict.fromkeys(self.members, until)
        waiting = [(self.position[m], begun, m) for m in self.members if self._needs(m, until)]
        heapq.heapify(waiting)
        lanes = [begun] * self.world.lanes
        while lanes and waiting:
            now = heapq.heappop(lanes)
            ready = [one for one in waiting if one[1] <= now]
            if not ready:
                continue  # this lane has nothing left to take
            self.world.now = now
            self.world.called()
            if not proceed():
                break
            member = min(ready)[2]
            waiting.remove(min(ready))
            ended = now + self._epoch(member)
            heapq.heappush(lanes, ended)
            begun = max(begun, ended)
            if self._needs(member, until):
                waiting.append((self.position[member], ended, member))
        self.world.now = max(begun, self.world.now)
        return not any(self._needs(member, until) for member in self.members)

    def _needs(self, member, until):
        goal = min(until.get(member, 0), self.settings[member].epochs)
        return self.diverged_at(member) is None and self.position[member] < goal

    def _epoch(self, member):
        settings = self.settings[member]
        taken = self.world.costs(settings)
        self.world.longest_stretch = max(self.world.longest_stretch, taken)
        epoch = self.position[member]
        self.position[member] += 1
        self.memory[member] = remembering(self.memory[member], epoch, member.replicate)
        self.network_epochs += 1
        return taken

    def curve(self, member):
        epochs = range(0 if self.diverged_at(member) is not None else self.position[member])
        rows = [self.world.row(self.settings[member], member.replicate, epoch) for epoch in epochs]
        return np.array(rows, np.float32).reshape(-1, 4)

    def diverged_at(self, member):
        broken = self.settings[member].learning_rate >= BROKEN_RATE
        return 7 if broken and self.position[member] > 0 else None

    def epoch_seconds(self, member):
        return self.world.costs(self.settings[member])

    def keep(self, members):
        self.world.called()
        self.settings = {member: self.settings[member] for member in members}

    def params(self, member):
        sizes = (64, *self.settings[member].hidden, 10)
        value = np.float32(self.memory[member])
        return tuple(
            {"weight": np.full(size, value), "bias": np.zeros(size[1], np.float32)}
            for size in pairwise(sizes)
        )

    def state(self):
        self.world.called()
        return {
            f"{m.candidate}.{m.replicate}": np.array([self.position[m], self.memory[m]])
            for m in self.members
        }

    def restore(self, arrays, members=None):
        self.world.called()
        for member in self.members if members is None else members:
            position, memory = arrays[f"{member.candidate}.{member.replicate}"]
            self.position[member], self.memory[member] = int(position), float(memory)


def remembering(memory, epoch, replicate):
    return memory * 1.5 + epoch + replicate


def memory_after(epochs, replicate=0):
    """What is in the weights of a network that went through just these epochs."""
    memory = 0.0
    for epoch in range(epochs):
        memory = remembering(memory, epoch, replicate)
    return np.float32(memory)


class Listed:
    """A sampler that proposes given settings, in order."""

    def __init__(self, settings):
        self.settings = list(settings)
        self.asked = 0
        self.told = []

    def ask(self, n):
        found = Candidates.numbered(self.settings[self.asked : self.asked + n], self.asked)
        self.asked += len(found)
        return found

    def tell(self, candidates, scores):
        self.told.append((candidates.ids, tuple(scores)))


def rates(*learning_rates, **others):
    """Settings that differ in their rate."""
    return [Settings(hidden=(3,), learning_rate=rate, **others) for rate in learning_rates]


def study(place, world, plan, sampler="sobol", *, report=lambda _: None, elapsed=0.0, space=SPACE):
    """A study over a run at `place`, begun there or gone on with, and the run."""
    run = Run.open(place) if (place / "config.json").exists() else Run.create(place, {"seed": 0})
    if isinstance(sampler, str):
        sampler = samplers.make(sampler, space, seed=0, epochs=plan.epochs)
    clock = world.clock(plan.seconds, elapsed)
    return Study(run, sampler, plan, world, seed=0, clock=clock, report=report), run


def search(place, world, plan, sampler="sobol", **others):
    """The outcome of a study, with the record closed after it."""
    one, run = study(place, world, plan, sampler, **others)
    with run:
        return one.run()


def counted(candidates, epochs, generations=1, **others):
    """A plan in counts, of equal generations."""
    return Plan((candidates // generations,) * generations, epochs, **others)
