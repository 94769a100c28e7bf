"""A run as a notebook shows it: HTML that runs no script and asks nobody for anything."""

from typing import NamedTuple

from fleetgrad.directory import REPORT
from fleetgrad.display import summary
from fleetgrad.report import page, sketch, words
from fleetgrad.report.facts import Facts

SHOWN = 10  # rows of the leaderboard
MOST_BARS = 8
MOST_COLUMNS = 12


class Bar(NamedTuple):
    """How much a setting mattered, in percent."""

    name: str
    share: float


def render(known: Facts) -> str:
    """The HTML of a run, finished or not; everything that comes from data is escaped."""
    board = page.board(known, SHOWN)
    result = known.result
    return (
        page.templates()
        .get_template("card.html")
        .render(
            facts=known,
            lead=words.lead(known),
            tiles=words.tiles(known),
            curves=sketch.picture(known),
            legend=sketch.legend(known),
            bars=bars(known),
            columns=board["columns"][:MOST_COLUMNS],
            rows=[row | {"cells": row["cells"][:MOST_COLUMNS]} for row in board["rows"]],
            more=len(known.candidates) - len(board["rows"]),
            summary=summary.lines(result),
            page=result.run / REPORT if (result.run / REPORT).exists() else None,
        )
    )


def bars(known: Facts) -> list[Bar]:
    """What mattered most; empty where nothing is known, or nobody is better than guessing."""
    if known.result.above_chance is False:
        return []
    shares = list((known.insight.importances or {}).items())[:MOST_BARS]
    return [Bar(name, 100 * share) for name, share in shares]
