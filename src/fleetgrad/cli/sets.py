"""`data list`, `data fetch` and `data show`: the named sets, where they are, what is in data."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from fleetgrad import cache
from fleetgrad.cli import ending
from fleetgrad.cli.commands import Commands
from fleetgrad.cli.options import DataDirectory, Ignore, Json, Quiet, Target

data = typer.Typer(
    cls=Commands,
    help="List the named data sets, fetch one, or show what data hold.",
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(data, name="data")


@data.command("list")
def list_sets(*, as_json: Json = False) -> None:
    """List the named data sets, and which are here."""
    from fleetgrad.display import consoles, measures  # noqa: PLC0415 - not for `--help`

    known = _known()
    if as_json:
        ending.answer({"sets": known})
    else:
        measures.sets(consoles.out(), known)


@data.command("fetch")
def fetch_set(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    *,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fetch a data set into the cache.

    Files that are there are left; every file is checked.
    """
    folder = _fetched(name, quiet=quiet)
    if as_json:
        ending.answer({"name": name, "folder": str(folder)})
    else:
        typer.echo(folder)


@data.command("show")
def show_data(
    data: Annotated[str, typer.Argument(metavar="DATA", help="As for tune.", show_default=False)],
    *,
    target: Target = None,
    ignore: Ignore = None,
    data_dir: DataDirectory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what data hold: rows, classes, and the kind of each column of a table.

    The test part stays sealed.
    """
    from fleetgrad.data import load  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import consoles, contents  # noqa: PLC0415 - not for `--help`

    bring(data, data_dir, quiet=quiet)
    found = contents.described(load(data, target=target, data_dir=data_dir, ignore=ignore or ()))
    if as_json:
        ending.answer(found)
    else:
        contents.show(consoles.out(), found)


def bring(source: str, data_dir: Path | None, *, quiet: bool) -> None:
    """Fetch a named set beforehand, in sight, where it would be fetched anyway."""
    from fleetgrad.data import catalog  # noqa: PLC0415 - not for `--help`

    if source in catalog.SETS and data_dir is None and not os.environ.get("FLEETGRAD_DATA"):
        _fetched(source, quiet=quiet)


def _fetched(name: str, *, quiet: bool) -> Path:
    from fleetgrad.data import fetch  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import downloads  # noqa: PLC0415 - not for `--help`

    with downloads.watching(quiet=quiet) as progress:
        return fetch(name, progress=progress)


def _known() -> list[dict[str, Any]]:
    """Each set with its size in bytes, and its folder in the cache where it is there."""
    from fleetgrad.data import catalog  # noqa: PLC0415 - not for `--help`

    digits = {"name": "digits", "title": "8 x 8 pictures of digits: 1,797 pictures, 10 classes"}
    known: list[dict[str, Any]] = [digits | {"bytes": 0, "folder": None}]
    for name, named in catalog.SETS.items():
        folder = cache.folder() / name
        here = all((folder / file.name).is_file() for file in named.files)
        size = sum(file.size for file in named.files)
        row = {"name": name, "title": named.title, "bytes": size}
        known.append(row | {"folder": str(folder) if here else None})
    return known
