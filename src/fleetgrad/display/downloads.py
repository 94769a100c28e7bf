"""How far a download is: a bar on a terminal, a line a file elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from fleetgrad.data import download
from fleetgrad.display.consoles import err

Watcher = Callable[[download.Progress], None]


@contextmanager
def watching(*, quiet: bool = False) -> Iterator[Watcher]:
    """A function to report every piece to, shown for as long as the block lasts."""
    console = err()
    if quiet:
        yield lambda _: None
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(30), DownloadColumn())
        with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bars:
            yield _Bars(bars)


class _Lines:
    """One line a file, when its first piece comes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: set[str] = set()

    def __call__(self, piece: download.Progress) -> None:
        if piece.url not in self._seen:
            self._seen.add(piece.url)
            self._console.print(Text(f"fetching {piece.url} ..."), soft_wrap=True)


class _Bars:
    """One bar a file."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, piece: download.Progress) -> None:
        if piece.file not in self._tasks:
            self._tasks[piece.file] = self._bars.add_task(piece.file, total=piece.total)
        self._bars.update(self._tasks[piece.file], completed=piece.done)
