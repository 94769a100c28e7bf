"""Everything that reads what a stranger may have written, each as a function of bytes.

A reader gets bytes in a file and may do two things: read them, or refuse with a `FleetgradError`.
Each begins from a few whole files (`seeds`), which a fuzzer changes. Fuzzing is done by Hypothesis
(`test_fuzz.py`) and by Atheris (`fuzz.py`), both through `tried`, which holds every input against
the same limits: a second of the processor, and ten times its own size of memory and 100 MB.
"""

import contextlib
import functools
import gzip
import io
import json
import os
import pickle
import resource
import shutil
import sqlite3
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

import strangers
from fleetgrad import cli, directory, growing, history, pulse
from fleetgrad.candidates import Candidates
from fleetgrad.clock import Progress
from fleetgrad.data import archives, idx, numbers, tables, unpickling
from fleetgrad.errors import FleetgradError
from fleetgrad.lock import Holder
from fleetgrad.model import Model
from fleetgrad.payload import decode
from fleetgrad.plan import Plan
from fleetgrad.saved import MODEL, WEIGHTS
from fleetgrad.settings import Settings
from fleetgrad.space import Space
from fleetgrad.store import CurvePoint, Run
from fleetgrad.takeover import read as taken_over
from fleetgrad.watch.follower import Follower

SECONDS = 1.0  # of the processor
SHOWN = 20  # one run in so many is printed, too
TIMES, MORE = 10, 100_000_000  # bytes of memory: so many times the input, and so many more


class Reader(NamedTuple):
    """One way in.

    seeds: Makes whole files, as bytes.
    read: Reads bytes, by way of files in a folder that it may fill.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]


class ExceededError(AssertionError):
    """A reader took more than it may."""


def tried(reader: Reader, content: bytes, folder: Path) -> bool:
    """Whether the content was read; False where it was refused.

    Raises:
        ExceededError: It took too long, or too much memory.
        Exception: Anything but a refusal, which is a fault of the reader.
    """
    held, began = _most_bytes(), time.process_time()
    try:
        reader.read(content, folder)
    except FleetgradError:
        read = False
    else:
        read = True
    seconds, more = time.process_time() - began, _most_bytes() - held
    if seconds > SECONDS:
        raise ExceededError(f"{len(content):,} bytes took {seconds:.2f} s")
    if more > TIMES * len(content) + MORE:
        raise ExceededError(f"{len(content):,} bytes took {more:,} bytes of memory")
    return read


def _most_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """A reader of one file."""
    return lambda content, folder: read(_written(folder, name, content))


def _contents(write: Callable[[Path], object], name: str = "seed") -> bytes:
    """What is in a file that is written so."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def _digits() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.integers(0, 255, (12, 4), np.uint8), np.arange(12, dtype=np.int64) % 3


def _idx_seeds() -> list[bytes]:
    x, y = _digits()
    plain = [_contents(lambda path, a=a: idx.write(path, a)) for a in (x, y.astype(np.int32))]
    return [*plain, gzip.compress(plain[0], mtime=0)]


def _npz_seeds() -> list[bytes]:
    x, y = _digits()
    some = {"X": x, "y": y}
    both = {"x_train": x, "y_train": y.astype(str), "x_test": x, "y_test": y.astype(str)}
    return [
        _contents(lambda path: np.savez(path, **some), "a.npz"),
        _contents(lambda path: np.savez_compressed(path, **both), "a.npz"),
    ]


def _npy_seeds() -> list[bytes]:
    x, y = _digits()
    return [_contents(lambda path, a=a: np.save(path, a), "a.npy") for a in (x, y / 3)]


def _pickle_seeds() -> list[bytes]:
    x, y = _digits()
    names = ("training_images", "training_labels", "test_images", "test_labels")
    held = dict(zip(names, (x, y, x, y), strict=True))
    return [pickle.dumps(held, protocol=protocol) for protocol in range(6)]


def _csv_seeds() -> list[bytes]:
    text = "size,kind,when,price\n" + "".join(
        f"{n / 3:.2f},{'abc'[n % 3]},2026-01-{n + 1:02},{n % 3}\n" for n in range(12)
    )
    missing = text.replace("a,", ",").replace("0.33", "NA") + '"a, b",c,,3\n'
    return [text.encode(), missing.encode(), gzip.compress(text.encode(), mtime=0)]


