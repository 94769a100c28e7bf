"""The small file that says where a run stands between two commits."""

import json
import math
import os

import pytest

import fleetgrad as fg
from fleetgrad import pulse
from fleetgrad.clock import Progress
from fleetgrad.lock import Holder
from runs import no_file_longer_than
from simulated import SOUND
from strangers import NO_JSON_OF_OURS

SAID = Progress("search", 2, 3, 9, 0.9, 40.0, 3.0, None)
HERE = Holder(os.getpid(), "here")


def read(place, writer=HERE):
    return pulse.read(place, writer, (place / "pulse.json").stat().st_mtime + 2)


def test_the_latest_word_is_read_with_its_age(tmp_path):
    heard = []
    with pulse.beating(tmp_path, heard.append) as report:
        report(SAID)
        report(SAID._replace(alive=8))  # too soon to be written, and passed on all the same
        assert read(tmp_path) == (SAID, pytest.approx(2, abs=0.01))
    assert [one.alive for one in heard] == [9, 8]
    assert pulse.read(tmp_path, HERE, 0.0) is None


def test_a_run_without_a_score_has_a_pulse_too(tmp_path):
    with pulse.beating(tmp_path, lambda _: None) as report:
        report(SAID._replace(best=math.nan, left=math.inf, metric="rmse"))
        found = read(tmp_path).progress
    assert math.isnan(found.best)
    assert (found.left, found.metric) == (None, "rmse")


def test_what_a_dead_process_left_counts_for_nothing(tmp_path):
    with pulse.beating(tmp_path, lambda _: None) as report:
        report(SAID)
        assert read(tmp_path, Holder(1, "here")) is None
        with pulse.beating(tmp_path, lambda _: None):
            assert pulse.read(tmp_path, HERE, 0.0) is None


PLAIN = {"pid": os.getpid(), "progress": SAID._asdict()}


@pytest.mark.parametrize(
    "content",
    [
        *NO_JSON_OF_OURS,
        pytest.param(json.dumps({"pid": os.getpid()}), id="no progress"),
        json.dumps(PLAIN | {"progress": {**SAID._asdict(), "metric": "<b>"}}),
        json.dumps(PLAIN | {"progress": {**SAID._asdict(), "alive": math.inf}}),
    ],
)
def test_what_is_no_pulse_is_none(tmp_path, content):
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / "pulse.json").write_bytes(data)
    assert read(tmp_path) is None


def test_a_full_disk_or_a_link_is_no_reason_to_stop(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    heard = []
    with pulse.beating(tmp_path, heard.append) as report:
        (tmp_path / "pulse.json").symlink_to(elsewhere)
        with no_file_longer_than(0):
            report(SAID)
    assert heard == [SAID]
    assert elsewhere.read_text() == "mine"


def test_a_study_has_one_while_it_trains(tmp_path, world):
    place, found = tmp_path / "run", []

    def report(progress):
        found.append((progress, read(place)))

    budget = fg.Budget(candidates=3, epochs=3)
    fg.tune("digits", SOUND, budget, out=place, report=report, page=False)
    progress, said = found[0]
    assert said.progress == progress._replace(growing=None)
    assert not (place / "pulse.json").exists()
