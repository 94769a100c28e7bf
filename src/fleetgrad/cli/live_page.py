"""`watch`, and `--watch` of those commands that train: a page that follows a study."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleetgrad.cli import deadline, ending
from fleetgrad.cli.options import Browser, Json, RunDirectory

if TYPE_CHECKING:
    from fleetgrad.watch.serving import Address

PATIENCE = 30.0  # seconds that a run may take to begin
PAUSE = 0.1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)


def watch(
    directory: RunDirectory,
    *,
    port: Annotated[
        int | None, typer.Option(metavar="N", help="Where; 8787 else, or any that is free.")
    ] = None,
    browser: Browser = True,
    as_json: Json = False,
) -> None:
    """Show a study on a local page, live; Ctrl-C ends the page, and never the study.

    Who trains, is paused, was stopped or diverged; curves as they grow; speed, and the time left;
    a button that stops the study in order. The page is for this machine alone.
    """
    from fleetgrad.watch.follower import Follower  # noqa: PLC0415 - not for `--help`
    from fleetgrad.watch.serving import serving  # noqa: PLC0415 - not for `--help`

    follower = Follower(lambda: directory, str(directory))
    try:
        _await(directory)
        with serving(follower, port) as address:
            if as_json:
                values = {"url": address.url, "port": address.port, "token": address.token}
                ending.answer({"run": str(directory), **values})
            else:
                typer.echo(address.url)
            _offer(address, wanted=browser and not as_json)
            _stay()
    except KeyboardInterrupt:  # the usual end
        return


@contextmanager
def beside(title: str, *, wanted: bool, browser: bool) -> Iterator[None]:
    """A block that trains, with a page that shows it, where that is wanted.

    The page is there before the run, whose directory is known once it is locked; it ends with the
    block, and says so.
    """
    if not wanted:
        yield
        return
    from fleetgrad.display import consoles  # noqa: PLC0415 - not for `--help`
    from fleetgrad.watch.follower import Follower  # noqa: PLC0415 - not for `--help`
    from fleetgrad.watch.serving import serving  # noqa: PLC0415 - not for `--help`

    before = deadline.written()
    with serving(Follower(lambda: deadline.written(before), title)) as address:
        consoles.note(f"Watch it at {address.url}")
        _offer(address, wanted=browser)
        yield


def _stay() -> None:
    """Wait for the one who ends this."""
    threading.Event().wait()


def _offer(address: "Address", *, wanted: bool) -> None:
    from fleetgrad.watch import serving  # noqa: PLC0415 - not for `--help`

    if wanted:
        serving.opened(address.url)


def _await(path: Path) -> None:
    """Wait for a run that may be about to begin; refuse at once what can be none.

    Raises:
        RunError: It is none, or damaged, or does not begin.
    """
    from fleetgrad import directory, lock  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import consoles  # noqa: PLC0415 - not for `--help`
    from fleetgrad.store import Run  # noqa: PLC0415 - not for `--help`

    last, told = time.monotonic() + PATIENCE, False
    while not (path / directory.CONFIG).exists() and time.monotonic() < last:
        vacant = path.absolute().parent.is_dir() and not path.exists()
        vacant = vacant or (path.is_dir() and not any(path.iterdir()))
        if not vacant and lock.holder(path / directory.LOCK) is None:
            break
        if not told:
            consoles.note(f"Waiting for a run to begin in {path} (at most {PATIENCE:.0f} s).")
            told = True
        time.sleep(PAUSE)
    Run.open(path, write=False).close()
