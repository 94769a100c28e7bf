"""The answer of the race over tables as a page of Markdown."""

from collections.abc import Mapping
from typing import Any

TITLES = {
    "fleetgrad": "Fleetgrad",
    "boosting": "HistGradientBoosting",
    "mlp": "scikit-learn's MLP",
    "realmlp": "RealMLP-TD",
}
LATE = 1.25  # times as long as allowed is worth a word
HEAD = """\
# Tables

Written by `python benchmarks/tables.py --table`; `--json` prints the same. {date}, {cores} cores,
{seconds:g} s for each racer on each set (search, refit and all), {seeds} seed{s}. The figures are
shares of wrong labels in percent, or the root of the mean squared error, on the same test rows.

- Fleetgrad: `fleetgrad.tune(..., ensemble=True)`, default space.
- HistGradientBoosting: its defaults, then a random search by one split, as long as there is time.
- scikit-learn's MLP: numbers standardized, categories one-hot, early stopping, random search.
- RealMLP-TD: pytabkit's tuned defaults, seed after seed as long as there is time, averaged; one
  where that alone takes longer."""


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    racers = list(found["mean_rank"])
    head = HEAD.format(
        date=found["date"],
        cores=found["machine"]["cores"],
        seconds=found["seconds"],
        seeds=found["seeds"],
        s="" if found["seeds"] == 1 else "s",
    )
    lines = [
        _line(["set", *(TITLES[one] for one in racers)]),
        _line(["---"] + ["---:"] * len(racers)),
    ]
    for name, errors in found["errors"].items():
        best = min(errors.values())
        lines.append(_line([name, *(_figure(errors[one], best) for one in racers)]))
    for title, key in (("mean rank", "mean_rank"), ("mean normalized error", "normalized_error")):
        lines.append(_line([f"**{title}**", *(f"{found[key][one]:.2f}" for one in racers)]))
    return "\n\n".join([head, "\n".join(lines), *_notes(found)]) + "\n"


def _notes(found: Mapping[str, Any]) -> list[str]:
    """Who did not race, and who took longer than is fair."""
    notes = []
    if found["missing"]:
        notes.append(f"Not run: {', '.join(TITLES[one] for one in found['missing'])}.")
    late = [
        f"{TITLES[row['racer']]} on {row['set']} ({row['seconds']:.0f} s)"
        for row in found["rows"]
        if row["seconds"] > LATE * found["seconds"]
    ]
    if late:
        notes.append(f"Took longer than their time: {', '.join(late)}.")
    return notes


def _figure(error: float, best: float) -> str:
    text = f"{100 * error:.2f} %" if error < 1 else f"{error:,.1f}"
    return f"**{text}**" if error == best else text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
