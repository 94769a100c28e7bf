"""What a search's bookkeeping costs as it grows: a study of a million candidates, none trained.

    python benchmarks/scale.py                  1,000 to 1,000,000 candidates, one JSON object
    python benchmarks/scale.py --table          writes docs/scale.md, too
    python benchmarks/scale.py --candidates 1000 10000

The record, the search and the sampler are the library's own, and so is what comes after them
(audit, repeats, refit, verdict); only the networks are invented (`crowd.py`), on 1,000 lanes. Each
study has a process of its own, so that the most memory it ever held is known. Seconds are the
processor's, so other work on the machine lengthens them only a little.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crowd import Crowd
from fleetgrad import bench, samplers
from fleetgrad import plan as plans
from fleetgrad.budget import Budget
from fleetgrad.clock import Clock
from fleetgrad.space import Choice, Float, Int, Space
from fleetgrad.store import Run
from fleetgrad.study import Study
from fleetgrad.verdict import verdict
from scale_page import markdown

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LANES, EPOCHS, SEED = 1_000, 9, 0
SPACE = Space(
    hidden=Choice((64,), (128,), (256, 128), (100, 100)),
    activation=Choice("relu", "tanh", "silu"),
    optimizer="adamw",
    learning_rate=Float(1e-4, 1.0, log=True),
    weight_decay=Float(1e-6, 1e-1, log=True),
    batch_size=Int(32, 512, log=True),
    dropout=Float(0.0, 0.5),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", nargs="+", type=int, default=SIZES, metavar="N")
    parser.add_argument("--table", action="store_true", help="write docs/scale.md, too")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measured(options.candidates[0])))
        return
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": bench.description(),
        "lanes": LANES,
        "epochs": EPOCHS,
        "rows": [_apart(size) for size in options.candidates],
    }
    if options.table:
        PAGE.write_text(markdown(found), "utf-8")
    print(json.dumps(found))


def _apart(candidates: int) -> dict[str, Any]:
    """A study in a process of its own."""
    command = [sys.executable, __file__, "--one", "--candidates", str(candidates)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    print(done.stdout.strip(), file=sys.stderr, flush=True)  # the next may take long
    return row


def measured(candidates: int) -> dict[str, Any]:
    """Processor time, memory and disk of a study, beside those of one of a hundred candidates."""
    with tempfile.TemporaryDirectory() as folder:
        studied(Path(folder) / "small", 100)  # loads all that is loaded when it is needed
        before = _most_bytes()
        place = Path(folder) / "large"
        found = studied(place, candidates)
        size = sum(path.stat().st_size for path in place.glob("study.db*"))
    return {
        "candidates": candidates,
        **found,
        "ms_a_candidate": 1e3 * found["study_seconds"] / candidates,
        "bytes_a_candidate": (found["memory_bytes"] - before) / candidates,
        "database_bytes": size,
        "database_bytes_a_candidate": size / candidates,
    }


def studied(place: Path, candidates: int) -> dict[str, float]:
    """Search, audit, repeat, refit, and look back."""
    plan = plans.counted(Budget(candidates=candidates, epochs=EPOCHS), adaptive=False)
    sampler = samplers.make("sobol", SPACE, seed=SEED, epochs=EPOCHS)
    with Run.create(place, {"seed": SEED, "space": SPACE.to_dict()}) as run:
        began = time.process_time()
        study = Study(run, sampler, plan, Crowd(LANES), seed=SEED, clock=Clock(None))
        assert len(study.run().leaderboard) == candidates
        ended, held = time.process_time(), _most_bytes()
        del study
        verdict(run, plan)
        return {
            "study_seconds": ended - began,
            "memory_bytes": held,
            "verdict_seconds": time.process_time() - ended,
            "verdict_memory_bytes": _most_bytes(),
        }


def _most_bytes() -> int:
    """The most memory that this process ever held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
