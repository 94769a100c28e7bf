"""Settings over the folds of a cross-validation: all of them are members of the same fleet.

After each rung those whose mean over the folds is worst drop out, on all folds at once; the others
go on from where they stand.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from fleetgrad import soundness
from fleetgrad.data import Dataset, Split
from fleetgrad.fleet import Fleet
from fleetgrad.population import Population
from fleetgrad.rungs import Rungs
from fleetgrad.settings import Settings
from fleetgrad.trainees import Member

_SCORE = 3  # the column of a curve


class Folds(NamedTuple):
    """What was found on each fold.

    Args:
        scores: Of the last epoch that each did, the more the better; NaN for one that diverged.
        rungs: The rung at which each ended, from 0.
        epochs: How far each trained.
        seconds: That its training took a lane.
    """

    scores: Float[np.ndarray, "settings folds"]
    rungs: Int[np.ndarray, " settings"]
    epochs: Int[np.ndarray, " settings"]
    seconds: Float[np.ndarray, "settings folds"]


def cross_validate(
    data: Dataset,
    settings: Sequence[Settings],
    splits: Sequence[Split],
    rungs: Rungs,
    *,
    seed: int,
    metric: str | None = None,
) -> Folds:
    """Train all settings on all folds, the worst no further than their rung.

    Args:
        data: All rows that splits name.
        settings: Each with as many epochs as the last rung.
        splits: What each fold learns from and is judged by.
        rungs: Until which epoch, and how many go on.
        seed: Of weights, shuffles and noise; fold by fold another draw of it.
        metric: What they are judged by; the default of the data's task by default.

    Raises:
        FleetgradError: A child that says what is wrong and what to do.
    """
    groups = _Groups(data, settings, splits, seed, metric)
    found = Folds(
        np.full((len(settings), len(splits)), np.nan),
        np.zeros(len(settings), np.int64),
        np.zeros(len(settings), np.int64),
        np.zeros((len(settings), len(splits))),
    )
    alive = np.arange(len(settings))
    for rung, (until, keep) in enumerate(rungs):
        groups.advance(alive, until)
        found.scores[alive] = groups.scores(alive)
        found.seconds[alive] = groups.seconds(alive)
        found.rungs[alive], found.epochs[alive] = rung, until
        means = np.nan_to_num(found.scores[alive].mean(axis=1), nan=-np.inf)
        alive = alive[np.sort(np.argsort(-means, kind="stable")[:keep])]
    return found


class _Groups:
    """The folds, those of equal sizes in one population: they share its programs."""

    def __init__(
        self,
        data: Dataset,
        settings: Sequence[Settings],
        splits: Sequence[Split],
        seed: int,
        metric: str | None,
    ) -> None:
        self._folds: dict[tuple[int, int], list[int]] = defaultdict(list)
        for fold, split in enumerate(splits):
            self._folds[len(split.train), len(split.validation)].append(fold)
        machine, self._populations = soundness.here(), []
        for folds in self._folds.values():
            fleet = Fleet(data, seed, machine, metric, [splits[fold] for fold in folds])
            fleet.share((one, len(folds) * one.epochs) for one in settings)
            members = {
                Member(number, place): one
                for number, one in enumerate(settings)
                for place in range(len(folds))
            }
            self._populations.append(fleet.populate(members))

    def advance(self, alive: np.ndarray, until: int) -> None:
        kept = set(alive.tolist())
        for population in self._populations:
            population.keep([one for one in population.members if one.candidate in kept])
            population.advance(until)

    def scores(self, alive: np.ndarray) -> np.ndarray:
        """(alive, folds): of the last epoch; NaN where a network diverged."""

        def score(population: Population, member: Member) -> float:
            if population.diverged_at(member) is not None:
                return np.nan
            return float(population.curve(member)[-1, _SCORE])

        return self._each(alive, score)

    def seconds(self, alive: np.ndarray) -> np.ndarray:
        """(alive, folds): what training took a lane so far."""
        return self._each(
            alive,
            lambda population, member: (
                population.epoch_seconds(member) * len(population.curve(member))
            ),
        )

    def _each(self, alive: np.ndarray, ask: Callable[[Population, Member], float]) -> np.ndarray:
        found = np.empty((len(alive), sum(map(len, self._folds.values()))))
        for population, folds in zip(self._populations, self._folds.values(), strict=True):
            for row, number in enumerate(alive.tolist()):
                for place, fold in enumerate(folds):
                    found[row, fold] = ask(population, Member(number, place))
        return found
