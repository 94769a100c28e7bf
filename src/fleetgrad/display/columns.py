"""Tables that fit: as many columns as the terminal is wide, the first ones first."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table

GAP = 2  # spaces between columns
INDENT = 2


class Column(NamedTuple):
    """One column: its title, a text a row, and how they stand.

    Args:
        title: At the head.
        cells: One a row.
        justify: "left" or "right".
        style: Of the whole column, in Rich's words.
        wraps: Whether long texts may take several lines.
    """

    title: str
    cells: Sequence[str]
    justify: Literal["left", "right"] = "left"
    style: str = ""
    wraps: bool = False

    @property
    def width(self) -> int:
        """Of the widest text."""
        return max(map(cell_len, (self.title, *self.cells)))


def indented(console: Console, part: RenderableType) -> None:
    """Print a part of a page, and an empty line after it."""
    console.print(Padding(part, (0, 0, 0, INDENT), expand=False))
    console.print()


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns from the first on that fit side by side into `width`; at least one."""
    chosen: list[Column] = []
    left = width - INDENT
    for column in columns:
        left -= column.width + (GAP if chosen else 0)
        if left < 0 and chosen:
            break
        chosen.append(column)
    return chosen


def table(columns: Sequence[Column], styles: Sequence[str] = ()) -> Table:
    """The columns as a table without lines.

    Args:
        columns: Of as many cells each.
        styles: Of each row; plain where there is none.
    """
    made = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(
            column.title, justify=column.justify, style=column.style, no_wrap=not column.wraps
        )
    rows = zip(*(column.cells for column in columns), strict=True)
    for number, cells in enumerate(rows):
        made.add_row(*cells, style=styles[number] if number < len(styles) else "")
    return made
