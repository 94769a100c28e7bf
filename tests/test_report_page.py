"""The page of any run opens, is right, escapes everything, and says what it leaves out."""

import json
import re
from functools import cache
from html.parser import HTMLParser

import pytest

import fleetgrad as fg
import pages
from fleetgrad import cli
from fleetgrad.report import after, facts, figures, page
from simulated import SOUND, SPACE

MOST = 8_000_000
PLANTED = ("<b>null", "</script><script>alert", "<!--", "<i>digits", "<b>cook", "<job>")


class Words(HTMLParser):
    """The text that a reader sees."""

    def __init__(self):
        super().__init__()
        self.text, self.tags = "", []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags[-1:] and self.tags[-1][0] not in {"script", "style"}:
            self.text += data


def read(place):
    return (place / "report.html").read_text(encoding="utf-8")


@cache
def known(place):
    return facts.gather(place)


def made(place):
    return page.render(facts.gather(place))


def parsed(content):
    found = Words()
    found.feed(content)
    return found


def drawn(content):
    return set(re.findall(r'id="plot-(\w+)"', content))


def test_a_finished_run_has_left_its_page(digits_run, table_run, numbers_run):
    for place in (digits_run, table_run, numbers_run):
        assert 4_000_000 < (place / "report.html").stat().st_size < MOST
    assert read(digits_run) == made(digits_run)


def test_nothing_is_asked_of_anybody(digits_run):
    """No address stands where a browser would follow it by itself, and none would be let."""
    content = read(digits_run)
    for _, attributes in parsed(content).tags:
        for name in ("src", "href", "action", "srcset", "data"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:"))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', content)[1]
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy


def test_images_of_classes_show_all_that_belongs_to_them(digits_run):
    content = read(digits_run)
    assert drawn(content) >= {"curves", "cost", "rates", "parallel", "importances", "effects"}
    assert drawn(content) >= {"confusion", "classes", "reliability", "layer"}
    assert not drawn(content) & {"predicted", "residuals", "columns"}
    assert 'id="canvas"' in content


@pytest.mark.parametrize("run", ["digits_run", "table_run"])
def test_names_that_hold_html_are_shown_and_never_obeyed(run, request):
    content = read(request.getfixturevalue(run))
    bare = re.sub(r"<script>.*?</script>", "", content, flags=re.DOTALL)
    assert not [one for one in PLANTED if one in bare]
    for held in pages.islands(content).values():
        assert not re.search("[<>&\u2028\u2029]", held)
        json.loads(held, parse_constant=pytest.fail)


def test_the_names_are_read_as_they_are(digits_run):
    content = read(digits_run)
    assert parsed(content).text.count("<i>digits</i>") >= 1
    classes = json.loads(pages.islands(content)["data-network"])["classes"]
    assert classes == sorted(pages.STRANGE)


def test_the_confusion_matrix_counts_every_test_row(digits_run):
    found = known(digits_run)
    counts = found.answers.confusion
    right = sum(own[place] for place, own in enumerate(counts))
    assert sum(map(sum, counts)) == found.result.test.n
    assert right / found.result.test.n == pytest.approx(found.result.test.value)


def test_a_table_tells_which_columns_matter(table_run):
    content = read(table_run)
    assert "columns" in drawn(content)
    assert "canvas" not in re.sub(r"<(script|style)>.*?</\1>", "", content, flags=re.DOTALL)
    assert "The rows are not images." in content
    columns = known(table_run).answers.columns
    assert {one.name for one in columns[:2]} == {"age", "<job>"}


def test_numbers_are_drawn_against_what_is_true(numbers_run):
    content = read(numbers_run)
    assert drawn(content) >= {"predicted", "residuals"}
    assert not drawn(content) & {"confusion", "classes", "reliability"}
    assert "Largest errors" in content


def test_without_a_test_part_validation_rows_are_shown_and_said_to_be_so(untested_run):
    content, found = read(untested_run), known(untested_run)
    assert found.answers.part == "validation"
    assert "no test part" in content
    assert "which had not learned from them" in content
    assert "confusion" in drawn(content)


def test_where_all_diverged_the_page_says_so(tmp_path):
    content = made(pages.simulated(tmp_path / "run", 12, space=pages.hopeless()))
    assert "All of 12 networks diverged" in parsed(content).text
    assert "Failed: every candidate diverged." in content
    assert drawn(content) == {"cost", "rates"}
    assert "resume" not in parsed(content).text


def test_one_candidate_is_a_run_too(tmp_path):
    content = made(pages.simulated(tmp_path / "run", 1))
    assert "One network was tried, #0" in content
    assert drawn(content) == {"curves", "cost"}
    assert "10 candidates with a score are the fewest" in content


def test_nobody_yet_is_a_page_too(tmp_path):
    content = made(pages.begun(tmp_path / "run"))
    assert "No candidate has come through a rung yet." in content
    assert not drawn(content)


def test_an_unfinished_run_tells_what_it_knows(tmp_path):
    content = made(pages.simulated(tmp_path / "run", 12, to_the_end=False))
    assert "Not finished: opening the test part; nobody is at it." in content
    assert "The test part is still sealed" in content
    assert "There is no model yet." in content
    assert f"fleetgrad resume {tmp_path}" in content


def test_five_thousand_candidates_are_thinned_and_all_are_listed(many_run):
    content = read(many_run)
    assert len(content) < MOST
    held = pages.islands(content)
    assert len(json.loads(held["data-board"])["rows"]) == 5000
    curves = json.loads(held["data-curves"])["data"]
    assert sum(len(one["x"]) for one in curves) < 20_000
    assert "400 are drawn" in content
    assert len(re.findall("<tr", content)) < 200


def test_what_would_make_the_page_too_large_is_left_out(digits_run, monkeypatch):
    whole = known(digits_run)
    monkeypatch.setattr(page, "MOST_CELLS", 30)
    assert "Of 12 candidates the best 3 are listed." in page.render(whole)
    assert len(page.board(whole)["rows"]) == 3
    monkeypatch.setattr(page, "MOST_BYTES", 5_000_000 - 200_000)
    content = page.render(whole)
    assert "There is no room for the network" in content
    assert 'id="canvas"' not in content


def test_a_directory_that_refuses_is_said_to(tmp_path):
    place = pages.begun(tmp_path / "run")
    (place / "report.html").mkdir()
    with pytest.raises(fg.FleetgradError, match="must be a directory that can be written"):
        page.write(place)


def test_the_same_run_gives_the_same_page(tmp_path):
    place = pages.simulated(tmp_path / "run", 12)
    assert made(place) == made(place)


def test_answers_that_cannot_be_read_are_left_out(digits_run, tmp_path):
    import shutil

    place = shutil.copytree(digits_run, tmp_path / "run")
    weights = place / "weights" / "test.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    content = made(place)
    assert "cannot be read" in content
    assert "confusion" not in drawn(content)
    (place / "model" / "model.json").write_text("{}")
    assert "The model cannot be read" in made(place)


def without_ink(_):
    raise ValueError("ink ran out.")


def test_a_page_that_fails_is_a_warning_and_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "render", without_ink)
    with pytest.warns(UserWarning, match=r"the run is whole.*ink ran out\); try again with `flee"):
        assert after.explain(pages.simulated(tmp_path / "run", 3)) is None


