import json
import os

import pytest

from fleetgrad.errors import RunError
from fleetgrad.store import Run
from runs import CONFIG, arrays, commit, names, ordinary_user, same


def test_a_directory_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"can be written.*choose another directory"):
        Run.create(tmp_path / "file" / "run", {})
    with pytest.raises(RunError, match="can be written"):
        Run.create(tmp_path / "file", {})


def test_a_directory_that_cannot_be_written_is_refused_and_left_alone(open_path):
    with ordinary_user(), pytest.raises(RunError, match="Permission denied"):
        Run.create(open_path / "run", {})
    with ordinary_user(), pytest.raises(RunError, match="Permission denied"):
        Run.create(open_path, {})
    assert names(open_path) == []


def test_a_run_on_a_read_only_disk_can_be_read_and_not_written(open_path):
    with Run.create(open_path / "run", CONFIG) as run:
        commit(run, 0)
    for path in [open_path / "run", *(open_path / "run").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with ordinary_user():
        with Run.open(open_path / "run", write=False) as run:
            assert run.segments() == ("search/0",)
            assert same(run.weights("search/0"), arrays(0))
        with pytest.raises(RunError, match="Permission denied"):
            Run.open(open_path / "run")


def test_no_run_is_no_run(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RunError, match=r"no `config.json` there; give the directory"):
            Run.open(path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name": "another program"}',
        b'{"format": "another program", "config": {}}',
        b'{"format": "fleetgrad run"}',
        b'{"format": "fleetgrad run", "config": 3}',
        b'{"format": "fleetgrad run", "config": {"x": NaN}}',
        b'{"format": "fleetgrad run", "config": {"x": {"$float": "1"}}}',
        b'{"format": "fleetgrad run", "config": {"x": {"$float": []}}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_configuration_not_ours_is_refused(place, content, write):
    (place / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"config.json` must be .* restore it from a copy"):
        Run.open(place, write=write)


def test_the_configuration_is_for_people_too(place):
    text = (place / "config.json").read_text()
    assert json.loads(text)["config"] == CONFIG
    assert len(text.splitlines()) > 5


def test_a_directory_with_somebodys_weights_is_refused(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "precious.safetensors").write_bytes(b"mine")
    with pytest.raises(RunError, match="must hold no run yet"):
        Run.create(tmp_path, {})
    assert names(tmp_path) == ["weights", "weights/precious.safetensors"]


@pytest.mark.parametrize("entry", ["config.json", "lock", "study.db", "study.db-wal", "weights"])
def test_a_link_in_a_strangers_run_is_never_followed(place, tmp_path, entry):
    victim = tmp_path / "victim"
    if (place / entry).exists():
        (place / entry).rename(victim)
    (place / entry).symlink_to(victim)
    before = names(tmp_path)
    for write in (True, False):
        with pytest.raises(RunError, match=f"`{entry}` that is no"):
            Run.open(place, write=write)
    assert names(tmp_path) == before


def test_a_pipe_in_a_strangers_run_does_not_hang(place):
    (place / "config.json").unlink()
    os.mkfifo(place / "config.json")
    with pytest.raises(RunError, match="that is no file"):
        Run.open(place)
