"""`space`: the default space in writing, to be read, changed and given to `tune --space`."""

from typing import Annotated

import typer

import fleetgrad as fg
from fleetgrad.cli import ending, sets
from fleetgrad.cli.options import DataDirectory, Ignore, Json, Quiet, Target, Task


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(space)


def space(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="As for tune, or notebook.", show_default=False),
    ],
    *,
    target: Target = None,
    ignore: Ignore = None,
    data_dir: DataDirectory = None,
    task: Task = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Print what tune searches in these data, as TOML with a reason for each line.

    Write it to a file, change it, and give it to tune: fleetgrad space digits > my.toml
    """
    from fleetgrad.defaults import default_text  # noqa: PLC0415 - not for `--help`
    from fleetgrad.space import meaning  # noqa: PLC0415 - not for `--help`

    sets.bring(data, data_dir, quiet=quiet)
    text = default_text(data, target=target, data_dir=data_dir, task=task, ignore=ignore or ())
    if as_json:
        ending.answer({"space": meaning(text).to_dict(), "toml": text})
    else:
        typer.echo(text, nl=False)


def chosen(space: str | None) -> fg.Space | None:
    """The space of this file or name, or None where none is named."""
    from fleetgrad.space import NAMED, named_space  # noqa: PLC0415 - not for `--help`

    if space is None:
        return None
    return named_space(space) if space in NAMED else fg.Space.from_toml(space)
