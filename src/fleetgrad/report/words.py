"""A run in sentences, the most important first: what was searched, who won, how good it is."""

import shlex
from typing import NamedTuple

from fleetgrad.display import sentences
from fleetgrad.display.words import between, count, course, duration, figure, searched, taken_over
from fleetgrad.distilled import STUDENT
from fleetgrad.finals import Interval
from fleetgrad.metrics import Metric
from fleetgrad.report.facts import Facts
from fleetgrad.result import Result

NOTED = 0.01  # a share of what was saved that is worth a sentence


class Fact(NamedTuple):
    """One thing to know, and a word for what it is about; `alarming` if it must not be missed."""

    about: str
    text: str
    alarming: bool = False


class Tile(NamedTuple):
    """A chief figure in large letters."""

    label: str
    figure: str
    note: str


def lead(facts: Facts) -> str:
    """The run in one sentence or two."""
    result, metric = facts.result, facts.metric
    tried = count(result.candidates, "network")
    if not result.candidates:
        return "No candidate has come through a rung yet."
    if facts.winner is None:
        return (
            f"All of {tried} diverged, so there is no winner: their learning rates were too high."
        )
    who = f"Of {tried} that were tried, #{facts.winner.id} {_stands(result)}"
    if result.candidates == 1:
        who = f"One network was tried, #{facts.winner.id}"
    if result.test is not None:
        good, n = figure(metric, result.test.value), f"{result.test.n:,}"
        bounds = _bounds(metric, result.test.interval)
        if metric.name == "accuracy":
            good = (
                f"{_who(result)} answers {good} of {n} test rows rightly, none of them seen before"
            )
        else:
            good = (
                f"{_who(result)} comes to {metric.title} {good} on {n} test rows, none of them seen"
                " before"
            )
        return f"{who}. {good} ({bounds})."
    if result.validation is not None:
        good = figure(metric, result.validation.mean)
        return f"{who}. Its validation {metric.title} is {good}."
    return f"{who}."


def tiles(facts: Facts) -> list[Tile]:
    """The chief figures."""
    result, metric, found = facts.result, facts.metric, []
    if result.test is not None:
        note = f"{between(metric, result.test.interval)}, {result.test.n:,} rows"
        found.append(Tile(f"test {metric.title}", figure(metric, result.test.value), note))
    if result.validation is not None:
        interval = between(metric, result.validation.interval)
        repeats = count(result.validation.replicates, "repeat")
        note = f"{interval}, {repeats}" if interval else "one split"
        figure_ = figure(metric, result.validation.mean)
        found.append(Tile(f"validation {metric.title}", figure_, note))
    note = f"{result.diverged} diverged" if result.diverged else "none diverged"
    found.append(Tile("candidates", f"{result.candidates:,}", note))
    passes = count(result.network_epochs, "network-epoch")
    found.append(Tile("time", duration(result.elapsed_s), passes))
    return found


def facts_of(facts: Facts) -> list[Fact]:
    """Everything worth a sentence."""
    result = facts.result
    found = [Fact("searched", _searched(facts))]
    if facts.winner is not None:
        found += _winner(facts)
    found += _course(facts)
    if result.doubling is not None and facts.winner is not None:
        found.append(Fact("more", result.doubling.sentence))
    found += [Fact("from", taken_over(one)) for one in result.warm_start]
    return found


def settings(facts: Facts) -> list[tuple[str, str, str]]:
    """What was searched: name, the winner's value, and among what."""
    own = facts.result.settings
    return [
        (name, course(own, name) if own else "", searched(span))
        for name, span in facts.ranges.items()
    ]


def commands(facts: Facts) -> list[tuple[str, str]]:
    """How to go on: what for, and the command."""
    run, found = shlex.quote(str(facts.result.run)), []
    if facts.state is not None and facts.result.candidates and facts.winner is not None:
        found.append(("go on", f"fleetgrad resume {run}"))
    if facts.result.model_path is not None:
        found.append(("predict", f"fleetgrad predict {run} FILE"))
        found.append(("take it elsewhere", f"fleetgrad export {run} model.onnx"))
    found.append(("look again", f"fleetgrad show {run}"))
    return found


