"""`notebook` and `bench`: the origin repeated, and the machine measured."""

from pathlib import Path
from typing import Annotated

import typer

from fleetgrad.cli import ending, sets
from fleetgrad.cli.options import Json, Quiet, Verbose


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(notebook)
    app.command()(bench)


def notebook(
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of MNIST's four files; fetched else."),
    ] = None,
    replicates: Annotated[int, typer.Option(help="Initial weights for each experiment.")] = 16,
    epochs_scale: Annotated[float, typer.Option(help="Factor on the epochs of each.")] = 1.0,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Repeat the coursework notebook's experiments.

    Its three settings and its arithmetic on the same engine, from many initial weights instead of
    one each.
    """
    from fleetgrad import notebook as experiments  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import consoles, live, measures  # noqa: PLC0415 - not for `--help`

    if data is None:
        sets.bring("mnist", None, quiet=quiet)
    with live.watching("notebook", quiet=quiet, verbose=verbose) as report:
        found = experiments.run(data, replicates, epochs_scale, report)
    if as_json:
        ending.answer(found)
    else:
        measures.notebook(consoles.out(), experiments.table(found), found["seconds"])


def bench(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="More populations and Adam too; two minutes or three.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Measure how fast this machine trains.

    Network-epochs a second of the notebook's network and of wide ones, beside the peak of matrix
    products in the same precision.
    """
    from fleetgrad import bench as benchmark  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import consoles, live, measures  # noqa: PLC0415 - not for `--help`

    cases = benchmark.all_cases() if full else benchmark.usual_cases()
    with live.watching("bench", quiet=quiet, verbose=verbose) as report:
        found = benchmark.run(cases, report)
    if as_json:
        ending.answer(found)
    else:
        measures.bench(consoles.out(), found)
