"""Progress below a notebook's cell, without a notebook: a stand-in takes what would be shown."""

import re
import sys
from types import SimpleNamespace

import pytest

from fleetgrad.clock import Progress
from fleetgrad.display import live, notebooks

HERE = Progress("search", 2, 3, 9, 0.98, 40.0, 3.0, 27.0)


class ZMQInteractiveShell:
    """What IPython has in a notebook."""


class Handle:
    def __init__(self, shown):
        self._shown = shown

    def update(self, bundle, *, raw):
        assert raw
        self._shown[-1].append(bundle)


@pytest.fixture
def cell(monkeypatch):
    """The outputs of a notebook's cell, each with all its states."""
    outputs = []

    def display(bundle, *, raw, display_id):
        assert raw
        assert display_id
        outputs.append([bundle])
        return Handle(outputs)

    shell = SimpleNamespace(get_ipython=ZMQInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    return outputs


def test_a_notebook_shows_progress_unasked_in_one_output(cell, capsys):
    with live.asked(None, "tune <b>digits", progress=None) as report:
        report(HERE)
        report(HERE._replace(left=None))
    ((first, second, third, last),) = cell
    assert notebooks.BEGINNING in first["text/plain"]
    assert second["text/plain"].startswith("tune <b>digits · search, rung 2 of 3 · 9 alive")
    assert "width:10.0%" in second["text/html"]
    assert "width:" not in third["text/html"].replace("width:12em", "")
    assert re.fullmatch(r"tune <b>digits · done after .* s", last["text/plain"])
    assert all("&lt;b&gt;digits" in one["text/html"] for one in (first, second, third, last))
    assert capsys.readouterr() == ("", "")


def test_what_was_stopped_says_so(cell):
    with pytest.raises(KeyboardInterrupt), live.asked(None, "tune", progress=None):
        raise KeyboardInterrupt
    assert "stopped after" in cell[0][-1]["text/plain"]


def test_who_listens_himself_or_wants_nothing_gets_nothing(cell):
    with live.asked(print, "tune", progress=None) as report:
        assert report is print
    with live.asked(None, "tune", progress=False) as report:
        report(HERE)
    assert cell == []


def test_elsewhere_only_who_asks_is_shown_progress(capsys):
    with live.asked(None, "tune", progress=None) as report:
        report(HERE)
    assert capsys.readouterr() == ("", "")
    with live.asked(None, "tune", progress=True) as report:
        report(HERE)
    assert capsys.readouterr().err.startswith("search, rung 2 of 3 · 9 alive")


def test_a_terminal_with_ipython_is_no_notebook(monkeypatch):
    shell = SimpleNamespace(get_ipython=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not notebooks.here()
