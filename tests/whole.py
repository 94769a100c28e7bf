"""A whole real study that takes a second: begun, killed, gone on with, compared.

    python tests/whole.py PLACE DATA KIND [FUNCTION N]

says `begun` when everything is imported, and `done` at the end; with a function (`PLACES`) it kills
itself as that is called for the Nth time, and without a number it says how often that happened.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fleetgrad as fg
from fleetgrad import directory, durable, record, saved, store

SPACE = fg.Space(
    hidden=(8,), batch_size=16, optimizer="adam", learning_rate=fg.Float(1e-3, 0.3, log=True)
)
KINDS = {
    "halving": {"budget": fg.Budget(candidates=6, epochs=4), "strategy": "halving"},
    "generations": {
        "budget": fg.Budget(candidates=24, epochs=4),
        "strategy": "halving",
        "sampler": "tpe",
        "ensemble": True,
    },
    "thaw": {
        "budget": fg.Budget(network_epochs=60, epochs=3),
        "seed": 1,
        "strategy": "thaw",
        "distill": True,
    },
    "pbt": {
        "budget": fg.Budget(candidates=6, epochs=3),
        "seed": 1,
        "strategy": "pbt",
        "ensemble": True,
    },
}
PLACES = {  # whose module or class, its name
    "before the weights are written": (store, "write_weights"),
    "as a file takes its name": (Path, "replace"),
    "as names are flushed": (durable, "flush_names"),
    "between weights and record": (store.Run, "_put_segment"),
    "inside the transaction": (record.Record, "_insert"),
    "between commit and sweep": (store, "sweep_weights"),
    "as the configuration is written": (directory, "write_config"),
    "as the test part is opened": (record.Record, "open_test"),
    "as the model is saved": (saved, "_settle"),
}


def write_data(path):
    """Three overlapping clouds, too few rows to tell all candidates apart."""
    draw = np.random.default_rng(0)
    y = np.arange(240) % 3
    x = draw.normal(size=(240, 6)) + np.eye(3, 6)[y] * 1.5
    np.savez(path, X=x.astype(np.float32), y=y)
    return path


def go(place, data, kind):
    """Begin the study, or go on with it, to its end."""
    if (Path(place) / "config.json").exists():
        return fg.resume(place)
    return fg.tune(data, SPACE, out=place, **KINDS[kind])


@dataclass
class Told:
    """All that a study comes to, and must come to however often it was stopped."""

    leaderboard: list
    winner: object
    figures: tuple
    weights: list
    ensemble: dict
    network_epochs: float

    @classmethod
    def of(cls, result):
        networks = [part.network for part in result.model.parts]
        weights = [
            array.tolist() for one in networks for layer in one.params for array in layer.values()
        ]
        test = (result.test.value, tuple(result.test.interval), result.test.n)
        figures = (result.validation, test, result.ties, result.calibration, result.distilled)
        return cls(
            result.leaderboard.to_json(),
            result.settings,
            figures,
            weights,
            dict(result.ensemble),
            round(result.network_epochs, 6),
        )


def process(place, data, kind, *fault, **options):
    """The study in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, (place, data, kind, *fault))],
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def begun(child):
    """Wait until it has imported what it needs."""
    assert child.stdout.readline() == "begun\n"


def _die_at(name, number):
    """Die as a function is called for this time; count the calls."""
    owner, attribute = PLACES[name]
    real, calls = getattr(owner, attribute), Counter()

    def counted(*arguments, **named):
        calls["all"] += 1
        if calls["all"] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(owner, attribute, counted)
    return calls


if __name__ == "__main__":
    place, data, kind, *fault = sys.argv[1:]
    counts = {name: _die_at(name, 0) for name in PLACES} if not fault else {}
    if fault:
        _die_at(fault[0], int(fault[1]))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    go(place, data, kind)
    sys.stdout.write(f"done {json.dumps({name: calls['all'] for name, calls in counts.items()})}\n")
