"""Worker processes that train a peer's networks side by side, on a core or a card each."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WORKER = Path(__file__).with_name("worker.py")
THREADS = (
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Crew:
    """Processes that start together and work together.

    Args:
        devices: Of each process, as PyTorch names it.
        threads: Of each.
    """

    def __init__(self, devices: Sequence[str], threads: int) -> None:
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        self.devices, self.threads = devices, threads
        self._workers = [
            subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in devices
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            if kind:
                worker.kill()
            worker.communicate()  # the end of its orders; waits, and closes the pipes

    def __len__(self) -> int:
        return len(self._workers)

    def open(self, name: str, net: dict[str, Any], networks: int, data: Path) -> dict[str, str]:
        """Make the named peer ready in every process.

        Returns:
            `differs`: what it does otherwise than told; or `refused`: why it cannot.
        """
        asked = {"do": "open", "name": name, "net": net, "networks": networks, "data": str(data)}
        answers = self._ask([{**asked, "device": device} for device in self.devices])
        refused: list[dict[str, str]] = [answer for answer in answers if "refused" in answer]
        return refused[0] if refused else answers[0]

    def rate(self, name: str, seconds: float) -> float:
        """Rows a second of all processes together, each over its own time."""
        answers = self._ask([{"do": "train", "name": name, "seconds": seconds}] * len(self))
        return float(sum(answer["rows"] / answer["seconds"] for answer in answers))

    def close(self) -> None:
        """Forget the peers that are open."""
        self._ask([{"do": "close"}] * len(self))

    def _ask(self, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        for worker, one in zip(self._workers, asked, strict=True):
            assert worker.stdin
            worker.stdin.write(json.dumps(one) + "\n")
            worker.stdin.flush()
        return [_answer(*pair) for pair in zip(self._workers, asked, strict=True)]


def _answer(worker: "subprocess.Popen[str]", asked: dict[str, Any]) -> dict[str, Any]:
    assert worker.stdout
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(
            f"a worker must answer, got exit status {worker.wait()} at {asked['do']} "
            f"{asked.get('name', '')}; its message is above."
        )
    found: dict[str, Any] = json.loads(line)
    return found
