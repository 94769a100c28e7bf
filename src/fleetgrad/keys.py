"""Random numbers as a pure function of what they are for, never of where a network sits.

Every draw names its seed, its purpose and the counters it depends on (replicate, epoch, ...).
No candidate id enters: candidates of one replicate share initial draws, shuffles and masks
(common random numbers; Glasserman and Yao, Management Science 38(6), 1992), so differences
between them are differences of their settings, and a candidate's curve is the same alone, in a
fleet of a thousand, or under another id.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import jax

PURPOSES = {
    "split": 1,
    "init": 2,
    "shuffle": 3,
    "noise": 4,
    "sampler": 5,
    "bootstrap": 6,
    "audit": 7,
}


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A NumPy generator for one purpose.

    Args:
        seed: The run's seed, >= 0.
        purpose: A key of `PURPOSES`.
        numbers: Counters the draw depends on (replicate, epoch, ...), each >= 0.
    """
    return np.random.Generator(np.random.Philox(_sequence(seed, purpose, numbers)))


def key(seed: int, purpose: str, *numbers: int) -> "jax.Array":
    """A JAX key for one purpose, independent of every other purpose's; arguments as `generator`."""
    import jax  # noqa: PLC0415 - keeps the record and the splits free of JAX

    word = _sequence(seed, purpose, numbers).generate_state(1)[0]
    return jax.random.key(int(word))


def _sequence(seed: int, purpose: str, numbers: tuple[int, ...]) -> np.random.SeedSequence:
    # As a spawn key: entropy alone would be padded with zeros, so that (1,) and (1, 0) were one.
    return np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *numbers))
