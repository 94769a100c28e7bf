"""NumPy's archives and the notebook's pickle: arrays come out, and nothing else ever runs."""

import gzip
import io
import os
import pickle
import pickletools
import struct
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import archives, load, packing, pickles, unpickling
from fleetgrad.errors import DataError
from strategies import idx_arrays

X = np.arange(48, dtype=np.uint8).reshape(12, 2, 2)
Y = np.arange(12) % 3
NOTEBOOK = {
    "training_images": X.reshape(12, 4),
    "training_labels": Y.astype(np.uint8),
    "test_images": X[:6].reshape(6, 4),
    "test_labels": Y[:6].astype(np.uint8),
}


def refused(read, path, *words):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        read(path)
    assert time.process_time() - began < 1
    message = str(caught.value)
    for word in ("must", "got", *words):
        assert word in message
    return message


def opened(dataset):
    return dataset.test.open("a test", lambda _: 1)


@pytest.fixture
def file(tmp_path):
    def write(content, name="x.pkl"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


# .npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keys", archives.KEYS)
def test_an_npz_of_four_arrays_is_a_dataset_with_its_test_part(tmp_path, save, keys):
    save(tmp_path / "set.npz", **dict(zip(keys, (X, Y, X[:3], Y[:3]), strict=True)))
    data = load(tmp_path / "set.npz")
    assert (data.name, data.rows, data.image_shape) == ("set", 12, (2, 2))
    assert data.x.dtype == np.uint8
    assert np.array_equal(data.x, X.reshape(12, 4))
    assert np.array_equal(opened(data).x, X[:3].reshape(3, 4))
    assert opened(data).y.tolist() == [0, 1, 2]


def test_an_npz_of_two_arrays_gets_its_test_part_sealed_off(tmp_path):
    np.savez(tmp_path / "set.npz", X=np.tile(X, (5, 1, 1)), y=np.tile(Y, 5), more=np.zeros(3))
    data = load(tmp_path / "set.npz")
    assert (data.rows, data.test.rows) == (48, 12)


def test_an_npz_with_other_names_is_refused_by_name(tmp_path):
    np.savez(tmp_path / "set.npz", images=X, labels=Y)
    refused(load, tmp_path / "set.npz", "x_train", "images, labels", "rename")
    np.savez(tmp_path / "half.npz", X=X, y=Y, X_test=X)
    with pytest.raises(Exception, match="together"):
        load(tmp_path / "half.npz")


def test_an_npz_of_objects_is_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "set.npz", X=np.array([Trap()] * 12, object), y=Y)
    refused(load, tmp_path / "set.npz", "X.npy", "objects", "could run code")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("spoil", [lambda b: b[:-30], lambda b: b[:60] + b"?" * 40 + b[100:]])
def test_a_broken_npz_is_refused(file, tmp_path, spoil):
    np.savez_compressed(tmp_path / "whole.npz", X=np.random.default_rng(0).random((12, 9)), y=Y)
    refused(load, file(spoil((tmp_path / "whole.npz").read_bytes()), "set.npz"), "set.npz")


def test_a_folder_with_an_archives_name_is_refused(tmp_path):
    refused(archives.read, tmp_path, "directory")


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no zip at all"])
def test_what_is_no_npz_is_refused(file, content):
    refused(load, file(content, "set.npz"), "set.npz")


def npy(header, body=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body


def promising(shape, descr="|u1"):
    return npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}", bytes(24))


def npz(file, **members):
    with io.BytesIO() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(f"{name}.npy", content)
        return file(packed.getvalue(), "set.npz")


@pytest.mark.parametrize("shape", ["(10**3,)", "(1000000000000,)", "(-1, 24)", "(0, 99)", "(23,)"])
def test_a_header_that_promises_what_is_not_there_is_refused(file, shape):
    tracemalloc.start()
    refused(load, npz(file, X=promising(shape), y=promising("(24,)")), "X.npy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "header",
    [
        "{}",
        "",
        "((((((" * 500,
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (24,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (24,), 'more': 1}",
        "__import__('os').mkdir('sprung')",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (24,)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (24,)}",
    ],
)
def test_a_forged_header_is_refused(file, header):
    refused(load, npz(file, X=npy(header, bytes(24)), y=promising("(24,)")))
    assert not Path("sprung").exists()


