"""Files that appear whole or not at all.

Bytes go to a temporary file beside the target, are flushed to the disk, and only then take the
target's name; the directory is flushed too, so that the name survives a power cut. A crash
leaves at most a `*.tmp` file, which nobody reads.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp"
LASTING = "/var/tmp"  # noqa: S108 - what is made in it has a name of its own, or none


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block ends without an error.

    Raises:
        OSError: The directory or the disk refuses; `path` is as it was.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        yield temporary
        _flush(temporary, os.O_RDONLY)
        temporary.replace(path)
        flush_names(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def spacious() -> str | None:
    """Where large temporary files go: TMPDIR, or /var/tmp; None for wherever Python puts them.

    Not /tmp, which is in memory on many systems.
    """
    return os.environ.get("TMPDIR") or (LASTING if os.access(LASTING, os.W_OK) else None)


def flush_names(directory: Path) -> None:
    """Make the names in `directory` (files made, renamed, deleted) survive a power cut."""
    _flush(directory, os.O_RDONLY | os.O_DIRECTORY)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
