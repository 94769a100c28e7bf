"""What each figure says in words and a few numbers, for those who cannot see it or will print it.

One function a figure, by its name in `figures.KINDS`; `of` finds it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fleetgrad.display.words import count, edge, percent, value
from fleetgrad.insight import plain
from fleetgrad.report.facts import Facts
from fleetgrad.report.figures import classes, curves

MOST_ROWS = 24


class Caption(NamedTuple):
    """What stands below a figure.

    Args:
        text: How to read it.
        label: What it shows, in one sentence, in place of the figure.
        head: Of the table of its chief numbers.
        rows: Of that table.
    """

    text: str
    label: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def of(name: str, facts: Facts) -> Caption:
    """The caption of the figure of this name."""
    return _CAPTIONS[name](facts)


def _curves(facts: Facts) -> Caption:
    metric, stops = facts.metric, stopped(facts)
    ran = [one for one in facts.candidates if any(score is not None for score in one.curve)]
    shown = min(len(ran), curves.MOST_CURVES)
    text = (
        "Each gray line is a candidate that was stopped; the dot says where. Click a name to hide "
        "its lines, drag to look closer, double-click to go back."
    )
    if shown < len(ran):
        text += f" Of {len(ran):,} candidates {shown} are drawn, evenly by rank."
    label = f"Validation {metric.title} of {count(len(ran), 'candidate')} after each epoch."
    rows = [(str(epoch), f"{number:,}") for epoch, number in stops.items()]
    return Caption(text, label, ("stopped after epoch", "candidates"), rows[:MOST_ROWS])


def stopped(facts: Facts) -> dict[int, int]:
    """How many candidates were stopped after which epoch."""
    found: dict[int, int] = {}
    for one in facts.candidates:
        if one.status == "stopped":
            found[one.epochs] = found.get(one.epochs, 0) + 1
    return dict(sorted(found.items()))


def _parallel(facts: Facts) -> Caption:
    text = (
        "Every line is a candidate, drawn through its settings to its score on the right; the best "
        "quarter is blue. The axes stand in the order of what mattered. Click a name to hide it."
    )
    label = "Settings of all candidates side by side, with their scores."
    best = facts.candidates[0]
    rows = [(name, value(own)) for name, own in best.settings.items()]
    return Caption(text, label, ("setting", f"of #{best.id}, the best"), rows)


def _importances(facts: Facts) -> Caption:
    shares = facts.insight.importances or {}
    text = (
        "How much the values of each setting set the best tenth of the candidates apart from the "
        "rest (PED-ANOVA); the shares sum to 100 %."
    )
    first = next(iter(shares.items()), ("", 0.0))
    label = f"Shares of {count(len(shares), 'setting')}; {first[0]} leads with {percent(first[1])}."
    rows = [(name, percent(share)) for name, share in shares.items()]
    return Caption(text, label, ("setting", "share"), rows)


def _effects(facts: Facts) -> Caption:
    metric, found = facts.metric, facts.insight.effects or {}
    text = (
        f"The {metric.title} to expect at the end of training at each value, all else as it was "
        "tried. Bands hold the mean with 90 % confidence; where they are wide, little was tried."
    )
    label = f"The {metric.title} to expect, for {count(len(found), 'setting')}."
    rows = []
    for name, points in found.items():
        best = max(points, key=lambda one: one.mean)
        bounds = f"{metric.figure(best.low)} to {metric.figure(best.high)}"
        rows.append((name, value(plain(name, best.value)), metric.written(best.mean), bounds))
    return Caption(text, label, ("setting", "best near", metric.title, "90 % within"), rows)


def _rates(facts: Facts) -> Caption:
    chart = facts.insight.divergence
    assert chart is not None
    lost = sum(map(sum, chart.diverged))
    text = "Crosses are candidates whose loss left all bounds. The bluer a dot, the better."
    if not lost:
        text = "Nobody diverged. The bluer a dot, the better."
    over = f"{chart.x} and {chart.y}" if chart.y else chart.x
    label = f"{lost} of {sum(map(sum, chart.tried))} candidates diverged, over {over}."
    fields = zip(chart.x_edges, chart.x_edges[1:], chart.tried, chart.diverged, strict=False)
    rows = [
        (f"{edge(low)} to {edge(high)}", str(sum(tried)), str(sum(broke)))
        for low, high, tried, broke in fields
    ]
    return Caption(text, label, (chart.x, "tried", "diverged"), rows)


def _cost(facts: Facts) -> Caption:
    assert facts.cost is not None
    spent, alone = facts.cost.spent, facts.cost.alone
    text = (
        "A network-epoch is one network's pass over its training rows. The lower bar is the search "
        "with every candidate trained to the end."
    )
    label = (
        f"The search took {spent.get('search', 0):,.0f} network-epochs; with nobody stopped it "
        f"would have taken {alone:,.0f}."
    )
    rows = [(phase, f"{passes:,.1f}") for phase, passes in spent.items()]
    rows.append(("search, with nobody stopped", f"{alone:,.0f}"))
    return Caption(text, label, ("spent on", "network-epochs"), rows)


def _audit(facts: Facts) -> Caption:
    found = facts.result.audit
    assert found is not None
    assert found.interval is not None
    text = (
        "Some of those that were stopped, drawn at random, were trained to the end after all. The "
        "bar says where the share of would-be winners among all that were stopped lies, with 95 % "
        "confidence."
    )
    if found.rank_correlation is not None:
        text += (
            f" Ranks at the stop and at the end agree with a correlation of "
            f"{found.rank_correlation:.2f}."
        )
    label = f"{found.would_have_won} of {found.audited} audited candidates would have won."
    low, high = found.interval
    rows = [(str(found.audited), str(found.would_have_won), f"{percent(low)} to {percent(high)}")]
    return Caption(text, label, ("audited", "would have won", "95 % interval"), rows)


def _confusion(facts: Facts) -> Caption:
    assert facts.answers is not None
    counts = facts.answers.confusion or ()
    text = "Rows are the truth, columns what was said. Blue is right, orange wrong."
    wrong = [
        (count_, truth, said)
        for truth, own in enumerate(counts)
        for said, count_ in enumerate(own)
        if truth != said and count_
    ]
    rows = [
        (facts.answers.classes[truth], facts.answers.classes[said], f"{number:,}")
        for number, truth, said in sorted(wrong, key=lambda one: (-one[0], one[1:]))
    ]
    total = sum(number for number, *_ in wrong)
    of_all = f"{facts.answers.rows:,} {facts.answers.part} rows"
    label = f"{total:,} of {of_all} are taken for another class."
    return Caption(text, label, ("true", "predicted", "rows"), rows[:MOST_ROWS])


def _classes(facts: Facts) -> Caption:
    assert facts.answers is not None
    counts = facts.answers.confusion or ()
    precision, recall = classes.rates(counts)
    text = (
        "Precision: of what is said to be of a class, the share that is. Recall: of a class, the "
        "share that is found."
    )
    label = f"Precision and recall of {len(counts)} classes."
    rows = [
        (name, percent(one), percent(other), f"{sum(own):,}")
        for name, one, other, own in zip(
            facts.answers.classes, precision, recall, counts, strict=True
        )
    ]
    return Caption(text, label, ("class", "precision", "recall", "rows"), rows)


def _reliability(facts: Facts) -> Caption:
    assert facts.answers is not None
    bins = facts.answers.bins
    text = (
        "Rows in groups by how sure the model is. On the dotted line, it is right as often as it "
        "says; below, it is too sure. Large dots are many rows; bars hold how often it is right, "
        "with 95 % confidence."
    )
    total = sum(one.rows for one in bins)
    off = sum(one.rows * abs(one.sure - one.right) for one in bins) / max(total, 1)
    label = f"Probabilities are off by {percent(off)} on average."
    rows = [(percent(one.sure), percent(one.right), f"{one.rows:,}") for one in bins]
    return Caption(f"{text} {label}", label, ("sure", "right", "rows"), rows)


def _predicted(facts: Facts) -> Caption:
    assert facts.answers is not None
    shown = len(facts.answers.points)
    of_all = f"{facts.answers.rows:,} {facts.answers.part} rows"
    text = f"{shown:,} of {of_all}; on the dotted line, all is right."
    label = f"What was predicted against what is true, of {shown:,} rows."
    return Caption(text, label)


def _residuals(facts: Facts) -> Caption:
    assert facts.answers is not None
    shown = count(len(facts.answers.points), "row")
    text = "Points above the line were predicted too high, below it too low."
    return Caption(
        text, f"What was predicted less what is true, by what was predicted, of {shown}."
    )


def _layer(facts: Facts) -> Caption:
    assert facts.layer is not None
    shown, units = len(facts.layer.images), facts.layer.units
    text = (
        f"The {shown} of {units:,} units with the largest weights. Ink on blue speaks for what a "
        "unit looks for, on orange against it."
    )
    return Caption(text, f"First-layer weights of {shown} units, as images.")


def _columns(facts: Facts) -> Caption:
    assert facts.answers is not None
    metric = facts.metric
    text = (
        f"How much worse the {metric.title} on {facts.answers.part} rows is with the values of one "
        "column shuffled among rows, all else as it is. Columns that say the same share their part."
    )
    found = facts.answers.columns
    label = f"What shuffling each of {count(len(found), 'column')} costs; {found[0].name} leads."
    rows = [(one.name, metric.amount(one.mean)) for one in found[:MOST_ROWS]]
    return Caption(text, label, ("column", f"{metric.title} lost"), rows)


_CAPTIONS: Mapping[str, Callable[[Facts], Caption]] = {
    "curves": _curves,
    "parallel": _parallel,
    "importances": _importances,
    "effects": _effects,
    "rates": _rates,
    "cost": _cost,
    "audit": _audit,
    "confusion": _confusion,
    "classes": _classes,
    "reliability": _reliability,
    "predicted": _predicted,
    "residuals": _residuals,
    "layer": _layer,
    "columns": _columns,
}
