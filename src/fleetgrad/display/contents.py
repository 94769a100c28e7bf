"""What data hold: how many rows and classes, and of a table, the kind of each column."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from fleetgrad.data import Dataset
from fleetgrad.display.columns import Column, fitting, indented, table
from fleetgrad.display.words import count

MOST_ROWS = 200


def described(data: Dataset) -> dict[str, Any]:
    """The same in plain values, ready for JSON."""
    return {
        "name": data.name,
        "rows": data.rows,
        "features": data.features,
        "task": data.task,
        "classes": len(data.classes),
        "test_rows": data.test.rows,
        "image_shape": data.image_shape,
        "columns": data.encoding.described() if data.encoding else None,
    }


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Print it."""
    parts = [
        f"{count(found['rows'], 'row')} of {count(found['features'], 'feature')}",
        count(found["classes"], "class", "classes") if found["classes"] else found["task"],
        f"{count(found['test_rows'], 'test row')}, sealed",
    ]
    console.print(Text.assemble((found["name"], "bold"), "  ", (" · ".join(parts), "dim")))
    if found["columns"]:
        console.print()
        _columns(console, found["columns"])


def _columns(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    shown = found[:MOST_ROWS]
    made = [
        Column("column", [one["name"] for one in shown], style="bold"),
        Column("kind", [one["kind"] for one in shown], style="cyan"),
        Column("features", [str(one["features"]) for one in shown], "right"),
        Column("made of", [_fate(one) for one in shown], style="dim"),
    ]
    indented(console, table(fitting(made, console.width)))
    if len(found) > MOST_ROWS:
        console.print(Text(f"and {count(len(found) - MOST_ROWS, 'column')} more", "dim"))


def _fate(column: Mapping[str, Any]) -> str:
    if not column["features"]:
        return "nothing: always the same"
    parts = [count(column["words"], "word") if "words" in column else "a number"]
    if column.get("points"):
        parts.append(f"{count(column['points'], 'value')} of it")
    parts += column.get("recurring", ())
    if column.get("other"):
        rare = column.get("rare")
        parts.append(f"{count(rare, 'rare word')} as one" if rare else "others")
    if column["missing"]:
        parts.append("missing")
    return ", ".join(parts)
