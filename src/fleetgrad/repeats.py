"""The finalists once more, from other seeds and on other splits.

    finals/B     a block of replicates, each of all finalists

Each block is a segment of the record; those that are there already are taken from it. The
search's own training was replicate 0; repeats count from 1.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from fleetgrad.candidates import Candidates
from fleetgrad.finals import FEWEST_REPLICATES
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import MOST_REPLICATES, Plan
from fleetgrad.standing import measured, number, points, trained
from fleetgrad.store import Run
from fleetgrad.trainees import Member, Trainer


class Repeats:
    """All repeats of a run.

    Args:
        run: Its open record.
        plan: How many there are at most.
        trainer: Makes populations.
        pace: Says when to stop.
    """

    def __init__(self, run: Run, plan: Plan, trainer: Trainer, pace: Pace) -> None:
        self._run, self._plan, self._trainer, self._pace = run, plan, trainer, pace

    def table(self, finalists: Candidates) -> Float[np.ndarray, "finalists replicates"]:
        """Validation scores, a row a finalist.

        A block that would not be over in time is not begun, except the first; one that the clock
        cuts counts for nothing.
        """
        columns: list[list[float]] = []
        block = 0
        while len(columns) < self._most:
            done = self._run.segment(f"finals/{block}")
            if done is None:
                done = self._train(block, finalists, first=1 + len(columns))
            if done["stopped"]:
                break
            scores = [number(score) for score in done["scores"]]
            size = len(finalists)
            columns += [scores[start : start + size] for start in range(0, len(scores), size)]
            block += 1
        return np.array(columns).reshape(-1, len(finalists)).T

    def _train(self, block: int, finalists: Candidates, first: int) -> dict[str, Any]:
        last = min(first + self._size(first), 1 + self._most)
        population = self._trainer.populate(
            {
                Member(candidate, replicate): settings
                for replicate in range(first, last)
                for candidate, settings in finalists
            }
        )
        members = population.members
        stage = Stage("finals", block + 1, 0, trained(self._run))
        stopped = block > 0 and not self._pace.affords(population)
        if not stopped:
            proceed = self._pace.proceed(stage, population)
            stopped = not population.advance(self._plan.epochs, proceed)
        done = {
            "members": [list(member) for member in members],
            "scores": [] if stopped else [measured(population, member) for member in members],
            "stopped": stopped,
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [] if stopped else [p for m in members for p in points("finals", population, m)]
        self._run.commit(f"finals/{block}", payload=done, curves=curves)
        return done

    @property
    def _most(self) -> int:
        """Replicates as planned; where a clock has time left over, more."""
        return self._plan.replicates if self._plan.seconds is None else MOST_REPLICATES

    def _size(self, first: int) -> int:
        """Replicates of the block that begins with this one.

        All at once, or few where a clock may end it; then a block ends with the fewest that carry a
        claim of rank, and with those that are planned, for which time is held back.
        """
        planned = self._plan.replicates
        if self._plan.seconds is None:
            return planned
        size = min(self._trainer.lanes, planned)
        wanted = FEWEST_REPLICATES if size < FEWEST_REPLICATES >= first else planned
        return min(size, 1 + wanted - first) if first <= wanted else size
