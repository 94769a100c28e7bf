"""Interrupts, Ctrl-C and SIGTERM alike, that wait while a module of C or C++ is being loaded.

Python raises `KeyboardInterrupt` in whatever it is about, also where C++ has called it as it sets
up a module. Some of that (nanobind, in jaxlib) ends the process at once, with words of its own.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader
from types import FrameType

LOADING = (ExtensionFileLoader.create_module.__code__, ExtensionFileLoader.exec_module.__code__)
AGAIN = 0.05  # seconds, after which it is looked at again


@contextmanager
def patient() -> Iterator[None]:
    """A block of the main thread: SIGTERM interrupts as Ctrl-C does, neither amid a load."""
    waiting: list[threading.Timer] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not _loading(frame):
            raise KeyboardInterrupt
        again = threading.Timer(AGAIN, os.kill, (os.getpid(), number))
        again.daemon = True
        waiting.append(again)
        again.start()

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it so
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for again in waiting:
            again.cancel()


def _loading(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in LOADING:
            return True
        frame = frame.f_back
    return False
