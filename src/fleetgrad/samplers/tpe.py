"""Optuna's tree-structured Parzen estimator, asked in batches and told of failures."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from fleetgrad import keys
from fleetgrad.candidates import Candidates
from fleetgrad.samplers.streams import check_count, check_scores, settled, sobol
from fleetgrad.samplers.trials import frozen_trial, quiet_optuna
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Int, Range, Space

if TYPE_CHECKING:
    import optuna

_PURPOSE = 3  # counter that keeps TPE's random numbers apart from the streams'
HEARD = 20  # candidates of each earlier run that the model hears of; it is the present one's
_STARTUP = 10  # scores before a model of them is worth asking


class TPE:
    """Proposes where good settings were dense and bad ones rare (Bergstra et al., NIPS 2011).

    Optuna's multivariate estimator, with candidates still in training held to be bad so that a
    batch spreads (constant liar; Ginsbourger et al. 2010). The first candidates are Sobol's.
    The model is made anew from all scores at every ask, so it is a function of what was told.
    """

    def __init__(self, space: Space, seed: int, epochs: int, first_id: int) -> None:
        """Propose in `space`; arguments as for `make`."""
        self._space = space
        self._seed = seed
        self._epochs = epochs
        self._next_id = first_id
        self._start = sobol(space, seed, epochs, first_id)
        self._scores: dict[Settings, float | None] = {}
        self._given: set[Settings] = set()
        self._heard: list[tuple[Settings, float]] = []

    def ask(self, n: int) -> Candidates:
        """Settings the model holds promising; Sobol's until ten scores, one finite, are known."""
        check_count(n)
        told = [score for score in self._scores.values() if score is not None]
        known = len(told) >= _STARTUP and any(math.isfinite(score) for score in told)
        chosen = self._modeled(n) if known else []
        chosen += self._start.ask(n - len(chosen)).settings
        for settings in chosen:
            self._given.add(settings)
            self._scores.setdefault(settings, None)
        found = Candidates.numbered(chosen, self._next_id)
        self._next_id += len(found)
        return found

    def tell(self, candidates: Candidates, scores: Sequence[float]) -> None:
        """Learn scores, also of candidates that came from elsewhere; NaN counts as the worst."""
        check_scores(candidates, scores)
        for settings, score in zip(candidates.settings, scores, strict=True):
            self._scores[settings] = float(score)

    def hear(self, standings: Iterable[Sequence[tuple[Settings, float]]]) -> None:
        """Learn how settings did in earlier runs: 1 as the best there, 0 as the median."""
        self._heard = [one for run in standings for one in run]

    def _modeled(self, n: int) -> list[Settings]:
        chosen: list[Settings] = []
        with quiet_optuna():
            study = self._study()
            for _ in range(n + _STARTUP if n else 0):  # a few more, for proposals that are not new
                trial = study.ask()
                values = self._space.build(partial(_suggest, trial))
                settings = settled(values, self._epochs)
                if settings not in self._given:
                    chosen.append(settings)
                    self._given.add(settings)
                    self._start.skip(settings)
                if len(chosen) == n:
                    break
        return chosen

    def _study(self) -> "optuna.Study":
        import optuna  # noqa: PLC0415 - takes half a second; other samplers do without

        word = keys.generator(self._seed, "sampler", _PURPOSE, len(self._given)).integers(2**31)
        sampler = optuna.samplers.TPESampler(seed=int(word), n_startup_trials=0)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        sound = [x for x in self._scores.values() if x is not None and math.isfinite(x)]
        rumors = self._rumors(sound)
        told = [*sound, *(score for _, score in rumors if math.isfinite(score))]
        worst = min(told) - 1  # only the order counts: below every sound one
        for settings, score in (*rumors, *self._scores.items()):
            trial = frozen_trial(self._space, settings, score, worst)
            if trial is not None:
                study.add_trial(trial)
        return study

    def _rumors(self, sound: Sequence[float]) -> list[tuple[Settings, float]]:
        """What earlier runs found, on the scale of this one.

        They are the oldest trials of the study, to which Optuna gives the least weight.
        """
        middle, top = median(sound), max(sound)
        return [
            (settings, middle + standing * (top - middle))
            for settings, standing in self._heard
            if settings not in self._scores
        ]


def _suggest(trial: "optuna.Trial", name: str, span: Range) -> Any:
    if isinstance(span, Choice):
        return span.values[trial.suggest_categorical(name, range(len(span.values)))]
    if isinstance(span, Int):
        return trial.suggest_int(name, span.low, span.high, log=span.log)
    return trial.suggest_float(name, span.low, span.high, log=span.log)
