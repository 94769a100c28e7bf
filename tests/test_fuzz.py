"""Whatever a reader is given, it reads or refuses; in little time and little memory.

The readers and their limits are in `readers.py`. The long run looks at 100,000 inputs of each;
`fuzz.py` does the same, led by Atheris.
"""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readers import READERS, tried

MEMORY = Path("/dev/shm")
FEW, MANY = 30, 100_000
MOST = 300  # bytes put in at once
STRANGE = "a stranger's file: {}"  # a kind of fault
EDITS = ("replace", "insert", "delete", "repeat", "cut", "swap", "flip")
LOUD = (b"", b"\0", b"\xff", b"-1", b"NaN", b"1e999", b"{}", b"[]", b"../../x", b"/etc/passwd")


@st.composite
def changed(draw, seeds):
    """A whole file with a few places changed, or no such thing at all."""
    content = draw(st.sampled_from(seeds) | st.just(b""))
    for _ in range(draw(st.integers(0, 4))):
        content = edited(content, draw)
    return content


def edited(content, draw):
    """One change, somewhere."""
    start = draw(st.integers(0, len(content)))
    stop = min(len(content), start + draw(st.integers(0, 8) | st.integers(0, len(content))))
    part = draw(st.binary(max_size=8) | st.sampled_from(LOUD) | st.binary(max_size=MOST))
    kind = draw(st.sampled_from(EDITS))
    before, held, after = content[:start], content[start:stop], content[stop:]
    if kind == "flip":
        return (
            before
            + bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in held[:1])
            + held[1:]
            + after
        )
    return {
        "replace": before + part[: len(held)] + held[len(part) :] + after,
        "insert": before + part + held + after,
        "delete": before + after,
        "repeat": before + held * 2 + after,
        "cut": before,
        "swap": before + held[::-1] + after,
    }[kind]


def fuzzed(name, folder, examples, faults):
    """Hold so many inputs against the limits."""
    reader = READERS[name]

    @settings(
        max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None, database=None
    )
    @given(changed(reader.seeds()))
    def each(content):
        with faults.against(STRANGE.format(name)):
            tried(reader, content, folder)

    each()


@pytest.fixture
def scratch(tmp_path):
    """A folder in memory, where there is one: half of the time would be the disk's."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_what_is_whole(name, tmp_path):
    reader = READERS[name]
    assert all(tried(reader, content, tmp_path) for content in reader.seeds())


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses(name, tmp_path, faults):
    fuzzed(name, tmp_path, FEW, faults)


@pytest.mark.reliability
@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses_in_the_long_run(name, scratch, faults):
    """Without Hypothesis's search: so many inputs, changed blindly, cost it more than they tell."""
    reader, draw = READERS[name], random.Random(0)
    seeds = reader.seeds()
    for _ in range(MANY):
        with faults.against(STRANGE.format(name)):
            tried(reader, blindly(draw.choice(seeds), draw), scratch)


def blindly(content, draw):
    """A few bytes, or stretches of them, changed at random."""
    for _ in range(draw.randint(1, 5)):
        start = draw.randint(0, len(content))
        stop = start + int(draw.expovariate(1 / 8))
        part = draw.choice(
            (draw.randbytes(draw.randint(0, 8)), draw.choice(LOUD), content[stop:][:9])
        )
        content = content[:start] + part + content[stop:]
    return content
