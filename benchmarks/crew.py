"""Worker processes, one a core or one with all cores, that train a peer's networks side by side."""

import json
import os
import subprocess
import sys
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
        processes: How many.
        threads: Of each.
    """

    def __init__(self, processes: int, threads: int) -> None:
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        self.threads = threads
        self._workers = [
            subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(processes)
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

    def open(self, name: str, net: dict[str, Any], networks: int, data: Path) -> str:
        """Make the named peer ready in every process; returns what it does otherwise than told."""
        asked = {"do": "open", "name": name, "net": net, "networks": networks, "data": str(data)}
        answers = self._ask(asked)
        return str(answers[0]["differs"])

    def rate(self, name: str, seconds: float) -> float:
        """Rows a second of all processes together, each over its own time."""
        answers = self._ask({"do": "train", "name": name, "seconds": seconds})
        return float(sum(answer["rows"] / answer["seconds"] for answer in answers))

    def close(self) -> None:
        """Forget the peers that are open."""
        self._ask({"do": "close"})

    def _ask(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        for worker in self._workers:
            assert worker.stdin
            worker.stdin.write(json.dumps(asked) + "\n")
            worker.stdin.flush()
        return [_answer(worker, asked) for worker in self._workers]


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
