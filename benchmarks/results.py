"""What the throughput benchmark found, as rows: rates, ratios, and shares of what is possible."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from cases import Case
from fleetgrad.limits import limit
from ours import Manner


class Round(NamedTuple):
    """Rows a second in one round: of each of our populations, and of each peer."""

    ours: Mapping[int, float]
    peers: Mapping[str, float]


class Measured(NamedTuple):
    """A case, what was ready for it, and its rounds.

    `ours` says how each population trained, `peers` each peer's processes, threads, devices and
    differences, `left_out` which populations did not fit, `refused` which peers did not, and why;
    `gigabytes` are a second, of numbers that lie where a lane's networks do.
    """

    case: Case
    ours: Mapping[int, Manner]
    peers: Mapping[str, Mapping[str, Any]]
    compile_seconds: float
    rounds: Sequence[Round]
    left_out: Mapping[int, str]
    refused: Mapping[str, str]
    gigabytes: Sequence[float]


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
    gigabytes = max(measured.gigabytes)
    least = limit(case.epoch_flops, case.epoch_bytes, best[case.precision], gigabytes)
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
        "gflops": 1e-9 * rate * case.epoch_flops,
        "fraction_of_peak": rate * least.arithmetic,
        "ms_at_peak": 1e3 * least.arithmetic,
        "bandwidth_gb_per_s": gigabytes,
        "ms_at_bandwidth": 1e3 * least.memory,
        "ms_at_limit": 1e3 * least.seconds,
        "limited_by": least.by,
        "fraction_of_limit": rate * least.seconds,
        "compile_s": measured.compile_seconds,
        "peers": {
            name: {**compared(rounds, population, name, case.rows), **one}
            for name, one in measured.peers.items()
        },
    }


def left_out(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The populations that did not fit, and why."""
    return [
        {"case": one.case.name, "population": population, "reason": reason}
        for one in measured
        for population, reason in one.left_out.items()
    ]


def refused(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The peers that did not fit, and why."""
    return [
        {"case": one.case.name, "peer": name, "reason": reason}
        for one in measured
        for name, reason in one.refused.items()
    ]