def test_a_zip_that_unfolds_without_end_is_not_unfolded(file, monkeypatch):
    monkeypatch.setattr(packing, "MOST_BYTES", 1_000_000)
    bomb = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (20000000,)}", bytes(20_000_000))
    path = npz(file, X=bomb, y=promising("(24,)"))
    tracemalloc.start()
    refused(load, path, "trap", "20,0")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_zip_that_lies_about_its_size_is_refused(file):
    path = npz(file, X=promising("(24,)"), y=promising("(24,)"))
    content = path.read_bytes()
    size = len(promising("(24,)"))
    lying = content.replace(struct.pack("<I", size), struct.pack("<I", 2**31))
    assert lying != content
    refused(load, file(lying, "lying.npz"))


@given(idx_arrays(), st.sampled_from("CF"))
def test_an_npy_comes_out_as_it_went_in(array, order):
    if not array.size:
        return
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "x.npy"), np.asarray(array, order=order))
        read = archives.read_npy(Path(folder, "x.npy"))
    assert read.dtype == array.dtype
    assert read.tobytes() == array.tobytes()


# The notebook's pickle


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("module", [b"numpy._core", b"numpy.core"])
def test_the_notebooks_pickle_is_read_in_every_protocol_and_of_every_numpy(file, protocol, module):
    content = pickletools.optimize(pickle.dumps(NOTEBOOK, protocol))
    if protocol < 4 or module == b"numpy._core":  # a shorter name would break a frame's length
        content = content.replace(b"numpy._core", module)
    else:
        content = unframed(content).replace(b"\x16numpy._core.", b"\x15numpy.core.")
        content = content.replace(b"\x13numpy._core.", b"\x12numpy.core.")
    data = load(file(content, "mnist.pkl"))
    assert (data.name, data.rows, data.test.rows) == ("mnist", 12, 6)
    assert data.x.dtype == np.uint8
    assert np.array_equal(data.x, NOTEBOOK["training_images"])
    assert np.array_equal(opened(data).x, NOTEBOOK["test_images"])
    assert data.y.tolist() == Y.tolist()


def unframed(content):
    """The same pickle without frames, whose lengths forbid any change inside."""
    frames = [place for opcode, _, place in pickletools.genops(content) if opcode.name == "FRAME"]
    for place in reversed(frames):
        content = content[:place] + content[place + 9 :]
    return content


def test_python_2_wrote_bytes_as_text(file):
    content = (
        b"\x80\x02}q\x00U\x01aq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\n"
        b"q\x03K\x00\x85U\x01b\x87Rq\x04(K\x01K\x03\x85cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x03\x01\xfe\xfftbs."
    )
    assert unpickling.load(file(content))["a"].tolist() == [1, 254, 255]


@given(
    idx_arrays().filter(lambda array: array.size),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
    st.sampled_from("CF"),
)
def test_any_array_of_numbers_comes_out_as_it_went_in(array, protocol, order):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(pickle.dumps({"a": np.asarray(array, order=order)}, protocol))
        read = unpickling.load(path)["a"]
    assert read.dtype == array.dtype
    assert read.tobytes() == array.tobytes()


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Ours:
    """An instance of a class of ours."""


