"""What the peers of the throughput benchmark share: the network to train, its start, its rows.

A peer is another program's way to train one network, or one population of equal networks. It is
told a `Net`, starts from the same kind of weights, and works through minibatches. This file and
those of the peers never import JAX, so that a worker process carries nothing but its peer.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]  # (inputs, outputs) weights and (outputs,) biases


class Net(NamedTuple):
    """One network and how it is trained; plain values, so that it travels as JSON.

    Args:
        features, hidden, classes: Widths from first to last.
        activation: `relu` or `sigmoid`.
        optimizer: `sgd`, `adam` or `adamw`.
        learning_rate: Constant, > 0.
        weight_decay: Of the weights; used by `adamw`.
        dropout: Share of hidden units dropped a step, in [0, 1).
        batch_size: Rows a step.
        precision: Of the matrix products, `float32` or `bfloat16`.
    """

    features: int
    hidden: tuple[int, ...]
    classes: int
    activation: str
    optimizer: str
    learning_rate: float
    weight_decay: float
    dropout: float
    batch_size: int
    precision: str

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every layer."""
        return list(pairwise((self.features, *self.hidden, self.classes)))


class Peer(Protocol):
    """One way to train.

    Attributes:
        networks: Trained at once.
        call_rows: Rows one call of `work` takes.
        shuffles: Whether rows come in a new order each pass.
        differs: What it does otherwise than it was told; empty where nothing.
    """

    networks: int
    call_rows: int
    shuffles: bool
    differs: str

    def work(self, rows: Any) -> None:
        """Train on these row numbers, kept where `Desk.put` put them."""


class Desk(Protocol):
    """Where a peer works, and what has to lie there before the clock starts."""

    def put(self, order: np.ndarray) -> Any:
        """The row numbers of a pass, where the peer's data are."""

    def wait(self) -> None:
        """Until all that was begun is done."""


class Host:
    """The processor, whose work is done when its call returns."""

    def put(self, order: np.ndarray) -> np.ndarray:
        """They are there."""
        return order

    def wait(self) -> None:
        """Not a moment."""


def draw(net: Net, seed: int) -> Layers:
    """Weights from N(0, 2 / inputs), He et al. 2015, and biases of 0, in float32."""
    generator = np.random.default_rng(seed)
    layers = []
    for inputs, outputs in net.sizes:
        weight = generator.standard_normal((inputs, outputs), np.float32)
        layers.append((weight * np.float32((2 / inputs) ** 0.5), np.zeros(outputs, np.float32)))
    return layers


def batches(count: int, size: int, desk: Desk, *, shuffled: bool) -> Iterator[Any]:
    """Row numbers, batch after batch without end; what fills no batch is left out."""
    generator = np.random.default_rng(0)
    while True:
        order = desk.put(generator.permutation(count) if shuffled else np.arange(count))
        for first in range(0, count - size + 1, size):
            yield order[first : first + size]
