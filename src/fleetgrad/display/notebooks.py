"""Progress in a notebook: one output of a cell, which is replaced while the cell runs.

It is HTML without scripts, so that it is the same in Jupyter, VS Code and Colab, and in a notebook
that is only looked at: there stands what was last shown.
"""

import html
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fleetgrad.clock import Progress
from fleetgrad.display.words import duration

SHELLS = ("ZMQInteractiveShell", "Shell")  # of Jupyter and VS Code, of Colab
BEGINNING = "loading the data, measuring this machine"
_BAR = (
    '<span style="display:inline-block;width:12em;height:.6em;border-radius:.3em;'
    'background:rgba(125,133,144,.35);margin-right:.8em"><span style="display:block;height:100%;'
    'border-radius:.3em;background:#2f7fc1;width:{width:.1f}%"></span></span>'
)

Sentences = Callable[[Progress], tuple[list[str], list[str]]]


def here() -> bool:
    """Whether this code runs in a notebook's cell."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return type(shell).__name__ in SHELLS


@contextmanager
def watching(title: str, sentences: Sentences) -> Iterator[Callable[[Progress], None]]:
    """A function to report progress to, shown below the cell for as long as the block lasts.

    Args:
        title: What is being done.
        sentences: What to say of progress: where a run stands, and of its time.
    """
    from IPython.display import display  # noqa: PLC0415 - there is one, in a notebook

    began = time.monotonic()
    show_: Any = display  # which has no types
    handle = show_(_page(title, [BEGINNING]), raw=True, display_id=True)

    def show(progress: Progress) -> None:
        standing, timing = sentences(progress)
        handle.update(_page(title, standing, timing, _share(progress)), raw=True)

    ended = "stopped"
    try:
        yield show
        ended = "done"
    finally:
        words = [f"{ended} after {duration(time.monotonic() - began)}"]
        handle.update(_page(title, words), raw=True)


def _share(progress: Progress) -> float | None:
    """How much of the time is gone; None where the end is not a matter of time."""
    if progress.left is None:
        return None
    whole = progress.elapsed + max(0.0, progress.left)
    return progress.elapsed / whole if whole else 0.0


def _page(
    title: str, standing: list[str], timing: Sequence[str] = (), share: float | None = None
) -> dict[str, str]:
    """As HTML, and as text for those who have none."""
    first, second = " · ".join(standing), " · ".join(timing)
    bar = "" if share is None else _BAR.format(width=100 * share)
    lines = f"<b>{html.escape(title)}</b> · {html.escape(first)}<br>{bar}{html.escape(second)}"
    style = "font-size:14px;line-height:1.6;font-variant-numeric:tabular-nums"
    return {
        "text/html": f'<div style="{style}">{lines.removesuffix("<br>")}</div>',
        "text/plain": "\n".join([f"{title} · {first}", *([second] if second else [])]),
    }
