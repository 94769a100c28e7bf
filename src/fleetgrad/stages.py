"""Values that were others earlier in a training: what settings say of their own past.

A network whose rate was 0.1 for four epochs and 0.02 after them has the settings `learning_rate =
0.02` and one stage, until epoch 4, in which the rate was 0.1. So settings stay a whole recipe:
whoever trains by them from the start takes the same way.
"""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

from fleetgrad.errors import SettingsError, suggestion

EVOLVING = (
    "learning_rate",
    "momentum",
    "weight_decay",
    "gradient_clipping",
    "dropout",
    "input_dropout",
    "input_noise",
    "label_smoothing",
    "ema",
)
SWITCHES = ("gradient_clipping", "dropout", "input_dropout", "input_noise", "ema")
_EXAMPLE = 'use [{"until": 4, "learning_rate": 0.01}]'


class Stage(NamedTuple):
    """Values that held before those of the settings.

    Args:
        until: The last epoch, counted from 1, in which they did.
        values: Names of `EVOLVING`, and their values.
    """

    until: int
    values: tuple[tuple[str, float], ...]


def parsed(stages: Any) -> tuple[Stage, ...]:
    """Stages from plain values, as JSON has them, or as they are; values are not looked at.

    Raises:
        SettingsError: They have another form, are out of order, or name what cannot change.
    """
    if not isinstance(stages, list | tuple):
        raise SettingsError(f"`evolved` must be a list of stages, got {stages!r}; {_EXAMPLE}.")
    found = tuple(one if isinstance(one, Stage) else _parsed(one) for one in stages)
    ends = [0, *(one.until for one in found)]
    if any(later <= earlier for earlier, later in itertools.pairwise(ends)):
        raise SettingsError(
            f"stages of `evolved` must end one after the other, got ends {ends[1:]}; sort them."
        )
    return found


def plain(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """Plain values, ready for JSON."""
    return [{"until": one.until, **dict(one.values)} for one in stages]


def before(
    stages: tuple[Stage, ...], held: Mapping[str, float], epoch: int, values: Mapping[str, float]
) -> tuple[Stage, ...]:
    """The stages of a training that takes other values after an epoch.

    Args:
        stages: Until now.
        held: The values of all of `EVOLVING` since the last of these.
        epoch: Until which they hold.
        values: Those that change.
    """
    final = {**held, **values}
    past = [(one.until, {**held, **dict(one.values)}) for one in stages] + [(epoch, {**held})]
    following = [*(own for _, own in past[1:]), final]
    return tuple(
        Stage(until, tuple((name, value) for name, value in own.items() if value != final[name]))
        for (until, own), after in zip(past, following, strict=True)
        if own != after
    )


def _parsed(stage: Any) -> Stage:
    until = stage.get("until") if isinstance(stage, Mapping) else None
    if isinstance(until, bool) or not isinstance(until, int) or until < 1:
        raise SettingsError(
            "a stage of `evolved` must have an epoch of at least 1 as `until`, got "
            f"{stage!r}; {_EXAMPLE}."
        )
    values = {name: value for name, value in stage.items() if name != "until"}
    for name in values:
        if name not in EVOLVING:
            raise SettingsError(
                f"`{name}` cannot change while a network trains; {suggestion(name, EVOLVING)}"
            )
    return Stage(until, tuple(values.items()))
