"""A result in a notebook: figures by name, and HTML that runs nothing and agrees with the page."""

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import plotly.graph_objects as go
import pytest

import fleetgrad as fg
import pages
from fleetgrad.plots import Plots
from fleetgrad.report import card, figures, sketch, view, words
from fleetgrad.report.view import View
from simulated import SPACE

NAMES = [name for name in vars(Plots) if not name.startswith("_")]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return pages.whole(tmp_path_factory.mktemp("digits") / "run")


@pytest.fixture(scope="module")
def digits(result):
    return result.view


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Of a simulated search too small to learn from, not ended."""
    place = tmp_path_factory.mktemp("searched") / "run"
    return View(pages.simulated(place, 8, space=SPACE, to_the_end=False))


class Tags(HTMLParser):
    def __init__(self, content):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags[-1][0] != "style":
            self.text += data


def test_there_is_a_method_for_every_figure_of_the_page():
    assert [kind.name for kind in figures.KINDS] == NAMES
    assert all(getattr(Plots, name).__doc__ for name in NAMES)
    assert repr(Plots(print)) == f"Plots({', '.join(NAMES)})"


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_plotlys_under_its_title_or_it_is_said_what_it_needs(name, digits):
    kind = next(one for one in figures.KINDS if one.name == name)
    if kind.draw(digits.facts) is not None:
        made = getattr(digits.plot, name)()
        assert isinstance(made, go.Figure)
        assert made.layout.title.text == kind.title
        letters = {one.font.color for one in made.layout.annotations}
        assert (made.layout.plot_bgcolor == view.PAPER) == (view.INK in letters)
    else:
        with pytest.raises(fg.FleetgradError, match=f"the figure `{name}` needs .*; this run has"):
            getattr(digits.plot, name)()


def test_what_a_figure_lacks_is_said(digits, searched):
    with pytest.raises(fg.FleetgradError, match="needs numbers to predict; this run has: curves"):
        digits.plot.predicted()
    with pytest.raises(fg.FleetgradError, match="answers of .*The test part is still sealed"):
        searched.plot.confusion()
    with pytest.raises(fg.FleetgradError, match="needs images .There is no model yet"):
        searched.plot.layer()
    with pytest.raises(fg.FleetgradError, match="needs enough candidates .*the fewest"):
        searched.plot.importances()


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_first_words_say_who_answered(digits, metric):
    facts, winner = digits.facts, digits.facts.winner.id
    alone = replace(facts.result, metric=metric)
    for members, who in (
        ((), "It "),
        ((winner, 90), "Together with 1 other it "),
        ((90, 91), "An ensemble of 2 others "),
    ):
        found = replace(alone, ensemble=dict.fromkeys(members, 0.5))
        assert f". {who}" in words.lead(replace(facts, result=found))


def test_the_card_says_what_the_page_says(digits):
    found = Tags(digits.html())
    text = " ".join(found.text.split())
    assert words.lead(digits.facts) in text
    for tile in words.tiles(digits.facts):
        assert tile.figure in text
    assert f"#{digits.facts.winner.id}" in text
    assert sum(tag == "tr" for tag, _ in found.tags) == card.SHOWN + 1 + len(
        card.bars(digits.facts)
    )


def test_the_card_runs_nothing_and_asks_nobody(digits):
    content = digits.html()
    tags = Tags(content).tags
    assert not {tag for tag, _ in tags} & {"script", "iframe", "link", "object", "form"}
    names = {name for _, attributes in tags for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"href"}
    sources = [attributes["src"] for _, attributes in tags if "src" in attributes]
    (drawing,) = [one.removeprefix("data:image/svg+xml;base64,") for one in sources]
    assert b64decode(drawing).startswith(b'<svg xmlns="http://www.w3.org/2000/svg" ')
    assert "http" not in content
    assert "url(" not in content


def test_what_comes_from_data_is_escaped(digits):
    known = digits.facts
    dataset = {**known.result.dataset, "name": "</style><script>x"}
    strange = replace(known.result, dataset=dataset, run=Path("a <b>run"))
    content = card.render(replace(known, result=strange))
    assert "<script>" not in content
    assert "&lt;/style&gt;&lt;script&gt;x" in content
    assert "<b>run" not in content


def test_curves_are_drawn_within_the_frame_and_who_diverged_has_a_cross(searched):
    drawing = sketch.drawn(searched.facts)
    root = ET.fromstring(drawing)
    lines = [one for one in root if one.tag.endswith("}polyline")]
    assert len(lines) == sum(any(one.curve) for one in searched.facts.candidates)
    for line in lines:
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= sketch.WIDTH
            assert 0 <= y <= sketch.HEIGHT
    best = max(value for one in searched.facts.candidates for value in one.curve if value)
    assert root[0].text == f"{100 * best:.2f} %"  # and no accuracy above 100 %
    named = [name for name, _ in sketch.legend(searched.facts)]
    assert named[0] == f"#{searched.facts.winner.id}"


@pytest.mark.parametrize("make", [pages.begun, None])
def test_a_run_that_has_not_come_far_is_shown_as_it_is(make, tmp_path):
    place = tmp_path / "run"
    if make is None:
        pages.simulated(place, 6, space=pages.hopeless())
    else:
        make(place)
    content = View(place).html()
    assert "image/svg" not in content
    assert re.search("No candidate has come through|diverged, so there is no winner", content)
    with pytest.raises(fg.FleetgradError, match="needs a candidate with a score"):
        View(place).plot.curves()


def test_a_run_that_is_gone_is_text_alone_and_its_figures_say_so(tmp_path):
    gone = View(tmp_path / "gone")
    assert gone.html() is None
    with pytest.raises(fg.FleetgradError, match="gone"):
        gone.plot.curves()


def test_a_result_of_tune_shows_itself_and_its_figures(result):
    assert "data:image/svg+xml;base64," in result._repr_html_()
    assert isinstance(result.plot.curves(), go.Figure)
    assert repr(result).startswith("Result('<i>digits</i>': 16 candidates, test accuracy ")
    assert repr(result.leaderboard) == "Leaderboard(16 candidates by accuracy)"
