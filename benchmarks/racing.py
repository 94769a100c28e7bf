"""What a race over time is reckoned from: who led when, and when that was first good enough.

While it runs, a racer writes down every score it learns of, a JSON object a line. Who leads is of
those that came furthest the best, and that in two ways: among all whose scores were told, as by
somebody who reads along, and among those that the racer itself returns if it is stopped then.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

GOALS = (0.98, 0.985)


class Task(NamedTuple):
    """What a racer is to do.

    Args:
        folder: Where `mnist` lies.
        log: Where it writes.
        seconds: It may take.
        seed: Of everything.
        epochs: A full training of a peer; ours plans its own.
        rows: To learn from, the first ones; None for all.
    """

    folder: Path
    log: Path
    seconds: float
    seed: int
    epochs: int
    rows: int | None = None


class Event(NamedTuple):
    """A score that a racer learned of.

    Args:
        seconds: Since it began.
        epochs: How far the candidate had come; the verdict of repeats counts as an epoch more.
        validation: Accuracy.
        settings: Of the candidate, plain values.
        returned: Whether whoever stops the racer gets these from it, and not from a log.
    """

    seconds: float
    epochs: int
    validation: float
    settings: Mapping[str, Any]
    returned: bool = True


class Incumbent(NamedTuple):
    """Who led from a moment on."""

    seconds: float
    validation: float
    settings: Mapping[str, Any]


def write(log: Path, **values: Any) -> None:
    """Add a line; several threads and processes may."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def lines(log: Path) -> list[dict[str, Any]]:
    """All whole lines so far."""
    if not log.exists():
        return []
    text = log.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def events(told: Iterable[Mapping[str, Any]]) -> list[Event]:
    """The scores among the lines of a log."""
    return [Event(**line) for line in told if "validation" in line]


def incumbents(events: Iterable[Event], seconds: float) -> list[Incumbent]:
    """Who led, from when on, until the time was up."""
    found: list[Incumbent] = []
    best = (0, float("-inf"))
    in_turn = sorted(events, key=lambda event: (event.seconds, -event.epochs, -event.validation))
    for one in in_turn:  # of those learned of at once, the best first
        standing = (one.epochs, one.validation)
        if one.seconds <= seconds and standing > best:
            best = standing
            found.append(Incumbent(one.seconds, one.validation, one.settings))
    return found


def leaders(led: Iterable[Incumbent]) -> list[Mapping[str, Any]]:
    """Everyone who ever led, in turn, each once."""
    return list({key(one.settings): one.settings for one in led}.values())


def judged(
    leaders: Iterable[Mapping[str, Any]],
    refit: Callable[[Mapping[str, Any]], float],
    known: Mapping[str, float],
) -> dict[str, float]:
    """Test accuracies, by `key`, of leaders in turn until one reaches the last goal.

    Args:
        leaders: Their settings, in turn.
        refit: What settings come to when refitted.
        known: What some came to already, by `key`.
    """
    found: dict[str, float] = {}
    for settings in leaders:
        name = key(settings)
        found[name] = known[name] if name in known else refit(settings)
        if found[name] >= max(GOALS):
            break
    return found


def key(settings: Mapping[str, Any]) -> str:
    """The same for the same settings."""
    return json.dumps(settings, sort_keys=True)


def reached(
    led: Iterable[Incumbent], tested: Mapping[str, float], goals: Sequence[float] = GOALS
) -> dict[str, float | None]:
    """Seconds until someone led whose refit reached each goal; None where nobody did.

    Args:
        led: Who led when.
        tested: Test accuracy of refits, by `key`.
        goals: Test accuracies.
    """
    times = {
        f"{goal:g}": [one.seconds for one in led if tested.get(key(one.settings), 0.0) >= goal]
        for goal in goals
    }
    return {goal: min(found, default=None) for goal, found in times.items()}


def ratios(
    ours: Mapping[str, float | None], theirs: Mapping[str, float | None], seconds: float
) -> dict[str, dict[str, Any]]:
    """Our time over theirs, by goal; below 1 ours was first.

    Where only one of them came there, the other's time is taken for all there was, so that the
    ratio is a bound: `at_most` where that was us, `at_least` where they. None where nobody did.
    """
    found = {}
    for goal in ours:
        mine, other = ours[goal], theirs[goal]
        ratio = None
        if mine is not None or other is not None:
            ratio = (seconds if mine is None else mine) / (seconds if other is None else other)
        kind = "exact" if mine is not None else "at_least"
        kind = kind if other is not None else "at_most"
        found[goal] = {"ratio": ratio, "kind": kind if ratio is not None else None}
    return found
