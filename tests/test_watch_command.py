"""`fleetgrad watch`, and `--watch`: an address, a page, and the command as it is without one."""

import json
import signal
import subprocess
import threading
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

import pages
from fleetgrad import cli
from fleetgrad.cli import live_page
from fleetgrad.store import Run
from fleetgrad.watch import serving
from test_cli import command, spoken
from test_watch_serving import listening


@pytest.fixture
def stays(monkeypatch):
    """What is done while the page is there; then somebody presses Ctrl-C."""

    def until(act):
        def stay():
            act()
            raise KeyboardInterrupt

        monkeypatch.setattr(live_page, "_stay", stay)

    until(lambda: None)
    return until


def test_a_command_of_its_own_serves_until_it_is_told_to_end(tmp_path):
    place = pages.simulated(tmp_path / "run", 3)
    options = ["watch", place, "--json", "--port", 0]
    with subprocess.Popen(command(*options), stdout=subprocess.PIPE, text=True) as process:
        answer = json.loads(process.stdout.readline())
        with urlopen(f"http://127.0.0.1:{answer['port']}/state") as state:
            assert json.load(state)["record"]["candidates"] == 3
        process.send_signal(signal.SIGTERM)
        assert (process.stdout.read(), process.wait(60)) == ("", 0)
    assert answer["run"] == str(place)
    assert answer["url"] == f"http://127.0.0.1:{answer['port']}/#{answer['token']}"


def test_the_address_is_the_answer_and_the_page_opens_if_that_is_wanted(
    tmp_path, capsys, monkeypatch, stays
):
    place, opened = pages.begun(tmp_path / "run"), []
    monkeypatch.setattr(serving, "opened", opened.append)
    status, out, err = spoken(capsys, "watch", place, "--port", 0)
    assert (status, err) == (0, "")
    assert out == f"{opened[0]}\n"
    assert spoken(capsys, "watch", place, "--port", 0, "--no-browser")[0] == 0
    assert len(opened) == 1


def test_a_run_that_is_about_to_begin_is_waited_for(tmp_path, capsys, monkeypatch, stays):
    place = tmp_path / "run"
    monkeypatch.setattr(live_page.time, "sleep", lambda _: pages.begun(place))
    status, out, err = spoken(capsys, "watch", place, "--port", 0, "--json")
    assert status == 0
    assert json.loads(out)["run"] == str(place)
    assert "Waiting for a run to begin" in err


def test_who_waits_in_vain_is_told_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(live_page, "PATIENCE", 0.2)
    status, out, err = spoken(capsys, "watch", tmp_path / "run")
    assert (status, out) == (2, "")
    assert "must be a run's directory" in err


def test_another_folder_is_refused_at_once(tmp_path, capsys, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(live_page.time, "sleep", lambda _: pytest.fail("it waits"))
    status, _, err = spoken(capsys, "watch", tmp_path)
    assert status == 2
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1


class Listener:
    """What a page hears of a command that has just offered its address."""

    def __init__(self):
        self.told, self.handlers, self.address = [], (), None
        self._ready = threading.Event()

    def __call__(self, url):
        parts = urlsplit(url)
        self.address = serving.Address(parts.port, parts.fragment)
        self.handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        assert self._ready.wait(60)

    def _listen(self):
        with listening(self.address) as events:
            for event in events:
                self.told.append(event)
                self._ready.set()

    def end(self):
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.told


@pytest.fixture
def listener(monkeypatch):
    found = Listener()
    monkeypatch.setattr(serving, "opened", found)
    return found


OPTIONS = ("--candidates", 3, "--epochs", 1, "--watch", "--json")


def test_a_page_beside_a_study_sees_its_end_and_disturbs_nothing(tmp_path, world, capsys, listener):
    place = tmp_path / "run"
    status, out, err = spoken(capsys, "tune", "digits", *OPTIONS, "--out", place)
    told = listener.end()
    assert status == 0
    assert json.loads(out)["run"] == str(place)
    assert f"Watch it at {listener.address.url}" in err
    assert {one.__module__ for one in listener.handlers} == {"fleetgrad.cli.interrupts"}
    states = [content["state"] for kind, content in told if kind == "now"]
    assert (states[0], states[-1]) == ("waiting", "done")
    records = [content for kind, content in told if kind == "record"]
    assert records[-1]["run"] == str(place)
    assert told[-1][0] == "end"


def test_a_page_beside_a_study_need_not_be_opened(tmp_path, world, capsys, listener):
    options = (*OPTIONS, "--no-browser", "--out", tmp_path / "run")
    status, _, err = spoken(capsys, "tune", "digits", *options)
    assert status == 0
    assert "Watch it at http://127.0.0.1:" in err
    assert listener.address is None


def test_a_study_with_a_page_is_stopped_as_one_without(
    tmp_path, world, capsys, listener, monkeypatch
):
    place = tmp_path / "run"

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fleetgrad.model.Model.save", interrupt)
        status, out, err = spoken(capsys, "tune", "digits", *OPTIONS, "--out", place)
    assert status == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"
    assert f"fleetgrad resume {place}" in err
    told = listener.end()
    assert [content["state"] for kind, content in told if kind == "now"][-1] == "stopped"
    status, out, _ = spoken(capsys, "resume", place, "--watch", "--json")
    assert status == 0
    assert not json.loads(out)["interrupted"]
    told = listener.end()
    assert [content["state"] for kind, content in told if kind == "now"][-1] == "done"


def test_a_page_without_a_study_ends_with_the_mistake(tmp_path, capsys, listener):
    status, out, err = spoken(capsys, "tune", "digts", "--watch")
    assert (status, out) == (2, "")
    assert "did you mean `digits`?" in err
    assert listener.end()[-1][0] == "end"
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://127.0.0.1:{listener.address.port}/state")
    assert cli.main(["watch", "--help"]) == 0


def test_the_page_reads_and_the_study_alone_writes(tmp_path, stays, capsys, monkeypatch):
    place = pages.simulated(tmp_path / "run", 3, to_the_end=False)
    before = sorted(path.name for path in place.rglob("*"))

    def look():
        with Run.open(place) as run:
            run.commit("end", payload={"elapsed": 12.0, "compile_s": 1.0})

    stays(look)
    assert spoken(capsys, "watch", place, "--port", 0, "--no-browser")[0] == 0
    after = sorted(path.name for path in place.rglob("*") if "study.db-" not in path.name)
    assert [name for name in before if "study.db-" not in name] == after
