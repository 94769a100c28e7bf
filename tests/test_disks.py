"""A disk that fills, turns read-only, or forgets, in the middle of a whole real study."""

import json
import mmap  # noqa: F401 - NumPy looks for it later, as a user who may not read it everywhere
import shutil
import subprocess
from contextlib import suppress

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad import answers, cli
from fleetgrad.errors import DeviceError, DiskError
from fleetgrad.report import page
from fleetgrad.store import Run
from runs import no_file_longer_than, ordinary_user
from test_recovery import HARM
from whole import KINDS, Told, go

pytestmark = pytest.mark.usefixtures("one_machine", "no_page")


@pytest.fixture(scope="module")
def expected(tmp_path_factory, data):
    """What each kind of study comes to."""
    found = {}

    def of(kind):
        if kind not in found:
            found[kind] = Told.of(go(tmp_path_factory.mktemp("whole") / "run", data, kind))
        return found[kind]

    return of


class Halt(BaseException):
    """The process ends here."""


def stopped(place, data, kind, segments, monkeypatch):
    """A study that came to so many segments, and then its process was gone; whether it was."""
    commit = Run.commit

    def counted(self, *arguments, **named):
        if len(self.segments()) == segments:
            raise Halt
        commit(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "commit", counted)
        try:
            go(place, data, kind)
        except Halt:
            return True
    return False


def networks(place):
    """Files of weights, and not of answers to the test part, which nobody is to ask twice."""
    found = sorted((place / "weights").glob("*"))
    return [path for path in found if path.stem not in answers.SEGMENTS]


def harmed_everywhere(tmp_path, data, expected, faults, monkeypatch, kind, harms, stops):
    for segments in stops:
        for harm in harms:
            place = tmp_path / f"run-{segments}-{harm}"
            alive = stopped(place, data, kind, segments, monkeypatch)
            files = networks(place)
            for file in files:
                HARM[harm](file)
            with faults.against(f"weights of a study: {harm}"):
                result = go(place, data, kind)
                assert Told.of(result) == expected(kind)
                assert len(result.recovered) == len(files)
            if not alive:
                return


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_whose_weights_came_to_harm_ends_like_one_that_was_spared(
    tmp_path, data, expected, faults, monkeypatch, kind
):
    harmed_everywhere(
        tmp_path, data, expected, faults, monkeypatch, kind, ["bits flipped"], [2, 4, 99]
    )
    assert page.write(tmp_path / "run-99-bits flipped").exists()


@pytest.mark.reliability
@pytest.mark.parametrize("kind", KINDS)
def test_a_study_whose_weights_came_to_harm_after_any_segment_ends_like_one_that_was_spared(
    tmp_path, data, expected, faults, monkeypatch, kind
):
    stops = range(1, 99, 3 if kind == "thaw" else 1)  # which has many rounds alike
    harmed_everywhere(tmp_path, data, expected, faults, monkeypatch, kind, HARM, stops)


