"""Settings as text: the first whole, the others by what differs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import proposals
from fleetgrad.candidates import Candidates
from fleetgrad.errors import RunError
from fleetgrad.payload import encode
from fleetgrad.settings import NAMES, Settings
from fleetgrad.store import Run
from runs import raw
from spaces import SETTINGS

EVOLVED = Settings(learning_rate=0.1).then(4, {"learning_rate": 0.02})


@given(st.lists(SETTINGS | st.just(EVOLVED), max_size=6))
def test_settings_come_back_as_they_were(settings):
    assert list(proposals.read(proposals.written(settings))) == settings


@given(st.lists(SETTINGS | st.just(EVOLVED), max_size=6))
def test_settings_that_were_all_written_whole_come_back_too(settings):
    assert list(proposals.read(encode(one.to_dict()) for one in settings)) == settings


def test_the_first_says_everything_and_the_others_what_differs():
    first, other, same = proposals.written([Settings(), Settings(dropout=0.5), Settings()])
    assert json.loads(first).keys() == set(NAMES)
    assert json.loads(other) == {"differs": {"dropout": 0.5}}
    assert json.loads(same) == {"differs": {}}


TWO = Candidates.numbered([Settings(), Settings(dropout=0.5)])


def test_a_proposal_that_an_earlier_version_wrote_whole_is_the_same(tmp_path):
    with Run.create(tmp_path / "run", {}) as run:
        run.put_candidates(0, TWO)
    with raw(tmp_path / "run") as record:
        for one, settings in TWO:
            text = encode(settings.to_dict())
            record.execute("UPDATE candidates SET settings = ? WHERE id = ?", (text, one))
        record.execute("PRAGMA user_version = 1")
    with Run.open(tmp_path / "run", write=False) as run:
        assert run.generations() == {0: TWO}
    with Run.open(tmp_path / "run") as run:
        run.put_candidates(0, TWO)
        assert run.generations() == {0: TWO}


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "[]",
        '"differs"',
        '{"differs": 1}',
        '{"differs": {"dropout": 2}}',
        '{"differs": {"x": 1}}',
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_a_text_that_is_none_is_a_damaged_record(tmp_path, text, position):
    with Run.create(tmp_path / "run", {}) as run:
        run.put_candidates(0, TWO)
    with raw(tmp_path / "run") as record:
        record.execute("UPDATE candidates SET settings = ? WHERE id = ?", (text, position))
    with Run.open(tmp_path / "run") as run, pytest.raises(RunError, match="must be the record"):
        run.generations()
