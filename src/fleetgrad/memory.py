"""What a candidate costs in bytes, and how much memory there is."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fleetgrad import layers, training
from fleetgrad.errors import BudgetError
from fleetgrad.settings import Settings

SHARE = 0.8  # of what is available: gradients, and whatever else is running, need some too


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


def sizes(settings: Iterable[Settings], features: int, classes: int) -> list[int]:
    """`member_bytes` of each; equal kinds are reckoned once."""
    known: dict[tuple[object, ...], int] = {}

    def size(one: Settings) -> int:
        kind = (one.hidden, one.bias, one.optimizer, one.normalization, one.ema > 0)
        if kind not in known:
            known[kind] = member_bytes(one, features, classes)
        return known[kind]

    return [size(one) for one in settings]


def available(devices: Iterable[jax.Device] = ()) -> int:
    """Bytes that can still be had: of the cards among these devices, or else of the machine.

    Of the machine it is what is free, and what caches would give back.
    """
    cards = [device.memory_stats() for device in set(devices) if device.platform != "cpu"]
    if cards and all(stats and "bytes_limit" in stats for stats in cards):
        return sum(stats["bytes_limit"] - stats["bytes_in_use"] for stats in cards)
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # no Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def room(devices: Iterable[jax.Device], held: int = 0) -> int:
    """Bytes that networks may take together.

    Args:
        devices: Where they train.
        held: What they have of it already.
    """
    return int(SHARE * (available(devices) + held))


def check(settings: Settings, size: int, room: int) -> None:
    """Refuse a network that cannot fit even alone; more of them take turns.

    Args:
        settings: Its own.
        size: What it takes, in bytes.
        room: What there is, in bytes.

    Raises:
        BudgetError: It needs more.
    """
    if size > room:
        widths = "-".join(map(str, settings.hidden)) or "linear"
        raise BudgetError(
            f"a network must fit into memory: `hidden` {widths} under {settings.optimizer} needs "
            f"{size / 1e9:.3g} GB, got {room / 1e9:.3g} GB that it may take; use narrower layers, "
            "or an optimizer that keeps less, such as sgd."
        )
