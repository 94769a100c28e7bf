"""A run in five lines of plain text, to be pasted into a message: they need nothing around them.

What was searched, how good it is on rows unseen, the settings, who else is as good, and where it
all lies. They claim no more than the data show, of unfinished and of failed runs too.
"""

from collections.abc import Iterable

from fleetgrad.display import sentences
from fleetgrad.display.words import between, count, course, duration, figure
from fleetgrad.distilled import STUDENT
from fleetgrad.metrics import METRICS, Metric
from fleetgrad.result import Result

WIDTH = 76  # of a line; only a long path or name may pass it
BOUNDS = "95 % interval "
NOTHING = "no candidate has come through a rung yet"


def lines(result: Result) -> list[str]:
    """The five lines."""
    return [
        _searched(result),
        _good(result),
        _settings(result),
        _stands(result),
        _place(result),
    ]


def _searched(result: Result) -> str:
    data, networks = result.dataset, count(len(result.leaderboard.tried), "network")
    rows = f"{count(data['rows'], 'row')} of {count(data['features'], 'feature')}"
    told = f"{data['name']}: {networks} tried in {duration(result.elapsed_s)}, on {rows}"
    return told if len(told) <= WIDTH else told.replace(" tried in ", " in ")


def _good(result: Result) -> str:
    """How the model does by the metric, on test rows where there are any."""
    metric, test, found = METRICS[result.metric], result.test, result.validation
    if test is not None:
        opened = "opened once" if test.opening == 1 else f"opening {test.opening}"
        good = f"test {metric.title} {figure(metric, test.value)}"
        bounds = f"{BOUNDS}{between(metric, test.interval)}"
        return _short([good, bounds, count(test.n, "row"), opened], metric)
    if found is None:
        lost = f"all of {count(result.candidates, 'network')} diverged"
        return f"no {metric.title} to tell: {lost if result.diverged else NOTHING}"
    parts = [f"validation {metric.title} {figure(metric, found.mean)}"]
    if found.interval is not None:
        parts.append(f"{BOUNDS}{between(metric, found.interval)}")
    whole = result.dataset.get("test_rows") == 0
    return _short([*parts, "no test part" if whole else "test still sealed"], metric)


def _short(parts: Iterable[str], metric: Metric) -> str:
    """All of the parts, in fewer letters where there is no room for all."""
    told = ", ".join(parts)
    for long, short in ((BOUNDS, "95 % "), (metric.title, metric.name), (" rows", "")):
        if len(told) > WIDTH:
            told = told.replace(long, short)
    return told


def _settings(result: Result) -> str:
    """Those that were searched, what mattered most first, as many as there is room for."""
    if result.settings is None:
        return "no settings to tell: nobody has learned anything"
    who = f"settings of #{result.leaderboard.rows[0].id}"
    if result.distilled is not None and result.distilled.kept == STUDENT:
        who = f"one network taught by {len(result.ensemble)}, {who}"
    elif len(result.ensemble) > 1 and result.distilled is None:
        networks = "networks" if sentences.joins(result) else "other networks"
        who = f"{len(result.ensemble)} {networks} together, {who}"
    names = () if result.evidence is None else result.evidence.space.names
    shares = result.importances or {}
    ranked = sorted(names, key=lambda name: -shares.get(name, 0.0))
    told = [f"{name} {course(result.settings, name)}" for name in ranked]
    return f"{who}: {_within(told, WIDTH - len(who) - 2)}" if told else f"{who}: all fixed"


def _stands(result: Result) -> str:
    """What may be claimed of the one that leads, and who is as good."""
    if result.settings is None:
        lost = f"no winner: {count(result.diverged, 'network')} diverged"
        return lost if result.diverged else "no winner yet"
    said = sentences.claim(result)
    if result.above_chance is False:
        said = "no better than the same answer for every row"
    told = f"#{result.leaderboard.rows[0].id}: {said}"
    if not result.ties:
        return told
    named = f"{told} (tied: {', '.join(f'#{one}' for one in result.ties)})"
    return named if len(named) <= WIDTH else f"{told} ({len(result.ties)} tied)"


def _place(result: Result) -> str:
    """By what it can be had again, and where it lies."""
    version = f"fleetgrad {result.version}" if result.version else "fleetgrad"
    made = [version, f"seed {result.seed}"]
    if result.budget_s is not None:
        made.append(f"budget {result.budget_s:g} s")
    if result.machine:
        made.append(result.machine)
    where = f"run: {result.run}" if result.model_path is None else f"model: {result.model_path}"
    if result.interrupted and result.settings is not None:
        where = f"unfinished: {result.run}"
    return f"{', '.join(made)}; {where}"


def _within(parts: Iterable[str], width: int = WIDTH) -> str:
    """As many of the parts as there is room for, the first in any case, and that there are more."""
    told, *others = parts
    for place, part in enumerate(others):
        left = len(others) - place
        more = f", {left - 1} more" if left > 1 else ""
        if len(f"{told}, {part}{more}") > width:
            return f"{told}, {left} more"
        told = f"{told}, {part}"
    return told
