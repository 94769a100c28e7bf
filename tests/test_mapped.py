"""Data in a file stay there, and everything comes out as from memory."""

import errno
import gc
import os
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import digits_fleet
import fleetgrad as fg
from fleetgrad.data import mapped
from fleetgrad.errors import DataError
from fleetgrad.fleet import Fleet
from fleetgrad.trainees import Member

DIGITS = fg.load("digits")
X, Y = np.array(DIGITS.x), DIGITS.classes[DIGITS.y]


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where large temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def filed(tmp_path):
    """Maps an array from a file of its own."""

    def write(array):
        np.save(tmp_path / "x.npy", array)
        return np.load(tmp_path / "x.npy", mmap_mode="r")

    return write


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_with_a_test_part_nothing_is_copied(filed, dtype):
    x = filed(X.astype(dtype))
    data = fg.Dataset.from_arrays(x, Y, X[:10].astype(dtype), Y[:10])
    assert np.shares_memory(data.x, x)
    rows = digits_fleet.machine().resident(data.x, data.y, digits_fleet.machine().lanes[0])
    assert rows.x.unsafe_buffer_pointer() == x.ctypes.data, "programs read it where it lies"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16, ">f4"])
def test_data_in_a_file_are_those_in_memory(filed, scratch, dtype):
    x = X.astype(dtype)
    inside, outside = fg.Dataset.from_arrays(x, Y), fg.Dataset.from_arrays(filed(x), Y)
    assert mapped.is_mapped(outside.x)
    assert outside.x.ctypes.data % mapped.ALIGNED == 0
    assert outside.fingerprint == inside.fingerprint
    assert not list(scratch.iterdir()), "files without a name"


def test_networks_learn_from_a_file_what_they_learn_from_memory(filed):
    curves = []
    for x in (X, filed(X)):
        fleet = Fleet(fg.Dataset.from_arrays(x, Y), 0, digits_fleet.machine())
        population = fleet.populate({Member(0, 0): fg.Settings(hidden=(8,), epochs=2)})
        assert population.advance(2)
        curves.append(population.curve(Member(0, 0)))
    assert np.array_equal(*curves)


@given(st.lists(st.integers(0, 29)), st.sampled_from([np.uint8, np.float32]), st.integers(1, 200))
@settings(max_examples=30)
def test_rows_are_cut_in_any_order_and_pieces_of_any_size(rows, dtype, chunk):
    with tempfile.TemporaryFile() as file:
        x = np.memmap(file, dtype, "w+", shape=(30, 4))
    x[:] = np.arange(120).reshape(30, 4)
    before, mapped.CHUNK = mapped.CHUNK, chunk
    try:
        found = mapped.cut(x, np.array(rows, int))
    finally:
        mapped.CHUNK = before
    assert np.array_equal(found, np.array(x)[rows])


def test_an_array_that_begins_anywhere_is_laid_out_anew(tmp_path):
    (tmp_path / "raw").write_bytes(b"head" + X.tobytes())
    x = np.memmap(tmp_path / "raw", np.uint8, "r", offset=4, shape=X.shape)
    data = fg.Dataset.from_arrays(x, Y, X[:10], Y[:10])
    assert mapped.is_mapped(data.x)
    assert data.x.ctypes.data % mapped.ALIGNED == 0
    assert np.array_equal(data.x, X)


def test_a_disk_without_room_is_refused_before_anything_is_written(filed, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(mapped.os, "posix_fallocate", full)
    with pytest.raises(DataError, match="must fit on the disk once more, got .*No space left"):
        fg.Dataset.from_arrays(filed(X), Y)


def test_what_was_cut_lasts_as_long_as_somebody_has_it(filed):
    data = fg.Dataset.from_arrays(filed(X), Y)
    x, expected = data.x, np.array(data.x)
    del data
    gc.collect()
    assert np.array_equal(x, expected)


def test_holes_and_infinities_are_found_in_a_file_too(filed):
    x = X.astype(np.float32)
    x[3, 2] = np.inf
    with pytest.raises(DataError, match="inf in row 3, feature 2"):
        fg.Dataset.from_arrays(filed(x), Y)
