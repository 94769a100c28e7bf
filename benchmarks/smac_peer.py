"""SMAC as a peer: its facade for several fidelities, asked and told.

Random forests over the networks, Hyperband (from epoch 5, a third goes on) over the epochs, all as
`MultiFidelityFacade` has them. SMAC trains from the start again at every rung; here it goes on
where it stood, for what is compared is the search.

NePS (0.17, 2026-10) is no peer here: it needs pandas below 3, which cannot be installed beside
what our extras `frames` and `test` ask for.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace, Float, Integer
from smac import MultiFidelityFacade, Scenario
from smac.runhistory.dataclasses import TrialValue

from surrogate import EPOCHS, RANGES, Meter

FIRST = 5


def search(meter: Meter, seed: int) -> np.ndarray:
    """The best of those that came furthest."""
    np.random.seed(seed)  # noqa: NPY002 - SMAC's own draws come from here, too
    with tempfile.TemporaryDirectory() as folder:
        facade = _facade(Path(folder), seed, meter.budget)
        reached: dict[bytes, int] = {}
        best: tuple[int, float, bytes] = (0, 0.0, b"")
        while True:
            asked = facade.ask()
            network = _network(asked.config)
            epochs = max(1, int(asked.budget))
            before = reached.get(network.tobytes(), 0)
            if epochs - before > meter.left:
                return np.frombuffer(best[2])
            meter.train(max(0, epochs - before))
            reached[network.tobytes()] = max(before, epochs)
            score = float(meter.curves(network[None])[0, epochs - 1])
            best = max(best, (epochs, score, network.tobytes()))
            facade.tell(asked, TrialValue(cost=1 - score), save=False)


def _facade(folder: Path, seed: int, budget: int) -> MultiFidelityFacade:
    scenario = Scenario(
        _space(seed),
        output_directory=folder,
        deterministic=True,
        min_budget=FIRST,
        max_budget=EPOCHS,
        n_trials=budget // FIRST,  # no more can be paid for; the meter ends the search
        seed=seed,
    )
    return MultiFidelityFacade(scenario, _never, overwrite=True, logging_level=False)


def _never(config: Any, budget: float, seed: int) -> float:
    """What SMAC would call to train, were it not asked and told."""
    raise NotImplementedError


def _space(seed: int) -> ConfigurationSpace:
    space = ConfigurationSpace(seed=seed)
    for name, span in RANGES.items():
        kind = Integer if span.whole else Float
        low, high = (int(span.low), int(span.high)) if span.whole else (span.low, span.high)
        space.add(kind(name, (low, high), log=span.log))
    return space


def _network(config: Mapping[str, Any]) -> np.ndarray:
    return np.array([config[name] for name in RANGES], float)
