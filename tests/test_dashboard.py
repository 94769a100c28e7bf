"""A run as an Optuna study, and the dashboard on it, which no other machine or page can reach."""

import http.client
import io
import json
import threading
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
import pytest

import pages
import test_display as screens
from fleetgrad import cli, history
from fleetgrad.candidates import Candidates
from fleetgrad.dashboard import export, server, study
from fleetgrad.errors import UsageError
from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space
from fleetgrad.store import Run
from fleetgrad.watch import serving
from simulated import SPACE

COMPLETE, PRUNED, FAIL = (optuna.trial.TrialState[name] for name in ("COMPLETE", "PRUNED", "FAIL"))
MANY = Space(
    hidden=Choice((8,), (16, 8)),
    learning_rate=Float(1e-3, 3.0, log=True),
    optimizer=Choice("adam", "momentum"),
    momentum=Float(0.5, 0.99, when={"optimizer": "momentum"}),
    batch_size=Int(16, 64, log=True),
)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A run with finalists, and some that diverged."""
    return pages.whole(tmp_path_factory.mktemp("finished") / "run").run


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """The record of a search in which some diverged; nobody was repeated yet."""
    return pages.recorded(tmp_path_factory.mktemp("searched") / "run", 30, space=MANY)


def known(place):
    with Run.open(place, write=False) as run:
        return history.result(run), history.curves(run)


@pytest.mark.parametrize("finished", [True, False])
def test_the_study_has_the_same_best_trial_and_as_many_of_each_kind(
    finished, finished_run, unfinished
):
    place = finished_run if finished else unfinished
    made, (result, _) = study(place), known(place)
    rows = result.leaderboard.rows
    assert made.direction is optuna.study.StudyDirection.MAXIMIZE
    assert made.best_trial.user_attrs["candidate"] == rows[0].id
    assert made.best_value == (rows[0].mean if finished else rows[0].score)
    states = [trial.state for trial in made.trials]
    assert states.count(FAIL) == result.diverged
    repeated = sum(row.status == "finalist" for row in rows)
    furthest = sum(row.epochs == rows[0].epochs for row in rows)
    assert states.count(COMPLETE) == (repeated if finished else furthest)
    assert len(states) == len(rows)
    assert [one.user_attrs["candidate"] for one in made.trials if one.user_attrs["winner"]] == [
        rows[0].id
    ]


def test_a_trial_has_what_a_candidate_has(finished_run):
    made, (result, curves) = study(finished_run), known(finished_run)
    for trial in made.trials:
        row = result.leaderboard[trial.user_attrs["candidate"]]
        assert trial.params["learning_rate"] == row.settings.learning_rate
        assert list(trial.intermediate_values.values()) == curves.get(row.id, [])
        assert trial.user_attrs["repeats"] == row.replicates
        assert trial.user_attrs["tied with the winner"] == row.tied
        low = trial.user_attrs.get("95 % interval, low")
        assert low == (row.interval.low if row.interval else None)


def test_names_that_do_not_matter_are_left_out_and_ranges_are_the_spaces(unfinished):
    made = study(unfinished)
    for trial in made.trials:
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "momentum")
    spans = {name: span for trial in made.trials for name, span in trial.distributions.items()}
    assert spans["learning_rate"] == optuna.distributions.FloatDistribution(1e-3, 3.0, log=True)
    assert spans["batch_size"] == optuna.distributions.IntDistribution(16, 64, log=True)
    assert spans["hidden"] == optuna.distributions.CategoricalDistribution(("8", "16-8"))


def test_who_diverged_has_failed_without_a_value(unfinished):
    failed = [trial for trial in study(unfinished).trials if trial.state is FAIL]
    assert failed
    for trial in failed:
        assert trial.value is None
        assert trial.user_attrs["diverged at step"] == 7


def test_errors_are_minimized_in_their_own_sign():
    rows = [Row(n, Settings(), "stopped", 3, -2.0 - n) for n in range(3)]
    board = Leaderboard(rows, "rmse")
    found = screens.result((), leaderboard=board, metric="rmse", settings=Settings())
    made = export.of(found, {0: [-4.0, -2.0]})
    assert made.direction is optuna.study.StudyDirection.MINIMIZE
    assert [trial.value for trial in made.trials] == [2.0, 3.0, 4.0]
    assert made.trials[0].intermediate_values == {1: 4.0, 2: 2.0}


def test_a_run_that_has_hardly_begun_is_an_empty_study(tmp_path):
    assert study(pages.begun(tmp_path / "run")).trials == []


def test_values_that_an_earlier_run_brought_from_outside_widen_the_range(tmp_path):
    place = pages.recorded(tmp_path / "run", 6, space=SPACE)
    with Run.open(place) as run:
        run.put_candidates(6, Candidates((6,), (Settings(learning_rate=20.0),)))
        stood = {"candidate": 6, "epochs": 9, "score": 0.99, "best_epoch": 9, "diverged_step": None}
        done = {"rung": [stood], "survivors": [], "until": 9, "cut": True}
        run.commit("search/0_9", payload=done | {"network_epochs": 1, "elapsed": 9.0})
    found = export.study(place)
    assert found.best_params["learning_rate"] == 20.0
    assert found.trials[0].distributions["learning_rate"].high == 20.0


# The dashboard


PORT = 8123


def asked(app, path, method="GET", body=b"", **headers):
    """The status, and what came back."""
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_HOST": f"127.0.0.1:{PORT}"}
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ |= {"CONTENT_TYPE": "application/json", "HTTP_ACCEPT_ENCODING": "", **headers}
    setup_testing_defaults(environ)
    said = []
    content = app(environ, lambda status, *_: said.append(int(status.split()[0])))
    told = b"".join(content)
    getattr(content, "close", list)()  # as a server does
    return said[0], told


@pytest.fixture(scope="module")
def app(finished_run):
    return server.guarded(server.application(finished_run), PORT)


def test_the_dashboard_shows_the_study_with_our_importances_and_note(app, finished_run):
    status, listed = asked(app, "/api/studies")
    (one,) = json.loads(listed)["study_summaries"]
    assert (status, one["study_name"]) == (200, "run")
    path = f"/api/studies/{one['study_id']}"
    detail = json.loads(asked(app, path, QUERY_STRING="after=0")[1])
    result, _ = known(finished_run)
    assert len(detail["trials"]) == result.candidates
    assert detail["objective_names"] == ["accuracy"]
    assert {one["id"] for one in detail["plotly_graph_objects"]} == set(server.FIGURES)
    assert server.NOTE in detail["note"]["body"]
    (shares,) = json.loads(asked(app, f"{path}/param_importances")[1])["param_importances"]
    assert {one["name"]: one["importance"] for one in shares} == dict(result.importances)
    assert asked(app, "/dashboard")[0] == 200


def test_whatever_is_done_in_the_dashboard_the_run_stays_as_it_is(finished_run):
    def content():
        files = sorted(path for path in finished_run.rglob("*") if path.is_file())
        return [(path, path.read_bytes()) for path in files if path.name != "lock"]

    before = content()
    other = optuna_dashboard.wsgi(study(finished_run)._storage)
    listed = json.loads(asked(other, "/api/studies")[1])["study_summaries"]
    path = f"/api/studies/{listed[0]['study_id']}"
    note = json.dumps({"body": "mine", "version": 1}).encode()
    assert asked(other, f"{path}/note", "PUT", note)[0] == 204
    name = json.dumps({"study_name": "mine"}).encode()
    status, renamed = asked(other, f"{path}/rename", "POST", name)
    assert status == 201
    path = f"/api/studies/{json.loads(renamed)['study_id']}"
    assert asked(other, path, "DELETE", b"{}")[0] == 204
    assert json.loads(asked(other, "/api/studies")[1])["study_summaries"] == []
    assert content() == before


@pytest.mark.parametrize(
    "strange",
    [
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": f"evil.example:{PORT}"},
        {"HTTP_HOST": "127.0.0.1:1"},
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
    ],
)
def test_another_hosts_name_and_another_pages_script_are_refused(app, strange):
    assert asked(app, "/api/studies", **strange)[0] == 403
    assert asked(app, "/api/studies", HTTP_ORIGIN=f"http://localhost:{PORT}")[0] == 200


def test_it_listens_to_this_machine_alone_and_answers(app):
    with server.listening(app, 0) as listening:
        host, port = listening.server_address
        assert host == "127.0.0.1"
        answering = threading.Thread(target=listening.handle_request)
        answering.start()
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status == 403  # the application is guarded for its port
        connection.close()
        answering.join()
        with pytest.raises(UsageError, match="--port"):
            server.listening(app, port)
    with pytest.raises(UsageError, match="--port"):
        server.listening(app, 99_999)


# The command


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was sent to; whoever serves is interrupted at once."""

    def interrupt(_):
        raise KeyboardInterrupt

    addresses = []
    monkeypatch.setattr(serving, "opened", addresses.append)
    monkeypatch.setattr(server.WSGIServer, "serve_forever", interrupt)
    monkeypatch.setattr(server, "application", lambda run: [run])
    return addresses


def test_the_command_opens_a_browser_and_ends_in_order(opened, finished_run, capsys):
    assert cli.main(["dashboard", str(finished_run)]) == 0
    assert capsys.readouterr().out == f"{opened[0]} (Ctrl-C ends it)\n"
    assert opened[0].startswith("http://127.0.0.1:")
    assert cli.main(["dashboard", str(finished_run), "--no-browser"]) == 0
    assert "http://127.0.0.1:" in capsys.readouterr().out
    assert cli.main(["dashboard", str(finished_run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"].startswith("http://127.0.0.1:")
    assert len(opened) == 1


def test_without_the_extra_it_says_how_to_get_it(monkeypatch, finished_run, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert cli.main(["dashboard", str(finished_run)]) == 2
    assert "`pip install 'fleetgrad[dashboard]'`" in capsys.readouterr().err


def test_no_run_is_wrong_use(tmp_path, capsys):
    assert cli.main(["dashboard", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
