"""Rounds of the throughput benchmark: the limits, our populations and each peer, in turn.

Machines are noisy, so nothing is measured once and nothing is compared with what was measured in
another minute: the populations of a case and its peers are all ready before its first round, and
each takes a slice of time in every round. A rate is the median of the rounds, a ratio the median of
the rounds' ratios.
"""

import datetime as dt
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cases
import results
from cases import Case
from crew import Crew
from fleetgrad import bench
from fleetgrad.errors import BudgetError
from fleetgrad.limits import Bandwidth, Peak, ways, working_set
from fleetgrad.machine import Machine
from fleetgrad.material import Material
from ours import Ours
from place import Place, absent, has_torch
from results import Measured, Round

PACKAGES = ("numpy", "scikit-learn", "torch")

Crews = Mapping[Crew, Sequence[str]]  # and the peers that each trains


class Pace(NamedTuple):
    """How long to look: rounds a case, and seconds of a slice of ours and of a peer's."""

    rounds: int
    ours: float
    peer: float


USUAL, QUICK = Pace(3, 2.0, 1.5), Pace(2, 0.4, 0.3)


def run(
    todo: Sequence[Case],
    populations: Sequence[int],
    peers: Sequence[str],
    place: Place,
    *,
    quick: bool,
) -> dict[str, Any]:
    """Measure the cases beside the peers.

    Args:
        todo: What to measure.
        populations: Of ours, for each case; those that do not fit into memory are left out.
        peers: Some of `place.PEERS`; those that PyTorch cannot run there are left out.
        place: Where everything runs.
        quick: Whether short slices will do.
    """
    began, load = time.perf_counter(), os.getloadavg()[0]
    pace = QUICK if quick else USUAL
    missing = absent(peers, place)
    here = Machine.here()
    peak = Peak(here.lanes, ways(here))
    measured = []
    with (
        _workers([name for name in peers if name not in missing], place) as crews,
        tempfile.TemporaryDirectory() as folder,
    ):
        for number, case in enumerate(todo, start=1):
            print(f"{number} of {len(todo)}: {case.name}", file=sys.stderr)
            material = cases.material(case, quick=quick)
            data = _written(Path(folder) / f"{case.features}", material)
            ready = _opened(case, data, crews, place.networks)
            measured.append(_measure(case, populations, material, ready, crews, peak, pace))
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": bench.description() | {"packages": _versions(), "load_before": load},
        "peak_gflops": peak.best,
        "peak_gflops_then": peak.gflops,
        "pace": pace._asdict(),
        "cards": place.cards,
        "networks": place.networks,
        "missing": missing,
        "left_out": results.left_out(measured),
        "refused": results.refused(measured),
        "seconds": time.perf_counter() - began,
        "rows": [
            results.row(peak.best, one, population) for one in measured for population in one.ours
        ],
    }


@contextmanager
def _workers(peers: Sequence[str], place: Place) -> Iterator[Crews]:
    """The processes that train, and which peers each crew of them trains."""
    needed: dict[tuple[tuple[str, ...], int], list[str]] = defaultdict(list)
    for name in peers:
        needed[tuple(place.devices(name)), place.threads(name)].append(name)
    with ExitStack() as stack:
        yield {stack.enter_context(Crew(*how)): names for how, names in needed.items()}


def _opened(case: Case, data: Path, crews: Crews, networks: int) -> dict[str, dict[str, Any]]:
    """What each peer answered that was made ready for the case."""
    ready = {}
    for crew, names in crews.items():
        crew.close()  # what was open for the case before
        how = {"processes": len(crew), "threads": crew.threads, "device": crew.devices[0]}
        for name in names:
            ready[name] = crew.open(name, case.net()._asdict(), networks, data) | how
    return ready


def _measure(
    case: Case,
    populations: Sequence[int],
    material: Material,
    answers: Mapping[str, Mapping[str, Any]],
    crews: Crews,
    peak: Peak,
    pace: Pace,
) -> Measured:
    machine = Machine.here()  # its own, so that each case pays for its compilation
    size = working_set(machine, case.settings, case.features, case.classes)
    bandwidth = Bandwidth(machine.lanes, size)
    ours, left_out = _ready(case, populations, material, machine)
    refused = {name: one["refused"] for name, one in answers.items() if "refused" in one}
    ready = {name: one for name, one in answers.items() if name not in refused}
    trains = {name: crew for crew, names in crews.items() for name in names if name in ready}

    def look() -> None:
        peak.measure()
        bandwidth.measure()

    rounds = []
    for _ in range(pace.rounds):
        look()
        rates = {population: one.rate(pace.ours) for population, one in ours.items()}
        theirs = {name: crew.rate(name, pace.peer) for name, crew in trains.items()}
        rounds.append(Round(rates, theirs))
    look()
    return Measured(
        case=case,
        ours={population: one.manner for population, one in ours.items()},
        peers=ready,
        compile_seconds=machine.compile_seconds,
        rounds=rounds,
        left_out=left_out,
        refused=refused,
        gigabytes=bandwidth.gigabytes,
    )


def _ready(
    case: Case, populations: Sequence[int], material: Material, machine: Machine
) -> tuple[dict[int, Ours], dict[int, str]]:
    """The populations that fit, compiled and warm, and why the others do not."""
    ours, left_out = {}, {}
    for population in populations:
        try:
            ours[population] = Ours(case, population, material, machine)
        except BudgetError as refusal:
            left_out[population] = str(refusal)
    return ours, left_out


def _written(folder: Path, material: Material) -> Path:
    """Where the workers find the rows, scaled."""
    if not folder.is_dir():
        folder.mkdir()
        np.save(folder / "x.npy", cases.scaled(material))
        np.save(folder / "y.npy", material.y.astype(np.int64))
    return folder


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES if name != "torch" or has_torch()}
