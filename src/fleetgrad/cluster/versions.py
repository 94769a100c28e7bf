"""What decides how networks train: a worker is asked for its versions before it gets work.

A module of its own that imports nothing slow, so that a worker answers at once.
"""

import platform
from importlib.metadata import version

from fleetgrad import __version__

LIBRARIES = ("jax", "jaxlib", "numpy", "optax")


def versions() -> dict[str, str]:
    """Of this process: Python, ours, and of what trains."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "fleetgrad": __version__} | {one: version(one) for one in LIBRARIES}