def _number_seeds() -> list[bytes]:
    rows = "".join(f"{n},{n / 7},{-n}e3\n" for n in range(6))
    return [rows.encode(), ("a,b,c\n" + rows).encode()]


def _toml_seeds() -> list[bytes]:
    return [
        b"""learning_rate = { low = 1e-4, high = 1e-1, log = true }
hidden = { choice = [[100, 100], [256, 128]] }
momentum = { low = 0.5, high = 0.99, when = { optimizer = "momentum" } }
optimizer = { choice = ["adam", "momentum"] }
augment = { shift = 2, rotation = 10 }
batch_size = 128
""",
        b"[dropout]\nlow = 0.0\nhigh = 0.5\n",
    ]


@functools.cache
def _model() -> tuple[bytes, bytes]:
    """The description and the weights of a small model."""
    draw = np.random.default_rng(0)
    sizes = ((4, 3), (3, 3))
    params = tuple(
        {"weight": draw.standard_normal(size, np.float32), "bias": np.zeros(size[1], np.float32)}
        for size in sizes
    )
    still = np.zeros(4, np.float32), np.ones(4, np.float32)
    model = Model(Settings(hidden=(3,)), params, *still, np.arange(3), dataset="seed")
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        return tuple((Path(folder) / name).read_bytes() for name in (MODEL, WEIGHTS))


def _read_model(folder: Path, head: bytes, weights: bytes) -> None:
    _written(folder, MODEL, head)
    _written(folder, WEIGHTS, weights)
    model = Model.load(folder)
    model.predict(np.zeros((1, model.features), np.float32))


def _read_description(content: bytes, folder: Path) -> None:
    _read_model(folder, content, _model()[1])


def _read_weights(content: bytes, folder: Path) -> None:
    """Weights with a checksum that fits them."""
    head = strangers.sealed(decode(_model()[0]), content)
    _read_model(folder, json.dumps(head).encode(), content)


@functools.cache
def _run() -> dict[str, bytes]:
    """The files of a small run that has ended its search."""
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}
    config = {
        "seed": 0,
        "budget": {"seconds": None},
        "space": space,
        "dataset": {"name": "seed", "rows": 9, "features": 4, "guess": 0.3},
        "metric": "accuracy",
    }
    settings = [Settings(learning_rate=rate, epochs=2) for rate in (0.01, 0.02, 0.05)]
    rung = [_standing(number) for number in range(3)]
    curves = [CurvePoint("search", n, 0, e, 1.0, 0.5, 1.0, 0.6) for n in range(3) for e in (1, 2)]
    done = {"survivors": [1, 0], "until": 2, "cut": False, "network_epochs": 6, "elapsed": 1.0}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        with Run.create(place, config) as run:
            run.put_candidates(0, Candidates.numbered(settings))
            plan = {"plan": Plan((3,), 2).to_dict(), "elapsed": 0.0}
            run.commit("plan", payload=plan)
            payload = {"rung": rung, **done}
            weights = {"0.0.step": np.zeros(1)}
            run.commit("search/0_0", payload=payload, curves=curves, weights=weights)
            scores = {"members": [[1, 1], [0, 1]], "scores": [0.7, 0.6], "stopped": False}
            run.commit("finals/0", payload={**scores, "network_epochs": 4, "elapsed": 2.0})
        files = [path for path in place.rglob("*") if path.is_file()]
        return {str(path.relative_to(place)): path.read_bytes() for path in files}


def _standing(number: int) -> dict[str, object]:
    return {
        "candidate": number,
        "epochs": 2,
        "score": 0.6,
        "best_epoch": 1,
        "diverged_step": None,
    }


def _laid(folder: Path) -> Path:
    place = folder / "run"
    shutil.rmtree(place, ignore_errors=True)
    for name, content in _run().items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place


