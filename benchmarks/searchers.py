"""The searches that ours is held against, each with the same epochs over the same networks.

A search is a function of a meter and a seed; it returns the network that it recommends, and spends
no epoch more than there are. Whoever pauses may go on where it stood, at no cost, for all alike.
"""

from collections.abc import Callable, Mapping
from importlib import util
from typing import Any

import numpy as np

from stand_in import fleetgrad
from surrogate import EPOCHS, RANGES, Meter, random_networks

Search = Callable[[Meter, int], np.ndarray]

RUNGS = (5, 17, EPOCHS)
FIRST, FINALISTS = 10, 3
LEAST, REDUCTION = 5, 3  # of Hyperband; from epoch 1 on it did worse
NEEDS = {"smac": "smac"}  # searches that may be missing, and the package that each needs


def random_search(meter: Meter, seed: int) -> np.ndarray:
    """As many random networks as can be trained to the end; the best."""
    networks = random_networks(meter.budget // EPOCHS, seed)
    return _promoted(meter, networks, ((EPOCHS, len(networks)),))


def halving(meter: Meter, seed: int) -> np.ndarray:
    """Synchronous halving of random networks: a third goes on from epoch 5, and from 17."""
    first, second, last = RUNGS

    def cost(count: int) -> int:
        third, ninth = max(count // 3, 1), max(count // 9, 1)
        return first * count + (second - first) * third + (last - second) * ninth

    count = max(n for n in range(1, meter.budget) if n == 1 or cost(n) <= meter.budget)
    sizes = (count, max(count // 3, 1), max(count // 9, 1))
    return _promoted(meter, random_networks(count, seed), tuple(zip(RUNGS, sizes, strict=True)))


def ten_epochs(meter: Meter, seed: int) -> np.ndarray:
    """Ten epochs for all, then the best three to the end."""
    count = max((meter.budget - FINALISTS * (EPOCHS - FIRST)) // FIRST, 1)
    stages = ((FIRST, count), (EPOCHS, min(FINALISTS, count)))
    return _promoted(meter, random_networks(count, seed), stages)


def optuna_tpe(meter: Meter, seed: int) -> np.ndarray:
    """Optuna's TPE, every trial to the end."""
    study = _study(seed)
    while meter.left >= EPOCHS:
        trial = study.ask()
        meter.train(EPOCHS)
        study.tell(trial, meter.final(_suggested(trial)))
    return _row(study.best_trial.params)


def optuna_hyperband(meter: Meter, seed: int) -> np.ndarray:
    """Optuna's TPE under its Hyperband pruner, told of every epoch; the best complete trial.

    Where none is complete, the best of those that came furthest.
    """
    import optuna  # noqa: PLC0415 - slow

    study = _study(seed, pruner=optuna.pruners.HyperbandPruner(LEAST, EPOCHS, REDUCTION))
    furthest: tuple[int, float] = (0, 0.0)
    found = {}
    while meter.left:
        trial = study.ask()
        row = _suggested(trial)
        epochs, score, pruned = _trained(meter, trial, row)
        if (epochs, score) > furthest:
            furthest, found = (epochs, score), {"row": row}
        if pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif epochs == EPOCHS:
            study.tell(trial, score)
    return found["row"]


def smac(meter: Meter, seed: int) -> np.ndarray:
    """SMAC's facade for several fidelities."""
    from smac_peer import search  # noqa: PLC0415 - a package that may be missing

    return search(meter, seed)


SEARCHES: Mapping[str, Search] = {
    "fleetgrad": fleetgrad,
    "random": random_search,
    "halving": halving,
    "ten_epochs": ten_epochs,
    "optuna_tpe": optuna_tpe,
    "optuna_hyperband": optuna_hyperband,
    "smac": smac,
}


def missing() -> dict[str, str]:
    """Searches that cannot run here, and why."""
    return {
        name: f"the package `{package}` is not installed"
        for name, package in NEEDS.items()
        if util.find_spec(package) is None
    }


def _promoted(
    meter: Meter, networks: np.ndarray, stages: tuple[tuple[int, int], ...]
) -> np.ndarray:
    """Train to each epoch the best so many of those before; the best of the last."""
    before, curves = 0, meter.curves(networks)
    alive = np.arange(len(networks))
    for epoch, count in stages:
        if before:
            alive = alive[np.argsort(-curves[alive, before - 1], kind="stable")][:count]
        meter.train((epoch - before) * len(alive))
        before = epoch
    return networks[alive[curves[alive, before - 1].argmax()]]


def _trained(meter: Meter, trial: Any, row: np.ndarray) -> tuple[int, float, bool]:
    """Train until the end, the pruner's word, or the last epoch there is: how far, how well."""
    curve = meter.curves(row[None])[0]
    for epoch in range(1, EPOCHS + 1):
        meter.train(1)
        score = float(curve[epoch - 1])
        trial.report(score, epoch)
        if epoch < EPOCHS and trial.should_prune():
            return epoch, score, True
        if not meter.left:
            break
    return epoch, score, False


def _study(seed: int, **options: Any) -> Any:
    import optuna  # noqa: PLC0415 - slow

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed)
    # Brackets go by a hash of the study's name, which would otherwise be drawn anew.
    name = f"{seed}"
    return optuna.create_study(study_name=name, direction="maximize", sampler=sampler, **options)


def _suggested(trial: Any) -> np.ndarray:
    for name, span in RANGES.items():
        if span.whole:
            trial.suggest_int(name, int(span.low), int(span.high), log=span.log)
        else:
            trial.suggest_float(name, span.low, span.high, log=span.log)
    return _row(trial.params)


def _row(values: Mapping[str, Any]) -> np.ndarray:
    """A network from its numbers by name."""
    return np.array([values[name] for name in RANGES], float)
