"""A network in the middle of its training: as it begins, predicts, and fits a larger program.

A state has the form of a shape. In a program that also serves wider networks, or others that
average their weights, it takes that program's form: zeros fill the rest, and stay. What is saved or
handed out is trimmed to the network's own form again, so it does not tell which program it was.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Num

from fleetgrad import layers, network, normalization, optimizers
from fleetgrad.shapes import Shape

# On the host NumPy's scalars stand where a program has arrays; to the type checker they are Any.
_REAL: Any = np.float32
_WHOLE: Any = np.int32
_DESCRIBED: Any = jax.ShapeDtypeStruct  # its constructor has no types


class State(NamedTuple):
    """One member in the middle of its training.

    `step` counts steps taken since the start; `diverged_at` is the step whose loss (or gradient to
    clip, or variance of a unit) was not finite, or -1; `loss` and `correct` are sums over the steps
    of the epoch in progress: `correct` of rows that are right, or of what else the metric is made
    from (`scoring.noted`). `running` are the statistics of batch normalization, `average` is the
    moving average of weights and statistics, in the form of `network.predicting`; each is empty
    where the shape has none.
    """

    params: network.Params
    optimizer: Any
    step: Int[Array, ""]
    diverged_at: Int[Array, ""]
    loss: Float[Array, ""]
    correct: Num[Array, ""]
    running: normalization.Statistics = ()
    average: network.Params = ()


def optimizer_state(optimizer: str, params: Any) -> Any:
    """Shapes and types of an optimizer's state for `params`; all of it starts at zero."""
    leaves, form = jax.tree.flatten(params)
    return _optimizer_state(optimizer, form, tuple((leaf.shape, leaf.dtype) for leaf in leaves))


@cache
def _optimizer_state(optimizer: str, form: Any, arrays: tuple[Any, ...]) -> Any:
    """The same, worked out once for networks of a form: JAX takes milliseconds."""
    params = jax.tree.unflatten(form, [_DESCRIBED(*array) for array in arrays])
    rates = optimizers.Rates(*map(_REAL, (0,) * len(optimizers.Rates._fields)))
    return jax.eval_shape(optimizers.OPTIMIZERS[optimizer](rates).init, params)


def begin(shape: Shape, params: Any) -> State:
    """The state before the first step, on the host."""
    described = optimizer_state(shape.optimizer, params)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), described)
    running = normalization.begin(shape.normalization, shape.hidden)
    first = network.predicting(params, running) if shape.averages else ()
    average = jax.tree.map(np.copy, first)  # programs take over what they are given, so no sharing
    noted = (_WHOLE if shape.counts else _REAL)(0)
    return State(params, zeros, _WHOLE(0), _WHOLE(-1), _REAL(0), noted, running, average)


def predicting(state: State) -> network.Params:
    """The layers that are scored, kept and predicted with: averaged ones, where there are any."""
    return state.average or network.predicting(state.params, state.running)


@cache
def described(shape: Shape) -> State:
    """Shapes and types of a state of this form."""
    learned = layers.learned(shape, shape.features, shape.classes, shape.places)
    params = tuple({name: _real(size) for name, size in layer.items()} for layer in learned)
    begun = normalization.begin(shape.normalization, shape.hidden)
    running = jax.tree.map(lambda leaf: _real(leaf.shape), begun)
    average = network.predicting(params, running) if shape.averages else ()
    whole, real = _DESCRIBED((), np.int32), _DESCRIBED((), np.float32)
    optimizer = optimizer_state(shape.optimizer, params)
    noted = whole if shape.counts else real
    return State(params, optimizer, whole, whole, real, noted, running, average)


def padded(state: State, own: Shape, program: Shape) -> State:
    """A state in the form of the program that trains it.

    Args:
        state: In its own form, on the host.
        own: Its own shape.
        program: One that serves it.
    """
    if _alike(own, program):
        return state
    if program.averages and not own.averages:
        state = state._replace(average=jax.tree.map(np.copy, predicting(state)))
    return _each(_grown, state, described(program))


def trimmed(state: State, own: Shape, program: Shape) -> State:
    """A state in its own form again, arguments as for `padded`; what was padded is copied."""
    if _alike(own, program):
        return state
    if not own.averages:
        state = state._replace(average=())
    return _each(_cut, state, described(own))


def _alike(own: Shape, program: Shape) -> bool:
    """Whether their states have one form."""
    return own.hidden == program.hidden and own.averages == program.averages


def _grown(leaf: Any, wanted: Any) -> Any:
    if leaf.shape == wanted.shape:
        return leaf
    grown = np.zeros(wanted.shape, wanted.dtype)
    grown[tuple(map(slice, leaf.shape))] = leaf
    return grown


def _cut(leaf: Any, wanted: Any) -> Any:
    if leaf.shape == wanted.shape:
        return leaf
    return np.array(np.asarray(leaf)[tuple(map(slice, wanted.shape))])


def _real(size: tuple[int, ...]) -> Any:
    return _DESCRIBED(size, np.float32)


def _each(change: Callable[[Any, Any], Any], state: State, wanted: State) -> State:
    changed: State = jax.tree.map(change, state, wanted)
    return changed