def _shown(place: Path, content: bytes) -> None:
    """All that `show`, the live page and a warm start read, and what a writer looks at first."""
    look = Follower(lambda: place, "").look(at_once=True)
    if zlib.crc32(content) % SHOWN == 0:  # which takes as long as all the rest
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert cli.main(["show", str(place)]) in {0, 2}
    json.loads(look.record), json.loads(look.now)
    with Run.open(place, write=False) as run:
        history.result(run).to_dict()
        run.notes()
        run.test_openings()
        for name in run.weighted():
            run.weights(name)
    taken_over(place)
    with Run.open(place) as run:
        run.segments()


def _read_database(content: bytes, folder: Path) -> None:
    place = _laid(folder)
    (place / directory.DATABASE).write_bytes(content)
    _shown(place, content)


def _read_config(content: bytes, folder: Path) -> None:
    place = _laid(folder)
    (place / directory.CONFIG).write_bytes(content)
    _shown(place, content)


def _pulse_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / directory.PULSE
        pulse._write(path, Progress("search", 1, 3, 9, 0.9, 40.0, 3.0, None))
        return [path.read_bytes()]


def _read_pulse(content: bytes, folder: Path) -> None:
    """Whoever signed it wrote it."""
    _written(folder, directory.PULSE, content)
    pulse.read(folder, Holder(os.getpid(), "here"), 0.0)


def _growing_seeds() -> list[bytes]:
    curves = {0: [0.5, 0.6], 3: [0.7, float("nan")]}
    name = directory.GROWING
    return [_contents(lambda path: growing.write(path.parent, curves), name)]


def _read_growing(content: bytes, folder: Path) -> None:
    """Whoever signed it wrote it."""
    _written(folder, directory.GROWING, content)
    growing.read(folder, Holder(os.getpid(), "here"))


CELLS = (  # column, table, and what tells its rows apart
    ("settings", "candidates", "id"),
    ("payload", "segments", "number"),
    ("name", "segments", "number"),
    ("file", "segments", "number"),
    ("candidate", "curves", "epoch"),
)
ROWS = 3


def _cell_seeds() -> list[bytes]:
    """Which column, which row, and what is in it."""
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        place = _laid(Path(folder)) / directory.DATABASE
        with closing(sqlite3.connect(place)) as record:
            for number, (column, table, key) in enumerate(CELLS):
                query = f"SELECT {column} FROM {table} GROUP BY {key} ORDER BY {key}"
                for row, (cell,) in enumerate(record.execute(query).fetchall()[:ROWS]):
                    if cell is not None:
                        seeds.append(bytes((number, row)) + str(cell).encode())
    return seeds


def _read_cell(content: bytes, folder: Path) -> None:
    """A record with other words in one cell."""
    place, number, row = _laid(folder), *(*content[:2], 0, 0)[:2]
    column, table, key = CELLS[number % len(CELLS)]
    text = content[2:].decode("utf-8", errors="replace")
    with closing(sqlite3.connect(place / directory.DATABASE)) as record:
        keys = record.execute(f"SELECT DISTINCT {key} FROM {table} ORDER BY {key}").fetchall()
        query = f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {key} = ?"
        record.execute(query, (text, *keys[row % len(keys)]))
        record.commit()
    _shown(place, content)


READERS = {
    "idx": Reader(_idx_seeds, _file("a-idx", idx.read)),
    "npz": Reader(_npz_seeds, _file("a.npz", archives.read)),
    "npy": Reader(_npy_seeds, _file("a.npy", archives.read_npy)),
    "pickle": Reader(_pickle_seeds, _file("a.pkl", unpickling.load)),
    "csv": Reader(_csv_seeds, _file("a.csv", tables.read)),
    "numbers": Reader(_number_seeds, _file("a.csv", lambda path: numbers.read(path, 3))),
    "toml": Reader(_toml_seeds, _file("a.toml", Space.from_toml)),
    "model.json": Reader(lambda: [_model()[0]], _read_description),
    "safetensors": Reader(lambda: [_model()[1]], _read_weights),
    "config.json": Reader(lambda: [_run()[directory.CONFIG]], _read_config),
    "pulse.json": Reader(_pulse_seeds, _read_pulse),
    "growing.json": Reader(_growing_seeds, _read_growing),
    "study.db": Reader(lambda: [_run()[directory.DATABASE]], _read_database),
    "record": Reader(_cell_seeds, _read_cell),
}
