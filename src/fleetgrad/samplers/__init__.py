"""Which settings to try next: four ways of proposing behind one small protocol.

`ask(n)` proposes, `tell` reports what came of it (higher is better, NaN means diverged). The
same seed and the same asks and tells give the same candidates, so a resumed run replays them.
No sampler proposes the same settings twice: equal settings give equal curves, a second look
would buy nothing. A space of few points therefore runs out: fewer come back, then none.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from fleetgrad.candidates import Candidates
from fleetgrad.errors import UsageError, suggestion
from fleetgrad.samplers.streams import grid, random, sobol
from fleetgrad.samplers.tpe import TPE
from fleetgrad.space import Space

__all__ = ["NAMES", "Sampler", "make"]


class Sampler(Protocol):
    """Proposes candidates and learns from their scores."""

    def ask(self, n: int) -> Candidates:
        """The next `n` candidates; fewer, then none, once the space is used up."""
        ...

    def tell(self, candidates: Candidates, scores: Sequence[float]) -> None:
        """Learn the score of each candidate; a later score replaces an earlier one."""
        ...


_MAKERS:
        raise UsageError(f"`{name}` is no sampler; {suggestion(name, NAMES)}")
    return _MAKERS[name](space, seed, epochs, first_id)


class Stream:
    """Proposes points of a sequence that was fixed beforehand; scores change nothing."""

    def __init__(
        self, points: Callable[[int], Iterator[dict[str, Any]]], epochs: int, first_id: int
    ) -> None:
        """Propose what `points` (given the first ask's size) yields; arguments as for `make`."""
        self._open = points
        self._points: Iterator[dict[str, Any]] | None = None
        self._epochs = epochs
        self._next_id = first_id
        self._seen: set[Settings] = set()

    def ask(self, n: int) -> Candidates:
        """The next `n` points that are new."""
        _check_count(n)
        if self._points is None:
            self._points = self._open(n)
        found = Candidates.numbered(list(islice(self._fresh(self._points), n)), self._next_id)
        self._next_id += len(found)
        return found

    def tell(self, candidates: Candidates, scores: Sequence[float]) -> None:
        """Take note of nothing, after a look that the two belong together."""
        _check_scores(candidates, scores)

    def skip(self, settings: Settings) -> None:
        """Never propose these settings, which came from elsewhere."""
        self._seen.add(settings)

    def _fresh(self, points: Iterator[dict[str, Any]]) -> Iterator[Settings]:
        repeats = 0
        while repeats < _PATIENCE:
            point = next(points, None)
            if point is None:
                return
            settings = _settings(point, self._epochs)
            if settings in self._seen:
                repeats += 1
                continue
            repeats = 0
            self._seen.add(settings)
            yield settings


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

    def ask(self, n: int) -> Candidates:
        """Settings the model holds promising; Sobol's until ten scores, one finite, are known."""
        _check_count(n)
        scores = [score for score in self._scores.values() if score is not None]
        known = len(scores) >= _STARTUP and not all(math.isnan(score) for score in scores)
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
        _check_scores(candidates, scores)
        for settings, score in zip(candidates.settings, scores, strict=True):
            self._scores[settings] = float(score)

    def _modeled(self, n: int) -> list[Settings]:
        chosen: list[Settings] = []
        with _quiet_optuna():
            study = self._study()
            for _ in range(n + _STARTUP):  # a few more, for proposals that are not new
                trial = study.ask()
                values = self._space.build(partial(_suggest, trial))
                settings = _settings(values, self._epochs)
                if settings not in self._given and len(chosen) < n:
                    chosen.append(settings)
                    self._given.add(settings)
                    self._start.skip(settings)
        return chosen

    def _study(self) -> "optuna.Study":
        import optuna  # noqa: PLC0415 - takes half a second; other samplers do without

        word = keys.generator(self._seed, "sampler", _TPE, len(self._given)).integers(2**31)
        sampler = optuna.samplers.TPESampler(seed=int(word), n_startup_trials=0)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        finite = [x for x in self._scores.values() if x is not None and not math.isnan(x)]
        for settings, score in self._scores.items():
            trial = _trial(self._space, settings, score, min(finite))
            if trial is not None:
                study.add_trial(trial)
        return study


def _trial(
    space: Space, settings: Settings, score: float | None, worst: float
) -> "optuna.trial.FrozenTrial | None":
    """What Optuna shall know of a candidate; None where it lies outside the space."""
    import optuna  # noqa: PLC0415 - as above

    values = space.build(lambda name, span: getattr(settings, name))
    spans = {name: span for name, span in space.ranges.items() if name in values}
    if not all(span.has(values[name]) for name, span in spans.items()):
        return None
    params = {name: _encoded(span, values[name]) for name, span in spans.items()}
    distributions = {name: _distribution(span) for name, span in spans.items()}
    if score is None:
        state = optuna.trial.TrialState.RUNNING
        return optuna.trial.create_trial(state=state, params=params, distributions=distributions)
    value = worst if math.isnan(score) else score
    return optuna.trial.create_trial(value=value, params=params, distributions=distributions)


def _encoded(span: Range, value: Any) -> Any:
    return span.values.index(value) if isinstance(span, Choice) else value


def _distribution(span: Range) -> "optuna.distributions.BaseDistribution":
    import optuna  # noqa: PLC0415 - as above

    if isinstance(span, Choice):
        return optuna.distributions.CategoricalDistribution(range(len(span.values)))
    if isinstance(span, Int):
        return optuna.distributions.IntDistribution(span.low, span.high, log=span.log)
    return optuna.distributions.FloatDistribution(span.low, span.high, log=span.log)


def _suggest(trial: "optuna.Trial", name: str, span: Range) -> Any:
    if isinstance(span, Choice):
        return span.values[trial.suggest_categorical(name, range(len(span.values)))]
    if isinstance(span, Int):
        return trial.suggest_int(name, span.low, span.high, log=span.log)
    return trial.suggest_float(name, span.low, span.high, log=span.log)


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keep Optuna from announcing every study, without changing what the caller set for it."""
    import optuna  # noqa: PLC0415 - as above

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def grid(space: Space, seed: int, epochs: int, first_id: int) -> Stream:
    """About as many evenly spread points as the first ask wants, then no more."""
    del seed  # a grid leaves nothing to chance
    return Stream(lambda n: iter(space.grid(n)), epochs, first_id)


def random(space: Space, seed: int, epochs: int, first_id: int) -> Stream:
    """Independent points (Bergstra and Bengio, JMLR 13, 2012)."""

    def points(_: int) -> Iterator[dict[str, Any]]:
        generator = keys.generator(seed, "sampler", _RANDOM)
        while True:
            yield space.decode(generator.random(space.dimensions))

    return Stream(points, epochs, first_id)


def sobol(space: Space, seed: int, epochs: int, first_id: int) -> Stream:
    """Evenly spread points, one scrambled sequence (Sobol 1967; Owen 1998) over all asks."""

    def points(_: int) -> Iterator[dict[str, Any]]:
        from scipy.stats import qmc  # noqa: PLC0415 - takes half a second

        generator = keys.generator(seed, "sampler", _SOBOL)
        sequence = qmc.Sobol(space.dimensions, scramble=True, rng=generator)
        while True:
            yield space.decode(sequence.random(1)[0])

    return Stream(points, epochs, first_id)


_MAKERS: dict[str, Callable[[Space, int, int, int], Sampler]] = {
    "grid": grid,
    "random": random,
    "sobol": sobol,
    "tpe": TPE,
}
NAMES = tuple(_MAKERS)


def make(name: str, space: Space, *, seed: int, epochs: int, first_id: int = 0) -> Sampler:
    """A sampler by its name.

    Args:
        name: One of `NAMES`.
        space: What to search.
        seed: The run's seed, >= 0.
        epochs: Full training, put in all settings unless the space names `epochs`.
        first_id: Id of the first candidate; the others count up from it.

    Raises:
        UsageError: No sampler has this name; the nearest is suggested.
    """
    if name not in _MAKERS:
        raise UsageError(f"`{name}` is no sampler; {suggestion(name, NAMES)}")
    return _MAKERS[name](space, seed, epochs, first_id)
