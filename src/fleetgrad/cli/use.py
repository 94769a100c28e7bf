"""`predict` and `export`: what a finished run is good for."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

import fleetgrad as fg
from fleetgrad.cli import ending
from fleetgrad.cli.options import Json
from fleetgrad.errors import ModelError

Source = Annotated[
    Path, typer.Argument(metavar="DIR", help="A run's directory, or a model's.", show_default=False)
]


class _File(NamedTuple):
    """What was predicted for one file, a row each."""

    path: Path
    labels: list[Any]
    shares: list[list[float]]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(predict)
    app.command()(export)


def predict(
    model: Source,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help=".npy, .csv, .parquet, IDX images or PNG pictures.",
            show_default=False,
        ),
    ],
    *,
    proba: Annotated[
        bool, typer.Option("--proba", help="Print the probability of each class beside the label.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict the label, or the number, of every row in files.

    One a line, in the order of the rows; after the name of the file where there are several.
    """
    network = _model(model)
    found = [_File(path, *_predicted(network, path, proba=proba)) for path in files]
    if as_json:
        ending.answer(_plain(network, found, proba=proba))
        return
    several = len(files) > 1
    if proba:
        typer.echo("\t".join([*(["file"] if several else []), "label", *map(str, network.classes)]))
    for file in found:
        for row, label in enumerate(file.labels):
            parts = [*([str(file.path)] if several else []), str(label)]
            parts += [f"{share:.6f}" for share in file.shares[row]] if proba else []
            typer.echo("\t".join(parts))


def export(
    model: Source,
    path: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="Where to.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Write the model as ONNX.

    For other programs; inputs are raw, as in training.
    """
    _model(model).export_onnx(path)
    if as_json:
        ending.answer({"onnx": str(path), "bytes": path.stat().st_size})
    else:
        typer.echo(path)


def _model(path: Path) -> "fg.Model | fg.Ensemble":
    """The model of a run, or the one that lies there."""
    from fleetgrad import directory  # noqa: PLC0415 - not for `--help`

    if not (path / directory.CONFIG).exists():
        return fg.Model.load(path)
    if not (path / "model").is_dir():
        raise ModelError(
            f"`{path}` must be a run with a model, got one that has not come so far; go on with "
            f"`fleetgrad resume {shlex.quote(str(path))}`."
        )
    return fg.Model.load(path / "model")


def _predicted(
    network: "fg.Model | fg.Ensemble", path: Path, *, proba: bool
) -> tuple[list[Any], list[list[float]]]:
    """The labels of a file's rows, and the shares of the classes where they are wanted."""
    rows = network.read(path)
    shares = network.predict_proba(rows).tolist() if proba else []
    return network.predict(rows).tolist(), shares


def _plain(
    network: "fg.Model | fg.Ensemble", found: Sequence[_File], *, proba: bool
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "predictions": [label for file in found for label in file.labels],
        "files": [{"file": str(file.path), "rows": len(file.labels)} for file in found],
    }
    if proba:
        values["classes"] = network.classes.tolist()
        values["probabilities"] = [row for file in found for row in file.shares]
    return values
