"""One process that trains peers' networks when it is told to: a line of JSON in, a line out.

Run by `crew.py`, which sets how many threads the process may use before it starts.
"""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import peers

if TYPE_CHECKING:
    from collections.abc import Iterator

WARM = 2  # calls before the clock may start
FEW_ROWS = 12_000  # enough for the notebook's arrays, which take eight bytes a number

Rows = tuple[np.ndarray, np.ndarray]  # inputs and labels


class Open(NamedTuple):
    """A peer at work: its batches, and where it works."""

    peer: peers.Peer
    order: "Iterator[Any]"
    desk: peers.Desk


class Worker:
    """The peers open in this process, and the rows they share."""

    def __init__(self) -> None:
        self._rows: tuple[str, np.ndarray, np.ndarray] | None = None
        self._open: dict[str, Open] = {}

    def open(
        self, name: str, net: dict[str, Any], networks: int, data: str, device: str
    ) -> dict[str, Any]:
        """Make a peer ready: its rows read, its weights drawn, its first steps taken."""
        if self._rows is None or self._rows[0] != data:
            self._open.clear()
            self._rows = data, np.load(Path(data) / "x.npy"), np.load(Path(data) / "y.npy")
        _, x, y = self._rows
        wanted = peers.Net(**{**net, "hidden": tuple(net["hidden"])})
        try:
            return self._opened(name, wanted, (x, y), networks, device)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "out of memory" not in str(error):
                raise
            return {"refused": f"{networks} networks have no room on {device}"}

    def _opened(
        self, name: str, net: peers.Net, rows: Rows, networks: int, device: str
    ) -> dict[str, Any]:
        peer, desk = make(name, net, *rows, networks, device)
        count = min(len(rows[1]), FEW_ROWS) if name == "notebook" else len(rows[1])
        order = peers.batches(count, peer.call_rows, desk, shuffled=peer.shuffles)
        for _ in range(WARM):
            peer.work(next(order))
        desk.wait()
        self._open[name] = Open(peer, order, desk)
        return {"differs": peer.differs}

    def train(self, name: str, seconds: float) -> dict[str, Any]:
        """Train for about so long; the rows done count once for each network."""
        peer, order, desk = self._open[name]
        calls, began = 0, time.perf_counter()
        while time.perf_counter() < began + seconds:
            peer.work(next(order))
            calls += 1
        desk.wait()
        took = time.perf_counter() - began
        return {"rows": calls * peer.call_rows * peer.networks, "seconds": took}

    def close(self) -> dict[str, Any]:
        """Forget the open peers."""
        self._open.clear()
        return {}


def make(
    name: str, net: peers.Net, x: np.ndarray, y: np.ndarray, networks: int, device: str
) -> tuple[peers.Peer, peers.Desk]:
    """The named peer and where it works; what it needs is imported here, for it may be missing."""
    layers = peers.draw(net, 0)
    match name:
        case "numpy":
            from by_hand import Numpy  # noqa: PLC0415

            return Numpy(net, layers, x, y), peers.Host()
        case "notebook":
            from by_hand import Notebook  # noqa: PLC0415

            return Notebook(net, x[:FEW_ROWS], y[:FEW_ROWS]), peers.Host()
        case "sklearn":
            from sklearn_peer import Sklearn  # noqa: PLC0415

            return Sklearn(net, layers, x, y), peers.Host()
        case "torch":
            from torch_peers import Eager, TorchDesk  # noqa: PLC0415

            desk = TorchDesk(device)
            return Eager(net, layers, x, y, desk), desk
        case _:
            from torch_peers import TorchDesk, Vmap  # noqa: PLC0415

            desk = TorchDesk(device)
            return Vmap(net, layers, x, y, networks, desk), desk


def main() -> None:
    """Answer every line until standard input ends."""
    worker = Worker()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = getattr(worker, asked.pop("do"))(**asked)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
