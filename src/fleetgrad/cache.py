"""Where this user's fetched and compiled files are kept between runs."""

import functools
import hashlib
import os
import platform
import zlib
from contextlib import suppress
from pathlib import Path

SUFFIX = "-cache"  # of JAX's files, one a program
CHECKED = "checked"  # a file whose time says when all that were older had been looked at
GRACE = 10.0  # seconds in which another process may still be writing one


def folder() -> Path:
    """FLEETGRAD_CACHE, or `fleetgrad` below XDG_CACHE_HOME or `~/.cache`; it may not exist yet."""
    own = os.environ.get("FLEETGRAD_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleetgrad"


def private(name: str) -> Path | None:
    """A folder in the cache that this user alone can write, made if need be; or None.

    Only from such a folder is anything compiled ever loaded.

    Args:
        name: Of the folder.
    """
    place = folder() / name
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.stat()
    except OSError:
        return None
    sole = found.st_uid == os.getuid() and not found.st_mode & 0o022
    return place if sole and os.access(place, os.W_OK) else None


def mend(programs: Path) -> None:
    """Remove programs that are not whole: a crash, or a full disk, cut them short.

    JAX writes one in place and never over another, so it would find such a one broken, say so, and
    compile anew, in every process from then on.

    Args:
        programs: The folder that JAX keeps them in; those since the last look are looked at.
    """
    with suppress(OSError):
        programs.mkdir(mode=0o700, exist_ok=True)
        stamp = programs / CHECKED
        before = stamp.stat().st_mtime if stamp.exists() else 0.0
        stamp.touch()
        now = stamp.stat().st_mtime
        for path in programs.glob(f"*{SUFFIX}"):
            if before <= path.stat().st_mtime + GRACE < now and not _whole(path.read_bytes()):
                path.unlink()


def _whole(program: bytes) -> bool:
    """Whether a program is to be read to its end; packed by something else than zlib, it may be."""
    if program[:1] not in {b"", b"\x78"}:
        return True
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(program)
    except zlib.error:
        return False
    return unpacking.eof


@functools.cache
def processor() -> str:
    """A name for what the processor can do; homes are shared by machines that differ in it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    found = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return hashlib.sha256(f"{platform.machine()} {found}".encode()).hexdigest()[:12]
