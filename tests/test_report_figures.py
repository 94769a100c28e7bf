"""Every figure is drawn from plain facts, shows what they say, and is None where there is none."""

import json
import math
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pages
from fleetgrad.audit import Audit
from fleetgrad.finals import Interval
from fleetgrad.report import captions, facts, figures
from fleetgrad.report.figures import classes, costs, curves, numbers, parallel, settings, style
from fleetgrad.report.thinning import evenly
from simulated import SPACE

COUNTS = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), min_size=n, max_size=n)
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The facts of a simulated search in which some diverged."""
    place = tmp_path_factory.mktemp("searched") / "run"
    return facts.gather(pages.simulated(place, 40, space=SPACE))


@pytest.fixture(scope="module")
def answered(digits_run):
    return facts.gather(digits_run)


def named(figure):
    return {trace.name: trace for trace in figure.data}


@pytest.mark.parametrize("kind", figures.KINDS, ids=lambda kind: kind.name)
def test_a_figure_is_plotlys_and_strict_json_or_none(kind, searched, answered):
    for known in (searched, answered):
        made = kind.draw(known)
        assert made is None or isinstance(made, go.Figure)
        if made is not None:
            json.loads(made.to_json(), parse_constant=pytest.fail)
            assert made.layout.paper_bgcolor == made.layout.plot_bgcolor == style.TRANSPARENT


def test_nothing_is_drawn_by_webgl(searched, answered):
    kinds = {
        trace.type
        for known in (searched, answered)
        for kind in figures.KINDS
        for trace in getattr(kind.draw(known), "data", ())
    }
    assert kinds <= {"bar", "heatmap", "scatter"}


def test_curves_show_everybody_and_where_they_stopped(searched):
    found = named(curves.curves(searched))
    stopped = [one for one in searched.candidates if one.status == "stopped"]
    assert len(found["stopped here"].x) == len(stopped)
    assert set(found["stopped here"].x) == {one.epochs for one in stopped}
    winner = found[f"#{searched.winner.id}, winner"]
    assert list(winner.y) == list(searched.winner.curve)
    assert "diverged after this" not in found  # they broke in the first epoch


def test_curves_of_one_that_diverged_later_end_in_a_cross(searched):
    lost = replace(searched.candidates[-1], curve=(0.5, 0.6, None, None))
    known = replace(searched, candidates=(*searched.candidates[:-1], lost))
    cross = named(curves.curves(known))["diverged after this"]
    assert (cross.x, cross.y) == ((2,), (0.6,))


def test_who_leads_is_no_winner_yet(searched):
    assert any("leads" in one for one in named(curves.curves(replace(searched, state="not yet"))))


@given(st.lists(st.integers(), max_size=50), st.integers(1, 20))
def test_a_few_are_taken_evenly_and_in_order(items, most):
    found = list(evenly(items, most))
    assert len(found) == min(len(items), most)
    assert found[:1] == items[:1]
    places = iter(items)
    assert all(one in places for one in found)


@given(
    st.fixed_dictionaries(
        {"low": st.floats(1e-6, 1), "high": st.floats(2, 1e6), "log": st.booleans()}
    ),
    st.floats(0, 1),
)
def test_a_value_lies_within_its_axis_and_larger_ones_higher(span, share):
    own = span["low"] + share * (span["high"] - span["low"])
    place = parallel.place(span, own)
    assert 0 <= place <= parallel.place(span, min(span["high"], own * 1.5)) <= 1


def test_the_best_quarter_is_blue_and_above(searched):
    found = named(parallel.parallel(searched))
    assert found["best quarter"].line.color == style.BLUE
    ends = [
        y for x, y in zip(found["best quarter"].x, found["best quarter"].y, strict=True) if x == 1
    ]
    others = [
        y for x, y in zip(found["last quarter"].x, found["last quarter"].y, strict=True) if x == 1
    ]
    assert min(ends) > max(others)


def test_the_map_marks_those_that_diverged(searched):
    found = named(settings.rates(searched))
    lost = [one for one in searched.candidates if one.status == "diverged"]
    assert sorted(found["diverged"].x) == sorted(one.settings["learning_rate"] for one in lost)
    assert len(found["sound"].x) == len(searched.candidates) - len(lost)
    assert settings.rates(searched).layout.xaxis.type == "log"


def test_the_bars_are_what_was_spent(searched):
    made = costs.cost(searched)
    assert [trace.x[0] for trace in made.data][:-1] == list(searched.cost.spent.values())
    assert made.data[-1].x[0] == searched.cost.alone
    assert 0 < searched.cost.saved < 1


def test_the_audit_is_a_share_within_its_interval(searched):
    assert costs.audit(replace(searched, result=replace(searched.result, audit=None))) is None
    found = Audit(8, 2, Interval(0.07, 0.59), 0.4)
    known = replace(searched, result=replace(searched.result, audit=found))
    point = costs.audit(known).data[0]
    ends = point.x[0] - point.error_x.arrayminus[0], point.x[0] + point.error_x.array[0]
    assert (point.x[0], ends) == (0.25, pytest.approx((0.07, 0.59)))
    assert "2 of 8 audited candidates" in captions.of("audit", known).label


@given(COUNTS)
def test_precision_and_recall_are_those_of_the_counts(counts):
    precision, recall = classes.rates(counts)
    for one, own in enumerate(counts):
        said = sum(row[one] for row in counts)
        assert precision[one] == (own[one] / said if said else None)
        assert recall[one] == (own[one] / sum(own) if sum(own) else None)


def test_the_confusion_matrix_says_its_counts_on_hover(answered):
    right, wrong = classes.confusion(answered).data
    assert [list(row) for row in right.customdata] == [list(r) for r in answered.answers.confusion]
    assert right.x == wrong.y
    for row, own in enumerate(answered.answers.confusion):
        for column, count in enumerate(own):
            shown = (right if row == column else wrong).z[row][column]
            assert shown == (pytest.approx(count / sum(own)) if count else None)


@given(st.lists(st.text("ab", max_size=1), min_size=1, max_size=9))
def test_names_that_look_alike_are_told_apart(names):
    found = classes.distinct(names)
    assert len(found) == len(set(found)) == len(names)
    assert all(one.startswith(own) for one, own in zip(found, names, strict=True))


@given(st.text())
def test_plotly_finds_no_tag_in_a_name(name):
    assert not set(style.escaped(name)) & set("<>")


def test_numbers_lie_by_what_is_true(numbers_run):
    known = facts.gather(numbers_run)
    diagonal, points = numbers.predicted(known).data
    assert list(zip(points.x, points.y, strict=True)) == list(known.answers.points)
    assert diagonal.x == diagonal.y
    rest = numbers.residuals(known).data[0]
    assert all(
        math.isclose(y, said - truth)
        for y, (truth, said) in zip(rest.y, known.answers.points, strict=True)
    )
