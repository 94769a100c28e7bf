"""scikit-learn's MLPClassifier as a peer."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from peers import Layers, Net

CALL_ROWS = 12_000  # a call of `partial_fit` checks and encodes its rows first: give it many
ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic"}


class Sklearn:
    """The nearest that MLPClassifier can do, through `partial_fit`.

    Args:
        net: What to train.
        layers: Not used: it draws its own weights, by Glorot's rule.
        x: Scaled inputs (rows, features), float32.
        y: Labels (rows,).
    """

    networks, shuffles = 1, True

    def __init__(self, net: Net, layers: Layers, x: np.ndarray, y: np.ndarray) -> None:
        del layers
        self.call_rows = min(CALL_ROWS, len(y)) // net.batch_size * net.batch_size
        self.differs = "; ".join(_differences(net))
        self.model = MLPClassifier(
            hidden_layer_sizes=net.hidden,
            activation=ACTIVATIONS[net.activation],
            solver="sgd" if net.optimizer == "sgd" else "adam",
            alpha=net.weight_decay,
            batch_size=net.batch_size,
            learning_rate_init=net.learning_rate,
            momentum=0.0,
            random_state=0,
        )
        self._x, self._y, self._classes = x, y, np.arange(net.classes)

    def work(self, rows: np.ndarray) -> None:
        """One pass over these rows, in minibatches."""
        self.model.partial_fit(self._x[rows], self._y[rows], classes=self._classes)


def _differences(net: Net) -> list[str]:
    found = []
    if net.dropout:
        found.append("no dropout")
    if net.optimizer == "adamw":
        found.append("Adam with an L2 penalty for AdamW")
    if net.precision != "float32":
        found.append("float32")
    return found
