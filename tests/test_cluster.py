"""The same study on a cluster: real worker processes, which are killed, stopped and added to."""

import itertools
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad import cli
from fleetgrad.errors import DeviceError, UsageError
from fleetgrad.fleet import Fleet
from fleetgrad.machine import Machine
from fleetgrad.store import Run
from fleetgrad.trainees import Member

distributed = pytest.importorskip("distributed", reason="no cluster: Dask distributed is missing")

from fleetgrad.cluster import chunks, crew, joining, local  # noqa: E402 - not without it
from fleetgrad.cluster.fleet import ClusterFleet  # noqa: E402 - nor this
from fleetgrad.cluster.population import ClusterPopulation  # noqa: E402 - nor this

pytestmark = pytest.mark.usefixtures("no_page")
BASE = {"hidden": (12,), "batch_size": 50, "precision": "float32"}
SPACE = fg.Space(**BASE, learning_rate=fg.Float(1e-3, 5.0, log=True), dropout=fg.Choice(0.0, 0.2))
FEW = fg.Budget(candidates=9, epochs=6)


@pytest.fixture(scope="module")
def digits():
    data = fg.load("digits")
    return fg.Dataset.from_arrays(data.x[:500], data.y[:500], name="few")


@pytest.fixture(scope="module")
def client():
    """A worker of two lanes in this process, to which nothing happens."""
    with distributed.Client(
        processes=False,
        n_workers=1,
        threads_per_worker=2,
        dashboard_address="127.0.0.1:0",
        set_as_default=False,
        memory_limit=0,
    ) as client:
        yield client


@pytest.fixture
def two_lanes(monkeypatch):
    """A machine as many networks wide as the cluster."""
    machine = Machine.here()
    machine.lanes = machine.lanes[:1] * 2
    monkeypatch.setattr(Machine, "here", lambda: machine)


def same(found, expected):
    """Whether two studies came to the same, but for how sums are rounded."""
    assert found.settings == expected.settings
    assert found.leaderboard.to_json() == expected.leaderboard.to_json()
    assert found.validation == expected.validation
    assert found.test == expected.test
    assert found.network_epochs == pytest.approx(expected.network_epochs)
    for one, other in zip(found.model.params, expected.model.params, strict=True):
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5)
    return True


@pytest.fixture(scope="module")
def expected(digits, tmp_path_factory):
    """What one machine comes to."""
    return fg.tune(digits, SPACE, FEW, out=tmp_path_factory.mktemp("alone") / "run")


def test_a_cluster_comes_to_what_one_machine_comes_to(client, digits, expected, tmp_path):
    found = fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=client)
    assert same(found, expected)
    assert found.compile_s > 0
    with Run.open(tmp_path / "run", write=False) as run:
        assert "cluster" not in json.dumps(run.config)


def test_no_worker_sees_a_test_row(digits):
    class Listening:
        lanes, on_cards = {"a": 1}, False

        def station(self, site):
            self.site = site

    listening = Listening()
    ClusterFleet(digits, 0, listening)
    sent = listening.site._data
    assert sent.test.rows == 0
    assert digits.test.rows > 0
    assert np.array_equal(sent.x, digits.x)


def test_so_it_does_by_rounds_and_with_an_ensemble_and_its_student(
    client, digits, two_lanes, tmp_path
):
    budget = fg.Budget(network_epochs=60, epochs=6)
    alone, together = (
        fg.tune(digits, SPACE, budget, out=tmp_path / name, distill=True, cluster=where)
        for name, where in (("alone", None), ("together", client))
    )
    assert same(together, alone)
    assert together.ensemble == pytest.approx(alone.ensemble)
    assert together.distilled.kept == alone.distilled.kept


def members(fleet, count, epochs=6):
    settings = [
        fg.Settings(**BASE, epochs=epochs, learning_rate=0.01 * (n + 1)) for n in range(count)
    ]
    return fleet.populate({Member(n, 0): one for n, one in enumerate(settings)})


def test_what_an_epoch_takes_is_measured_by_a_worker(client, digits):
    with joining.joined(client) as workers:
        fleet = ClusterFleet(digits, 0, workers)
        (seconds,) = fleet.epoch_seconds([fg.Settings(**BASE)])
        assert seconds == fleet.epoch_cost(fg.Settings(**BASE)) > 0
        assert fleet.lanes == 2
        assert fleet.compile_seconds > 0


