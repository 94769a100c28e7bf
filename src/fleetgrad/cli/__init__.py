"""The command line: parses, calls, prints; everything else is the library's.

    search     tune, resume, show
    pages      report
    live_page  watch
    dashboard  dashboard
    use        predict, export
    measure    notebook, bench
    spaces     space
    sets       data list, data fetch
    ending     exit statuses, errors, JSON

Whatever is slow to import is imported by the command that needs it, when it runs: `--help` takes
no more than Typer itself.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from fleetgrad import __version__
from fleetgrad.cli import (
    dashboard,
    ending,
    live_page,
    measure,
    pages,
    search,
    sets,
    spaces,
    use,
)
from fleetgrad.cli.commands import Commands

app = typer.Typer(
    name="fleetgrad",
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (search, live_page, pages, dashboard, spaces, use, measure, sets):
    group.register(app)


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer's callback
    if wanted:
        typer.echo(f"fleetgrad {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _fleetgrad(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Find the hyperparameters that give a neural network its best predictions.

    Many candidates train at once, losers stop early, the best are repeated from several seeds,
    and the test part is opened once, at the end. Begin with: fleetgrad tune digits --budget 60s
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What stands after `fleetgrad`; this process's own by default.

    Returns:
        The exit status (see `ending`).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(app)
    return ending.of(
        lambda: command.main(given, prog_name="fleetgrad", standalone_mode=False),
        as_json="--json" in given,
    )
