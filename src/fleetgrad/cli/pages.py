"""`report`: the page that a run explains itself on."""

import typer

from fleetgrad.cli import ending
from fleetgrad.cli.options import Json, RunDirectory


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(directory: RunDirectory, *, as_json: Json = False) -> None:
    """Write the run's report.html, one file that explains it.

    For any browser, and without a network; of an unfinished run it tells what is known so far.
    """
    from fleetgrad.report import page  # noqa: PLC0415 - not for `--help`

    path = page.write(directory)
    if as_json:
        ending.answer({"report": str(path), "bytes": path.stat().st_size})
    else:
        typer.echo(path)
