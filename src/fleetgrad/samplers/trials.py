"""What is known of candidates, in Optuna's words: for its sampler, and for its importances."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Int, Range, Space

if TYPE_CHECKING:
    import optuna


def frozen_trial(
    space: Space, settings: Settings, score: float | None, worst: float
) -> "optuna.trial.FrozenTrial | None":
    """What Optuna shall know of a candidate; None where it lies outside the space.

    Args:
        space: Which names are parameters.
        settings: The candidate's.
        score: Higher is better, NaN means diverged, None still in training.
        worst: Stands for NaN.
    """
    import optuna  # noqa: PLC0415 - takes half a second; most samplers do without

    values = space.build(lambda name, _: getattr(settings, name))
    spans = {name: span for name, span in space.ranges.items() if name in values}
    if not all(span.has(values[name]) for name, span in spans.items()):
        return None
    params = {name: _encoded(span, values[name]) for name, span in spans.items()}
    distributions = {name: _distribution(span) for name, span in spans.items()}
    if score is None:
        state = optuna.trial.TrialState.RUNNING
        return optuna.trial.create_trial(state=state, params=params, distributions=distributions)
    value = score if math.isfinite(score) else worst
    return optuna.trial.create_trial(value=value, params=params, distributions=distributions)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from announcing every study, without changing what the caller set for it."""
    import optuna  # noqa: PLC0415 - as above

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _encoded(span: Range, value: Any) -> Any:
    return span.values.index(value) if isinstance(span, Choice) else value


def _distribution(span: Range) -> "optuna.distributions.BaseDistribution":
    import optuna  # noqa: PLC0415 - as above

    if isinstance(span, Choice):
        return optuna.distributions.CategoricalDistribution(range(len(span.values)))
    if isinstance(span, Int):
        return optuna.distributions.IntDistribution(span.low, span.high, log=span.log)
    return optuna.distributions.FloatDistribution(span.low, span.high, log=span.log)