class Subclass(np.ndarray):
    """An array of a class of ours."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Calls(os.mkdir, "sprung"), "mkdir"),
        (Calls(eval, "__import__('os').mkdir('sprung')"), "eval"),
        (Calls(getattr, "x", "format"), "getattr"),
        (Calls(np.load, "x.npy"), "numpy"),
        (Calls(Ours), "Ours"),
        (np.zeros(3).view(Subclass), "Subclass"),
        (np.float64(3), "scalar"),
        (np.ma.zeros(3), "numpy.ma"),
        (np.array([Ours()], object), "O8"),
        (np.zeros(3, "M8[s]"), "M8"),
        (np.zeros(3, [("a", int)]), "V8"),
        (np.random.default_rng(0), "numpy.random"),
        (set, "set"),
        (1j, "complex"),
    ],
)
def test_a_pickle_that_names_anything_but_arrays_is_refused_by_that_name(
    file, thing, name, protocol, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({**NOTEBOOK, "more": thing}, protocol)
    refused(load, file(content), name)
    assert not Path("sprung").exists()


STATE_OF_RECORDS = (
    b"\x80\x02}U\1acnumpy\ndtype\nU\2u1K\0K\1\x87R"
    b"(K\3U\1|NU\1xNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbs."
)


def array_pickle(shape):
    """A pickled array of no bytes that says it has this shape."""
    state = b"(K\1(" + shape + b"tcnumpy\ndtype\n(U\2u1K\0K\1tRK\0U\0tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR"
    return b"\x80\x02}U\1a" + made + state + b"s."


@pytest.mark.parametrize(
    "shape",
    [b"K\0", b"K\0" * 65, b"K\0J\xff\xff\xff\xff", b"K\0\x8a\x7f" + b"\x7f" * 127, b"N", b"U\1a"],
)
def test_a_pickled_array_of_an_impossible_shape_is_refused(file, shape):
    refused(load, file(array_pickle(shape)), "makes no sense" if shape != b"K\0" else "array")


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nmkdir\n(S'sprung'\ntR.",
        b"(ios\nmkdir\nS'sprung'\n.",
        b"(cos\nmkdir\nS'sprung'\no.",
        b"cnumpy\nndarray\n(I3\ntR.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R}X\x03\x00\x00\x00abcK\x01sb.",
        b"c_codecs\nencode\n(Vabc\nVutf-7\ntR.",
        b"\x80\x02c_codecs\nencode\n}X\x09\x00\x00\x00_functionK\x01s\x86b.",
        b"cnumpy.core.multiarray\n_reconstruct\n(I1\n(I0\ntS'b'\ntR.",
        STATE_OF_RECORDS,
        b"Pbomb\n.",
        b"\x82\x01.",
        b"\x80\x05\x97.",
        b"\x80\x63}.",
        b"}.",
        b"].N.",
        b"I1\n.",
        b".",
        b"0.",
        b"hello",
        b"(" * 1000,
        b"]" + b"2a" * 1000 + b".",
        b"\x80\x04\x95" + b"\xff" * 8,
        b"\x8e" + struct.pack("<Q", 2**62),
        b"B" + struct.pack("<I", 2**32 - 1),
        b"X" + struct.pack("<I", 2**32 - 1),
        b"T" + struct.pack("<i", -5),
        b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"]r" + struct.pack("<I", 2**32 - 1) + b".",
        b"I" + b"9" * 100_000 + b"\n.",
        b"L" + b"9" * 100_000 + b"L\n.",
    ],
)
def test_a_forged_pickle_is_refused_and_makes_room_for_nothing(
    file, content, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    refused(load, file(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert not Path("sprung").exists()


def test_keys_that_take_for_ever_to_hash_are_refused(file):
    doubled = b")" + b"2\x86" * 100  # a pair of the same pair of the same pair of ...
    refused(load, file(b"}" + doubled + b"Ns."))
    refused(load, file(b"(" + doubled + b"Nd."))
    refused(load, file(b"}(" + doubled + b"Nu."))


def test_the_same_bytes_made_over_and_over_are_refused(file):
    text = b"X" + struct.pack("<I", 1_000_000) + b"x" * 1_000_000 + b"q\0"
    again = b"c_codecs\nencode\nq\1" + b"h\1h\0X\6\0\0\0latin1\x86R" * 1000
    tracemalloc.start()
    refused(load, file(b"\x80\x02]" + text + again + b"."))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@given(st.binary(max_size=60))
def test_no_bytes_at_all_bring_anything_but_arrays_or_a_refusal(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(b"\x80\x04" + content)
        try:
            arrays = unpickling.load(path)
        except DataError:
            return
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_one_wrong_byte_brings_arrays_or_a_refusal(place, byte):
    content = bytearray(pickle.dumps(NOTEBOOK, 4))
    content[place % len(content)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(content)
        try:
            arrays = unpickling.load(path)
        except DataError:
            return
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


@pytest.mark.parametrize("cut", [1, 10, 100, 300])
def test_a_truncated_pickle_is_refused(file, cut):
    refused(load, file(pickle.dumps(NOTEBOOK)[:-cut]))


def test_a_pickle_without_the_four_arrays_is_refused_by_name(file):
    refused(pickles.read, file(pickle.dumps({"training_images": X})), "test_images", ".npz")
    refused(pickles.read, file(b""), "empty")


def test_a_packed_pickle_is_unpacked(file):
    assert load(file(gzip.compress(pickle.dumps(NOTEBOOK)))).rows == 12


def test_a_pickle_of_mnists_size_is_read_in_a_second_without_a_copy(file):
    images = np.ones((60_000, 784), np.uint8)
    labels = (np.arange(60_000) % 10).astype(np.uint8)
    path = file(
        pickle.dumps(
            {
                **NOTEBOOK,
                "training_images": images,
                "training_labels": labels,
                "test_images": images[:10],
                "test_labels": labels[:10],
            }
        )
    )
    tracemalloc.start()
    began = time.process_time()
    data = load(path)
    assert time.process_time() - began < 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert data.x.dtype == np.uint8
    assert peak < 2.5 * images.nbytes


def test_bytes_promised_by_a_pickle_take_no_room_before_they_come(file):
    promise = b"\x80\x05\x96" + struct.pack("<Q", 1 << 27) + b"few."
    path = file(promise)
    tracemalloc.start()
    refused(unpickling.load, path, "promised")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
