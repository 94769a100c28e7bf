"""How good the networks are that a search finds for so many epochs, beside other searches.

    python benchmarks/search_quality.py                  a table: 17 tasks, 10 seeds, three budgets
    python benchmarks/search_quality.py --json           all means and errors as one JSON object
    python benchmarks/search_quality.py --table          writes docs/search-quality.md, too
    python benchmarks/search_quality.py --tasks 3945,34539 --budgets 1040 --seeds 2 --workers 2

Nothing is trained: LCBench's surrogate (`surrogate.py`) answers for every network, so what is
measured is the search alone. Ours is the one that `fleetgrad.tune` runs (`stand_in.py`); the others
are in `searchers.py`. SMAC is optional (`pip install 'fleetgrad[bench]'`); where it is missing, the
answer says so. All methods on all tasks take some hours of one core; `--workers` shares them out.
"""

import argparse
import datetime as dt
import json
import os
import platform
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import contest
import searchers
from quality_page import markdown
from surrogate import DEVELOPMENT, EPOCHS, SAMPLE, tasks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "search-quality.md"
DATA = ROOT / ".." / "shared" / "data" / "lcbench"
BUDGETS = (1040, 2600, 5200)
PACKAGES = ("numpy", "scipy", "optuna", "onnxruntime", "smac")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    missing = searchers.missing()
    methods = [name for name in options.methods or searchers.SEARCHES if name not in missing]
    began = time.perf_counter()
    todo = contest.jobs(options.tasks, options.seeds, options.budgets, methods)
    yardsticks, results = contest.run(options.data, todo, options.workers)
    found = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": _machine() | {"workers": options.workers},
        "tasks": options.tasks,
        "seeds": options.seeds,
        "budgets": sorted(options.budgets),
        "epochs": EPOCHS,
        "missing": missing,
        "yardstick": {task: one._asdict() for task, one in yardsticks.items()},
        "sample": SAMPLE,
        **contest.summary(results),
        "seconds": time.perf_counter() - began,
    }
    if options.table:
        PAGE.write_text(markdown(found), "utf-8")
    print(json.dumps(found) if options.json else markdown(found))


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Say what is wrong with the arguments, before anything is measured."""
    if not (options.data / "model.onnx").is_file():
        parser.error(
            f"`--data` must be the folder of LCBench's surrogate (model.onnx, encoding.json), got "
            f"{options.data}, which has none; see CONTRIBUTING.md."
        )
    unknown = [task for task in options.tasks if task not in tasks(options.data)]
    if unknown:
        known = ", ".join(tasks(options.data))
        parser.error(f"`--tasks` must be some of {known}; got {', '.join(unknown)}.")
    if min(options.budgets) < EPOCHS:
        parser.error(f"`--budgets` must be at least {EPOCHS}, got {min(options.budgets)}; use 260.")
    wanted = [name for name in options.methods or () if name in searchers.missing()]
    if wanted:
        reasons = "; ".join(searchers.missing()[name] for name in wanted)
        parser.error(
            f"`--methods {','.join(wanted)}` cannot run: {reasons}; pip install 'fleetgrad[bench]'."
        )


def _machine() -> dict[str, Any]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
        "load_before": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="the surrogate's folder")
    add("--tasks", type=_names, default=list(DEVELOPMENT), help="at OpenML, with commas")
    add("--budgets", type=_counts, default=list(BUDGETS), help="epochs in all, with commas")
    add("--seeds", type=_count, default=10, help="searches on a task, of seed 0, 1, ...")
    add("--methods", type=_methods, help=f"some of {','.join(searchers.SEARCHES)}; all there are")
    add("--workers", type=_count, default=1, help="processes side by side")
    add("--json", action="store_true", help="print one JSON object")
    add("--table", action="store_true", help="write docs/search-quality.md")
    return parser


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _methods(text: str) -> list[str]:
    unknown = [name for name in _names(text) if name not in searchers.SEARCHES]
    if unknown:
        known = ", ".join(searchers.SEARCHES)
        raise argparse.ArgumentTypeError(f"must be some of {known}; got {', '.join(unknown)}.")
    return _names(text)


def _counts(text: str) -> list[int]:
    return [_count(part) for part in _names(text)]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number of at least 1, got {text!r}; use 10."
        )
    return int(text)


if __name__ == "__main__":
    main()
