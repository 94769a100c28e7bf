"""What a candidate costs in bytes, and how much memory there is."""

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax

from fleetgrad import layers, shapes, states
from fleetgrad.augmentation import NONE
from fleetgrad.errors import BudgetError
from fleetgrad.settings import Settings
from fleetgrad.shapes import Shape

SHARE = 0.8  # of what is available: gradients, and whatever else is running, need some too


def member_bytes(
    settings: Settings, features: int, classes: int, places: layers.Places = None
) -> int:
    """Weights, optimizer state, running statistics and average of one network, in bytes.

    Args:
        settings: What the network is made of, `optimizer`, and whether there is `ema`, matter.
        features: Inputs of the first layer.
        classes: Outputs of the last.
        places: Which features can be embedded.
    """
    plain = replace(settings, augment=NONE)  # no matter of memory, but of images
    shape = shapes.shape_of(plain, features, classes, 0, epochs=1, places=places)
    return state_bytes(shape)


@cache
def state_bytes(shape: Shape) -> int:
    """The same of a network in a program of this shape, padding included."""
    state = states.described(shape)
    parts = (state.params, state.optimizer, state.running, state.average)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(parts))


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