def _who(result: Result) -> str:
    """Who answered for the test part."""
    if result.distilled is not None and result.distilled.kept == STUDENT:
        return "One network that learned from an ensemble"
    if result.ensemble and result.distilled is None:
        joins = sentences.joins(result)
        others = count(len(result.ensemble) - joins, "other")
        return f"Together with {others} it" if joins else f"An ensemble of {others}"
    return "It"


def _stands(result: Result) -> str:
    if result.interrupted:
        return "leads so far"
    if result.decided:
        return "is the winner"
    return "was chosen" if not result.ties else "was chosen; others are as good"


def _searched(facts: Facts) -> str:
    result = facts.result
    data, names = result.dataset, list(facts.ranges)
    rows = count(data["rows"], "row")
    features, classes = count(data["features"], "feature"), data.get("classes", 0)
    kind = f", {classes} classes" if classes else ""
    what = f"{', '.join(names)}" if names else "nothing: all settings were fixed"
    return (
        f"{rows} of {features}{kind}; {count(len(names), 'hyperparameter')} ({what}) in "
        f"{count(result.candidates, 'candidate')} and {duration(result.elapsed_s)}."
    )


def _winner(facts: Facts) -> list[Fact]:
    result, metric = facts.result, facts.metric
    assert facts.winner is not None
    found = [Fact("winner", f"#{facts.winner.id}: {sentences.claim(result)}.")]
    if result.above_chance is False:
        found.append(Fact("beware", f"It is {sentences.guessing(result)}.", alarming=True))
    if metric.name != "accuracy":
        found.append(Fact("metric", f"{sentences.direction(metric)}."))
    found.append(Fact("test", _test(facts)))
    if result.validation is not None:
        found.append(Fact("validation", _validated(result, metric)))
    if result.ties:
        found.append(Fact("ties", f"{sentences.tied(result)}."))
    told = sentences.together(result).items()
    return found + [Fact(name, f"{text[:1].upper()}{text[1:]}.") for name, text in told]


def _test(facts: Facts) -> str:
    test, metric = facts.result.test, facts.metric
    if test is None:
        if facts.result.dataset.get("test_rows") == 0:
            return "The data have no test part: nothing says how the model does on rows unseen."
        return "The test part is still sealed: it is opened once, at the end."
    good = f"{figure(metric, test.value)} ({_bounds(metric, test.interval)})"
    opened = "opened once, after the winner was fixed"
    if test.opening > 1:
        opened = f"which had been looked at before: this was opening {test.opening}"
    return f"{good} on {count(test.n, 'sealed row')}, {opened}."


def _validated(result: Result, metric: Metric) -> str:
    found = result.validation
    assert found is not None
    good = figure(metric, found.mean)
    if found.interval is None:
        return f"{good} on one split of the rows."
    text = f"{good} ({_bounds(metric, found.interval)}), the mean of "
    text += f"{count(found.replicates, 'repeat')} on fresh splits."
    if found.corrected is not None:
        text += f" Without the luck of being chosen: {figure(metric, found.corrected)}."
    return text


def _course(facts: Facts) -> list[Fact]:
    """What the search cost, whether stopping lost anybody, and who broke."""
    result, found = facts.result, []
    if facts.cost is not None and facts.cost.alone:
        spent = facts.cost.spent.get("search", 0.0)
        text = f"{count(result.network_epochs, 'network-epoch')} in all."
        if facts.cost.saved >= NOTED:
            text += (
                f" The search took {spent:,.0f}; with nobody stopped it would have taken "
                f"{facts.cost.alone:,.0f}, so stopping early saved {100 * facts.cost.saved:.0f} %."
            )
        found.append(Fact("cost", text))
    if result.audit is not None and result.audit.audited:
        found.append(Fact("audit", f"{sentences.audited(result.audit)}."))
    if result.diverged:
        lost = count(result.diverged, "candidate")
        found.append(
            Fact("diverged", f"{lost} of {result.candidates:,}: their loss left all bounds.")
        )
    return found


def _bounds(metric: Metric, interval: Interval) -> str:
    return f"95 % interval {between(metric, interval)}"