def test_what_was_trained_again_is_told_on_the_terminal(tmp_path, data, capsys):
    place = tmp_path / "run"
    go(place, data, "halving")
    HARM["cut short"](place / "weights" / "refit.safetensors")
    assert cli.main(["resume", str(place)]) == 0
    line = "damaged weights were trained again, with the same result: refit"
    assert line in capsys.readouterr().out
    assert cli.main(["show", str(place)]) == 0
    assert line in capsys.readouterr().out
    assert cli.main(["show", str(place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recovered"] == ["refit"]


def test_a_saved_model_that_came_to_harm_is_made_anew(tmp_path, data, expected, faults):
    place = tmp_path / "run"
    go(place, data, "halving")
    for name in ("weights.safetensors", "model.json"):
        for harm in HARM.values():
            harm(place / "model" / name)
            with faults.against("a saved model damaged"):
                result = go(place, data, "halving")
                assert Told.of(result) == expected("halving")
                rows = np.zeros((3, 6), np.float32)
                kept = fg.Model.load(place).predict_proba(rows)
                assert np.array_equal(kept, result.model.predict_proba(rows))


def test_the_last_commits_lost_with_the_disks_cache_are_done_again(
    tmp_path, data, expected, faults, monkeypatch
):
    """What SQLite finds broken in its log it leaves out, and all that came after."""
    place, cut = tmp_path / "run", tmp_path / "cut"
    as_begun(4, lambda: shutil.copytree(place, cut), monkeypatch)
    go(place, data, "halving")
    content = (cut / "study.db-wal").read_bytes()
    for share in (0.3, 0.6, 0.9):
        here = shutil.copytree(cut, tmp_path / f"run-{share}")
        at = int(len(content) * share)
        broken = content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
        (here / "study.db-wal").write_bytes(broken)
        with faults.against("the record's log damaged"):
            assert Told.of(go(here, data, "halving")) == expected("halving")


# No room


def fails(place, data, kind):
    """A study on a bad disk says how to go on, and that this is no wrong use."""
    with pytest.raises(DeviceError, match="the run is kept, go on with `fleetgrad resume") as told:
        go(place, data, kind)
    assert "space" in str(told.value) or "permissions" in str(told.value)


def as_begun(segments, act, monkeypatch):
    """Act once, as a study with so many segments is about to commit the next."""
    commit, done = Run.commit, []

    def watched(self, *arguments, **named):
        if not done and len(self.segments()) >= segments:
            done.append(act())
        commit(self, *arguments, **named)

    monkeypatch.setattr(Run, "commit", watched)


def test_a_study_whose_files_may_grow_no_further_goes_on_when_they_may(
    tmp_path, data, expected, faults
):
    expected("generations")  # its programs are compiled, and kept
    failed = 0
    for size in (30_000, 80_000, 120_000):
        place = tmp_path / f"run-{size}"
        with faults.against("disk full (a limit on files)"):
            with suppress(DiskError), no_file_longer_than(size):
                fails(place, data, "generations")
                failed += 1
            assert (failed > 0) == place.exists()  # or not even a record could be begun
            assert Told.of(go(place, data, "generations")) == expected("generations")
    assert failed == 2


@pytest.fixture
def small(tmp_path):
    """A file system with room for a run and its page."""
    place = tmp_path / "small"
    place.mkdir()
    if not run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place):
        pytest.skip("no small file system: mounting one takes root's rights")
    yield place
    assert run("umount", "--lazy", place)  # weights that are no longer asked for may be mapped yet


def run(*command):
    """Whether a command of the system succeeds."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*map(str, command)], capture_output=True, check=False).returncode == 0


def fill(disk):
    """Leave no room at all."""
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def disk_filled(small, data, expected, faults, monkeypatch, kind, segments):
    for number in segments:
        place = small / "run"
        with faults.against("disk full (a small file system)"):
            with monkeypatch.context() as patch:
                as_begun(number, lambda: fill(small), patch)
                fails(place, data, kind)
            (small / "ballast").unlink()
            assert Told.of(go(place, data, kind)) == expected(kind)
        shutil.rmtree(place)


def test_a_study_whose_disk_fills_up_goes_on_when_there_is_room(
    small, data, expected, faults, monkeypatch
):
    disk_filled(small, data, expected, faults, monkeypatch, "halving", [1, 5])


@pytest.mark.reliability
@pytest.mark.parametrize("kind", KINDS)
def test_a_study_whose_disk_fills_up_at_any_commit_goes_on_when_there_is_room(
    small, data, expected, faults, monkeypatch, kind
):
    count = segments_of(kind, small, data)
    disk_filled(small, data, expected, faults, monkeypatch, kind, range(count))


def segments_of(kind, folder, data):
    place = folder / "counted"
    go(place, data, kind)
    with Run.open(place, write=False) as run:
        count = len(run.segments())
    shutil.rmtree(place)
    return count


# No right to write


def locked(place, data, expected, faults, monkeypatch, lock, unlock):
    folders = (place / "weights", place)
    with monkeypatch.context() as patch:
        as_begun(2, lambda: [lock(one) for one in folders], patch)
        fails(place, data, "halving")
    fails(place, data, "halving")  # nor can it go on meanwhile
    for one in reversed(folders):
        unlock(one)
    assert Told.of(go(place, data, "halving")) == expected("halving")


def test_a_study_that_may_write_no_more_goes_on_when_it_may(
    open_path, data, expected, faults, monkeypatch
):
    expected("halving")
    data = shutil.copy(data, open_path)
    open_path.chmod(0o777)
    with ordinary_user(), faults.against("a directory that becomes read-only (permissions)"):
        change = {"lock": lambda one: one.chmod(0o555), "unlock": lambda one: one.chmod(0o755)}
        locked(open_path / "run", data, expected, faults, monkeypatch, **change)


def test_a_study_whose_directory_is_made_immutable_goes_on_when_it_is_not(
    tmp_path, data, expected, faults, monkeypatch
):
    (tmp_path / "tried").mkdir()
    if not run("chattr", "+i", tmp_path / "tried"):
        pytest.skip("no immutable directory: that takes root's rights, and a file system that can")
    run("chattr", "-i", tmp_path / "tried")
    change = {
        "lock": lambda one: run("chattr", "+i", one),
        "unlock": lambda one: run("chattr", "-i", one),
    }
    with faults.against("a directory that becomes read-only (immutable)"):
        locked(tmp_path / "run", data, expected, faults, monkeypatch, **change)


def test_a_study_that_fails_for_its_disk_ends_with_status_1(tmp_path, data, monkeypatch, capsys):
    def fill(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleetgrad.store.write_weights", fill)
    (tmp_path / "space.toml").write_text("hidden = [8]\nlearning_rate = { low = 0.01, high = 0.1 }")
    options = ["--space", str(tmp_path / "space.toml"), "--candidates", "1", "--epochs", "4"]
    options += ["--out", str(tmp_path / "run"), "--json"]
    assert cli.main(["tune", str(data), *options]) == 1
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error["kind"] == "DeviceError"
    assert "No space left on device" in error["message"]
    assert f"go on with `fleetgrad resume {tmp_path / 'run'}`" in said.err
    assert len(said.err.splitlines()) == 1
