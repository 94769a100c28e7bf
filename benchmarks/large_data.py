"""Data larger than the memory there may be: ten gigabytes in a file, through training.

    python benchmarks/large_data.py                              10 GB, at most 2 GB of memory
    python benchmarks/large_data.py --gigabytes 1 --limit 1
    python benchmarks/large_data.py --sealed                     no test part: a fifth is cut off

The limit is the kernel's, on private memory (RLIMIT_DATA: heap, stacks, anonymous mappings); what
goes beyond it fails. Pages of the mapped file are the kernel's cache, which it takes back as it
likes. Rows are made up in TMPDIR, or /var/tmp, and deleted in the end.
"""

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, CLASSES, CHUNK, TESTED = 784, 10, 1 << 16, 10_000
GIGABYTE = 10**9


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--limit", type=float, default=2.0, help="of private memory, in gigabytes")
    parser.add_argument("--sealed", action="store_true", help="let a fifth of the rows be cut off")
    options = parser.parse_args(arguments)
    from fleetgrad import durable  # noqa: PLC0415 - as late as what follows

    with tempfile.TemporaryDirectory(dir=durable.spacious()) as folder:
        path = Path(folder) / "x.npy"
        y = written(path, int(options.gigabytes * GIGABYTE) // FEATURES)
        most = int(options.limit * GIGABYTE)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        print(json.dumps({"limit": most, **trained(path, y, sealed=options.sealed)}))


def written(path: Path, rows: int) -> np.ndarray:
    """Images of mostly nothing in a file; their labels, which they do tell."""
    draw = np.random.default_rng(0)
    x = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, FEATURES))
    y = draw.integers(0, CLASSES, rows).astype(np.uint8)
    ink = draw.integers(0, 255, (CLASSES, FEATURES), np.uint8)
    ink *= (draw.random(ink.shape) < 0.2).astype(np.uint8)  # noqa: PLR2004 - as MNIST has
    for start in range(0, rows, CHUNK):
        some = slice(start, start + CHUNK)
        x[some] = ink[y[some]]
        x[some, ::7] = draw.integers(0, 255, x[some, ::7].shape, np.uint8)
    x.flush()
    return y


def trained(path: Path, y: np.ndarray, *, sealed: bool) -> dict[str, Any]:
    """Two networks trained for an epoch on all rows, and what that took."""
    import fleetgrad as fg  # noqa: PLC0415 - not before the limit

    x = np.load(path, mmap_mode="r")
    watch = Watch()
    began = time.perf_counter()
    tested = () if sealed else (np.array(x[:TESTED]), y[:TESTED])
    data = fg.Dataset.from_arrays(x, y, *tested, image_shape=(28, 28))
    ready = time.perf_counter()
    settings = [fg.Settings(hidden=(width,), batch_size=256) for width in (32, 64)]
    curves = fg.train(data, settings, epochs=1)
    ended = time.perf_counter()
    return {
        "gigabytes": x.nbytes / GIGABYTE,
        "rows": len(y),
        "sealed": sealed,
        "data_seconds": ready - began,
        "train_seconds": ended - ready,
        "accuracy": curves.validation_accuracy[:, 0, -1].tolist(),
        "most_private_bytes": watch.most,
    }


class Watch:
    """The most private memory that the process was seen to hold."""

    def __init__(self) -> None:
        self.most = 0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            with suppress(OSError):
                lines = Path("/proc/self/status").read_text("utf-8").splitlines()
                held = next(line for line in lines if line.startswith("RssAnon"))
                self.most = max(self.most, 1024 * int(held.split()[1]))
            time.sleep(0.02)


if __name__ == "__main__":
    main()
