"""What a search learned, as a person reads it in a terminal."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fleetgrad.display import lessons
from fleetgrad.divergence import Map, divergence_map
from fleetgrad.effects import Point
from fleetgrad.insight import Insight
from fleetgrad.metrics import METRICS
from fleetgrad.settings import Settings

RATES = np.geomspace(5, 500, 40).tolist()
TRIED = [Settings(learning_rate=rate, momentum=n / 41) for n, rate in enumerate(RATES)]
LOST = [rate > 50 for rate in RATES]


def shown(draw, *given_, width=80):
    screen = Console(file=io.StringIO(), width=width, highlight=False, emoji=False, markup=False)
    draw(screen, *given_)
    return screen.file.getvalue()


def learned(**changes):
    points = (Point(0.001, 0.31, 0.3, 0.4), Point(0.01, 0.971, 0.96, 0.98))
    widths = (Point((64,), 0.5, 0.4, 0.6), Point((256, 128), 0.9, 0.88, 0.92))
    known = {
        "candidates": 40,
        "importances": {"learning_rate": 0.75, "hidden": 0.25, "dropout": 0.0},
        "effects": {"learning_rate": points, "hidden": widths},
        "divergence": divergence_map(TRIED, LOST),
    }
    return Insight(**{**known, **changes})


def test_what_mattered_stands_beside_its_best_value_and_what_to_expect_there():
    lines = [line.split() for line in shown(lessons.show, learned()).splitlines()]
    rate = next(line for line in lines if line[:1] == ["learning_rate"])
    assert rate[2:] == ["75", "%", "0.01", "97.1", "%", "96.0", "to", "98.0", "▁█"]
    assert len(rate[1]) == lessons.BAR
    hidden = next(line for line in lines if line[:1] == ["hidden"])
    assert hidden[2:6] == ["25", "%", "256-128", "90.0"]
    assert len(hidden[1]) == lessons.BAR // 3
    dropout = next(line for line in lines if line[:1] == ["dropout"])
    assert dropout[1:] == ["0", "%", "-", "-"]


def test_too_little_to_learn_from_is_said_in_one_sentence():
    reason = "10 candidates with a score are the fewest to learn from, got 3."
    text = shown(lessons.show, Insight.none(3, None, reason))
    assert text.split("\n")[0].rstrip() == f"  what mattered: {reason}"


SIDE, COUNT = st.integers(1, 8), st.integers(0, 999)


def test_where_all_only_guessed_nothing_mattered_but_the_map_is_shown():
    text = shown(lambda screen, found: lessons.show(screen, found, guessed=True), learned())
    assert "nobody is better than guessing" in text
    assert "75 %" not in text
    assert lessons.COUNTS in text


@st.composite
def charts(draw):
    """Any map, of awkward edges."""
    wide, high = draw(SIDE), draw(SIDE)
    pairs = st.tuples(COUNT, COUNT) | st.just((0, 0))
    table = draw(
        st.lists(st.lists(pairs, min_size=high, max_size=high), min_size=wide, max_size=wide)
    )
    tried = tuple(tuple(max(pair) for pair in row) for row in table)
    lost = tuple(tuple(min(pair) for pair in row) for row in table)
    ends = [tuple(np.geomspace(1.23456e-5, 9.87654e4, 1 + n).tolist()) for n in (wide, high)]
    return Map("learning_rate", "momentum", *ends, tried, lost)


def figure(lost, tried, shares):
    if not tried:
        return "·"
    return f"{100 * lost / tried:.0f}%" if shares else f"{lost}/{tried}"


@given(charts())
@settings(max_examples=60)
def test_every_field_stands_in_its_place_within_eighty_characters(chart):
    text = shown(lessons.broken, chart)
    assert max(map(cell_len, text.splitlines())) <= 80
    if not np.sum(chart.diverged):
        assert text.strip().startswith("none of")
        return
    shares = lessons.SHARES in text
    assert shares or lessons.COUNTS in text
    drawn = [line.split("│")[1].split() for line in text.splitlines() if "│" in line]
    columns = list(zip(chart.diverged, chart.tried, strict=True))
    assert drawn == [
        [figure(lost[y], tried[y], shares) for lost, tried in columns]
        for y in reversed(range(len(chart.tried[0])))
    ]


def test_counts_are_shown_for_as_long_as_they_fit():
    counts = ((99,) * 8,) * 8
    ends = tuple(np.geomspace(0.1, 1, 9).tolist())
    assert lessons.COUNTS in shown(lessons.broken, Map("x", "y", ends, ends, counts, counts))
    more = ((999,) * 8,) * 8
    assert lessons.SHARES in shown(lessons.broken, Map("x", "y", ends, ends, more, more))
    assert lessons.COUNTS in shown(lessons.broken, Map("x", "y", ends, ends, more, more), width=120)


def test_the_rate_grows_to_the_right_and_the_momentum_upwards():
    lines = shown(lessons.broken, divergence_map(TRIED, LOST)).splitlines()
    ruler = [float(word) for word in lines[-3].split()]
    assert ruler == sorted(ruler)
    assert lines[-2].split() == ["learning_rate"]
    lowest = [float(line.split()[0]) for line in lines if "│" in line]
    assert lowest == sorted(lowest, reverse=True)


def test_a_single_axis_is_drawn_as_a_row_for_each_field():
    lines = shown(lessons.broken, divergence_map(TRIED, LOST, y=None)).splitlines()
    fields = [line.split() for line in lines if "/" in line and " to " in line]
    assert [field[3] for field in fields] == ["0/5"] * 4 + ["5/5"] * 4
    assert [len(field) for field in fields] == [4] * 4 + [5] * 4
    assert fields[0][:3] == ["5", "to", "8.9"]


@pytest.mark.parametrize("y", ["momentum", None])
def test_one_and_the_same_value_makes_one_field(y):
    text = shown(lessons.broken, divergence_map(TRIED[:1], [True], y=y))
    assert "1/1" in text


def test_where_nobody_diverged_there_is_no_map():
    text = shown(lessons.broken, divergence_map(TRIED, [False] * 40))
    assert text.strip() == "none of 40 candidates diverged"


def test_one_line_names_the_three_that_mattered_most():
    named = lessons.line({"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05})
    assert named.startswith("a 50 %, b 30 %, c 15 % of")
    assert "d" not in named.split(" of ")[0]


def test_errors_are_told_in_their_units_and_the_least_is_best():
    points = (Point(0.001, -51_000.4, -53_000, -49_000), Point(0.01, -47_912.3, -49_000, -46_000))
    found = learned(effects={"learning_rate": points}, metric=METRICS["rmse"])
    text = shown(lessons.show, found)
    rate = next(line.split() for line in text.splitlines() if "learning_rate" in line)
    assert rate[4:] == ["0.01", "47,912", "46,000", "to", "49,000", "▁█"]
    assert "RMSE" in text
    assert "accuracy" not in text
    assert "less is higher" in " ".join(text.split())
    told = found.to_dict()
    assert told["metric"] == "rmse"
    assert told["effects"]["learning_rate"][1] == {
        "value": 0.01, "mean": 47_912.3, "low": 46_000, "high": 49_000,
    }  # fmt: skip
