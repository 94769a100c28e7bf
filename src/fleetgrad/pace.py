"""How a run keeps to its time: what it holds back for its end, and what it says on the way."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from fleetgrad import growing
from fleetgrad.clock import Clock, Progress, Throttle
from fleetgrad.finals import FEWEST_REPLICATES
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.plan import MOST_LAST, REPLICATES, Plan
from fleetgrad.standing import measured
from fleetgrad.trainees import Member, Trainees

END_SECONDS = 1.0  # kept back for saving the model and opening the test part
SLACK = 1.15  # on the repeats: the search may end a stretch late, and machines slow down
REFIT = 1.25  # of a full training: a fifth more rows, on one lane
MOST_HELD = 0.75  # of the time left when the search begins: rather fewer repeats than no search
LATELY = 1 / 3  # of the time a search has taken: what its speed is measured over
AUDITED = 0.05  # of the budget, at most, for candidates that had been stopped
TINY = 1e-9  # seconds: nothing is faster
STRETCH, LEAST_STRETCH = 3, 1.5  # times the full training: how long a trial of a longer one is
TRIED = 0.2  # of the time left, at most, for such a trial
STEADY = 1.05  # on the last training, which fills what is left: a machine may slow down
ENDING = {"refit", "ensemble", "distill"}  # phases after which little comes
UNJUDGED = {"refit", "ensemble"}  # that learn from the rows by which others were judged
GRACE = 0.05  # of the budget: a refit, or repeats, cut short are worth little, so may run over
GRACE_OF_SEARCH = 0.02  # the same of a round, whose candidates would have trained for nothing


class Stage(NamedTuple):
    """Where in a run a population trains; `phase`, `rung` and `rungs` as in `Progress`.

    network_epochs: Trained before, over all networks.
    best: The best validation score before, or NaN.
    leading: What an epoch of those ahead takes a lane, in seconds, or None where that is not known
        apart from the population.
    goals: The epoch that each is to come to, in a round of a search.
    """

    phase: str
    rung: int
    rungs: int
    network_epochs: float
    best: float = math.nan
    leading: float | None = None
    goals: Mapping[Member, int] = MappingProxyType({})


class Pace:
    """Looks at the clock before every stretch of training, and reports progress on the way.

    Args:
        plan: Says what is still to come.
        clock: Kept to where it has a limit.
        lanes: How many networks train at once.
        report: Told of progress.
        metric: Of the scores it tells.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        lanes: int,
        report: Callable[[Progress], None],
        metric: Metric = METRICS["accuracy"],
    ) -> None:
        self._plan, self._clock, self._lanes, self._report = plan, clock, lanes, report
        self._metric = metric
        self._most_held = MOST_HELD * clock.left
        self._began = clock.elapsed
        self._marks: list[tuple[float, float]] = [(0.0, 0.0)]  # seconds gone in the search, epochs
        self._fewest = min(REPLICATES, plan.replicates)

    @property
    def elapsed(self) -> float:
        """Seconds gone."""
        return self._clock.elapsed

    def proceed(self, stage: Stage, population: Trainees) -> Callable[[], bool]:
        """The question that lanes ask before every stretch: is there time for another?"""
        throttle = Throttle(now=self._clock.now)
        kept_back = self._kept_back(stage, population)
        began = population.network_epochs

        def look() -> None:
            nonlocal kept_back
            kept_back = self._kept_back(stage, population)
            self._report(self._progress(stage, population, began))

        def proceed() -> bool:
            throttle(look)
            return self._clock.left > kept_back

        return proceed

    def spendable(self, spent: float, leading: float | None) -> float:
        """Epochs of a typical network that a search may still spend, at the speed it had of late.

        Args:
            spent: Network-epochs of the search until now.
            leading: What an epoch of those ahead takes a lane, or None before there are any.
        """
        each = max(self._search_speed(spent), TINY)
        held = self._for_the_end(each if leading is None else leading)
        return max(0.0, self._clock.left - held) * self._lanes / each

    def _search_speed(self, spent: float) -> float:
        """Seconds that an epoch takes a lane, over the latest third of a search or so.

        The whole of it would be too slow to notice that a machine has become busy, or hot.
        """
        gone = self._clock.elapsed - self._began
        before = [mark for mark in self._marks if mark[1] < spent]
        if not before:
            return self._plan.epoch_seconds or 0.0
        since, done = max(
            (mark for mark in before if mark[0] <= gone * (1 - LATELY)), default=before[0]
        )
        self._marks.append((gone, spent))
        return self._lanes * (gone - since) / (spent - done)

    def affords(self, population: Trainees) -> bool:
        """Whether training all of these from start to end, and the refit, would end in time."""
        costs = [population.epoch_seconds(member) for member in population.members]
        dearest, busiest = max(costs), self._busiest(costs)
        last = REFIT * dearest * self._plan.epochs
        if self._plan.last_epochs is not None:
            last = self._for_the_last(dearest, self._room(population))
        needed = busiest * self._plan.epochs + last + END_SECONDS
        return self._clock.left >= needed

    def lasting(self, costs: Sequence[float]) -> int:
        """Epochs for which these may train on all rows: a clock decides, by what is left.

        Args:
            costs: What an epoch of each took a lane in the search, in seconds.
        """
        plan, busiest = self._plan, self._busiest(costs)
        if plan.last_epochs is None or self._clock.seconds is None or busiest == 0:
            return plan.last
        room = self._clock.left - END_SECONDS
        return int(min(MOST_LAST, max(plan.epochs, room / (STEADY * REFIT * busiest))))

    def stretched(self, costs: Sequence[float]) -> int | None:
        """Epochs of a trial between the search's length and the last; None where it is none.

        Args:
            costs: What an epoch of each takes a lane, in seconds.
        """
        plan, busiest = self._plan, self._busiest(costs)
        last = self.lasting(costs)
        room = TRIED * self._clock.left / busiest if busiest else math.inf
        epochs = int(min(STRETCH * plan.epochs, last, room))
        return epochs if epochs >= LEAST_STRETCH * plan.epochs else None

    def _busiest(self, costs: Sequence[float]) -> float:
        """What the lane with most to do has of these, which lanes take from one another."""
        return max(sum(costs) / self._lanes, max(costs, default=0.0))

    def auditable(self, population: Trainees) -> int:
        """How many of these, in order, may be trained from start to end by way of an audit."""
        costs = [self._plan.epochs * population.epoch_seconds(one) for one in population.members]
        room = AUDITED * self._clock.seconds if self._clock.seconds else math.inf
        for count in range(len(costs), 0, -1):
            if self._busiest(costs[:count]) <= room:
                return count
        return 0

    def _for_the_end(self, epoch_seconds: float) -> float:
        """Seconds for the fewest repeats of such finalists, the refit of one, and the end."""
        waves = math.ceil(self._plan.finalists * self._fewest / self._lanes)
        repeats = SLACK * waves * self._plan.epochs * epoch_seconds
        audit = AUDITED * (self._clock.seconds or 0.0)
        last = self._for_the_last(epoch_seconds, self._plan.last_seconds)
        held = repeats + last + audit + END_SECONDS
        return min(held, self._most_held)

    def _for_the_last(self, epoch_seconds: float, room: float) -> float:
        """Seconds for the training on all rows, of which its greater length may have so many.

        On a machine that becomes slower it gives way, and not the repeats that are wanted.
        """
        plan, each = self._plan, REFIT * epoch_seconds
        waves = math.ceil(plan.ensemble / self._lanes)
        if plan.last_epochs is None:
            return (plan.alone + waves * plan.epochs) * each
        shortest = (waves or 1) * plan.epochs * each
        longest = (waves or 1) * plan.last * each
        before = plan.alone * each if waves else 0.0
        return before + max(shortest, min(longest, room))

    def _kept_back(self, stage: Stage, population: Trainees) -> float:
        """Seconds for what comes after: the fewest repeats of the finalists, the refit, the end."""
        if self._clock.seconds is None:
            return 0.0
        if stage.phase in ENDING:
            return END_SECONDS - GRACE * self._clock.seconds
        if stage.leading is not None:
            grace = self._if_nearly_over(population, stage.goals, GRACE_OF_SEARCH)
            return self._for_the_end(stage.leading) - grace
        if stage.phase == "stretch":
            return self._for_the_last(_dearest(population), 0.0) + END_SECONDS
        finals, room = stage.phase == "finals", self._plan.last_seconds
        room = min(room, self._room(population)) if finals else room
        end = self._for_the_last(_dearest(population), room) + END_SECONDS
        if finals:
            return end - self._grace(population)
        waves = math.ceil(self._plan.finalists * self._fewest / self._lanes)
        held = SLACK * waves * self._expected(population) + end
        return min(held, self._most_held)

    def _room(self, population: Trainees) -> float:
        """Seconds for the greater length of the last training that these repeats must leave.

        None, where without them no claim of rank could be made; all, where nobody planned them.
        """
        replicates = [one.replicate for one in population.members]
        if min(replicates) <= FEWEST_REPLICATES:
            return 0.0
        return self._plan.last_seconds if max(replicates) <= self._plan.replicates else math.inf

    def _grace(self, population: Trainees) -> float:
        """Seconds that these may run into the time kept back, where they are nearly over.

        A block of repeats counts only as a whole, so one of those that are wanted is not cut
        shortly before its end.
        """
        if any(member.replicate > self._fewest for member in population.members):
            return 0.0
        goals = dict.fromkeys(population.members, self._plan.epochs)
        return self._if_nearly_over(population, goals, GRACE)

    def _if_nearly_over(
        self, population: Trainees, goals: Mapping[Member, int], share: float
    ) -> float:
        """That share of the budget, in seconds, if it is enough for all to come to their goals."""
        grace = share * (self._clock.seconds or 0.0)
        costs = [
            (goal - len(population.curve(one))) * population.epoch_seconds(one)
            for one, goal in goals.items()
            if population.diverged_at(one) is None
        ]
        needed = self._busiest(costs)
        return grace if needed <= grace else 0.0

    def _expected(self, population: Trainees) -> float:
        """Seconds a lane will need for a full training of a finalist, whoever that will be.

        The plan reckons dearer, so that what is held back here seldom cuts a search short.
        """
        costs = [population.epoch_seconds(member) for member in population.members] or [0.0]
        return self._plan.epochs * sum(costs) / len(costs)

    def _progress(self, stage: Stage, population: Trainees, began: float) -> Progress:
        members, left = population.members, self._clock.left
        judged = () if stage.phase in UNJUDGED else members
        scores = [stage.best, *(measured(population, member) for member in judged)]
        return Progress(
            phase=stage.phase,
            rung=stage.rung,
            rungs=stage.rungs,
            alive=sum(population.diverged_at(member) is None for member in members),
            best=self._metric.score(
                max((one for one in scores if not math.isnan(one)), default=math.nan)
            ),
            network_epochs=stage.network_epochs + population.network_epochs - began,
            elapsed=self._clock.elapsed,
            left=None if math.isinf(left) else max(0.0, left),
            metric=self._metric.name,
            growing=partial(growing.scores, population) if stage.phase == "search" else None,
        )


def _dearest(population: Trainees) -> float:
    """Seconds a lane needs for an epoch of the most expensive of these."""
    return max(map(population.epoch_seconds, population.members), default=0.0)
