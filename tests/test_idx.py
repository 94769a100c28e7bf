"""IDX files: what is written is read, and what is broken is refused before it costs anything."""

import gzip
import struct
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import idx, packing
from fleetgrad.errors import DataError
from strategies import IDX_TYPES, idx_arrays

UINT8 = 0x08


def header(code, *shape):
    return bytes((0, 0, code, len(shape))) + struct.pack(f">{len(shape)}I", *shape)


@pytest.fixture
def file(tmp_path):
    def write(content, name="x-idx"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refused(path, *words):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        idx.read(path)
    assert time.process_time() - began < 1
    message = str(caught.value)
    for word in (str(path), "must", "got", *words):
        assert word in message
    return message


@given(idx_arrays(), st.sampled_from(["x", "x.gz"]))
def test_what_is_written_is_read_bit_for_bit(array, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        idx.write(path, array)
        read = idx.read(path)
        assert [child.name for child in Path(folder).iterdir()] == [name]
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.shape == array.shape
    assert read.tobytes() == array.astype(read.dtype).tobytes()


@pytest.mark.parametrize(("code", "name"), [*zip(idx.TYPES, IDX_TYPES, strict=True)])
def test_each_type_has_its_code_and_is_stored_big_endian(tmp_path, code, name):
    array = np.arange(6).reshape(2, 3).astype(name)
    idx.write(tmp_path / "x", array)
    content = (tmp_path / "x").read_bytes()
    assert content == header(code, 2, 3) + array.astype(idx.TYPES[code]).tobytes()


def test_many_dimensions_are_read_up_to_what_numpy_holds(file):
    array = idx.read(file(header(UINT8, *[1] * 64) + b"\7"))
    assert array.shape == (1,) * 64
    refused(file(header(UINT8, *[1] * 255) + b"\7"), "64 dimensions", "255")


def test_packing_is_told_by_the_bytes_not_by_the_name(file):
    content = header(UINT8, 3) + b"abc"
    assert idx.read(file(content, "plain.gz")).tolist() == [97, 98, 99]
    assert idx.read(file(gzip.compress(content), "packed")).tolist() == [97, 98, 99]


def test_the_same_array_packs_to_the_same_bytes(tmp_path):
    for name in ("a.gz", "b.gz"):
        idx.write(tmp_path / name, np.arange(100, dtype=np.int16))
        time.sleep(0.01)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_arrays_read_may_be_written_to(tmp_path):
    for name in ("x", "x.gz"):
        idx.write(tmp_path / name, np.zeros((2, 2), np.uint8))
        idx.read(tmp_path / name)[0, 0] = 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("missing", [1, 5, 11, 12, 16, 18])
def test_a_truncated_file_is_refused(file, pack, missing):
    whole = header(UINT8, 2, 2, 3) + bytes(12)
    message = refused(file(pack(whole[:-missing])))
    assert "truncated" in message or "header" in message


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_oversized_file_is_refused(file, pack):
    refused(file(pack(header(UINT8, 3) + b"abcd")), "oversized", "3 bytes")


@pytest.mark.parametrize(
    "magic", [b"\0\0\x0a\1", b"\0\0\x08\0", b"\1\0\x08\1", b"\0\1\x08\1", b"PK\3\4", b"\0\0", b"\0"]
)
def test_a_wrong_magic_is_refused(file, magic):
    refused(file(magic + bytes(20) if len(magic) == 4 else magic), "IDX file", "check")


def test_an_empty_file_is_refused(file):
    refused(file(b""), "empty")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "none", "No such file")
    refused(tmp_path, "directory")


def test_a_broken_gzip_stream_is_refused(file):
    whole = gzip.compress(header(UINT8, 5000) + np.random.default_rng(0).bytes(5000))
    refused(file(whole[:-9]), "gzip", "fetch it again")
    refused(file(whole[:-5] + b"\0" + whole[-4:]), "gzip")
    refused(file(whole[:100] + bytes(200) + whole[300:]), "gzip")
    refused(file(whole + b"tail"), "gzip")
    refused(file(whole[:2]), "gzip")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "shape", [(2**32 - 1,), (2**32 - 1,) * 3, (60000, 28, 28), (2**32 - 1,) * 64]
)
def test_a_huge_promise_allocates_nothing(file, pack, shape):
    path = file(pack(header(0x0E, *shape) + bytes(16)))
    tracemalloc.start()
    refused(path, "truncated")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_stream_that_unfolds_without_end_is_read_no_further_than_promised(file):
    bomb = header(UINT8, 3) + bytes(50_000_000)
    path = file(gzip.compress(bomb))
    tracemalloc.start()
    refused(path, "oversized")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_promise_that_only_a_bomb_could_keep_is_refused(file, monkeypatch):
    content = gzip.compress(header(UINT8, 2_000_000) + bytes(2_000_000))
    assert idx.read(file(content)).size == 2_000_000
    monkeypatch.setattr(packing, "MOST_BYTES", 1_000_000)
    refused(file(content), "trap", "unpack it")


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros(3, np.int64), "int64"),
        (np.zeros(3, bool), "bool"),
        (np.zeros(3, complex), "complex128"),
        (np.zeros(3, object), "object"),
        (np.uint8(3), "reshape(1)"),
    ],
)
def test_what_idx_cannot_hold_is_not_written(tmp_path, array, word):
    with pytest.raises(DataError, match=word.replace("(", r"\(").replace(")", r"\)")):
        idx.write(tmp_path / "x", array)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x"
    idx.write(path, np.arange(3, dtype=np.uint8))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        idx.write(path, np.zeros(5, np.uint8))
    monkeypatch.undo()
    assert idx.read(path).tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="none/x"):
        idx.write(tmp_path / "none" / "x", np.zeros(3, np.uint8))


def test_real_mnist_is_what_it_is_known_to_be(shared_data, tmp_path):
    folder = shared_data / "mnist"
    images = idx.read(folder / "t10k-images-idx3-ubyte.gz")
    labels = idx.read(folder / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10_000, 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    assert (images > 0).mean() == 0.1927575255102041
    assert labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    original = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    idx.write(tmp_path / "again", images)
    assert (tmp_path / "again").read_bytes() == original


def test_a_shape_that_no_array_can_have_is_refused_though_it_holds_nothing(file):
    huge = (251, 4220190732, 47302, 2197815296, 256, 2359296, 0, 16513931)
    refused(file(header(UINT8, *huge)), "the shape")
