import os
import zlib

import pytest

from fleetgrad import cache

WHOLE = zlib.compress(bytes(range(256)) * 100)


@pytest.fixture
def programs(tmp_path):
    """A folder with a whole program, put there a while ago."""
    put(tmp_path / f"sound{cache.SUFFIX}", WHOLE)
    return tmp_path


def put(path, content, ago=60.0):
    path.write_bytes(content)
    at = path.stat().st_mtime - ago
    os.utime(path, (at, at))


def kept(programs):
    return {path.name.removesuffix(cache.SUFFIX) for path in programs.glob(f"*{cache.SUFFIX}")}


@pytest.mark.parametrize("content", [b"", WHOLE[:1], WHOLE[:-1], WHOLE[:50] + b"xx" + WHOLE[52:]])
def test_a_program_that_is_not_whole_is_removed(programs, content):
    put(programs / f"broken{cache.SUFFIX}", content)
    cache.mend(programs)
    assert kept(programs) == {"sound"}


def test_a_program_that_may_still_be_being_written_waits_for_the_next_look(programs):
    put(programs / f"fresh{cache.SUFFIX}", WHOLE[:-1], ago=cache.GRACE - 2)
    cache.mend(programs)
    assert kept(programs) == {"fresh", "sound"}
    before = (programs / cache.CHECKED).stat().st_mtime
    os.utime(programs / cache.CHECKED, (before, before))
    older = (programs / f"fresh{cache.SUFFIX}").stat().st_mtime - 2
    os.utime(programs / f"fresh{cache.SUFFIX}", (older - 1, older - 1))
    os.utime(programs / cache.CHECKED, (older, older))
    cache.mend(programs)
    assert kept(programs) == {"sound"}


def test_what_was_looked_at_is_not_looked_at_again(programs, monkeypatch):
    cache.mend(programs)
    monkeypatch.setattr(cache, "_whole", lambda _: pytest.fail("looked at again"))
    cache.mend(programs)
    assert kept(programs) == {"sound"}


def test_programs_packed_in_another_way_stay(programs):
    put(programs / f"other{cache.SUFFIX}", b"\x28\xb5\x2f\xfd...")
    cache.mend(programs)
    assert kept(programs) == {"other", "sound"}


def test_a_folder_that_is_missing_or_no_folder_does_no_harm(tmp_path):
    cache.mend(tmp_path / "new")
    cache.mend(tmp_path / "far" / "away")
    (tmp_path / "file").touch()
    cache.mend(tmp_path / "file")
