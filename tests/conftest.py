"""What all tests share: where the real data lies, and how Hypothesis searches."""

import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

import fleetgrad
from faults import Faults, Tally
from fleetgrad.machine import Machine
from fleetgrad.report import after
from fleetgrad.store import Run
from once import sharing_programs
from runs import CONFIG, TWO, commit
from simulated import World
from whole import write_data

# No deadline: the first example of many a property compiles a program. The same examples every
# time, so that a change is judged by the change, and few of them; the long tests draw new ones.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("long", deadline=None, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shell's job in the background starts with Ctrl-C ignored, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


TALLY = Tally()


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        TALLY.add(report.user_properties)


def pytest_terminal_summary(terminalreporter):
    lines = TALLY.lines()
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def faults(request):
    """Counts the misfortunes of a test, for the table at the end of the session."""
    return Faults(request.node.user_properties)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real MNIST and the peers' tables; tests that need it skip without it."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("FLEETGRAD_SHARED", beside)) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is missing (FLEETGRAD_SHARED names another place)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def compiled_once():
    """Whatever machines there are, each program is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "_compile", sharing_programs())
        yield


@pytest.fixture(scope="module")
def one_machine():
    """The same machine for all runs of a module, so that each program is compiled once."""
    machine = Machine.here()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "here", lambda: machine)
        yield


@pytest.fixture
def no_page(monkeypatch):
    """Runs end without their page, which takes half of a small study's time."""
    monkeypatch.setattr(after, "explain", lambda run: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Where the rows of the whole studies (`whole.py`) lie."""
    return write_data(tmp_path_factory.mktemp("data") / "clouds.npz")


@pytest.fixture
def place(tmp_path):
    """Where a run with one segment lies, closed."""
    with Run.create(tmp_path / "run", CONFIG) as run:
        run.put_candidates(0, TWO)
        commit(run, 0)
    return tmp_path / "run"


@pytest.fixture
def table(tmp_path):
    """Writes a table, from text or bytes, and says where it lies."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def open_path():
    """A temporary directory that every user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def world(monkeypatch):
    """A world for `fleetgrad.tune` in which nothing is trained, and time is the simulation's."""
    world = World()
    monkeypatch.setattr("fleetgrad.api.Fleet", lambda *_, **__: world)
    monkeypatch.setattr(
        "fleetgrad.api.Clock", lambda seconds, elapsed=0.0: world.clock(seconds, elapsed)
    )
    return world


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Has a run made by whichever worker needs it first; nobody may change it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name, make):
        folder = shared / f"made-{name}"
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                make(folder / "run")
                (folder / "done").touch()
        return folder / "run"

    return made


@pytest.fixture(scope="session")
def digits_run(made_once):
    """A finished run over digits whose classes have strange names, and its page."""
    import pages  # here, as Plotly and pandas take their time

    data = pages.images(name="<i>digits</i>")
    return made_once("digits", lambda out: fleetgrad.tune(data, pages.DIGITS, pages.FEW, out=out))


@pytest.fixture(scope="session")
def table_run(made_once):
    """A finished run over a table of which two columns matter."""
    import pages

    data = pages.people()
    return made_once("table", lambda out: fleetgrad.tune(data, pages.SMALL, pages.FEW, out=out))


@pytest.fixture(scope="session")
def numbers_run(made_once):
    """A finished run over numbers."""
    import pages

    data = pages.numbers()
    return made_once("numbers", lambda out: fleetgrad.tune(data, pages.SMALL, pages.FEW, out=out))


@pytest.fixture(scope="session")
def untested_run(made_once):
    """A finished run over digits of which none are sealed off."""
    import pages

    data = pages.images(names=None, name="digits", test_fraction=0)
    return made_once("untested", lambda out: fleetgrad.tune(data, pages.DIGITS, pages.FEW, out=out))


@pytest.fixture(scope="session")
def many_run(tmp_path_factory):
    """The record of a search of 5,000 candidates, and its page."""
    import pages
    from fleetgrad.report import page

    place = pages.recorded(tmp_path_factory.mktemp("many") / "run", 5000)
    page.write(place)
    return place
