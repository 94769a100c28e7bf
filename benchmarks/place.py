"""Where the throughput benchmark runs: on the processor, or on the cards that JAX sees."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import util
from typing import NamedTuple

import jax

from fleetgrad.machine import CARD_WIDTH, cores

PEERS = ("numpy", "sklearn", "torch", "vmap", "notebook")
NEED_TORCH = ("torch", "vmap")
NETWORKS = 16  # of the one peer that trains several at once, on the processor
NO_TORCH = "PyTorch is not installed"
NO_CARD = "PyTorch sees no such card (`torch.cuda.is_available()` is false)"


class Place(NamedTuple):
    """What everything runs on.

    Args:
        platform: As JAX calls it: `cpu`, or `gpu` for cards.
        cards: How many; 0 on the processor.
    """

    platform: str
    cards: int

    @property
    def peers(self) -> tuple[str, ...]:
        """Those that are measured unless others are asked for: on cards, what trains there."""
        return NEED_TORCH if self.cards else PEERS

    @property
    def networks(self) -> int:
        """Of the peer that trains several at once: on a card as many as ours trains at once."""
        return CARD_WIDTH if self.cards else NETWORKS

    def devices(self, peer: str) -> list[str]:
        """PyTorch's name for where each process of a peer trains: one a core, or one a card."""
        if self.cards and peer in NEED_TORCH:
            return [f"cuda:{number}" for number in range(self.cards)]
        return ["cpu"] * (1 if peer == "vmap" else cores())

    def threads(self, peer: str) -> int:
        """Of each process."""
        return cores() if self.devices(peer) == ["cpu"] else 1


def choose(device: str | None) -> Place:
    """Where to run.

    Args:
        device: `cpu`, `cuda`, or None for what JAX takes.

    Raises:
        LookupError: JAX sees no card, and `cuda` was asked for.
    """
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    found = jax.devices()
    platform = found[0].platform
    if device == "cuda" and platform != "gpu":
        raise LookupError(
            f"`--device cuda` needs a card that JAX sees, got {platform} alone; "
            "pip install 'jax[cuda13]', and see that nvidia-smi lists it."
        )
    return Place(platform, 0 if platform == "cpu" else len(found))


def absent(peers: Sequence[str], place: Place) -> dict[str, str]:
    """Which of these peers cannot run there, and why."""
    wanted = [name for name in peers if name in NEED_TORCH]
    reason = _lacking(place) if wanted else ""
    return dict.fromkeys(wanted, reason) if reason else {}


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return util.find_spec("torch") is not None


def torch_cards() -> int:
    """How many cards PyTorch sees; in a process of its own, for JAX brings other CUDA libraries."""
    code = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return int(told.stdout) if told.returncode == 0 else 0


def _lacking(place: Place) -> str:
    if not has_torch():
        return NO_TORCH
    return NO_CARD if torch_cards() < place.cards else ""