@pytest.mark.filterwarnings("default")
def test_the_command_line_tells_of_it_in_one_line(tmp_path, monkeypatch, world, capsys):
    monkeypatch.setattr(page, "render", without_ink)
    (tmp_path / "space.toml").write_text("learning_rate = { low = 1e-3, high = 0.1, log = true }")
    options = ["--candidates", "3", "--epochs", "2", "--space", str(tmp_path / "space.toml")]
    assert cli.main(["tune", "digits", *options, "--out", str(tmp_path / "run"), "-q"]) == 0
    told = capsys.readouterr().err.strip()
    assert told.startswith("Warning: the run is whole, but its page could not be written (Value")
    assert "\n" not in told


def test_a_stopped_run_waits_for_no_page(tmp_path, world):
    def stop(_):
        raise KeyboardInterrupt

    data = fg.load("digits")
    budget = fg.Budget(candidates=9, epochs=9)
    result = fg.tune(data, SOUND, budget, out=tmp_path / "run", report=stop)
    assert result.interrupted
    assert not (tmp_path / "run" / "report.html").exists()


def test_the_command_writes_the_page_and_says_where(tmp_path, capsys):
    place = pages.simulated(tmp_path / "run", 3, space=SPACE)
    assert cli.main(["report", str(place), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "report": str(place / "report.html"),
        "bytes": (place / "report.html").stat().st_size,
    }
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "must be a run's directory" in capsys.readouterr().err


def test_every_figure_has_its_words(digits_run, table_run, numbers_run):
    """All figures are drawn by one of these runs, each with a label, and most with numbers."""
    shown = {}
    for place in (digits_run, table_run, numbers_run):
        for section in page.sections(known(place)):
            shown |= {one.name: one for one in section.figures}
    assert set(shown) >= {kind.name for kind in figures.KINDS} - {"audit"}
    assert all(one.caption.text and one.caption.label for one in shown.values())
    assert all(
        len(row) == len(one.caption.head) for one in shown.values() for row in one.caption.rows
    )
