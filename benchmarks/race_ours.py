"""Our racer: `fleetgrad.tune` with its default space, and what its record says of who led when."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import digits_data
import fleetgrad as fg
from fleetgrad import history
from fleetgrad.fleet import Fleet
from fleetgrad.model import Model
from fleetgrad.store import Run
from racing import Event, Task, write

DIFFERS = "its default space, epochs by its own plan, repeats and refit within the time"


def search(task: Task) -> None:
    """Tune until the time is up, then write down what is on record."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        write(task.log, began=time.time())
        fg.tune(
            digits_data.dataset(task), budget=task.seconds, seed=task.seed, out=place, page=False
        )
        with Run.open(place, write=False) as run:
            for event in recorded(run):
                write(task.log, **event._asdict())


def recorded(run: Run) -> list[Event]:
    """Every score on record, at the time when its round or rung was recorded."""
    settings = {one: its for group in run.generations().values() for one, its in group}
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
