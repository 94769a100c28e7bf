"""Our own kernels, those that can be had here, beside NumPy in float64."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from fleetgrad.kernels import adam, bfloat16, sparse

BATCH, INPUTS, OUTPUTS = 37, 131, 67  # divisible by no width of a vector
FILLED = 0.2  # of the inputs that the sparse kernel sees
NUMBERS = (0.01, 0.1, 0.0, 0.9, 0.1, 0.999, 0.001, 1 / (1 - 0.9**3), 1 / (1 - 0.999**3), 1e-8, 1.0)
CLOSE = 1e-5  # of the largest number of an array

Matrix = Float[np.ndarray, "rows columns"]


def wrong() -> str | None:
    """What kernels compute wrongly on a CPU, in words; None where they are right."""
    for name, found, exact in _results():
        off = np.abs(np.asarray(found, np.float64) - exact).max() / np.abs(exact).max()
        if not off <= CLOSE:  # NaN is off, too
            return f"{name} that are off by {100 * off:.2g} %"
    return None


def _results() -> Iterator[tuple[str, Any, np.ndarray]]:
    """What is computed, what was found, what is exact."""
    draw = np.random.default_rng(0)
    shapes = ((BATCH, INPUTS), (INPUTS, OUTPUTS), (BATCH, OUTPUTS))
    x, weight, slope = (draw.standard_normal(shape, np.float32) for shape in shapes)
    if sparse.available():
        some = x * (draw.random(x.shape) < FILLED)
        found = _products(sparse.product, some, weight, slope)
        for one, exact in zip(found, _exact(some, weight, slope), strict=True):
            yield "products past zeros", one, exact
    if bfloat16.available():
        found = _products(bfloat16.product, x, weight, slope)
        for one, exact in zip(found, _exact(*map(_rounded, (x, weight, slope))), strict=True):
            yield "products in bfloat16", one, exact
    if adam.available():
        arrays = [draw.random(adam.WORTH + 27, np.float32) for _ in range(4)]
        for one, exact in zip(jax.jit(_in_place)(*arrays), _stepped(*arrays), strict=True):
            yield "steps of Adam", one, exact


def _products(multiply: Any, x: Matrix, weight: Matrix, slope: Matrix) -> Any:
    """A product and the slopes of its factors."""

    def run(x: Any, weight: Any, slope: Any) -> Any:
        product, back = jax.vjp(multiply, x, weight)
        return product, *back(slope)

    return jax.jit(run)(x, weight, slope)


def _exact(x: Matrix, weight: Matrix, slope: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    x, weight, slope = (one.astype(np.float64) for one in (x, weight, slope))
    return x @ weight, slope @ weight.T, x.T @ slope


def _rounded(array: Matrix) -> Matrix:
    return np.asarray(jnp.asarray(array, jnp.bfloat16), np.float64)


def _in_place(weight: Any, mean: Any, square: Any, slope: Any) -> Any:
    *numbers, alive = map(jnp.float32, NUMBERS)
    scalars: Any = (*numbers, alive > 0)
    return adam.step(weight, mean, square, slope, adam.Numbers(*scalars))


def _stepped(
    weight: np.ndarray, mean: np.ndarray, square: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Decoupled weight decay, as in `adamw`."""
    scalars: Any = NUMBERS
    numbers: Any = adam.Numbers(*scalars)
    weight, mean, square, slope = (one.astype(np.float64) for one in (weight, mean, square, slope))
    mean = numbers.first * mean + numbers.first_missing * slope
    square = numbers.second * square + numbers.second_missing * slope**2
    move = mean * numbers.unbiased_first / (np.sqrt(square * numbers.unbiased_second) + 1e-8)
    return weight - numbers.rate * (move + numbers.decay * weight), mean, square
