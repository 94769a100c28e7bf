"""What a candidate costs in bytes, and how much memory there is."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fleetgrad import network, training
from fleetgrad.errors import BudgetError
from fleetgrad.settings import Settings


def member_bytes(settings: Settings, features: int, classes: int) -> int:
    """Weights and optimizer state of one network, in bytes.

    Args:
        settings: `hidden`, `bias` and `optimizer` matter.
        features: Inputs of the first layer.
        classes: Outputs of the last.
    """
    sizes = network.layer_sizes(settings.hidden, features, classes)
    params = tuple(_layer(inputs, outputs, bias=settings.bias) for inputs, outputs in sizes)
    state = (params, training.optimizer_state(settings.optimizer, params))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def _layer(inputs: int, outputs: int, *, bias: bool) -> dict[str, jax.ShapeDtypeStruct]:
    described: Any = jax.ShapeDtypeStruct  # its constructor has no types
    layer = {"weight": described((inputs, outputs), np.float32)}
    return layer | ({"bias": described((outputs,), np.float32)} if bias else {})


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
        kind = (one.hidden, one.bias, one.optimizer)
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
