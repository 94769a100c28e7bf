"""How long `fleetgrad --help` takes: wall-clock and processor seconds, the least of ten runs.

Run with nothing else going on: `python benchmarks/startup.py`; the aim is below 0.3 s.
"""

import json
import resource
import subprocess
import sys
import time

RUNS = 10


def once() -> tuple[float, float]:
    """Seconds on the clock and of the processor for one `--help`."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "fleetgrad", "--help"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print one JSON object."""
    walls, works = zip(*(once() for _ in range(RUNS)), strict=True)
    print(json.dumps({"wall_s": round(min(walls), 3), "processor_s": round(min(works), 3)}))


if __name__ == "__main__":
    main()
