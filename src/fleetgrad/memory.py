"""What a candidate costs in bytes, and how much memory there is."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fleetgrad import layers, training
from fleetgrad.errors import BudgetError
from fleetgrad.settings import Settings


def member_bytes(settings: Settings, features: int, classes: int) -> int:
    """Weights, optimizer state, running statistics and average of one network, in bytes.

    Args:
        settings: `hidden`, `bias`, `normalization`, `optimizer` and whether there is `ema` matter.
        features: Inputs of the first layer.
        classes: Outputs of the last.
    """
    learned = _described(layers.learned(settings, features, classes))
    predicting = _described(layers.predicting(settings, features, classes))
    copies = (predicting, predicting) if settings.ema > 0 else (predicting,)
    state = (copies, training.optimizer_state(settings.optimizer, learned))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def _described(shapes: layers.Shapes) -> Any:
    described: Any = jax.ShapeDtypeStruct  # its constructor has no types
    return tuple(
        {name: described(shape, np.float32) for name, shape in layer.items()} for layer in shapes
    )


def available() -> int:
    """Bytes that the machine can still give: what is free, and what caches would give back."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # no Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def check(settings: list[Settings], features: int, classes: int) -> None:
    """Refuse a population that cannot fit.

    Raises:
        BudgetError: Its weights and optimizer state need more than the machine has free.
    """
    costs: dict[tuple[object, ...], int] = {}
    need = 0
    for one in settings:
        kind = (one.hidden, one.bias, one.optimizer, one.normalization, one.ema > 0)
        if kind not in costs:
            costs[kind] = member_bytes(one, features, classes)
        need += costs[kind]
    free = available()
    if need > free:
        fit = max(1, len(settings) * free // need)
        raise BudgetError(
            f"the population must fit into memory: {len(settings)} networks need "
            f"{need / 1e9:.1f} GB, got {free / 1e9:.1f} GB free; use at most {fit} candidates."
        )
