"""Five lines about any run: short, plain, and no more than is true."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import test_display as screens
from fleetgrad.display import summary
from fleetgrad.distilled import Distilled, Score
from fleetgrad.finals import Interval
from fleetgrad.insight import Evidence
from fleetgrad.metrics import METRICS
from fleetgrad.result import Test as Opened
from fleetgrad.result import Validation
from fleetgrad.space import default_space

FINISHED = replace(
    screens.FINISHED,
    budget_s=90.0,
    evidence=Evidence(default_space(1000, 64, (8, 8)), None, 0),
    version="0.1.0",
    machine="2 cores",
)
DATA = FINISHED.dataset
EARLY = replace(
    screens.result([screens.row(1)], interrupted=True, test=None, model_path=None),
    validation=Validation("accuracy", 0.89, None, 1),
)
LOST = screens.result(
    [screens.row(n, status="diverged", score=float("nan"), diverged_step=7) for n in range(3)],
    settings=None, validation=None, test=None, model_path=None, interrupted=True,
)  # fmt: skip
TOLD = dict.fromkeys(("winner", "ensemble", "student"), Score(0.97, 0.1))
RUNS = {
    "finished": FINISHED,
    "begun": screens.result(test=None, model_path=None, interrupted=True),
    "unfinished": EARLY,
    "repeated": replace(FINISHED, test=None, interrupted=True),
    "failed": LOST,
    "without a test part": replace(FINISHED, test=None, dataset=DATA | {"test_rows": 0}),
    "looked at before": replace(FINISHED, test=replace(screens.OPENED, opening=2)),
    "of numbers": replace(
        FINISHED, metric="rmse", test=Opened("rmse", 48287.0, Interval(46000.0, 50000.0), 9, 1)
    ),
    "no better than guessing": replace(FINISHED, dataset=DATA | {"guess": 0.99}),
    "together": replace(FINISHED, ensemble={4: 0.5, 2: 0.5}),
    "others together": replace(FINISHED, ensemble={1: 0.5, 2: 0.5}),
    "distilled": replace(
        FINISHED,
        ensemble={4: 0.5, 2: 0.5},
        distilled=Distilled(4, {4: 0.5, 2: 0.5}, 0.5, TOLD, 240, "student", "better"),
    ),
}
WORDS = {
    "finished": (
        "4 networks tried in 1 min 23 s, on 1,437 rows of 64 features",
        "test accuracy 97.50 %, 95 % interval 95.00 to 99.00, 360 rows, opened once",
        "learning_rate 0.001",
        "#4: chosen among 2 equals; no winner can be named (tied: #2)",
        "fleetgrad 0.1.0, seed 0, budget 90 s, 2 cores; model: runs/digits-1/model",
    ),
    "begun": (
        "no accuracy to tell: no candidate has come through a rung yet",
        "no winner yet",
        "run: runs/digits",
    ),
    "unfinished": ("89.00 %, test still sealed", "#1: leads so far", "; unfinished: runs"),
    "repeated": ("98.00 %, 95 % interval 97.00 to 99.00, test still sealed", "leads so far"),
    "failed": ("all of 3 networks diverged", "no winner: 3 networks diverged", "; run: runs"),
    "without a test part": ("validation accuracy 98.00 %, 95 % interval 97.00", ", no test part"),
    "looked at before": (", opening 2",),
    "of numbers": ("test RMSE 48,287, 95 % interval 46,000 to 50,000, 9 rows",),
    "no better than guessing": ("#4: no better than the same answer for every row",),
    "together": ("2 networks together, settings of #4",),
    "others together": ("2 other networks together, settings of #4",),
    "distilled": ("one network taught by 2, settings of #4",),
}


OPENED = {"finished", "of numbers", "together", "others together", "distilled"}


@pytest.mark.parametrize("kind", RUNS)
def test_every_run_is_told_in_five_lines_that_are_true_of_it(kind):
    lines = summary.lines(RUNS[kind])
    assert len(lines) == 5
    assert max(map(len, lines)) <= summary.WIDTH
    assert all(line.isprintable() for line in lines)
    assert [words for words in WORDS[kind] if words not in "\n".join(lines)] == []


def test_whoever_had_no_epoch_yet_was_not_tried():
    waiting = [
        screens.row(n, status="unfinished", epochs=0, score=float("nan")) for n in range(2, 9)
    ]
    early = screens.result([screens.row(1), *waiting], interrupted=True, test=None)
    assert summary.lines(early)[0].startswith("digits: 1 network tried in")


@pytest.mark.parametrize("kind", sorted(RUNS.keys() - OPENED))
def test_nothing_is_called_opened_once_that_was_not(kind):
    told = "opened once" in "\n".join(summary.lines(RUNS[kind]))
    assert told == (RUNS[kind].test is not None and RUNS[kind].test.opening == 1)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
@pytest.mark.parametrize("tested", [True, False])
def test_how_good_it_is_is_told_whole_by_every_metric(metric, tested):
    share, number = (0.9, Interval(0.8, 0.95)), (4828.0, Interval(4600.0, 5000.0))
    value, interval = share if metric.percent else number
    test = Opened(metric.name, value, interval, 10_000, 1) if tested else None
    validation = Validation(metric.name, value, interval, 20)
    found = replace(FINISHED, metric=metric.name, test=test, validation=validation)
    line = summary.lines(found)[1]
    assert len(line) <= summary.WIDTH
    assert re.search("10,000( rows)?, opened once$" if tested else "test still sealed$", line)
    assert " to " in line


@given(st.sets(st.integers(0, 99_999), max_size=40))
def test_however_many_are_tied_the_line_is_short_and_counts_them(others):
    found = replace(FINISHED, ties=tuple(others))
    line = summary.lines(found)[3]
    assert len(line) <= summary.WIDTH
    if line.endswith(" tied)"):
        assert f"({len(others)} tied)" in line
    else:
        assert line.count("#") - 1 == len(others)


def test_what_mattered_most_comes_first():
    names = [*FINISHED.evidence.space.names]
    found = replace(FINISHED)
    found.__dict__["importances"] = {names[-1]: 0.8, names[0]: 0.2}  # as if it had been reckoned
    line = summary.lines(found)[2]
    assert line.index(names[-1]) < line.index(names[0])
