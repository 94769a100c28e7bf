"""Two peers in plain NumPy: a network as one writes it by hand today, and the notebook's own."""

import numpy as np

from peers import Layers, Net

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # of Adam, Kingma and Ba 2015
NOTEBOOK_RATE = 0.01  # of its first experiment


class Numpy:
    """Cross-entropy, written by hand: no graph, every array updated in place.

    Args:
        net: What to train.
        layers: Initial weights; copied.
        x: Scaled inputs (rows, features), of `dtype`.
        y: Labels (rows,).
        dtype: Of all arithmetic; float64 in the tests.
    """

    networks, shuffles = 1, True

    def __init__(
        self, net: Net, layers: Layers, x: np.ndarray, y: np.ndarray, dtype: type = np.float32
    ) -> None:
        self.net = net
        self.call_rows = net.batch_size
        self.differs = "float32" if net.precision != "float32" else ""
        self.layers = [(weight.astype(dtype), bias.astype(dtype)) for weight, bias in layers]
        self.loss = 0.0
        self._x, self._y, self._dtype = x, y, dtype
        self._draw = np.random.default_rng(0)
        arrays = [array for layer in self.layers for array in layer]
        self._rules = [(_Adam if net.optimizer.startswith("adam") else _Sgd)(a) for a in arrays]

    def work(self, rows: np.ndarray) -> None:
        """One step on these rows."""
        self.loss += self.learn(self._x[rows], self._y[rows])

    def learn(self, x: np.ndarray, labels: np.ndarray) -> float:
        """One step; returns the mean loss before it."""
        inputs, kept, values = [x], [], []
        for weight, bias in self.layers[:-1]:
            values.append(self._activate(inputs[-1] @ weight + bias))
            kept.append(self._keep(values[-1].shape))
            inputs.append(values[-1] if kept[-1] is None else values[-1] * kept[-1])
        weight, bias = self.layers[-1]
        error = _softmax(inputs[-1] @ weight + bias)
        picked = np.arange(len(labels)), labels
        loss = -float(np.log(error[picked]).mean())
        error[picked] -= 1
        error /= len(labels)
        gradients = []
        for number in reversed(range(len(self.layers))):
            gradients += [error.sum(0), inputs[number].T @ error]
            if number:
                error = error @ self.layers[number][0].T
                if kept[number - 1] is not None:
                    error *= kept[number - 1]
                self._times_slope(error, values[number - 1])
        self._update(gradients[::-1])
        return loss

    def _activate(self, z: np.ndarray) -> np.ndarray:
        if self.net.activation == "relu":
            return np.maximum(z, 0, out=z)
        np.negative(z, out=z)
        np.exp(z, out=z)
        z += 1
        return np.reciprocal(z, out=z)

    def _times_slope(self, error: np.ndarray, value: np.ndarray) -> None:
        error *= value > 0 if self.net.activation == "relu" else value * (1 - value)

    def _keep(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """What each unit is multiplied by: 0 where it is dropped, more than 1 where it stays."""
        rate = self.net.dropout
        if rate == 0:
            return None
        kept = self._draw.random(shape, np.float32) >= np.float32(rate)
        return kept.astype(self._dtype) / self._dtype(1 - rate)

    def _update(self, gradients: list[np.ndarray]) -> None:
        net = self.net
        arrays = [array for layer in self.layers for array in layer]
        for array, rule, gradient in zip(arrays, self._rules, gradients, strict=True):
            change = rule.change(gradient, net.learning_rate)
            if net.optimizer == "adamw" and array.ndim > 1:
                np.multiply(array, 1 - net.learning_rate * net.weight_decay, out=array)
            np.subtract(array, change, out=array)


class _Sgd:
    def __init__(self, array: np.ndarray) -> None:
        del array

    def change(self, gradient: np.ndarray, rate: float) -> np.ndarray:
        gradient *= rate
        return gradient


class _Adam:
    def __init__(self, array: np.ndarray) -> None:
        self.first, self.second = np.zeros_like(array), np.zeros_like(array)
        self.scratch, self.steps = np.empty_like(array), 0

    def change(self, gradient: np.ndarray, rate: float) -> np.ndarray:
        self.steps += 1
        first, second, scratch = self.first, self.second, self.scratch
        first *= FIRST
        first += np.multiply(gradient, 1 - FIRST, out=scratch)
        second *= SECOND
        np.square(gradient, out=scratch)
        scratch *= 1 - SECOND
        second += scratch
        np.sqrt(second, out=scratch)
        scratch *= (1 - SECOND**self.steps) ** -0.5
        scratch += TINY
        np.divide(first, scratch, out=scratch)
        scratch *= rate / (1 - FIRST**self.steps)
        return scratch


def _softmax(z: np.ndarray) -> np.ndarray:
    z -= z.max(1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(1, keepdims=True)
    return z


class Notebook:
    """The coursework notebook's algorithm: float64, and rounding by a Python call a number.

    Its loss is the cross-entropy summed over batch and outputs; what it follows is the squared
    error, with the logistic's slope at the rounded input; of its steps it remembers one.

    Args:
        net: Its widths and its batch size are used; activation and optimizer are the notebook's.
        x: Scaled inputs (rows, features).
        y: Labels (rows,).
    """

    networks, shuffles = 1, False

    def __init__(self, net: Net, x: np.ndarray, y: np.ndarray) -> None:
        self.call_rows = net.batch_size
        self.differs = "; ".join(_differences(net))
        draw = np.random.RandomState(0)
        self.weights = [draw.randn(*size) for size in net.sizes]
        self.before = [np.zeros_like(weight) for weight in self.weights]
        self.loss, self.right = 0.0, 0
        self._x, self._t = x.astype(np.float64), np.eye(net.classes)[y]
        self._round = np.vectorize(round)  # half to even, as Python rounds

    def work(self, rows: np.ndarray) -> None:
        """One step on these rows, which follow one another."""
        batch = slice(rows[0], rows[0] + len(rows))
        loss, right = self.learn(self._x[batch], self._t[batch])
        self.loss, self.right = self.loss + loss, self.right + right

    def learn(self, x: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
        """One step; returns the loss and how many were right before it."""
        sums, values = [], [x]
        for weight in self.weights:
            sums.append(values[-1] @ weight)
            values.append(_logistic(sums[-1]))
        p = values[-1]
        with np.errstate(divide="ignore", invalid="ignore"):  # wide networks are quickly too sure
            loss = -float(np.sum(targets * np.log(p) + (1 - targets) * np.log(1 - p)))
        right = int((p.argmax(1) == targets.argmax(1)).sum())
        errors = [2 * (targets - p) * self._slope(sums[-1])]
        for weight, z in zip(self.weights[:0:-1], sums[-2::-1], strict=True):
            errors.append((errors[-1] @ weight.T) * self._slope(z))
        for number, error in enumerate(reversed(errors)):
            step = NOTEBOOK_RATE * (values[number].T @ error)
            again = NOTEBOOK_RATE * self.before[number]
            self.weights[number] = self.weights[number] + step + again
            self.before[number] = step
        return loss, right

    def _slope(self, z: np.ndarray) -> np.ndarray:
        rounded = _logistic(self._round(z).astype(np.float64))
        slope: np.ndarray = rounded * (1 - rounded)
        return slope


def _differences(net: Net) -> list[str]:
    found = ["squared error", "no biases", "rows in file order", "one step remembered", "float64"]
    if net.activation != "sigmoid":
        found.append(f"sigmoid for {net.activation}")
    if net.optimizer != "sgd":
        found.append(f"plain steps for {net.optimizer}")
    return [*found, "no dropout"] if net.dropout else found


def _logistic(z: np.ndarray) -> np.ndarray:
    value: np.ndarray = 1 / (1 + np.exp(-z))
    return value
