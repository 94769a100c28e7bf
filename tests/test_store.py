import errno
import sqlite3

import pytest

from fleetgrad.candidates import Candidates
from fleetgrad.errors import DiskError, RunError
from fleetgrad.settings import Settings
from fleetgrad.store import Run
from runs import CONFIG, TWO, arrays, commit, names, point, same


def test_a_run_opened_again_is_as_it_was_left(place):
    with Run.open(place) as run:
        assert run.config == CONFIG
        assert run.generations() == {0: TWO}
        assert run.segments() == ("search/0",)
        assert run.segment("search/0") == {"step": 0}
        assert run.curves() == [point(0, 0)]
        assert same(run.weights("search/0"), arrays(0))


def test_what_is_not_done_is_none(place):
    with Run.open(place, write=False) as run:
        assert run.segment("search/1") is None
        assert run.test_openings() == []
        assert run.notes() == []


def test_new_weights_take_the_place_of_their_phases_older_ones(place):
    with Run.open(place) as run:
        commit(run, 1)
        run.commit("final/0", payload={}, weights=arrays(7))
        commit(run, 2, weights=None)
        assert names(place / "weights") == ["final-0.safetensors", "search-1.safetensors"]
        assert same(run.weights("search/1"), arrays(1))
        with pytest.raises(RunError, match=r"`search/0` .* use one of: search/1, final/0"):
            run.weights("search/0")


def test_kept_weights_stay(place):
    with Run.open(place) as run:
        commit(run, 1, releases=())
        assert same(run.weights("search/0"), arrays(0))
        assert same(run.weights("search/1"), arrays(1))


def test_a_segment_is_done_once(place):
    with Run.open(place) as run:
        with pytest.raises(RunError, match="`search/0` again; go on after `search/0`"):
            commit(run, 0, weights=arrays(9))
        assert same(run.weights("search/0"), arrays(0))


@pytest.mark.parametrize("name", ["", "Search/0", "search-0", "../x", "search/", "/search", "a b"])
def test_a_segments_name_cannot_leave_the_directory(place, name):
    with Run.open(place) as run, pytest.raises(RunError, match="use one like `search/2`"):
        run.commit(name, payload={})


def test_a_curve_point_recorded_twice_undoes_its_whole_segment(place):
    with Run.open(place) as run:
        with pytest.raises(RunError, match="curves once"):
            commit(run, 1, curves=[point(1, 1), point(0, 0)])
        assert run.segments() == ("search/0",)
        assert run.curves() == [point(0, 0)]
        assert same(run.weights("search/0"), arrays(0))
        assert names(place / "weights") == ["search-0.safetensors"]


def test_a_payload_that_json_does_not_know_leaves_nothing(place):
    with Run.open(place) as run:
        with pytest.raises(TypeError):
            commit(run, 1, payload={"what": object()})
        assert names(place / "weights") == ["search-0.safetensors"]


def test_a_reader_cannot_write(place):
    with Run.open(place, write=False) as run:
        for change in (
            lambda: commit(run, 1),
            lambda: run.note("x", {}),
            lambda: run.renew("search/0", arrays(0), "x", {}),
            lambda: run.open_test("me"),
            lambda: run.put_candidates(1, Candidates.numbered([Settings()], first=9)),
        ):
            with pytest.raises(RunError, match="write=True"):
                change()
    assert names(place / "weights") == ["search-0.safetensors"]


def test_a_reader_whose_weights_were_replaced_meanwhile_is_told_so(place, monkeypatch):
    with Run.open(place) as writer, Run.open(place, write=False) as reader:
        files = reader._files()
        commit(writer, 1)
        answers = iter([files])
        real = reader._files
        monkeypatch.setattr(reader, "_files", lambda: next(answers, None) or real())
        with pytest.raises(RunError, match="later ones take their place"):
            reader.weights("search/0")


def test_damaged_weights_are_named_and_made_anew_with_a_note(place):
    file = place / "weights" / "search-0.safetensors"
    with Run.open(place) as run:
        assert run.damaged() == {}
        commit(run, 1, releases=())
        file.write_bytes(b"")
        found = run.damaged()
        assert list(found) == ["search/0"]
        assert found["search/0"].startswith("0 bytes instead of")
        run.renew("search/0", arrays(7), "recovered", {"segment": "search/0"})
        assert run.damaged() == {}
        assert same(run.weights("search/0"), arrays(7))
        assert same(run.weights("search/1"), arrays(1))
        (note,) = run.notes()
        assert (note.kind, note.payload) == ("recovered", {"segment": "search/0"})
        assert names(place / "weights") == ["search-0.safetensors", "search-1.safetensors"]


def test_weights_that_cannot_be_made_anew_stay_damaged(place, monkeypatch):
    with Run.open(place) as run:
        (place / "weights" / "search-0.safetensors").write_bytes(b"")
        monkeypatch.setattr("fleetgrad.store.write_weights", full)
        with pytest.raises(DiskError, match="space"):
            run.renew("search/0", arrays(0), "recovered", {})
        assert list(run.damaged()) == ["search/0"]
        assert run.notes() == []


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_closed_run_is_our_mistake_and_no_damage(place):
    run = Run.open(place)
    run.close()
    run.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        run.segments()
