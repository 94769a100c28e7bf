"""`dashboard`: a run in optuna-dashboard."""

from typing import Annotated

import typer

from fleetgrad.cli import ending
from fleetgrad.cli.options import Browser, Json, RunDirectory


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(dashboard)


def dashboard(
    directory: RunDirectory,
    *,
    port: Annotated[int, typer.Option(help="Of this machine; 0 for any that is free.")] = 0,
    browser: Browser = True,
    as_json: Json = False,
) -> None:
    """Open optuna-dashboard on a copy of the run, until Ctrl-C.

    For this machine alone, in memory: nothing that is done there changes the run. It takes the
    extra: pip install 'fleetgrad[dashboard]'. A run that is going on is shown as it is now.
    """
    from fleetgrad.dashboard import server  # noqa: PLC0415 - not for `--help`
    from fleetgrad.watch import serving  # noqa: PLC0415 - not for `--help`

    server.check_installed()
    with server.listening(server.application(directory), port) as listening:
        address = f"http://{server.HOST}:{listening.server_port}/dashboard"
        if as_json:
            ending.answer({"url": address})
        else:
            typer.echo(f"{address} (Ctrl-C ends it)")
        if browser and not as_json:
            serving.opened(address)
        try:
            listening.serve_forever()
        except KeyboardInterrupt:  # the way to end it
            return
