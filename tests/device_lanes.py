"""A script: the throughput benchmark's own path over as many CPU devices as JAX is told to make.

Each device is a lane that trains three networks at once, as a card does; says what was at work.
"""

import json
import sys
from pathlib import Path

import jax

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import cases
from fleetgrad import limits
from fleetgrad.machine import Machine
from ours import Ours


def main() -> None:
    """Measure a small case in moments, and print what took part."""
    limits.SIZES["cpu"], limits.MOVED["cpu"] = 32, 1e5
    case, machine = cases.case("tabular"), Machine(tuple(jax.devices("cpu")), 3)
    peak = limits.Peak(machine.lanes, limits.ways(machine))
    size = limits.working_set(machine, case.settings, case.features, case.classes)
    bandwidth = limits.Bandwidth(machine.lanes, size)
    peak.measure()
    bandwidth.measure()
    ours = Ours(case, 3 * len(machine.lanes), cases.table(512), machine)
    found = {
        "lanes": ours.manner.lanes,
        "devices_at_work": len(machine._rows),
        "compilations": machine.compilations,
        "rate": ours.rate(0.05),
        "peaks": len(peak.gflops["float32"]),
        "bandwidths": len(bandwidth.gigabytes),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
