import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from fleetgrad.errors import RunError
from fleetgrad.store import Run
from runs import arrays, commit, names, raw, same


def test_weights_of_any_order_and_shape_come_back():
    cases = {
        "fortran": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        "strided": np.arange(10, dtype=np.uint8)[::3],
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(-1, np.int64),
        "key": np.array([1, 2**32 - 1], np.uint32),
    }
    with tempfile.TemporaryDirectory() as folder, Run.create(Path(folder, "run"), {}) as run:
        run.commit("search/0", payload={}, weights=cases)
        assert same(run.weights("search/0"), cases)


def in_memory():
    """Bytes of this process that lie in no file."""
    words = Path("/proc/self/status").read_text("ascii").split()
    return 1024 * int(words[words.index("RssAnon:") + 1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say")
def test_weights_stay_on_the_disk_when_read_and_when_written_again(tmp_path):
    size = 2**26
    with Run.create(tmp_path / "run", {}) as run:
        run.commit("search/0", payload={}, weights={"a": np.ones(size, np.uint8)})
        before = in_memory()
        found = run.weights("search/0")
        run.commit("search/1", payload={}, weights=found)
        assert int(found["a"].sum(dtype=np.int64)) == size
        assert in_memory() - before < size / 4
        assert not found["a"].flags.writeable


def test_weights_are_as_they_were_when_others_have_taken_their_place(place):
    with Run.open(place) as run:
        found = run.weights("search/0")
        commit(run, 1)
        assert names(place / "weights") == ["search-1.safetensors"]
        assert same(found, arrays(0))


def test_a_crafted_record_cannot_name_a_file_elsewhere(place, tmp_path):
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes((place / "weights" / "search-0.safetensors").read_bytes())
    with raw(place) as record:
        record.execute("UPDATE segments SET file = '../../outside.safetensors'")
    with Run.open(place) as run, pytest.raises(RunError, match="must have weights, got none"):
        run.weights("search/0")
    assert outside.exists()


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (flip, "checksum"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes instead of"),
        (lambda path: path.write_bytes(b""), "0 bytes instead of"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "a link or a device"),
        (lambda path: path.rename(path.with_name("x")) and path.symlink_to("x"), "a link"),
    ],
)
def test_damaged_weights_are_refused_and_named(place, damage, found):
    path = place / "weights" / "search-0.safetensors"
    damage(path)
    with Run.open(place) as run, pytest.raises(RunError, match=f"{path}.*{found}.*restore"):
        run.weights("search/0")


def described(kind):
    """A file of one array of this kind, one of whose entries takes a byte."""
    header = f'{{"a":{{"dtype":"{kind}","shape":[92],"data_offsets":[0,92]}}}}'.encode()
    return len(header).to_bytes(8, "little") + header + bytes(92)


@pytest.mark.parametrize("content", [b"\xff" * 100, described("F8_E4M3"), described("F32")])
def test_weights_with_a_right_checksum_and_no_sense_are_refused(place, content):
    path = place / "weights" / "search-0.safetensors"
    path.write_bytes(content)
    from fleetgrad.weights import _checksum

    with raw(place) as record:
        values = (_checksum(path), len(content))
        record.execute("UPDATE segments SET sha256 = ?, size = ?", values)
    with Run.open(place) as run, pytest.raises(RunError, match="must be as they were recorded"):
        run.weights("search/0")


def test_a_writer_sweeps_what_a_crash_left_and_nothing_else(place):
    for name in (
        "search-9.safetensors",
        "search-1.safetensors.tmp",
        ".tmpAbC012",
        "README",
        "My-Own.safetensors",
    ):
        (place / "weights" / name).write_bytes(b"x")
    Run.open(place, write=False).close()
    assert len(names(place / "weights")) == 6
    Run.open(place).close()
    assert names(place / "weights") == ["My-Own.safetensors", "README", "search-0.safetensors"]


def test_weights_that_cannot_be_swept_do_no_harm(place, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "read-only")

    with Run.open(place) as run:
        monkeypatch.setattr("fleetgrad.store.sweep_weights", refuse)
        commit(run, 1)
        assert same(run.weights("search/1"), arrays(1))


def test_who_may_read_the_directory_may_read_the_weights(place):
    (place / "weights").chmod(0o750)
    with Run.open(place) as run:
        commit(run, 1)
    assert (place / "weights" / "search-1.safetensors").stat().st_mode & 0o777 == 0o640
