"""Whether the JAX that is here computes rightly: found out once, before anything is trained.

There have been builds that silently gave wrong sums. So the first use on a machine holds compiled
programs against NumPy in float64: sums over many rows (`sums`), a few small networks trained by the
engine itself (`nets`), and our own kernels (`kernels`). What was found sound is remembered in the
user's cache, for these versions on this device; what was not is never used.
"""

import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from jaxlib import version as built

from fleetgrad import cache, durable, failures
from fleetgrad.errors import InstallationError
from fleetgrad.kernels import compiler
from fleetgrad.machine import Machine
from fleetgrad.soundness import kernels, nets, sums

__all__ = ["check", "here"]

BROKEN = {  # builds of jaxlib for CPUs, by name: these can end the process before a sum is compared
    "0.10.2": "it miscomputes sums and crashes (https://github.com/jax-ml/jax/issues/39103)",
    "0.11.0": "it crashes (https://github.com/jax-ml/jax/issues/39257)",
}
FOLDER = "soundness"

_sound: set[str] = set()
_lock = threading.Lock()


def here() -> Machine:
    """All lanes of this machine, found sound.

    Raises:
        InstallationError: Programs compiled here compute wrongly.
    """
    machine = Machine.here()
    check(machine)
    return machine


def check(machine: Machine) -> None:
    """Compare programs compiled for a machine with NumPy, unless that was done before.

    Args:
        machine: Its first lane speaks for all.

    Raises:
        InstallationError: They differ by more than rounding can make.
        DeviceError: The device fails.
    """
    known = _described(machine.lanes[0])
    name = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
    with _lock:
        if name in _sound:
            return
        if not _remembered(name, known):
            _measure(machine)
            _remember(name, known)
        _sound.add(name)


def _measure(machine: Machine) -> None:
    device = machine.lanes[0]
    on_cpu = device.platform == "cpu"
    if on_cpu and built.__version__ in BROKEN:
        raise _refusal(BROKEN[built.__version__])
    with failures.explained(), ThreadPoolExecutor() as beside:  # most of it is compilation
        own = beside.submit(kernels.wrong) if on_cpu else None
        summed = beside.submit(sums.wrong, device)
        trained = nets.wrong(device, machine.width)
        if found := summed.result() or trained:
            raise _refusal(found)
        if own and (found := own.result()):
            raise InstallationError(
                f"kernels compiled here must compute what NumPy does, got {found}; do without "
                f"them by {compiler.SWITCH}=0, or name another C compiler by CC."
            )


def _refusal(found: str) -> InstallationError:
    right = "jax==0.10.1" if sys.version_info < (3, 12) else "jax>=0.12"
    return InstallationError(
        f"JAX must compute what NumPy does, got jax {jax.__version__} with jaxlib "
        f"{built.__version__}: {found}; install another build, `pip install '{right}' "
        f"'{right.replace('jax', 'jaxlib')}'`."
    )


def _described(device: jax.Device) -> dict[str, str]:
    """All that decides how programs compute here."""
    return {
        "jax": jax.__version__,
        "jaxlib": built.__version__,
        "fleetgrad": _version(),
        "platform": device.platform,
        "device": device.device_kind,
        "processor": cache.processor(),
        "kernels": compiler.chosen(),
    }


def _version() -> str:
    try:
        return metadata.version("fleetgrad")
    except metadata.PackageNotFoundError:  # run from its source
        return "none"


def _remembered(name: str, known: dict[str, str]) -> bool:
    """Whether this was found sound before; a file that says anything else counts for nothing."""
    place = _place(name)
    if place is None:
        return False
    with suppress(OSError, ValueError, RecursionError):
        said: Any = json.loads(place.read_text("utf-8"))
        return bool(said == known)
    return False


def _remember(name: str, known: dict[str, str]) -> None:
    place = _place(name)
    if place is None:
        return
    with suppress(OSError), durable.replacing(place) as path:
        path.write_text(json.dumps(known), encoding="utf-8")


def _place(name: str) -> Path | None:
    folder = cache.private(FOLDER)
    return None if folder is None else folder / f"{name}.json"
