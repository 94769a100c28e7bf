"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show progress as plain lines without a terminal.")
]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The run's directory.", show_default=False)
]
Target = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column to predict, the last by default.")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="COLUMN", help="Column not to learn from; repeatable."),
]
Task = Annotated[str, typer.Option(help="classification, regression, or auto: what the column is.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="WHERE", help="tcp://host:8786, or local:4: train on a Dask cluster."),
]
DataDirectory = Annotated[Path | None, typer.Option(metavar="DIR", help="Where named sets lie.")]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Show the study on a local page while this command runs."),
]
Browser = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open the page, where there is a screen.")
]
