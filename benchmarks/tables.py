"""Tables at equal time on two cores: ours beside boosting and other networks.

    python benchmarks/tables.py                       a table: nine sets, 60 s each, one seed
    python benchmarks/tables.py --json                all figures as one JSON object
    python benchmarks/tables.py --table               writes docs/tables.md, too
    python benchmarks/tables.py --sets iris,wine --racers fleetgrad,boosting --seconds 20

Each racer learns from the training rows alone and is judged by the same test rows: by its share of
wrong labels, or the root of its mean squared error. RealMLP is optional (`pip install pytabkit`);
where it is missing, the answer says so. Times are for the whole of it, search and refit, each racer
alone on the machine.
"""

import argparse
import datetime as dt
import importlib.util
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tables_data
import tables_racers
from tables_page import markdown

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Race and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not {*options.sets}.isdisjoint(tables_data.FILES) and not options.data.is_dir():
        parser.error(f"`--data` must be the folder of CSV files, got {options.data}; see --help.")
    missing = [] if importlib.util.find_spec("pytabkit") else ["realmlp"]
    racers = [name for name in options.racers if name not in missing]
    rows = []
    for name in options.sets:
        for seed in range(options.seeds):
            for racer in racers:
                rows.append(_raced(racer, name, options, seed))
                print(json.dumps(rows[-1]), file=options.progress, flush=True)
    found = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "system": platform.platform()},
        "seconds": options.seconds,
        "seeds": options.seeds,
        "missing": missing,
        "rows": rows,
        **summary(rows),
    }
    if options.table:
        PAGE.write_text(markdown(found), "utf-8")
    print(json.dumps(found) if options.json else markdown(found))


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean error by set and racer, mean ranks, and mean normalized errors.

    The normalized error of a set is 0 for the best racer and 1 for the worst.
    """
    racers = list(dict.fromkeys(row["racer"] for row in rows))
    sets = list(dict.fromkeys(row["set"] for row in rows))
    held = np.array(
        [
            [
                np.mean([row["error"] for row in rows if (row["set"], row["racer"]) == (name, one)])
                for one in racers
            ]
            for name in sets
        ]
    )
    low, high = held.min(axis=1, keepdims=True), held.max(axis=1, keepdims=True)
    normalized = (held - low) / np.where(high > low, high - low, 1)
    ahead = (held[:, :, None] > held[:, None, :]).sum(axis=2)
    level = (held[:, :, None] == held[:, None, :]).sum(axis=2)
    ranks = ahead + (level + 1) / 2
    return {
        "errors": {
            name: dict(zip(racers, map(float, line), strict=True))
            for name, line in zip(sets, held, strict=True)
        },
        "mean_rank": dict(zip(racers, map(float, ranks.mean(axis=0)), strict=True)),
        "normalized_error": dict(zip(racers, map(float, normalized.mean(axis=0)), strict=True)),
    }


def _raced(racer: str, name: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One racer on one set, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe()
    process = context.Process(
        target=_race, args=(ours, racer, name, options.seconds, seed, options.data)
    )
    process.start()
    ours.close()
    try:
        answer: dict[str, Any] = theirs.recv()
    except EOFError:
        raise SystemExit(f"{racer} must end its race on {name}; its message is above.") from None
    process.join()
    return {"set": name, "racer": racer, "seed": seed, **answer}


def _race(answers: Any, racer: str, name: str, seconds: float, seed: int, data: Path) -> None:
    given = tables_data.load(name, seed, data)
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        predicted = tables_racers.RACERS[racer](given, seconds, seed, Path(place))
        spent = time.perf_counter() - began
    answers.send({"error": tables_racers.error(given, predicted), "seconds": round(spent, 1)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, default=tables_data.FOLDER, help="the folder of CSV files")
    add("--sets", type=_some(tables_data.NAMES), default=list(tables_data.NAMES))
    add("--racers", type=_some(tables_racers.RACERS), default=list(tables_racers.RACERS))
    add("--seconds", type=float, default=SECONDS, help="for each racer on each set")
    add("--seeds", type=int, default=1)
    add("--json", action="store_true", help="print one JSON object")
    add("--table", action="store_true", help="write docs/tables.md")
    add("--progress", type=argparse.FileType("a"), default=sys.stderr, help="a line a race")
    return parser


def _some(known: Any) -> Any:
    def names(text: str) -> list[str]:
        found = [part.strip() for part in text.split(",") if part.strip()]
        unknown = [name for name in found if name not in known]
        if unknown or not found:
            raise argparse.ArgumentTypeError(f"must be some of {', '.join(known)}; got {text!r}.")
        return found

    return names


if __name__ == "__main__":
    main()
