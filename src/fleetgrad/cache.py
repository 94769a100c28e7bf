"""Where this user's fetched and compiled files are kept between runs."""

import functools
import hashlib
import os
import platform
from pathlib import Path


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


@functools.cache
def processor() -> str:
    """A name for what the processor can do; homes are shared by machines that differ in it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    found = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return hashlib.sha256(f"{platform.machine()} {found}".encode()).hexdigest()[:12]
