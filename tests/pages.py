"""Runs to explain on a page: real ones, small, and simulated ones of any size."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import fleetgrad as fg
from fleetgrad import samplers
from fleetgrad.store import CurvePoint, Run
from simulated import BROKEN_RATE, SOUND, SPACE, World, counted, search

STRANGE = (
    "<b>null</b>",
    "</script><script>alert(1)</script>",
    "\"&'",
    "zwei",
    "三",
    "أربعة",
    "पाँच",
    "\U0001f600",
    "\u2028x",
    "<!--",
)
DIGITS = fg.Space(
    hidden=fg.Choice((24,), (32, 16)),
    learning_rate=fg.Float(0.01, 0.5, log=True),
    momentum=fg.Float(0.0, 0.95),
    batch_size=32,
)
SMALL = fg.Space(hidden=(16,), batch_size=32, learning_rate=fg.Float(0.01, 0.1, log=True))
FEW = fg.Budget(candidates=12, epochs=4)
DATASET = {"name": "digits", "rows": 1437, "features": 64, "classes": 10, "test_rows": 359}


def images(names=STRANGE, **others):
    """The digits, under other names."""
    found = load_digits()
    y = found.target if names is None else np.array(names)[found.target]
    return fg.Dataset.from_arrays(found.images.astype(np.uint8), y, **others)


def people(rows=600):
    """A table: two columns decide, two are noise; names hold HTML."""
    draw = np.random.default_rng(0)
    age, job = draw.normal(40, 10, rows), draw.choice(["clerk", "<b>cook</b>", "天"], rows)
    noise, pay = draw.normal(size=rows), draw.exponential(100, rows)
    frame = pd.DataFrame({"age": age, "<job>": job, "noise": noise, "pay": pay})
    frame["y"] = np.where((age > 40) ^ (job == "天"), "yes", "no")
    return fg.Dataset.from_frame(frame, "y", name="people")


def numbers(rows=300):
    """Rows of four numbers, and a number that hangs on them."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((rows, 4)).astype(np.float32)
    y = 1000 + 50 * (np.tanh(x[:, 0]) + 0.5 * x[:, 1]) + 5 * draw.normal(size=rows)
    return fg.Dataset.from_arrays(x, y, name="numbers")


def simulated(place, candidates=40, *, space=SOUND, epochs=9, dataset=DATASET, to_the_end=True):
    """A run of a search in which nothing was trained; everybody diverges in a hopeless space."""
    plan, budget = counted(candidates, epochs), {"seconds": None}
    config = {"seed": 0, "dataset": dataset, "budget": budget, "space": space.to_dict()}
    with Run.create(place, config) as run:
        run.commit("plan", payload={"plan": plan.to_dict(), "elapsed": 1.0})
    try:
        search(place, World(), plan, space=space)
    except fg.FleetgradError:
        return place
    if to_the_end:
        with Run.open(place) as run:
            run.commit("end", payload={"elapsed": 12.0, "compile_s": 1.0})
    return place


def whole(place):
    """The result of a run from `tune` to its end, with finalists, in which nothing was trained."""
    world, budget = World(), fg.Budget(candidates=16, epochs=9)
    data = images(name="<i>digits</i>")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fleetgrad.api.Fleet", lambda *_, **__: world)
        patch.setattr("fleetgrad.api.Clock", world.clock)
        return fg.tune(data, SPACE, budget, out=place, page=False)


def begun(place):
    """The record of a run that has but a plan."""
    config = {"seed": 0, "dataset": DATASET, "budget": {"seconds": None}, "space": SPACE.to_dict()}
    with Run.create(place, config) as run:
        run.commit("plan", payload={"plan": counted(9, 9).to_dict(), "elapsed": 1.0})
    return place


def recorded(place, candidates, *, epochs=9, space=SPACE):
    """The record of a halving search of any size, written down without simulating its time."""
    plan, world = counted(candidates, epochs), World()
    everyone = samplers.make("random", space, seed=0, epochs=epochs).ask(candidates)
    config = {"seed": 0, "dataset": DATASET, "budget": {"seconds": None}, "space": space.to_dict()}
    alive = dict(zip(everyone.ids, everyone.settings, strict=True))
    with Run.create(place, config) as run:
        run.commit("plan", payload={"plan": plan.to_dict(), "elapsed": 1.0})
        run.put_candidates(0, everyone)
        begun = 0
        for number, (until, keep) in enumerate(plan.rungs(0)):
            stood, curves = [], []
            for one, settings in alive.items():
                broken = settings.learning_rate >= BROKEN_RATE
                rows = [] if broken else [world.row(settings, 0, at) for at in range(begun, until)]
                curves += [
                    CurvePoint("search", one, 0, begun + at, *row)
                    for at, row in enumerate(rows, start=1)
                ]
                stood.append(
                    {
                        "candidate": one,
                        "epochs": 0 if broken else until,
                        "score": None if broken else rows[-1][3],
                        "best_epoch": None if broken else until,
                        "diverged_step": 7 if broken else None,
                    }
                )
            sound = sorted((one for one in stood if one["score"]), key=lambda one: -one["score"])
            on = [one["candidate"] for one in sound[:keep]]
            done = {"rung": stood, "survivors": on, "until": until, "cut": False}
            passes = {"network_epochs": len(alive) * (until - begun), "elapsed": 2.0 + number}
            run.commit(f"search/0_{number}", payload=done | passes, curves=curves)
            alive, begun = {one: alive[one] for one in on}, until
    return place


def hopeless():
    """A space in which every simulated candidate diverges."""
    return fg.Space(learning_rate=fg.Float(1.5, 5.0, log=True))


def islands(page):
    """The JSON on a page, by its element's id."""
    pattern = r'<script type="application/json" id="([^"]+)">(.*?)</script>'
    return dict(re.findall(pattern, page, re.DOTALL))
