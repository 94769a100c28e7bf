"""Progress while a run goes on: two lines that stay in place, or a line now and then.

In a notebook it stands below the cell (`notebooks`).

`report` is called from the threads that train. It only puts the latest figures down; the terminal
is drawn by one thread of Rich's, a few times a second.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from fleetgrad.clock import Progress
from fleetgrad.display import notebooks
from fleetgrad.display.consoles import err
from fleetgrad.display.words import duration, figure, rate
from fleetgrad.metrics import METRICS

WINDOW_SECONDS = 5.0  # over which the speed is taken
LINE_SECONDS = 2.0  # between two plain lines
FRAMES_A_SECOND = 8
BAR_WIDTH = 24

Report = Callable[[Progress], None]


@contextmanager
def watching(title: str, *, quiet: bool = False, verbose: bool = False) -> Iterator[Report]:
    """A function to report progress to, shown for as long as the block lasts.

    Args:
        title: What is being done, for the first line.
        quiet: Whether to show nothing at all.
        verbose: Whether to print plain lines where there is no terminal.
    """
    console = err()
    if quiet or not (notebooks.here() or console.is_terminal or verbose):
        yield lambda _: None
        return
    if notebooks.here():
        with notebooks.watching(title, _Sentences()) as report:
            yield report
        return
    if not console.is_terminal:
        yield _Lines(console)
        return
    view = _View(title, "line" if console.options.ascii_only else "dots")
    with Live(
        view,
        console=console,
        refresh_per_second=FRAMES_A_SECOND,
        transient=True,
        redirect_stdout=False,
    ):
        yield view.report


@contextmanager
def asked(report: Report | None, title: str, *, progress: bool | None) -> Iterator[Report]:
    """What `tune` and its like report to: the caller's own function, or a display.

    Args:
        report: The caller's.
        title: What is being done.
        progress: Whether to show it where there is no such function; None shows it in a notebook.
    """
    shown = notebooks.here() if progress is None else progress
    if report is not None:
        yield report
        return
    with watching(title, quiet=not shown, verbose=shown) as found:
        yield found


class Speed:
    """Network-epochs a second over the last few seconds of one rung."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()
        self._place: tuple[str, int] | None = None
        self._lock = threading.Lock()

    def note(self, progress: Progress) -> float | None:
        """Take in the latest figures; the speed, or None where too little is known."""
        with self._lock:
            return self._noted(progress)

    def _noted(self, progress: Progress) -> float | None:
        place = (progress.phase, progress.rung)
        if place != self._place:  # another population: its first figures say nothing of speed
            self._points.clear()
            self._place = place
        self._points.append((progress.elapsed, progress.network_epochs))
        while self._points[-1][0] - self._points[0][0] > WINDOW_SECONDS:
            self._points.popleft()
        (began, before), (now, after) = self._points[0], self._points[-1]
        return (after - before) / (now - began) if now > began and after > before else None


def sentence(progress: Progress, speed: float | None) -> str:
    """Where a run stands, in one line."""
    return " · ".join([*_standing(progress), *_timing(progress, speed, progress.elapsed, 0.0)])


def _standing(progress: Progress) -> list[str]:
    parts = [place(progress), f"{progress.alive} alive"]
    if math.isnan(progress.best):
        return parts
    return [*parts, f"best {figure(METRICS[progress.metric], progress.best)}"]


def _timing(progress: Progress, speed: float | None, elapsed: float, since: float) -> list[str]:
    parts = [f"{duration(elapsed)} gone"]
    if progress.left is not None:
        parts.append(f"at most {duration(max(0.0, progress.left - since))} left")
    return parts if speed is None else [*parts, f"{rate(speed)} network-epochs/s"]


def place(progress: Progress) -> str:
    """The phase, and which rung of how many.

    >>> place(Progress("search", 2, 3, 9, 0.9, 40.0, 3.0, None))
    'search, rung 2 of 3'
    """
    phase, rung, rungs = progress[:3]
    if phase == "search" and not rungs:
        return f"search, round {rung}"
    if phase == "search":
        return f"search, rung {rung} of {rungs}"
    if rungs > 1:
        return f"{phase}, {rung} of {rungs}"
    return f"finals, block {rung}" if phase == "finals" and rung > 1 else phase


class _Sentences:
    """Where a run stands, and its time, from the latest figures."""

    def __init__(self) -> None:
        self._speed = Speed()

    def __call__(self, progress: Progress) -> tuple[list[str], list[str]]:
        speed = self._speed.note(progress)
        return _standing(progress), _timing(progress, speed, progress.elapsed, 0.0)


class _Lines:
    """Plain lines for a log: one at every rung, and one every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._speed = Speed()
        self._last, self._place = -math.inf, ""

    def __call__(self, progress: Progress) -> None:
        speed, now = self._speed.note(progress), time.monotonic()
        if place(progress) == self._place and now - self._last < LINE_SECONDS:
            return
        self._last, self._place = now, place(progress)
        self._console.print(sentence(progress, speed), soft_wrap=True)


class _View:
    """The two lines, made anew from the latest figures at every frame."""

    def __init__(self, title: str, spinner: str) -> None:
        self._title = title
        self._began = time.monotonic()
        self._spinner = Spinner(spinner, style="cyan")
        self._speed = Speed()
        self._latest: tuple[Progress, float | None, float] | None = None

    def report(self, progress: Progress) -> None:
        """Put the latest figures down; from any thread."""
        self._latest = (progress, self._speed.note(progress), time.monotonic())

    def __rich__(self) -> RenderableType:
        if self._latest is None:
            elapsed = duration(time.monotonic() - self._began)
            words = ["loading the data, measuring this machine", f"{elapsed} gone"]
            return _line(self._spinner, self._title, words)
        progress, speed, at = self._latest
        since = time.monotonic() - at
        first = _line(self._spinner, self._title, _standing(progress))
        return Group(first, _clock(progress, speed, since))


def _line(spinner: Spinner, title: str, parts: list[str]) -> RenderableType:
    text = Text(no_wrap=True, overflow="ellipsis").append(title, "bold")
    for number, part in enumerate(part for part in parts if part != title):
        text.append(" · ", "dim").append(part, "cyan" if number == 0 else "")
    grid = Table.grid(padding=(0, 1))
    grid.add_row(spinner, text)
    return grid


def _clock(progress: Progress, speed: float | None, since: float) -> RenderableType:
    """The bar, with the time gone and left; it pulses where the end is not a matter of time."""
    elapsed = progress.elapsed + since
    bar = ProgressBar(width=BAR_WIDTH, pulse=True)
    if progress.left is not None:
        total = max(progress.elapsed + progress.left, elapsed)
        bar = ProgressBar(total=total, completed=elapsed, width=BAR_WIDTH)
    text = Text(" · ".join(_timing(progress, speed, elapsed, since)), "dim", no_wrap=True)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(" ", bar, text)
    return grid
