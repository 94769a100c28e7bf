"""Sums over many rows at once, as the losses and gradients of a fleet take them.

jaxlib 0.10.2 lost rows of such sums where there were more than 32,768 of them
(https://github.com/jax-ml/jax/issues/39103), and none in the small cases that tests like.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fleetgrad.machine import compiler_options

ROWS = 32_769  # one more than the fewest that went wrong, in single precision
MEMBERS, BATCH, UNITS, OUTPUTS = 3, 1_031, 17, 5
# Of the largest result: what float32 rounds; and factors of ten bits, as cards may take them.
CLOSE, CLOSE_ELSEWHERE = 1e-5, 2e-2


def wrong(device: jax.Device) -> str | None:
    """What a device computes wrongly, in words; None where it is right."""
    close = CLOSE if device.platform == "cpu" else CLOSE_ELSEWHERE
    draw = np.random.default_rng(0).standard_normal
    many, turn = draw((ROWS, 3), np.float32), draw((3, 3), np.float32)
    rows = draw((MEMBERS, BATCH, UNITS), np.float32)
    weight = draw((MEMBERS, UNITS, OUTPUTS), np.float32)
    found = [_compiled(_lengths, device, many, turn), *_compiled(_moments, device, rows, weight)]
    for one, exact in zip(found, _exact(many, turn, rows, weight), strict=True):
        off = np.abs(np.asarray(one, np.float64) - exact).max() / np.abs(exact).max()
        if not off <= close:  # NaN is off, too
            return f"sums over rows that are off by {100 * off:.2g} %"
    return None


def _compiled(run: Any, device: jax.Device, *arrays: np.ndarray) -> Any:
    program = jax.jit(run, compiler_options=compiler_options(device))
    return program(*jax.device_put(arrays, device))


def _lengths(many: Float[Array, "rows 3"], turn: Float[Array, "3 3"]) -> Float[Array, " rows"]:
    return jax.vmap(lambda row: jnp.sum((turn @ row) ** 2))(many)


def _moments(
    rows: Float[Array, "members batch units"], weight: Float[Array, "members units outputs"]
) -> tuple[Array, ...]:
    def member(rows: Array, weight: Array) -> tuple[Array, ...]:
        outputs = rows @ weight
        return jnp.mean(outputs**2), outputs.max(0), outputs.sum(1), rows.T @ outputs

    return jax.vmap(member)(rows, weight)


def _exact(
    many: np.ndarray, turn: np.ndarray, rows: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, ...]:
    many, rows = many.astype(np.float64), rows.astype(np.float64)
    outputs = rows @ weight
    return (
        ((many @ turn.T) ** 2).sum(1),
        (outputs**2).mean((1, 2)),
        outputs.max(1),
        outputs.sum(2),
        rows.swapaxes(1, 2) @ outputs,
    )