def test_who_arrives_early_is_sent_ahead_and_asked_for_later(client, digits, monkeypatch):
    monkeypatch.setattr(chunks, "SLICE_SECONDS", 1e-6)  # an epoch at a time
    alone = members(Fleet(digits, 0), 2, epochs=30)
    alone.advance(3)
    with joining.joined(client) as workers:
        fleet = ClusterFleet(digits, 0, workers)
        found = members(fleet, 2, epochs=30)
        early, late = found.members
        found.advance({early: 2, late: 30})
        assert len(found.curve(early)) == 2, "nobody has asked for more"
        before = found.network_epochs
        assert before == pytest.approx(32)
        leads = {*fleet._shared.leads}
        assert {settings.learning_rate for settings, _ in leads} == {0.01}
        assert found.advance({early: 3})
        assert found.network_epochs == pytest.approx(before + 1)
        assert not fleet._shared.leads
        np.testing.assert_allclose(found.curve(early), alone.curve(early), rtol=1e-4, atol=1e-5)


def test_nobody_reaches_a_cluster_of_ones_own_without_its_key(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("OpenSSL is missing, which makes the key")
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    with local.scheduler(tmp_path) as cluster:
        parts = urlsplit(cluster.scheduler_address)
        assert (parts.scheme, parts.hostname) == ("tls", "127.0.0.1")
        with (
            socket.create_connection((parts.hostname, parts.port), 10) as plain,
            stranger.wrap_socket(plain) as secured,
            pytest.raises(OSError, match="certificate required"),
        ):
            secured.recv(1)
    assert (tmp_path / local.KEY).stat().st_mode & 0o077 == 0


def test_a_stop_leaves_whole_epochs_to_go_on_from_here_or_there(client, digits, monkeypatch):
    monkeypatch.setattr(chunks, "SLICE_SECONDS", 1e-6)  # an epoch at a time
    alone = members(Fleet(digits, 0), 4)
    alone.advance(6)
    with joining.joined(client) as workers:
        fleet = ClusterFleet(digits, 0, workers)
        first = members(fleet, 4)
        assert not first.advance(6, lambda: first.network_epochs < 9)
        assert 9 <= first.network_epochs < 24
        arrays = first.state()
        there, here = members(fleet, 4), members(Fleet(digits, 0), 4)
        for population in (there, here):
            population.restore(arrays)
            assert population.advance(6)
            for member in alone.members:
                np.testing.assert_allclose(
                    population.curve(member), alone.curve(member), rtol=1e-4, atol=1e-5
                )


# Misfortunes


class Workers:
    """A scheduler and workers that come and go, each a process."""

    def __init__(self, count, place):
        self.place, file = place, place / "scheduler.json"
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
        command += ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.scheduler = subprocess.Popen(command, **quiet)
        while not file.exists() or not file.read_text().endswith("}"):
            assert self.scheduler.poll() is None
            time.sleep(0.02)
        self.address = json.loads(file.read_text())["address"]
        self.processes = []
        for _ in range(count):
            self.add()
        if count:
            with distributed.Client(self.address, set_as_default=False) as client:
                client.wait_for_workers(count)

    def add(self):
        self.processes.append(local.started(self.address, self.place))

    def signal(self, number, process=0):
        os.kill(self.processes[process].pid, number)

    def close(self):
        local.ended([*self.processes, self.scheduler])


@pytest.fixture
def workers(tmp_path):
    """Two workers that something will happen to."""
    found = Workers(2, tmp_path)
    yield found
    found.close()


@pytest.fixture
def at(monkeypatch):
    """Has something happen when so many chunks have come back, each an epoch of one network."""
    monkeypatch.setattr(chunks, "SLICE_SECONDS", 1e-6)
    land, landed = ClusterPopulation.land, itertools.count()

    def plan(acts):
        def landing(self, *chunk):
            acts.pop(next(landed), lambda: None)()
            return land(self, *chunk)

        monkeypatch.setattr(ClusterPopulation, "land", landing)

    return plan


def test_workers_that_die_and_hang_and_join_change_nothing(
    workers, digits, expected, tmp_path, monkeypatch, at
):
    def hang():
        monkeypatch.setattr(crew, "SILENT_SECONDS", 8.0)  # importing JAX is silent for long, too
        workers.signal(signal.SIGSTOP, 1)

    acts = {3: lambda: workers.signal(signal.SIGKILL, 0), 5: workers.add, 30: hang}
    at(acts)
    found = fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=workers.address)
    assert not acts, "all of it has happened"
    assert same(found, expected)


@pytest.mark.reliability
@pytest.mark.parametrize("moment", range(0, 60, 5))
def test_a_worker_killed_at_any_moment_changes_nothing(
    workers, digits, expected, tmp_path, at, moment
):
    at({moment: lambda: workers.signal(signal.SIGKILL), moment + 2: workers.add})
    found = fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=workers.address)
    assert workers.processes[0].wait(10) == -signal.SIGKILL
    assert same(found, expected)


