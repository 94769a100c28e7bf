"""Sources: a name, a folder or a file, found where it was said to be looked for."""

import gzip
import shutil

import numpy as np
import pytest

from fleetgrad import cache
from fleetgrad.data import NAMES, catalog, fetch, folders, idx, load
from fleetgrad.data.catalog import NamedSet
from fleetgrad.errors import DataError, DownloadError, UsageError
from mirror import Mirror, serving

ROWS = {"train": 30, "t10k": 9}


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path):
    """No cache, no data folder, no proxy of this machine is seen."""
    monkeypatch.setenv("FLEETGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FLEETGRAD_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def offline(monkeypatch):
    """No mirror answers, and none outside is asked."""
    nobody = {
        name: NamedSet(named.title, ("http://127.0.0.1:9/",) * 2, named.files)
        for name, named in catalog.SETS.items()
    }
    monkeypatch.setattr(catalog, "SETS", nobody)


def four_files(folder, suffix=".gz", fill=1):
    """A folder of four small IDX files; the first pixel of every image is `fill`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in ROWS.items():
        images = np.zeros((rows, 3, 2), np.uint8)
        images[:, 0, 0] = fill
        idx.write(folder / f"{part}-images-idx3-ubyte{suffix}", images)
        labels = (np.arange(rows) % 3).astype(np.uint8)
        idx.write(folder / f"{part}-labels-idx1-ubyte{suffix}", labels)
    return folder


def refused(*args, words=(), error=DataError, **options):
    with pytest.raises(error) as caught:
        load(*args, **options)
    message = str(caught.value)
    for word in ("must", "got", *words):
        assert word in message
    return message


def test_columns_are_named_of_tables_alone():
    for option in ({"target": "label"}, {"ignore": "id"}):
        refused("digits", words=("column of a table", "leave it out"), error=UsageError, **option)


def test_digits_are_embedded_and_small():
    data = load("digits")
    assert (data.name, data.image_shape, data.rows, data.test.rows) == ("digits", (8, 8), 1438, 359)
    assert data.x.dtype == np.uint8
    assert int(data.x.max()) == 16
    assert data.classes.tolist() == list(range(10))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_four_files_is_a_dataset(tmp_path, suffix):
    data = load(four_files(tmp_path / "shapes", suffix))
    assert (data.name, data.rows, data.test.rows) == ("shapes", 30, 9)
    assert data.image_shape == (3, 2)
    assert data.x.dtype == np.uint8


def test_a_dot_before_idx_is_the_same_name(tmp_path):
    folder = four_files(tmp_path / "shapes", "")
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert load(folder).rows == 30


def test_a_folder_that_lacks_a_file_is_refused_by_its_name(tmp_path):
    folder = four_files(tmp_path / "shapes")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    refused(folder, words=("t10k-labels-idx1-ubyte", "all four"))
    refused(tmp_path, words=("none of them",))


def test_images_and_labels_of_different_counts_are_refused_by_their_files(tmp_path):
    folder = four_files(tmp_path / "shapes")
    idx.write(folder / "train-labels-idx1-ubyte.gz", np.zeros(29, np.uint8))
    refused(folder, words=("train-images", "train-labels", "30 images and 29 labels"))


@pytest.mark.parametrize("name", catalog.SETS)
def test_a_name_is_looked_up_in_the_data_folder_itself_or_below(tmp_path, name, offline):
    four_files(tmp_path / "mine" / name)
    assert load(name, data_dir=tmp_path / "mine").name == name
    assert load(name, data_dir=tmp_path / "mine" / name).rows == 30


def test_the_folder_below_goes_before_the_folder_itself(tmp_path, offline):
    four_files(tmp_path, fill=1)
    four_files(tmp_path / "kmnist", fill=2)
    assert int(load("kmnist", data_dir=tmp_path).x[0, 0]) == 2


def test_the_environment_names_the_data_folder_and_an_argument_goes_before(
    tmp_path, monkeypatch, offline
):
    four_files(tmp_path / "one", fill=1)
    four_files(tmp_path / "two", fill=2)
    monkeypatch.setenv("FLEETGRAD_DATA", str(tmp_path / "one"))
    assert int(load("mnist").x[0, 0]) == 1
    assert int(load("mnist", data_dir=tmp_path / "two").x[0, 0]) == 2


def test_a_data_folder_that_is_not_there_is_refused(tmp_path, monkeypatch, offline):
    refused("mnist", data_dir=tmp_path / "none", words=("`data_dir`", "none"))
    monkeypatch.setenv("FLEETGRAD_DATA", str(tmp_path / "none"))
    refused("mnist", words=("FLEETGRAD_DATA",))


def test_a_data_folder_of_another_named_set_is_refused(shared_data, offline):
    words = ("`fashion-mnist`", "the files of `mnist`")
    refused("fashion-mnist", data_dir=shared_data / "mnist", words=words)


def test_real_mnist_is_loaded_by_name_and_stays_small(shared_data, offline):
    data = load("mnist", data_dir=shared_data)
    assert (data.rows, data.features, data.test.rows) == (60_000, 784, 10_000)
    assert data.x.nbytes == 60_000 * 784
    assert (data.x > 0).mean() == 0.19120229591836735
    assert data.y[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    cut = data.split(0, 0)
    assert (len(cut.train), len(cut.validation)) == (50_000, 10_000)
    assert float(data.scaling(cut.train).scale[0]) == np.float32(1 / 255)


def test_a_name_is_fetched_into_the_cache_and_then_needs_no_network(
    shared_data, tmp_path, monkeypatch
):
    good, spoiling = Mirror(shared_data / "mnist"), Mirror(shared_data / "mnist", spoil=True)
    cut = Mirror(shared_data / "mnist", cut=1_000_000)
    seen = []
    with serving(spoiling, cut, good) as mirrors:
        named = catalog.SETS["mnist"]
        local = NamedSet(named.title, tuple(mirror.url for mirror in mirrors), named.files)
        monkeypatch.setitem(catalog.SETS, "mnist", local)
        data = load("mnist", progress=seen.append)
    assert data.rows == 60_000
    assert {progress.file for progress in seen} == {remote.name for remote in named.files}
    cache = tmp_path / "cache" / "mnist"
    assert {path.name for path in cache.iterdir()} == {
        ".lock",
        *(remote.name for remote in named.files),
    }
    assert load("mnist").fingerprint == data.fingerprint  # the mirrors are gone


def test_fetch_takes_other_mirrors(shared_data, tmp_path, offline):
    with serving(Mirror(shared_data / "mnist")) as mirror:
        folder = fetch("mnist", mirrors=[mirror.url])
    assert folder == tmp_path / "cache" / "mnist"
    assert folders.find(folder) is not None
    with pytest.raises(DataError, match="did you mean `mnist`"):
        fetch("mnst")


def test_all_mirrors_dead_leaves_nothing_and_says_how_to_go_on(tmp_path, offline):
    message = refused("kmnist", error=DownloadError, words=("--data-dir", "FLEETGRAD_DATA"))
    assert message.count("http://127.0.0.1:9/") == 2
    assert [path.name for path in (tmp_path / "cache" / "kmnist").iterdir()] == [".lock"]


def test_the_cache_is_where_the_platform_keeps_such_things(tmp_path, monkeypatch):
    assert cache.folder() == tmp_path / "cache"
    monkeypatch.delenv("FLEETGRAD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "fleetgrad"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.folder() == tmp_path / "home" / ".cache" / "fleetgrad"


def test_a_name_goes_before_a_folder_of_that_name(tmp_path, monkeypatch, offline):
    monkeypatch.chdir(tmp_path)
    four_files(tmp_path / "digits")
    assert load("digits").features == 64
    assert load("./digits").features == 6


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("mnits", ("did you mean `mnist`", "no such file")),
        ("none.csv", ("No such file",)),
        ("none.npz", ("no such file",)),
        ("there.orc", ("another kind", ".csv")),
        ("there.npy", ("another kind", ".npz")),
        ("empty.npz", ("empty.npz",)),
        ("empty.pkl", ("empty",)),
        ("empty.csv", ("empty",)),
    ],
)
def test_what_is_no_source_is_refused(tmp_path, monkeypatch, source, words):
    monkeypatch.chdir(tmp_path)
    for name in ("there.orc", "there.npy"):
        (tmp_path / name).write_bytes(b"something")
    for name in ("empty.npz", "empty.pkl", "empty.csv"):
        (tmp_path / name).write_bytes(b"")
    refused(source, words=words)


def test_a_target_is_for_tables_alone():
    refused("digits", target="label", error=UsageError, words=("`target`", "'label'"))


def test_every_name_is_known():
    assert set(NAMES) == {"digits", *catalog.SETS}
    assert list(NAMES) == sorted(NAMES)


def test_files_are_found_packed_and_unpacked_side_by_side(tmp_path):
    folder = four_files(tmp_path / "shapes")
    packed = folder / "train-labels-idx1-ubyte.gz"
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert load(folder).rows == 30
    shutil.rmtree(folder)
