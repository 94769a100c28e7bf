"""How soon a search holds a network that is good enough: MNIST, by the clock, beside other ways.

    python benchmarks/time_to_quality.py                 a table, after 15 minutes and the refits
    python benchmarks/time_to_quality.py --json          all trajectories as one JSON object
    python benchmarks/time_to_quality.py --quick         3,000 rows, 20 s each: does it work at all?

Every way gets the same rows, the same split and the same seconds, one after the other, each in a
process of its own whose clock starts when its libraries are there: ours (`race_ours.py`), Optuna
with PyTorch (`race_torch.py`), and scikit-learn (`race_sklearn.py`), on two cores. When the clock
has stopped, those who led are refitted in turn, on all training rows and in full, each as its own
way trains, and the test part is opened for these refits alone.

A way has reached a goal in two senses. It was told of settings that are good enough: a score after
an epoch, which only somebody who reads along can make use of. And it returns such settings if it is
stopped: Optuna's `best_trial` is the best of the trials that came to their end, scikit-learn's
`best_params_` are there when its search is over, and ours are those of whoever leads.

Run it with nothing else going on. PyTorch is optional (`pip install 'fleetgrad[bench]'`).
"""

import argparse
import datetime as dt
import importlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any

import digits_data
import racing
from racing import Incumbent, Task

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
RACERS = {"fleetgrad": "race_ours", "optuna": "race_torch", "sklearn": "race_sklearn"}
SENSES = ("told", "returned")  # in which a way has reached a goal
GRACE = {"fleetgrad": 60.0, "optuna": 60.0, "sklearn": 0.0}  # seconds to end of their own accord
SECONDS, EPOCHS = 300.0, 10
QUICK_SECONDS, QUICK_EPOCHS, QUICK_ROWS = 20.0, 3, 3_000
LOOK = 0.2


def main(arguments: Sequence[str] | None = None) -> None:
    """Race and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if digits_data.missing(options.data_dir):
        parser.error(
            f"`--data-dir` must be a folder with MNIST's four IDX files in `mnist`, got "
            f"{options.data_dir}, which has none; see CONTRIBUTING.md."
        )
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    options.epochs = options.epochs or (QUICK_EPOCHS if options.quick else EPOCHS)
    options.rows = QUICK_ROWS if options.quick else None
    missing = {} if util.find_spec("torch") else {"optuna": "PyTorch is not installed"}
    found: dict[str, Any] = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "seconds": options.seconds,
        "epochs": options.epochs,
        "rows": options.rows,
        "missing": missing,
        "methods": {},
    }
    for name in options.methods:
        if name not in missing:
            print(f"{name}: {options.seconds:g} s, and refits", file=sys.stderr)
            found["methods"][name] = raced(name, options)
    for sense in SENSES:
        found[f"ours_over_theirs_{sense}"] = _ratios(found["methods"], sense, options.seconds)
    print(json.dumps(found) if options.json else _text(found))


def raced(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One racer's search, and the refits of those who led in it."""
    with tempfile.TemporaryDirectory() as folder:
        task = Task(
            options.data_dir.resolve(),
            Path(folder) / "log",
            options.seconds,
            options.seed,
            options.epochs,
            options.rows,
        )
        _searched(name, task)
        events = racing.events(racing.lines(task.log))
        returned = [one for one in events if one.returned]
        led = {
            "told": racing.incumbents(events, task.seconds),
            "returned": racing.incumbents(returned, task.seconds),
        }
        tested = _tested(name, task, led.values())
    return {
        "candidates": len({racing.key(one.settings) for one in events}),
        "trajectory": {
            sense: [(one.seconds, one.validation) for one in ones] for sense, ones in led.items()
        },
        "reached": {sense: racing.reached(ones, tested) for sense, ones in led.items()},
        "refitted": [{"settings": json.loads(key), "test": got} for key, got in tested.items()],
        "differs": importlib.import_module(RACERS[name]).DIFFERS,
    }


def _searched(name: str, task: Task) -> None:
    """Let a racer search in a process group of its own, and end it when its time is over."""
    process = multiprocessing.get_context("spawn").Process(target=_begin, args=(name, task))
    process.start()
    ended = False
    while process.is_alive() and not ended:
        time.sleep(LOOK)
        began = next((line["began"] for line in racing.lines(task.log) if "began" in line), None)
        ended = began is not None and time.time() - began > task.seconds + GRACE[name]
    if ended:
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    if process.exitcode and not ended:
        raise SystemExit(f"{name} failed; what it said stands above.")


def _begin(name: str, task: Task) -> None:
    os.setsid()
    importlib.import_module(RACERS[name]).search(task)


def _tested(name: str, task: Task, led: Iterable[Sequence[Incumbent]]) -> dict[str, float]:
    """Test accuracies of those who led in any sense, each refitted once."""
    tested: dict[str, float] = {}
    with multiprocessing.get_context("spawn").Pool(1) as pool:

        def refitted(settings: Mapping[str, Any]) -> float:
            accuracy: float = pool.apply(_refit, (name, task, settings))
            print(f"{name}: a refit reaches {accuracy:.4f}", file=sys.stderr)
            return accuracy

        for one in led:
            tested |= racing.judged(racing.leaders(one), refitted, tested)
    return tested


def _refit(name: str, task: Task, settings: Mapping[str, Any]) -> float:
    return importlib.import_module(RACERS[name]).refit(task, settings)


def _ratios(methods: Mapping[str, Any], sense: str, seconds: float) -> dict[str, Any]:
    if "fleetgrad" not in methods:
        return {}
    ours = methods["fleetgrad"]["reached"][sense]
    return {
        name: racing.ratios(ours, one["reached"][sense], seconds)
        for name, one in methods.items()
        if name != "fleetgrad"
    }


def _text(found: Mapping[str, Any]) -> str:
    lines = []
    for name, one in found["methods"].items():
        last = one["trajectory"]["told"][-1:] or [(0.0, float("nan"))]
        lines.append(f"{name:10s} {last[0][1]:.4f} on validation rows")
        for sense, goals in one["reached"].items():
            times = [
                f"{goal} " + ("never" if at is None else f"after {at:.1f} s")
                for goal, at in goals.items()
            ]
            lines.append(f"{'':10s} {sense} what reaches {', '.join(times)} on test rows")
    for sense in SENSES:
        for name, ratios in found[f"ours_over_theirs_{sense}"].items():
            said = [
                f"{goal}: {one['ratio']:.2g} ({one['kind']})"
                for goal, one in ratios.items()
                if one["ratio"] is not None
            ]
            reached = ", ".join(said) or "none reached a goal"
            lines.append(f"our time over {name}'s, {sense}: {reached}")
    lines += [f"{name}: left out, {why}" for name, why in found["missing"].items()]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data-dir", type=Path, default=DATA, help="the folder in which `mnist` lies")
    add("--seconds", type=float, help=f"each way's; {SECONDS:g}")
    add("--epochs", type=int, help=f"a full training of the other ways; {EPOCHS}")
    add("--seed", type=int, default=0)
    add("--methods", nargs="+", choices=RACERS, default=list(RACERS))
    add("--json", action="store_true", help="print one JSON object")
    add("--quick", action="store_true", help="3,000 rows, 20 s each, if not told otherwise")
    return parser


if __name__ == "__main__":
    main()
