"""Rounds of the throughput benchmark: the peak, our populations and each peer, one after another.

Machines are noisy, so nothing is measured once and nothing is compared with what was measured in
another minute: the populations of a case and its peers are all ready before its first round, and
each takes a slice of time in every round. A rate is the median of the rounds, a ratio the median of
the rounds' ratios.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata, util
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

import cases
from cases import Case
from crew import Crew
from fleetgrad import bench
from fleetgrad.errors import BudgetError
from fleetgrad.machine import Machine, cores
from fleetgrad.material import Material
from ours import Manner, Ours

PEERS = ("numpy", "sklearn", "torch", "vmap", "notebook")
NEED_TORCH = ("torch", "vmap")
NETWORKS = 16  # of the one peer that trains several at once
PACKAGES = ("numpy", "scikit-learn", "torch")


class Pace(NamedTuple):
    """How long to look: rounds a case, and seconds of a slice of ours and of a peer's."""

    rounds: int
    ours: float
    peer: float


USUAL, QUICK = Pace(3, 2.0, 1.5), Pace(2, 0.4, 0.3)


class Round(NamedTuple):
    """Rows a second in one round: of each of our populations, and of each peer."""

    ours: Mapping[int, float]
    peers: Mapping[str, float]


class Measured(NamedTuple):
    """A case, what was ready for it, and its rounds.

    `ours` says how each population trained, `peers` each peer's processes, threads and differences,
    `left_out` which populations did not fit, and why.
    """

    case: Case
    ours: Mapping[int, Manner]
    peers: Mapping[str, Mapping[str, Any]]
    compile_seconds: float
    rounds: Sequence[Round]
    left_out: Mapping[int, str]


def run(
    todo: Sequence[Case], populations: Sequence[int], peers: Sequence[str], *, quick: bool
) -> dict[str, Any]:
    """Measure the cases beside the peers.

    Args:
        todo: What to measure.
        populations: Of ours, for each case; those that do not fit into memory are left out.
        peers: Some of `PEERS`; those that need a missing PyTorch are left out.
        quick: Whether short slices will do.
    """
    began, load = time.perf_counter(), os.getloadavg()[0]
    pace = QUICK if quick else USUAL
    missing = [name for name in peers if name in NEED_TORCH and not has_torch()]
    present = [name for name in peers if name not in missing]
    peak = bench.Peak(Machine.here().lanes)
    measured = []
    with _workers(present) as crews, tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(todo, start=1):
            print(f"{number} of {len(todo)}: {case.name}", file=sys.stderr)
            material = cases.material(case, quick=quick)
            ready = _opened(case, _written(Path(folder) / f"{case.features}", material), crews)
            measured.append(_measure(case, populations, material, ready, crews, peak, pace))
    best = {kind: max(peak.gflops[kind]) for kind in bench.KINDS}
    return {
        "machine": bench.description() | {"packages": _versions(), "load_before": load},
        "peak_gflops": best,
        "peak_gflops_then": peak.gflops,
        "pace": pace._asdict(),
        "networks": NETWORKS,
        "missing": missing,
        "left_out": [
            {"case": one.case.name, "population": population, "reason": reason}
            for one in measured
            for population, reason in one.left_out.items()
        ],
        "seconds": time.perf_counter() - began,
        "rows": [row(best, one, population) for one in measured for population in one.ours],
    }


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return util.find_spec("torch") is not None


def compared(
    rounds: Sequence[Round], population: int, name: str, epoch_rows: int
) -> dict[str, Any]:
    """One peer's rate, and one of our populations' over it: the median, and all rounds."""
    ratios = [one.ours[population] / one.peers[name] for one in rounds]
    rate = median(one.peers[name] for one in rounds) / epoch_rows
    return {
        "network_epochs_per_s": rate,
        "ms_per_network_epoch": 1e3 / rate,
        "ratio": median(ratios),
        "ratios": ratios,
    }


def row(best: Mapping[str, float], measured: Measured, population: int) -> dict[str, Any]:
    """What was found for one population of a case.

    Args:
        best: GFLOP/s of the peak, by precision.
        measured: The case.
        population: One of its populations.
    """
    case, rounds, ours = measured.case, measured.rounds, measured.ours[population]
    rate = median(one.ours[population] for one in rounds) / case.rows
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
        "skips_zeros": ours.skips_zeros,
        "note": case.note,
        "population": population,
        "lanes": ours.lanes,
        "network_epochs_per_s": rate,
        "ms_per_network_epoch": 1e3 / rate,
        "gflops": gflops,
        "fraction_of_peak": gflops / best[case.precision],
        "ms_at_peak": 1e-6 * case.epoch_flops / best[case.precision],
        "compile_s": measured.compile_seconds,
        "peers": {
            name: {**compared(rounds, population, name, case.rows), **one}
            for name, one in measured.peers.items()
        },
    }


@contextmanager
def _workers(peers: Sequence[str]) -> Iterator[dict[str, Crew]]:
    """The crew of each peer: a process a core, or for vmap one process with all cores."""
    with ExitStack() as stack:
        each = stack.enter_context(Crew(cores(), 1)) if set(peers) - {"vmap"} else None
        together = stack.enter_context(Crew(1, cores())) if "vmap" in peers else None
        crews = {name: together if name == "vmap" else each for name in peers}
        yield {name: crew for name, crew in crews.items() if crew}


def _opened(case: Case, data: Path, crews: Mapping[str, Crew]) -> dict[str, dict[str, Any]]:
    """Every peer made ready for the case."""
    for crew in set(crews.values()):
        crew.close()  # what was open for the case before
    ready = {}
    for name, crew in crews.items():
        differs = crew.open(name, case.net()._asdict(), NETWORKS, data)
        ready[name] = {"processes": len(crew), "threads": crew.threads, "differs": differs}
    return ready


def _measure(
    case: Case,
    populations: Sequence[int],
    material: Material,
    ready: Mapping[str, Mapping[str, Any]],
    crews: Mapping[str, Crew],
    peak: bench.Peak,
    pace: Pace,
) -> Measured:
    machine = Machine.here()  # its own, so that each case pays for its compilation
    ours: dict[int, Ours] = {}
    left_out = {}
    for population in populations:
        try:
            ours[population] = Ours(case, population, material, machine)
        except BudgetError as refusal:
            left_out[population] = str(refusal)
    rounds = []
    for _ in range(pace.rounds):
        peak.measure()
        rates = {population: one.rate(pace.ours) for population, one in ours.items()}
        rounds.append(Round(rates, {name: crews[name].rate(name, pace.peer) for name in ready}))
    peak.measure()
    manners = {population: one.manner for population, one in ours.items()}
    return Measured(case, manners, ready, machine.compile_seconds, rounds, left_out)


def _written(folder: Path, material: Material) -> Path:
    """Where the workers find the rows, scaled."""
    if not folder.is_dir():
        folder.mkdir()
        np.save(folder / "x.npy", cases.scaled(material))
        np.save(folder / "y.npy", material.y.astype(np.int64))
    return folder


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES if name != "torch" or has_torch()}
