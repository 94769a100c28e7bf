"""Studies back to back for hours, in one process: what a process holds must stay flat.

    python benchmarks/soak.py                      two hours
    python benchmarks/soak.py --seconds 900        a quarter of one
    python benchmarks/soak.py --json               every reading, as one JSON object

Rounds of the same few studies (images, a table, numbers, an ensemble, one that is interrupted and
goes on, a saved model that predicts), over and over. After each round it reads memory, open files,
threads, temporary files, and what is in the cache of compiled programs. The exit status is 1 where
one of them is higher over the last quarter of the time than over the second.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

SECONDS = 7200.0
QUARTERS = 4
FEWEST = 8  # rounds that a judgment needs
MEGABYTE = 1 << 20


class Reading(NamedTuple):
    """What the process held after a round.

    Args:
        seconds: Since the start.
        memory: Resident bytes.
        files: Open file descriptors.
        threads: Of the whole process.
        temporary: Files and folders left in the folder for temporary ones.
        programs: Files in the cache.
    """

    seconds: float
    memory: int
    files: int
    threads: int
    temporary: int
    programs: int


SLACK = {  # what may come and go: bytes, counts
    "memory": 16 * MEGABYTE,
    "files": 0,
    "threads": 0,
    "temporary": 0,
    "programs": 0,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; whether anything grew."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--json", action="store_true", help="print every reading")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        readings = soaked(Path(folder), options.seconds)
    print(json.dumps([one._asdict() for one in readings]) if options.json else table(readings))
    return 1 if grown(readings) else 0


def soaked(folder: Path, seconds: float) -> list[Reading]:
    """Readings after each round, until the time is up."""
    scratch, cache = folder / "tmp", folder / "cache"
    scratch.mkdir()
    os.environ["TMPDIR"], os.environ["FLEETGRAD_CACHE"] = str(scratch), str(cache)
    tempfile.tempdir = str(scratch)
    studies = _studies(folder)
    began, readings = time.monotonic(), list[Reading]()
    while time.monotonic() - began < seconds or len(readings) < FEWEST:
        for study in studies:
            study()
        gc.collect()
        readings.append(_reading(time.monotonic() - began, scratch, cache))
        print(_line(len(readings), readings[-1]), file=sys.stderr, flush=True)
    return readings


def _studies(folder: Path) -> list[Callable[[], None]]:
    """The round, as functions of nothing; each leaves nothing behind."""
    from soak_studies import studies  # noqa: PLC0415 - only now may the cache be looked for

    return studies(folder / "runs")


def _reading(seconds: float, scratch: Path, cache: Path) -> Reading:
    own = Path("/proc/self")
    pages = int((own / "statm").read_text().split()[1])
    return Reading(
        seconds,
        pages * os.sysconf("SC_PAGE_SIZE"),
        len(list((own / "fd").iterdir())),
        len(list((own / "task").iterdir())),
        sum(1 for _ in scratch.rglob("*")),
        sum(1 for _ in cache.rglob("*")),
    )


def grown(readings: Sequence[Reading]) -> dict[str, tuple[float, float]]:
    """What is higher over the last quarter than over the second, in medians: before, and now."""
    size = max(1, len(readings) // QUARTERS)
    found = {}
    for name, slack in SLACK.items():
        values = [getattr(one, name) for one in readings]
        before, now = median(values[size : 2 * size]), median(values[-size:])
        if now > before + slack:
            found[name] = (before, now)
    return found


def table(readings: Sequence[Reading]) -> str:
    """Medians of the four quarters, as Markdown."""
    size, worse = max(1, len(readings) // QUARTERS), grown(readings)
    lines = [f"{len(readings)} rounds in {readings[-1].seconds:.0f} s", ""]
    lines += ["| | first quarter | second | third | last | |", "| --- " + "| ---: " * 4 + "| --- |"]
    for name in SLACK:
        values = [getattr(one, name) for one in readings]
        parts = [values[n * size : (n + 1) * size] for n in range(QUARTERS - 1)] + [values[-size:]]
        cells = [_shown(name, median(part)) for part in parts]
        lines.append(f"| {name} | {' | '.join(cells)} | {'grew' if name in worse else 'flat'} |")
    return "\n".join(lines)


def _shown(name: str, value: float) -> str:
    return f"{value / MEGABYTE:.1f} MB" if name == "memory" else f"{value:g}"


def _line(number: int, one: Reading) -> str:
    held = ", ".join(f"{name} {_shown(name, getattr(one, name))}" for name in SLACK)
    return f"round {number}, {one.seconds:.0f} s: {held}"


if __name__ == "__main__":
    sys.exit(main())
