"""Inputs for prediction: told by their bytes, checked against what the model was trained on."""

import gzip
import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from fleetgrad.data import idx, read_inputs
from fleetgrad.errors import DataError

IMAGES = np.arange(3 * 6, dtype=np.uint8).reshape(3, 3, 2)
SHAPE = (3, 2)


def refused(path, words=(), **options):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        read_inputs(path, **options)
    assert time.process_time() - began < 1
    message = str(caught.value)
    for word in ("must", "got", *words):
        assert word in message
    return message


@pytest.fixture
def saved(tmp_path):
    def save(array, name="x.npy"):
        np.save(tmp_path / name, array)
        return tmp_path / name

    return save


@pytest.fixture
def picture(tmp_path):
    def save(array, mode=None):
        image = array if isinstance(array, Image.Image) else Image.fromarray(array, mode)
        image.save(tmp_path / "x.png")
        return tmp_path / "x.png"

    return save


@pytest.mark.parametrize("array", [IMAGES, IMAGES.reshape(3, 6)])
def test_rows_and_images_are_taken_from_npy(saved, array):
    rows = read_inputs(saved(array), features=6, image_shape=SHAPE)
    assert rows.dtype == np.uint8
    assert np.array_equal(rows, IMAGES.reshape(3, 6))


@pytest.mark.parametrize("array", [IMAGES[0], IMAGES[0].ravel()])
def test_one_row_or_one_image_is_a_row(saved, array):
    rows = read_inputs(saved(array), features=6, image_shape=SHAPE)
    assert np.array_equal(rows, IMAGES[0].reshape(1, 6))


def test_floats_become_float32(saved):
    rows = read_inputs(saved(np.full((2, 3), 0.1)), features=3)
    assert rows.dtype == np.float32


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 5)), ("6 features", "got 5")),
        (np.zeros(5), ("shape",)),
        (np.zeros((2, 2, 3), np.uint8), ("images (3, 2)", "got (2, 3)")),
        (np.full((2, 6), np.nan), ("not finite",)),
        (np.zeros((2, 6), object), ("objects",)),
        (np.zeros((2, 6), complex), ("complex",)),
        (np.full((2, 6), "a"), ("real numbers",)),
        (np.zeros((0, 6)), ("x.npy",)),
    ],
)
def test_an_npy_of_anything_else_is_refused(saved, array, words):
    refused(saved(array), words, features=6, image_shape=SHAPE)


def test_a_truncated_npy_is_refused(saved):
    path = saved(IMAGES)
    path.write_bytes(path.read_bytes()[:-1])
    refused(path, ("18 bytes", "got 17"), features=6)


@pytest.mark.parametrize("name", ["x", "x.gz", "t10k-images-idx3-ubyte"])
def test_idx_images_are_rows(tmp_path, name):
    idx.write(tmp_path / name, IMAGES)
    rows = read_inputs(tmp_path / name, features=6, image_shape=SHAPE)
    assert np.array_equal(rows, IMAGES.reshape(3, 6))
    refused(tmp_path / name, ("images (2, 3)",), features=6, image_shape=(2, 3))


def test_a_table_is_matched_by_its_names(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"kind,b,a\nx,2,1\ny,4,3\n"))
    rows = read_inputs(path, features=2, feature_names=("a", "b"))
    assert rows.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("content", [b"hello", b"PK\3\4....", b"\0\0", b"\xff\xd8\xff\xe0", b""])
