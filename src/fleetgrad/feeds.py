"""What members are fed over the next few epochs: orders of rows, keys of noise, scales.

A feed depends on the replicate and the epoch, never on the candidate, so members that are equally
far share one copy.
"""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from fleetgrad import batches
from fleetgrad.material import Draws, Material

MOST_KEPT = 64  # feeds; the oldest are dropped, and drawn again if a straggler asks
MOST_BYTES = 1 << 28  # that the orders of all that are kept may take, but for
FEWEST_KEPT = 4  # feeds of very many rows


class Feeds:
    """The feeds of one population, each drawn once.

    Args:
        material: The views to feed from.
        draws: Orders and noise.
    """

    def __init__(self, material: Material, draws: Draws) -> None:
        self._material = material
        self._draws = draws
        self._kept: OrderedDict[tuple[int, int, int, int], batches.Feed] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, replicate: int, epoch: int, epochs: int, steps: int) -> batches.Feed:
        """The feed of a replicate for `epochs` epochs from `epoch` on, `steps` steps each."""
        place = (replicate, epoch, epochs, steps)
        with self._lock:
            if place not in self._kept:
                self._kept[place] = self._draw(replicate, range(epoch, epoch + epochs), steps)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            return self._kept[place]

    @property
    def _most(self) -> int:
        """How many may be kept."""
        held = sum(feed.order.nbytes for feed in self._kept.values()) / len(self._kept)
        return max(FEWEST_KEPT, min(MOST_KEPT, int(MOST_BYTES / max(1, held))))

    def _draw(self, replicate: int, epochs: range, steps: int) -> batches.Feed:
        view = self._material.views[replicate]
        order = np.zeros((len(epochs), len(self._material.y)), np.int32)
        for row, epoch in enumerate(epochs):
            order[row, : len(view.train)] = self._draws.order(view.train, replicate, epoch)
        noise = np.stack([self._draws.noise(replicate, epoch) for epoch in epochs])
        arrays: dict[str, Any] = {  # of the host, until a program takes them
            "order": order,
            "noise": noise,
            "validation": view.validation.astype(np.int32),
            "shift": view.shift,
            "scale": view.scale,
            "steps": np.int32(steps),
            "limit": view.limit,
        }
        if self._material.numbers:
            arrays |= {"center": np.float32(view.center), "spread": np.float32(view.spread)}
        return batches.Feed(**arrays)
