"""What makes a directory a run's: its entries, its configuration, and how it comes to be.

`config.json` is written last, by rename: where it is, there is a whole run, and a creation that
was cut short is none and may be done again.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fleetgrad.durable import flush_names, replacing
from fleetgrad.errors import DiskError, RunError
from fleetgrad.lock import Lock
from fleetgrad.payload import decode, encode

CONFIG = "config.json"
DATABASE = "study.db"
WEIGHTS = "weights"
LOCK = "lock"
REPORT = "report.html"
PULSE = "pulse.json"
GROWING = "growing.json"

_FORMAT = "fleetgrad run"
_FILES = (CONFIG, LOCK, PULSE, GROWING, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")


@contextmanager
def new(directory: Path) -> Iterator[Lock]:
    """Make the directory and lock it; if the block fails, what was made is removed again.

    Raises:
        RunError: It holds a run, or another process is making one.
        OSError: It cannot be made.
    """
    found = set(directory.iterdir()) if directory.exists() else None
    directory.mkdir(parents=True, exist_ok=True)
    check_vacant(directory)
    lock = Lock(directory / LOCK)
    try:
        check_vacant(directory)
        (directory / WEIGHTS).mkdir(exist_ok=True)
        yield lock
        flush_names(directory)
        flush_names(directory.parent)
    except BaseException:
        _remove(directory, found)
        lock.release()
        raise


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Record, for good, what was asked for.

    Raises:
        OSError: The disk refuses; there is no configuration.
    """
    with replacing(directory / CONFIG) as path:
        path.write_text(encode({"format": _FORMAT, "config": config}, indent=2), encoding="utf-8")


def read_config(directory: Path) -> dict[str, Any]:
    """What was asked for.

    Raises:
        RunError: This is no run's directory, or what is there is not as we wrote it.
    """
    path = directory / CONFIG
    if not path.exists():
        raise RunError(
            f"`{directory}` must be a run's directory, got no `{CONFIG}` there; give the "
            "directory that `fleetgrad tune` named."
        )
    try:
        _check_own(directory)
        content = decode(path.read_bytes())
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        return dict(content["config"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"`{path}` must be a run's as Fleetgrad wrote it, got: {error}; restore it from a "
            "copy, or start the run anew in another directory."
        ) from error


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """A block that writes files: what the system refuses becomes a `DiskError`."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"`{directory}` must be a directory that can be written, got: {error}; free disk "
            "space, mend its permissions, or choose another directory."
        ) from error


def check_vacant(directory: Path) -> None:
    """Refuse a directory that holds a run.

    Raises:
        RunError: It does.
    """
    weights = directory / WEIGHTS
    if (directory / CONFIG).exists() or (weights.is_dir() and any(weights.iterdir())):
        raise RunError(
            f"`{directory}` must hold no run yet, got one; continue it with `fleetgrad resume "
            f"{directory}`, or choose another directory."
        )


def remove(directory: Path) -> None:
    """Remove a run's entries, and the directory too if nothing else is in it."""
    _remove(directory, set())
    with suppress(OSError):
        directory.rmdir()


def _check_own(directory: Path) -> None:
    # A link in a stranger's run could have us write, or sweep, somewhere else.
    for path in (directory / name for name in _FILES):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise ValueError(f"`{path.name}` that is no file")
    if (directory / WEIGHTS).is_symlink() or not (directory / WEIGHTS).is_dir():
        raise ValueError(f"`{WEIGHTS}` that is no directory")


def _remove(directory: Path, found: set[Path] | None) -> None:
    if found is None:
        shutil.rmtree(directory, ignore_errors=True)
        return
    for path in {directory / name for name in _FILES} - found:
        path.unlink(missing_ok=True)
    if directory / WEIGHTS not in found:
        shutil.rmtree(directory / WEIGHTS, ignore_errors=True)
