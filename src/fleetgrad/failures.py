"""What goes wrong on a device: it has no room, or it is gone.

No room for many networks at once is room for half as many (`Population` tries); no room for one,
and everything else, ends the call with a `DeviceError`, and the record is as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from fleetgrad.errors import DeviceError

FAILURES = (jax.errors.JaxRuntimeError, MemoryError)
MOST_LETTERS = 200  # of the device's own words: some name every buffer


def no_room(error: BaseException) -> bool:
    """Whether an allocation failed, on a device or here."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


@contextmanager
def explained() -> Iterator[None]:
    """A block in which a device may fail.

    Raises:
        DeviceError: It did.
    """
    try:
        yield
    except FAILURES as error:
        words = " ".join(str(error).split())[:MOST_LETTERS].rstrip(".;") or "no more of it"
        if no_room(error):
            raise DeviceError(
                f"training must fit into memory one network at a time, got `{words}`; free what "
                "others hold of it, or search narrower `hidden`."
            ) from error
        raise DeviceError(
            f"a device must last as long as the training, got `{words}`; see that it works again."
        ) from error
