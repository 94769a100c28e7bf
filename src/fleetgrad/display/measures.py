"""Tables of what was measured: `bench`, `notebook`, and the sets of `data list`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fleetgrad.display.columns import INDENT, Column, fitting, table
from fleetgrad.display.words import count, duration, value


def bench(console: Console, found: Mapping[str, Any]) -> None:
    """How fast each population trains, beside the machine's peak."""
    machine, peak = found["machine"], found["peak_gflops"]
    devices = ", ".join(sorted(set(machine["devices"])))
    console.print(
        Text.assemble(
            (machine["processor"], "bold"),
            (f"  {count(machine['cores'], 'core')}, JAX {machine['jax']} on {devices}", "dim"),
        )
    )
    figures = ", ".join(f"{kind} {gflops:,.0f}" for kind, gflops in peak.items())
    console.print(Text(f"peak of matrix products in GFLOP/s: {figures}", "dim"))
    console.print()
    rows = found["rows"]
    columns = [
        Column("fleet", [str(row["population"]) for row in rows], "right"),
        Column("hidden", [value(row["hidden"]) for row in rows]),
        Column("batch", [str(row["batch_size"]) for row in rows], "right"),
        Column("optimizer", [row["optimizer"] for row in rows]),
        Column("precision", [row["precision"] for row in rows]),
        Column("epochs/s", [f"{row['network_epochs_per_s']:.2f}" for row in rows], "right", "bold"),
        Column("ms each", [f"{1000 / row['network_epochs_per_s']:.0f}" for row in rows], "right"),
        Column("of peak", [f"{100 * row['fraction_of_peak']:.0f} %" for row in rows], "right"),
        Column("GFLOP/s", [f"{row['gflops']:.0f}" for row in rows], "right"),
        Column("compile", [duration(row["compile_s"]) for row in rows], "right", "dim"),
    ]
    _print(console, columns)
    console.print(Text("an epoch: one network, one pass over 60,000 images of 784 pixels", "dim"))


def notebook(console: Console, rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Each experiment: medians over the runs that stayed alive, beside what was published."""
    title = Text.assemble(("the notebook's three experiments", "bold"), f"  {duration(seconds)}")
    console.print(title)
    console.print()
    columns = [
        Column("", [str(row["experiment"]) for row in rows], "right", "dim"),
        Column("eta", [f"{row['eta']:g}" for row in rows], "right"),
        Column("epochs", [str(row["epochs"]) for row in rows], "right"),
        Column("alive", [f"{row['alive']} of {row['replicates']}" for row in rows], "right"),
        _beside("loss", rows, "loss", "loss_published", "{:.2f}"),
        _beside("train", rows, "train_accuracy", "train_accuracy_published", "{:.2f}"),
        _beside("test, raw", rows, "test_accuracy_raw", "test_accuracy_published", "{:.4f}"),
        Column("scaled", [f"{row['test_accuracy_scaled']:.4f}" for row in rows], style="bold"),
        Column("all runs, raw", [_span(row) for row in rows], style="dim"),
    ]
    _print(console, columns)
    words = (
        "medians over the runs in which no output died; in brackets what the notebook published, "
        "from one run each and unscaled test images"
    )
    console.print(Text(words, "dim"))


def sets(console: Console, known: Sequence[Mapping[str, Any]]) -> None:
    """The named data sets, and where they are."""
    columns = [
        Column("name", [one["name"] for one in known], style="bold"),
        Column("where", [_where(one) for one in known], style="cyan"),
        Column("what", [one["title"] for one in known], wraps=True),
    ]
    console.print(table(columns))


def _print(console: Console, columns: Sequence[Column]) -> None:
    made = table(fitting(columns, console.width))
    console.print(Padding(made, (0, 0, 0, INDENT), expand=False))
    console.print()


def _beside(
    title: str, rows: Sequence[Mapping[str, Any]], ours: str, theirs: str, form: str
) -> Column:
    cells = [f"{form.format(row[ours])} ({form.format(row[theirs])})" for row in rows]
    return Column(title, cells, "right")


def _span(row: Mapping[str, Any]) -> str:
    return f"{row['lowest_raw']:.3f} to {row['highest_raw']:.3f}"


def _where(known: Mapping[str, Any]) -> str:
    if known["name"] == "digits":
        return "always here"
    megabytes = f"{known['bytes'] / 1e6:.0f} MB"
    return f"in the cache, {megabytes}" if known["folder"] else f"{megabytes} to fetch"
