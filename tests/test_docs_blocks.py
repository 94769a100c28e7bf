"""Every block and every command of the pages, run in order, on a machine that learns nothing.

The examples learn (`test_examples.py`), and so do the tests of each module.
"""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import documents
import idle
from fleetgrad.data import idx

PARTS = (("train", 0, 250), ("t10k", 250, 300))


@pytest.fixture(scope="module")
def named_sets(tmp_path_factory):
    """Where MNIST lies for the pages: 300 of the digits, under its name."""
    place = tmp_path_factory.mktemp("sets") / "mnist"
    place.mkdir()
    digits = load_digits()
    for part, first, last in PARTS:
        images, labels = digits.images[first:last], digits.target[first:last]
        idx.write(place / f"{part}-images-idx3-ubyte.gz", images.astype(np.uint8))
        idx.write(place / f"{part}-labels-idx1-ubyte.gz", labels.astype(np.uint8))
    return place.parent


# Words of commands that wait for others, or take minutes; they have tests of their own.
ELSEWHERE = ("--cluster", "--watch", "bench", "dashboard", "watch")


@pytest.mark.usefixtures("one_machine")
@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_works(page, tmp_path, monkeypatch, named_sets):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETGRAD_DATA", str(named_sets))
    idle.install(monkeypatch)
    running = documents.Page(ELSEWHERE)
    for block in documents.blocks(page.read_text()):
        try:
            running.run(block)
        except Exception as error:
            error.add_note(f"{page.name}, line {block.line}")
            raise


def test_a_block_is_what_it_can_be_read_as():
    text = "a\n\n    fleetgrad show D\n\nb\n\n    a = 1\n\n    [b]\n\nc\n\n    f(x)\n\nend\n"
    assert [block.language for block in documents.blocks(text)] == ["sh", "toml", "python"]


def test_a_comment_says_how_the_block_after_it_is_run():
    text = "<!-- in the test: 9 -> 2 -->\n```sh\nfleetgrad tune digits --epochs 9\n```\n"
    (block,) = documents.blocks(text)
    assert block.tried == "fleetgrad tune digits --epochs 2"
    (block,) = documents.blocks(text.replace("9 ->", "8 ->"))
    with pytest.raises(AssertionError, match="is not in the block"):
        block.tried  # noqa: B018


def test_a_command_with_an_option_that_is_none_is_noticed():
    with pytest.raises(Exception, match="--budgets"):
        documents.parsed(["tune", "digits", "--budgets", "9s"])
    documents.parsed(["data", "list", "--json"])
