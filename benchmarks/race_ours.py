"""Our racer: `fleetgrad.tune` with its default space, and who led when.

A search that is stopped returns the best of the networks in training too, so every epoch counts
that it tells of on the way; what was recorded since says the rest.
"""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import digits_data
import fleetgrad as fg
from fleetgrad import history
from fleetgrad.clock import Progress
from fleetgrad.fleet import Fleet
from fleetgrad.model import Model
from fleetgrad.store import Run
from racing import Event, Task, write

DIFFERS = "its default space, epochs by its own plan, repeats and refit within the time"


class Told(NamedTuple):
    """How far a candidate in training had come, and its score there, when that was told."""

    seconds: float
    candidate: int
    epochs: int
    score: float


class Listener:
    """Hears of a search's progress; `told` keeps every candidate's latest epoch, each once."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._heard: dict[int, int] = {}

    def __call__(self, progress: Progress) -> None:
        """Take in the curves that have grown."""
        curves = progress.growing() if progress.growing else {}
        for candidate, scores in curves.items():
            if len(scores) > self._heard.get(candidate, 0):
                self._heard[candidate] = len(scores)
                self.told.append(Told(progress.elapsed, candidate, len(scores), scores[-1]))


def search(task: Task) -> None:
    """Tune until the time is up, then write down what was told and what is on record."""
    listener = Listener()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        began = time.time()
        write(task.log, began=began)
        data = digits_data.dataset(task)
        before = time.time() - began  # which the search's own clock does not know of
        fg.tune(
            data,
            budget=task.seconds,
            seed=task.seed,
            out=place,
            report=listener,
            page=False,
        )
        with Run.open(place, write=False) as run:
            for event in heard(run, listener.told) + recorded(run):
                later = event._replace(seconds=before + event.seconds)
                write(task.log, **later._asdict())


def heard(run: Run, told: Sequence[Told]) -> list[Event]:
    """Every score that was told of on the way, at that time."""
    settings = _settings(run)
    return [
        Event(one.seconds, one.epochs, one.score, settings[one.candidate].to_dict())
        for one in told
        if math.isfinite(one.score)
    ]


def recorded(run: Run) -> list[Event]:
    """Every score on record, at the time when its round or rung was recorded."""
    settings = _settings(run)
    found, furthest, ended = [], 0, 0.0
    for name in run.segments():
        done = run.segment(name) or {}
        for one in done.get("rung", ()) if name.startswith("search/") else ():
            if one["score"] is not None:
                furthest = max(furthest, one["epochs"])
                its = settings[one["candidate"]].to_dict()
                found.append(Event(done["elapsed"], one["epochs"], one["score"], its))
        if name.startswith("finals/"):
            ended = done["elapsed"]
    verdict = [
        Event(ended, furthest + 1, best.mean, best.settings.to_dict())
        for best in history.leaderboard(run).rows[:1]
        if best.mean is not None
    ]
    return found + verdict


def _settings(run: Run) -> dict[int, fg.Settings]:
    """Of every candidate of a run."""
    return {one: its for group in run.generations().values() for one, its in group}


def refit(task: Task, values: Mapping[str, Any]) -> float:
    """Test accuracy of settings trained in full on all training rows, as `tune` trains a winner."""
    data = digits_data.dataset(task)
    settings = fg.Settings.from_dict(dict(values))
    population, view = Fleet(data, task.seed).refit(settings)
    population.advance(settings.epochs)
    params = population.params(population.members[0])
    shape = data.image_shape
    model = Model(settings, params, view.shift, view.scale, data.classes, image_shape=shape)
    test = digits_data.opened(data)
    return float(np.mean(model.predict(test.x) == data.classes[test.y]))