@pytest.mark.reliability
def test_a_cluster_that_all_have_left_ends_in_words(workers, digits, tmp_path, monkeypatch, at):
    monkeypatch.setattr(crew, "DESERTED_SECONDS", 1.0)

    def leave():
        for process in range(2):
            workers.signal(signal.SIGKILL, process)

    at({1: leave})
    with pytest.raises(DeviceError, match="must keep some workers, got none"):
        fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=workers.address)


def test_a_result_that_died_with_its_worker_is_not_waited_for_in_vain(workers, monkeypatch):
    monkeypatch.setattr(crew, "DESERTED_SECONDS", 1.0)
    monkeypatch.setattr(crew, "LOOK_SECONDS", 0.1)
    with joining.joined(workers.address) as there:
        large = there.submit(bytes, 1 << 20)
        while not large.done():
            time.sleep(0.01)
        for process in range(2):
            workers.signal(signal.SIGKILL, process)
        with pytest.raises(DeviceError, match="must keep some workers, got none"):
            there.gather([large])


@pytest.mark.reliability
def test_a_worker_that_joins_has_work_at_once(workers, digits, monkeypatch):
    monkeypatch.setattr(chunks, "SLICE_SECONDS", 1e-6)
    with joining.joined(workers.address) as there:
        before = {*there.lanes}
        fleet = ClusterFleet(digits, 0, there)
        population = members(fleet, 6, epochs=10_000)
        workers.add()
        assert not population.advance(10_000, lambda: len(fleet.compiled) < 3)
        assert {*fleet.compiled} > before


def test_a_scheduler_that_is_lost_leaves_a_run_that_goes_on(
    workers, digits, expected, tmp_path, at
):
    at({30: workers.scheduler.kill})
    with pytest.raises(DeviceError, match="go on with `fleetgrad resume"):
        fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=workers.address)
    for worker in workers.processes:
        worker.wait(120)  # nobody has to end them
    assert same(fg.resume(tmp_path / "run", digits), expected)


def test_a_run_goes_on_wherever_it_is_taken_up(client, digits, expected, tmp_path):
    def interrupt(progress):
        if (progress.phase, progress.rung) == ("search", 2):
            raise KeyboardInterrupt

    for name, first, then in (("a", None, client), ("b", client, None)):
        place = tmp_path / name
        begun = fg.tune(digits, SPACE, FEW, out=place, cluster=first, report=interrupt)
        assert begun.interrupted
        assert begun.model is not None
        assert same(fg.resume(place, digits, cluster=then), expected)


# Wrong use


@pytest.mark.parametrize("where", ["somewhere", "local:0", "local:", "host:8786", 4, "tcp://"])
def test_what_is_no_cluster_is_refused(digits, tmp_path, where):
    with pytest.raises(UsageError, match="a cluster must be the address"):
        fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=where)
    assert not (tmp_path / "run").exists()


def test_a_scheduler_that_does_not_answer_is_named(capsys):
    status = cli.main(
        ["tune", "digits", "--candidates", "3", "--epochs", "1", "--cluster", "tcp://127.0.0.1:9"]
    )
    assert status == 2
    assert "got no answer from `tcp://127.0.0.1:9`" in capsys.readouterr().err.replace("\n", " ")


def test_a_cluster_without_workers_is_refused(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "CONNECT_SECONDS", 0.2)
    empty = Workers(0, tmp_path)
    with pytest.raises(UsageError, match="must have workers"):
        fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=empty.address)
    empty.close()


def test_workers_of_other_versions_are_named(client, digits, tmp_path, monkeypatch):
    class Older(crew.Crew):
        def __init__(self, client):
            super().__init__(client)
            self.versions = self.versions | {"jax": "0.1"}

    monkeypatch.setattr(joining, "Crew", Older)
    theirs = crew.versions()["jax"]
    with pytest.raises(UsageError, match=rf"jax 0.1,.*got others: .*://.* has jax {theirs};"):
        fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster=client)


def test_without_dask_the_extra_is_named(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'fleetgrad\[cluster\]'"):
        fg.tune(digits, SPACE, FEW, out=tmp_path / "run", cluster="local:2")


def test_the_command_line_trains_on_workers_of_its_own(tmp_path, capsys):
    words = ["tune", "digits", "--candidates", "3", "--epochs", "1", "--space"]
    space = "hidden = [16]\nlearning_rate = { low = 1e-3, high = 1e-1, log = true }\n"
    (tmp_path / "space.toml").write_text(space + "precision = 'float32'\n")
    words += [str(tmp_path / "space.toml"), "--out", str(tmp_path / "run"), "--quiet", "--json"]
    assert cli.main([*words, "--cluster", "local:2"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["candidates"] == 3
    assert printed.err == ""
