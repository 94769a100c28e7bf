"""How fast fleets train beside other ways to train the same networks, on the same cores.

    python benchmarks/throughput.py              a table, in about ten minutes on two cores
    python benchmarks/throughput.py --json       all rows and ratios as one JSON object
    python benchmarks/throughput.py --table      writes docs/throughput.md too
    python benchmarks/throughput.py --quick      small populations, short slices: about a minute

Machines are noisy, so nothing is measured once: every case goes through several rounds, each a
measurement of the machine's peak, a slice of our training and a slice of each peer's, one after
another. A rate is the median of the rounds, a ratio the median of the rounds' ratios. PyTorch is
optional (`pip install 'fleetgrad[bench]'`); where it is missing, the answer says so.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import metadata, util
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

import cases
from cases import Case
from crew import Crew
from fleetgrad import bench
from fleetgrad.machine import Machine, cores
from ours import Ours
from table import markdown

PEERS = ("numpy", "sklearn", "torch", "vmap", "notebook")
NEED_TORCH = ("torch", "vmap")
PAGE = Path(__file__).parents[1] / "docs" / "throughput.md"
PACKAGES = ("numpy", "scikit-learn", "torch")


class Pace(NamedTuple):
    """How long to look: rounds a case, and seconds of a slice of ours and of a peer's."""

    rounds: int
    ours: float
    peer: float


USUAL, QUICK = Pace(3, 3.0, 2.0), Pace(2, 0.6, 0.4)


class Round(NamedTuple):
    """Rows a second in one round: ours, and each peer's."""

    ours: float
    peers: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parse(arguments)
    found = run(
        cases.chosen(options.cases, options.populations, quick=options.quick),
        options.peers,
        quick=options.quick,
    )
    if options.table:
        PAGE.write_text(markdown(found), "utf-8")
    print(json.dumps(found) if options.json else markdown(found))


def run(todo: Sequence[Case], peers: Sequence[str], *, quick: bool) -> dict[str, Any]:
    """Measure the cases beside the peers.

    Args:
        todo: What to measure.
        peers: Some of `PEERS`; those that need a missing PyTorch are left out.
        quick: Whether short slices will do.
    """
    began, load = time.perf_counter(), os.getloadavg()[0]
    pace = QUICK if quick else USUAL
    missing = [name for name in peers if name in NEED_TORCH and not has_torch()]
    present = [name for name in peers if name not in missing]
    peak = bench.Peak(Machine.here().lanes)
    measured = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        crews = {"each": stack.enter_context(Crew(cores(), 1))}
        if "vmap" in present:
            crews["all"] = stack.enter_context(Crew(1, cores()))
        for number, case in enumerate(todo, start=1):
            print(f"{number} of {len(todo)}: {case.name}, {case.population}", file=sys.stderr)
            measured.append(_measured(case, present, crews, peak, pace, folder, quick=quick))
    best = {kind: max(peak.gflops[kind]) for kind in bench.KINDS}
    return {
        "machine": bench.description() | {"packages": _versions(), "load_before": load},
        "peak_gflops": best,
        "pace": pace._asdict(),
        "missing": missing,
        "seconds": time.perf_counter() - began,
        "rows": [_row(best, *one) for one in measured],
    }


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return util.find_spec("torch") is not None


def compared(rounds: Sequence[Round], name: str, epoch_rows: int) -> dict[str, Any]:
    """One peer's rate, and ours over it: the median of the rounds, and all of them."""
    ratios = [one.ours / one.peers[name] for one in rounds]
    rate = median(one.peers[name] for one in rounds) / epoch_rows
    return {
        "network_epochs_per_s": rate,
        "ms_per_network_epoch": 1e3 / rate,
        "ratio": median(ratios),
        "ratios": ratios,
    }


def _measured(
    case: Case,
    peers: Sequence[str],
    crews: Mapping[str, Crew],
    peak: bench.Peak,
    pace: Pace,
    folder: Path,
    *,
    quick: bool,
) -> tuple[Case, Ours, list[Round], dict[str, dict[str, Any]]]:
    material = cases.material(case, quick=quick)
    data = _written(folder / f"{case.features}", material)
    ours = Ours(case, material)
    ready: dict[str, dict[str, Any]] = {}
    for name in peers:
        if name == "notebook" and case.name != "notebook":
            continue
        crew = crews["all" if name == "vmap" else "each"]
        differs = crew.open(name, case.net()._asdict(), case.population, data)
        processes = min(len(crew), case.population)
        ready[name] = {"processes": processes, "threads": crew.threads, "differs": differs}
    rounds = []
    for _ in range(pace.rounds):
        peak.measure()
        rate = ours.rate(pace.ours)
        rates = {
            name: crews["all" if name == "vmap" else "each"].rate(name, pace.peer, one["processes"])
            for name, one in ready.items()
        }
        rounds.append(Round(rate, rates))
    peak.measure()
    for crew in crews.values():
        crew.close()
    return case, ours, rounds, ready


def _row(
    best: Mapping[str, float],
    case: Case,
    ours: Ours,
    rounds: Sequence[Round],
    ready: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    rate = median(one.ours for one in rounds) / case.rows
    gflops = 1e-9 * rate * case.epoch_flops
    return {
        "case": case.name,
        "features": case.features,
        "hidden": list(case.settings.hidden),
        "classes": case.classes,
        "activation": case.settings.activation,
        "optimizer": case.settings.optimizer,
        "dropout": case.settings.dropout,
        "batch_size": case.settings.batch_size,
        "epoch_rows": case.rows,
        "precision": case.precision,
        "note": case.note,
        "population": case.population,
        "lanes": ours.lanes,
        "network_epochs_per_s": rate,
        "ms_per_network_epoch": 1e3 / rate,
        "gflops": gflops,
        "fraction_of_peak": gflops / best[case.precision],
        "ms_at_peak": 1e-6 * case.epoch_flops / best[case.precision],
        "compile_s": ours.compile_seconds,
        "peers": {name: compared(rounds, name, case.rows) | one for name, one in ready.items()},
    }


def _written(folder: Path, material: Any) -> Path:
    """Where the workers find the rows, scaled."""
    if not folder.is_dir():
        folder.mkdir()
        np.save(folder / "x.npy", cases.scaled(material))
        np.save(folder / "y.npy", material.y.astype(np.int64))
    return folder


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES if name != "torch" or has_torch()}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--table", action="store_true", help="write docs/throughput.md")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=cases.NAMES,
        default=list(cases.NAMES),
        metavar="CASE",
        help=f"some of: {', '.join(cases.NAMES)}",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        default=list(PEERS),
        metavar="PEER",
        help=f"some of: {', '.join(PEERS)}; nothing for none",
    )
    parser.add_argument(
        "--populations",
        nargs="+",
        type=_population,
        metavar="N",
        help="networks side by side, for every case",
    )
    options = parser.parse_args(arguments)
    if options.peers != list(PEERS) and {*NEED_TORCH} & {*options.peers} and not has_torch():
        parser.error("`--peers torch vmap` need PyTorch; pip install 'fleetgrad[bench]'.")
    return options


def _population(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"a population must be a whole number of at least 1, got {text!r}; use 16."
        )
    return int(text)


if __name__ == "__main__":
    main()