def test_any_other_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", ("x`",), features=6)
    refused(tmp_path / "none", ("No such file",), features=6)


# Pictures


def test_a_gray_picture_of_the_right_size_is_taken_as_it_is(picture):
    rows = read_inputs(picture(IMAGES[1]), features=6, image_shape=SHAPE)
    assert rows.dtype == np.uint8
    assert np.array_equal(rows, IMAGES[1].reshape(1, 6))


def test_black_on_white_is_not_turned_into_white_on_black(picture):
    paper = np.full((28, 28), 255, np.uint8)
    paper[10:18, 13:15] = 0
    rows = read_inputs(picture(paper), features=784, image_shape=(28, 28))
    assert np.array_equal(rows.reshape(28, 28), paper)


def test_a_larger_picture_is_resized_over_its_whole_area(picture):
    large = np.kron(IMAGES[0] * 10, np.ones((40, 40), np.uint8))
    rows = read_inputs(picture(large), features=6, image_shape=SHAPE)
    means = rows.reshape(SHAPE).astype(int)
    assert rows.shape == (1, 6)
    assert np.abs(means - IMAGES[0] * 10).max() <= 8
    flat = read_inputs(picture(np.full((100, 30), 77, np.uint8)), features=6, image_shape=SHAPE)
    assert (flat == 77).all()


def test_colors_become_gray_or_stay_as_training_had_them(picture):
    red = np.zeros((3, 2, 3), np.uint8)
    red[..., 0] = 200
    gray = read_inputs(picture(red), features=6, image_shape=SHAPE)
    assert (gray == round(200 * 0.299)).all()
    kept = read_inputs(picture(red), features=18, image_shape=(3, 2, 3))
    assert np.array_equal(kept, red.reshape(1, 18))
    one = read_inputs(picture(IMAGES[0]), features=6, image_shape=(3, 2, 1))
    assert np.array_equal(one, IMAGES[0].reshape(1, 6))
    refused(picture(red), ("1 or 3 channels", "got 2"), features=12, image_shape=(3, 2, 2))


def test_sixteen_bits_are_brought_to_eight(picture):
    deep = (IMAGES[0].astype(np.uint16) << 8) + 99
    rows = read_inputs(picture(deep), features=6, image_shape=SHAPE)
    assert np.array_equal(rows, IMAGES[0].reshape(1, 6))


def test_a_bitmap_and_a_palette_are_pictures_too(picture):
    bits = Image.fromarray(np.array([[255, 0], [0, 255], [255, 255]], np.uint8)).convert("1")
    rows = read_inputs(picture(bits), features=6, image_shape=SHAPE)
    assert rows.tolist() == [[255, 0, 0, 255, 255, 255]]
    palette = Image.fromarray(IMAGES[2]).convert("P")
    rows = read_inputs(picture(palette), features=6, image_shape=SHAPE)
    assert np.array_equal(rows, IMAGES[2].reshape(1, 6))


def test_transparent_parts_are_refused_and_an_opaque_alpha_is_not(picture):
    ink = np.zeros((3, 2, 4), np.uint8)
    ink[0, 0, 3] = 255
    refused(picture(ink), ("transparent", "background"), features=6, image_shape=SHAPE)
    ink[..., 3] = 255
    rows = read_inputs(picture(ink), features=6, image_shape=SHAPE)
    assert (rows == 0).all()


def test_light_is_brought_to_the_light_of_training(picture):
    light = np.full((3, 2), 255, np.uint8)
    rows = read_inputs(picture(light), features=6, image_shape=SHAPE, white=16)
    assert rows.dtype == np.float32
    assert (rows == 16).all()


def test_a_picture_for_a_table_is_refused(picture):
    refused(picture(IMAGES[0]), ("not trained on images",), features=6)


def test_a_broken_picture_is_refused(picture):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60)).astype(np.uint8)
    path = picture(noise)
    whole = path.read_bytes()
    for spoiled in (whole[:20], whole[: len(whole) // 2], whole[:50] + bytes(99) + whole[150:]):
        path.write_bytes(spoiled)
        refused(path, ("PNG",), features=6, image_shape=SHAPE)


def test_a_picture_of_a_billion_pixels_is_not_unfolded(tmp_path):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
    content = io.BytesIO()
    content.write(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100_000))))
    content.write(chunk(b"IEND", b""))
    (tmp_path / "x.png").write_bytes(content.getvalue())
    words = ("40,000 x 40,000", "smaller")
    refused(tmp_path / "x.png", words, features=6, image_shape=SHAPE)
