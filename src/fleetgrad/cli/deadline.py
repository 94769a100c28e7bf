"""An end in time: a process that was told to stop is gone within five seconds.

An interrupt waits for the step in hand, and a compilation cannot be cut short. Where that takes too
long the process ends there and then, as it may: what is on record is whole at every moment, and a
run goes on from there.
"""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 3.0  # after which nothing is waited for; the rest of the five is for the way out
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def kept(late: Callable[[str], None]) -> Iterator[None]:
    """A block after which, or in which, the process ends in time once it has been signaled.

    Args:
        late: Told why, in a sentence, by another thread, as the process is about to end at once.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(reader, late), daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)  # whoever was signaled is watched to the end of the process


def _watch(reader: int, late: Callable[[str], None]) -> None:
    """Wait for a signal, which Python itself may be too busy to see, and then for the end."""
    with os.fdopen(reader, "rb", buffering=0) as signals:
        while (found := signals.read(1)) and found[0] not in SIGNALS:
            pass
        if not found:
            return
        threading.Event().wait(SECONDS)  # the reader stays, for more signals to be written to
    if sys.stderr.isatty():
        sys.stderr.write(SHOW_CURSOR)
    late(_sentence())
    os._exit(128 + signal.SIGINT)


def written(before: Path | None = None) -> Path | None:
    """The directory that this process writes to, or last wrote to.

    Args:
        before: What this said earlier; that run is another, and nothing since.
    """
    lock = sys.modules.get("fleetgrad.lock")  # where it is not loaded there is no run
    found: Path | None = lock.last() if lock else None
    return None if found is before else found


def going_on(before: Path | None = None) -> str | None:
    """How to go on after an interrupt; None where no run has begun.

    Args:
        before: What `written` was as the command began: that run is another.
    """
    run = written(before)
    if run is None or not (run / "config.json").exists():
        return None
    return f"go on with `fleetgrad resume {shlex.quote(str(run))}`"


def _sentence() -> str:
    return f"interrupted in a step too long to wait for; {going_on() or 'start it again'}."
