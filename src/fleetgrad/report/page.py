"""All of it in one file: words, figures and programs, for any browser, without a network.

What comes from data is escaped, in HTML by Jinja and in JSON here. The page carries a policy that
lets nothing in from outside and runs no script but its own, each by its checksum.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fleetgrad import __version__
from fleetgrad.directory import REPORT, writing
from fleetgrad.display.words import percent, value
from fleetgrad.durable import replacing
from fleetgrad.payload import strict
from fleetgrad.report import captions, facts, figures, words
from fleetgrad.report.captions import Caption
from fleetgrad.report.facts import Facts

SCRIPTS = ("network.js", "drawing.js", "board.js", "page.js")
SHOWN = 20  # rows of the leaderboard without scripts
MOST_CELLS = 60_000  # of the leaderboard
MOST_BYTES = 8_000_000
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)

SECTIONS = (  # titles, and the figures below each
    ("search", "How the search went", ("curves", "cost", "audit")),
    ("settings", "What was learned", ("importances", "effects", "parallel", "rates")),
    (
        "model",
        "How good the model is",
        ("confusion", "classes", "reliability", "predicted", "residuals"),
    ),
    ("inside", "What it looks at", ("columns", "layer")),
)


class Shown(NamedTuple):
    """A figure on the page."""

    name: str
    title: str
    caption: Caption
    height: int
    content: Markup


class Section(NamedTuple):
    """Figures that belong together, and why others are not there."""

    name: str
    title: str
    figures: Sequence[Shown]


def write(path: Path) -> Path:
    """Write the page of a run's directory, whole or not at all; returns where it is.

    Raises:
        RunError: There is no run, its record is damaged, or the directory cannot be written.
    """
    content = render(facts.gather(path))
    with writing(path), replacing(path / REPORT) as file:
        file.write_text(content, encoding="utf-8")
    return path / REPORT


def render(known: Facts) -> str:
    """The page, without the network where there is no room for it."""
    content = _rendered(known)
    if len(content.encode()) <= MOST_BYTES or known.network is None:
        return content
    reason = f"There is no room for the network on a page below {MOST_BYTES // 10**6} MB."
    return _rendered(replace(known, network=None, missing={**known.missing, "network": reason}))


def _rendered(known: Facts) -> str:
    scripts = [Markup(one) for one in (_plotly(), *map(_source, SCRIPTS))]  # noqa: S704 - our own
    hashes = " ".join(f"'sha256-{_checksum(str(one))}'" for one in scripts)
    listed, answers = board(known), known.answers
    return (
        templates()
        .get_template("page.html")
        .render(
            facts=known,
            lead=words.lead(known),
            tiles=words.tiles(known),
            sentences=words.facts_of(known),
            settings=words.settings(known),
            commands=words.commands(known),
            sections=sections(known),
            absent=absent(known),
            wrong=answers.wrong if answers else (),
            first=answers.first if answers else (),
            board=_data(listed),
            network=None if known.network is None else _data(_network(known)),
            rows=listed["rows"],
            shown=SHOWN,
            columns=listed["columns"],
            policy=POLICY.format(scripts=hashes),
            style=Markup(_source("style.css")),  # noqa: S704 - our own
            scripts=scripts,
            percent=percent,
            version=__version__,
        )
    )


def sections(known: Facts) -> list[Section]:
    """All figures that there are, in their sections."""
    kinds = {kind.name: kind for kind in figures.KINDS}
    found = []
    for name, title, members in SECTIONS:
        shown = [_shown(kinds[member], known) for member in members]
        drawn = [one for one in shown if one is not None]
        if drawn:
            found.append(Section(name, title, drawn))
    return found


def absent(known: Facts) -> list[tuple[str, str]]:
    """What the page leaves out, and why."""
    missing = known.missing
    found = []
    if known.result.above_chance is False:
        found.append(("What mattered", "Nothing, for nobody is better than guessing."))
    elif known.insight.reason and known.candidates:
        reason = known.insight.reason
        found.append(("What mattered", f"{reason[:1].upper()}{reason[1:]}"))
    titles = {
        "answers": "Confusion matrix and all that test rows tell",
        "network": "Drawing for the model",
        "layer": "First-layer weights as images",
    }
    found += [(title, missing[part]) for part, title in titles.items() if part in missing]
    if known.result.audit is None and known.candidates:
        found.append(("Audit of early stopping", "Nobody who had been stopped was trained on."))
    return found


def board(known: Facts, most: int | None = None) -> dict[str, Any]:
    """The leaderboard: columns, and rows of cells, each as it is shown and as it is sorted by.

    Args:
        known: Of the run.
        most: Rows; as many as a page has room for by default.
    """
    metric, names = known.metric, list(known.ranges)
    columns = [
        {"name": "rank", "number": True},
        {"name": "id", "number": True},
        {"name": metric.title, "number": True},
        {"name": "95 % interval", "number": True},
        {"name": "epochs", "number": True},
        {"name": "status", "number": False},
        *({"name": name, "number": _is_number(known.ranges[name])} for name in names),
    ]
    rows = []
    for one in known.candidates[: most or MOST_CELLS // len(columns)]:
        score = "" if one.score is None else metric.written(metric.score(one.score))
        bounds = one.interval and " to ".join(
            metric.figure(metric.score(end)) for end in one.interval
        )
        cells: list[tuple[str, Any]] = [
            (str(one.rank), one.rank),
            (f"#{one.id}", one.id),
            (score, one.score),
            (bounds or "", one.interval[1] - one.interval[0] if one.interval else None),
            (str(one.epochs), one.epochs),
            (_status(one), _status(one)),
        ]
        cells += [
            (value(own), own if _is_plain(own) else value(own)) for own in one.settings.values()
        ]
        best = known.winner is not None and one.id == known.winner.id
        rows.append({"status": one.status, "best": best, "cells": cells})
    return {"columns": columns, "rows": rows}


def escaped_json(content: Any) -> str:
    """Strict JSON that may stand inside a script element, whatever it holds."""
    return _safe(json.dumps(strict(content), allow_nan=False, separators=(",", ":")))


def _safe(text: str) -> str:
    for letter, code in _ESCAPES.items():
        text = text.replace(letter, code)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _shown(kind: figures.Kind, known: Facts) -> Shown | None:
    made = kind.draw(known)
    if made is None:
        return None
    content = Markup(_safe(made.to_json(validate=False)))  # noqa: S704 - escaped for a script
    return Shown(
        kind.name, kind.title, captions.of(kind.name, known), int(made.layout.height), content
    )


def _status(one: facts.Candidate) -> str:
    if one.status == "diverged":
        return f"diverged, step {one.diverged_step}"
    repeats = f"{one.replicates} repeats" if one.replicates else one.status
    return f"{repeats}, tied" if one.tied else repeats


def _is_number(span: Any) -> bool:
    return "choice" not in span or all(map(_is_plain, span["choice"]))


def _is_plain(own: Any) -> bool:
    return isinstance(own, int | float) and not isinstance(own, bool)


def _network(known: Facts) -> dict[str, Any]:
    assert known.network is not None
    content: dict[str, Any] = strict(known.network)
    return content | {"classes": list(known.classes)}


def _data(content: Any) -> Markup:
    return Markup(escaped_json(content))  # noqa: S704 - escaped for a script


def _checksum(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - five megabytes

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("\r", "\n")


def _source(name: str) -> str:
    return (files("fleetgrad.report") / "templates" / name).read_text(encoding="utf-8")


def templates() -> Environment:
    """Ours, in which whatever comes from data is escaped."""
    return Environment(
        loader=PackageLoader("fleetgrad.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
