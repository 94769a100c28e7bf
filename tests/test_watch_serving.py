"""The server answers this machine's own browser, and changes nothing for anybody without the token.

Asked by the standard library's client, which sends what it is told to.
"""

import http.client
import json
import os
import re
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import pages
from fleetgrad.errors import UsageError
from fleetgrad.lock import Holder
from fleetgrad.store import Run
from fleetgrad.watch import serving, site, stopping
from fleetgrad.watch.follower import Follower


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = pages.simulated(
        tmp_path_factory.mktemp("served") / "run", 3, dataset={**pages.DATASET, "name": "<b>x"}
    )
    (place / "report.html").write_text("<h1>the report</h1><script>1</script>")
    return place


@pytest.fixture(scope="module")
def address(run):
    with serving.serving(Follower(lambda: run, "x"), 0) as found:
        yield found


@pytest.fixture
def stopped(monkeypatch):
    """Those that were told to stop; nobody is."""
    told = []

    def stop(path):
        told.append(path)
        return Holder(1, "here")

    monkeypatch.setattr(stopping, "stop", stop)
    return told


def asked(address, method, path, **headers):
    """The answer's status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    given = {"Host": f"127.0.0.1:{address.port}"} | headers
    for name, value in given.items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def own(address):
    """What the page itself sends with a request to stop."""
    origin = f"http://127.0.0.1:{address.port}"
    return {"Origin": origin, "X_Fleetgrad_Token": address.token}


@pytest.mark.parametrize("path", [*site.ADDRESSES, "/state", "/report", "/nothing", "/stop"])
def test_every_answer_keeps_to_itself(address, path):
    status, headers, _ = asked(address, "GET", path)
    known = {"/nothing": 404, "/stop": 405}
    assert status == known.get(path, 200)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_the_page_names_no_address_but_its_own():
    for path in site.ADDRESSES:
        content = site.file(path).content.decode()
        assert "http" not in content
        assert not re.search(r"(src|href|url\()=?[\"'(]*//", content)


@pytest.mark.parametrize(
    "host", ["evil.example:8787", "127.0.0.1.evil.example", "[::1]", "0.0.0.0:8787", "", None]
)
@pytest.mark.parametrize("path", ["/", "/state", "/events", "/stop"])
def test_a_name_that_was_bent_to_this_machine_gets_nothing(address, stopped, host, path):
    method = "POST" if path == "/stop" else "GET"
    status, _, body = asked(address, method, path, **{**own(address), "Host": host})
    assert status in {400, 421}
    assert b"digits" not in body
    assert not stopped


def test_a_forwarded_port_is_answered(address):
    assert asked(address, "GET", "/state", Host="localhost:9000")[0] == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"X_Fleetgrad_Token": None},
        {"X_Fleetgrad_Token": ""},
        {"X_Fleetgrad_Token": "wrong"},
        {"X_Fleetgrad_Token": "\xe9"},
    ],
)
def test_a_stranger_stops_nothing(address, stopped, changes):
    assert asked(address, "POST", "/stop", **{**own(address), **changes})[0] == 403
    assert not stopped


def test_the_page_itself_stops_the_study(address, stopped, run):
    status, _, body = asked(address, "POST", "/stop", **own(address))
    assert (status, json.loads(body)) == (200, {"stopping": "process 1 on here"})
    assert stopped == [run]


def test_why_nothing_was_stopped_is_said(address):
    status, _, body = asked(address, "POST", "/stop", **own(address))
    assert status == 409
    assert "nobody is at" in json.loads(body)["error"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "GET"])
def test_nothing_but_a_post_changes_anything(address, stopped, run, method):
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir() if path.is_file()}
    for path in ("/", "/state", "/stop", "/report"):
        asked(address, method, path, **own(address))
    assert not stopped
    kept = {path.name: path.stat().st_mtime_ns for path in run.iterdir() if path.is_file()}
    assert {name: kept[name] for name in before} == before


@pytest.mark.parametrize(
    "path",
    [
        "/../config.json",
        "/report/../config.json",
        "/%2e%2e/config.json",
        "/report%2f..%2fconfig.json",
        "/page/watch.html",
        "//etc/passwd",
        "/study.db",
        "http://127.0.0.1/config.json",
    ],
)
def test_no_path_leads_out(address, path):
    status, _, body = asked(address, "GET", path)
    assert status == 404
    assert len(body) < 100


def test_a_report_is_kept_apart_from_the_page(address, run, tmp_path):
    status, headers, body = asked(address, "GET", "/report")
    assert (status, body) == (200, (run / "report.html").read_bytes())
    assert headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "none"])
def test_what_is_no_file_is_no_report(tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    report = pages.begun(tmp_path / "run") / "report.html"
    {
        "link": lambda: report.symlink_to(secret),
        "folder": report.mkdir,
        "pipe": lambda: os.mkfifo(report),
        "none": lambda: None,
    }[kind]()
    with serving.serving(Follower(lambda: report.parent, "x"), 0) as address:
        status, _, body = asked(address, "GET", "/report")
    assert (status, b"secret" in body) == (404, False)


def test_names_are_sent_as_json_and_never_as_html(address):
    _, headers, body = asked(address, "GET", "/state")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["record"]["name"] == "<b>x"
    assert b"<b>x" not in asked(address, "GET", "/")[2]


@contextmanager
def listening(address):
    """The events of one listener, as they come: kinds and contents."""
    with closing(http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)) as connection:
        connection.request("GET", "/events")
        with connection.getresponse() as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            yield events(answer)


def events(answer):
    kind = ""
    for line in answer:
        name, _, content = line.decode().strip().partition(": ")
        if name == "event":
            kind = content
        elif name == "data":
            yield kind, json.loads(content)


def test_events_tell_what_changes_and_the_end(tmp_path):
    place = pages.begun(tmp_path / "run")
    with (
        serving.serving(Follower(lambda: place, "x"), 0) as address,
        listening(address) as told,
    ):
        assert [next(told)[0], next(told)[0]] == ["record", "now"]
        with Run.open(place) as run:
            run.commit("end", payload={"elapsed": 12.0, "compile_s": 1.0})
        assert any(content.get("state") == "done" for _, content in told)


def test_pages_hear_of_the_end_of_their_server(tmp_path):
    place, heard = pages.begun(tmp_path / "run"), threading.Event()
    kinds = []

    def listen(address):
        with listening(address) as told:
            for kind, _ in told:
                kinds.append(kind)
                heard.set()

    with serving.serving(Follower(lambda: place, "x"), 0) as address:
        listener = threading.Thread(target=listen, args=(address,))
        listener.start()
        assert heard.wait(60)
    listener.join(60)
    assert kinds == ["record", "now", "end"]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel lists no sockets here")
def test_only_this_machine_is_listened_to(address):
    with Path("/proc/net/tcp").open(encoding="ascii") as table:
        rows = [line.split() for line in table if line.split()[3] == "0A"]  # those that listen
    places = {row[1] for row in rows if int(row[1].partition(":")[2], 16) == address.port}
    assert places == {f"0100007F:{address.port:04X}"}


def test_a_port_that_is_taken_is_refused_where_it_was_asked_for(address, run):
    follower = Follower(lambda: run, "x")
    with (
        pytest.raises(UsageError, match=f"got {address.port}"),
        serving.serving(follower, address.port),
    ):
        pass
    with pytest.raises(UsageError, match="from 0 to 65535"), serving.serving(follower, 70_000):
        pass


def test_where_the_usual_port_is_taken_a_free_one_is_found(address, run, monkeypatch):
    monkeypatch.setattr(serving, "PORT", address.port)
    with serving.serving(Follower(lambda: run, "x")) as found:
        assert found.port != address.port
        assert found.token != address.token
        assert (
            asked(found, "POST", "/stop", **{**own(found), "X_Fleetgrad_Token": address.token})[0]
            == 403
        )


def test_the_token_is_in_the_part_of_the_address_that_no_server_is_sent(address):
    parts = urlsplit(address.url)
    assert (parts.hostname, parts.port, parts.fragment) == (
        "127.0.0.1",
        address.port,
        address.token,
    )
    assert not parts.query
    assert len(address.token) > 16


@pytest.mark.parametrize(
    ("where", "screen", "opened"),
    [
        ({"DISPLAY": ":0"}, True, True),
        ({}, True, False),
        ({"DISPLAY": ":0"}, False, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1"}, True, False),
    ],
)
def test_a_browser_opens_only_where_somebody_sits(monkeypatch, address, where, screen, opened):
    seen = threading.Event()
    monkeypatch.setattr("webbrowser.open", lambda url: seen.set())
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.stderr.isatty", lambda: screen)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    assert serving.opened(address.url) is opened
    assert seen.wait(30 if opened else 0) is opened


def test_a_run_that_has_not_begun_cannot_be_stopped():
    with serving.serving(Follower(lambda: None, "x"), 0) as address:
        status, _, body = asked(address, "POST", "/stop", **own(address))
    assert status == 409
    assert "must have begun" in json.loads(body)["error"]
