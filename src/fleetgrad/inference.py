"""What a trained network computes, without JAX: in NumPy for this process, as ONNX for others.

Importing JAX and compiling a program cost a second; a row costs a tenth of a millisecond either
way. So prediction is NumPy, and both forms are held against `network.apply` by the tests.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Num

from fleetgrad import layers
from fleetgrad.errors import ModelError, UsageError
from fleetgrad.settings import Settings

MOST_LAYERS = 1000
OPSET, IR_VERSION = 17, 8  # of ONNX: what runtimes from 2022 on can read
MOST_ONNX_BYTES = 2**31 - 2**20  # a protocol buffer ends at two gibibytes
GELU = (2 * math.sqrt(2 / math.pi), 0.044715)  # Hendrycks and Gimpel 2016, the tanh form
LEAK = 0.01
EPSILON = 1e-5  # added to a variance before its root is divided by

Layer = Mapping[str, np.ndarray]
Logits = Float32[np.ndarray, "batch classes"]
Hidden = Float32[np.ndarray, "batch units"]


class Network(NamedTuple):
    """A trained network: its settings, and its arrays in float32.

    `params` are layers as in `network.predicting`; an input is scaled as (x - shift) * scale.
    """

    settings: Settings
    params: Sequence[Layer]
    shift: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]

    @classmethod
    def of(cls, settings: Settings, arrays: Mapping[str, np.ndarray]) -> "Network":
        """The network of named arrays, as `arrays` gives them; the names must be complete."""
        held = enumerate(layers.predicting(settings, np.size(arrays["shift"]), 1))  # names matter
        params = tuple({kind: arrays[f"layer{n}.{kind}"] for kind in kinds} for n, kinds in held)
        return cls(settings, params, arrays["shift"], arrays["scale"])

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays, each under a name of its own."""
        held = enumerate(self.params)
        named = {f"layer{n}.{kind}": array for n, layer in held for kind, array in layer.items()}
        return {"shift": self.shift, "scale": self.scale, **named}

    def check(self, classes: int) -> None:
        """Raise `ModelError` unless the arrays are finite and fit the settings and classes."""
        expected, arrays = array_shapes(self.settings, np.size(self.shift), classes), self.arrays
        odd = sorted(expected.keys() ^ arrays.keys())
        if odd:
            fault = "missing" if odd[0] in expected else "too many"
            raise ModelError(f"arrays must be those that the settings need, got {odd[0]} {fault}")
        for name, shape in expected.items():
            array = arrays[name]
            if array.dtype != np.float32 or array.shape != shape or not np.isfinite(array).all():
                raise ModelError(
                    f"`{name}` must be finite float32 of the shape {shape}, got {array.dtype} of "
                    f"{array.shape}{'' if array.shape != shape else ' or a number that is not'}"
                )
            if name.endswith(".variance") and (array < 0).any():
                raise ModelError(f"`{name}` must not be negative, got {array.min()}")


def array_shapes(settings: Settings, features: int, classes: int) -> dict[str, tuple[int, ...]]:
    """The shape of each of a network's arrays, by the names of `Network.arrays`."""
    if len(settings.hidden) >= MOST_LAYERS:
        raise ModelError(f"`hidden` must be shorter than {MOST_LAYERS}, got {len(settings.hidden)}")
    shapes: dict[str, tuple[int, ...]] = {"shift": (features,), "scale": (features,)}
    for number, layer in enumerate(layers.predicting(settings, features, classes)):
        shapes |= {f"layer{number}.{kind}": shape for kind, shape in layer.items()}
    return shapes


def logits(network: Network, x: Num[np.ndarray, "batch features"]) -> Logits:
    """The outputs for raw inputs; inputs far too large give infinities or NaN, and no warning."""
    activation = ACTIVATIONS[network.settings.activation].array
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        hidden: Hidden = (x.astype(np.float32) - network.shift) * network.scale
        for layer in network.params[:-1]:
            hidden = activation(_normalized(layer, _affine(layer, hidden)))
        return _affine(network.params[-1], hidden)


def probabilities(loss: str, outputs: Logits) -> Float64[np.ndarray, "batch classes"]:
    """Class probabilities from finite outputs, each row's summing to 1.

    A softmax for `cross_entropy`; the other losses train independent logistic outputs, which are
    divided by their sum.
    """
    logs = outputs.astype(np.float64)
    with np.errstate(under="ignore"):
        if loss != "cross_entropy":
            logs = -np.logaddexp(0, -logs)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    normalized: Float64[np.ndarray, "batch classes"] = shares / shares.sum(axis=1, keepdims=True)
    return normalized


def onnx_bytes(network: Network, input_type: str, metadata: Mapping[str, str]) -> bytes:
    """The network as an ONNX model.

    Args:
        network: What to export.
        input_type: "float32" or "uint8", of the raw, unscaled input `x` (rows, features).
        metadata: Written beside the graph.

    Returns:
        A checked model with the outputs `probabilities` (rows, classes), float32, and `label`
        (rows,), int64, the number of the likeliest class.

    Raises:
        UsageError: The package `onnx` is missing, or the input type is neither.
        ModelError: The weights are more than ONNX can hold.
    """
    if input_type not in {"float32", "uint8"}:
        raise UsageError(
            f"`input_type` must be float32 or uint8, got {input_type!r}; use float32, which holds "
            "every input that training takes."
        )
    held = sum(array.nbytes for array in network.arrays.values())
    if held > MOST_ONNX_BYTES:
        raise ModelError(
            f"an ONNX file must hold at most {MOST_ONNX_BYTES:,} bytes of weights, got {held:,}; "
            "train a narrower network."
        )
    onnx = _onnx()
    model = onnx.helper.make_model(
        _Graph(onnx).write(network, input_type),
        producer_name="fleetgrad",
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString()
    return serialized


class _Graph:
    """An ONNX graph in the making; what a step gives is known by its name."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        result = name or f"{operator.lower()}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [result], **attributes)
        self._nodes.append(node)
        return result

    def constant(self, value: np.ndarray | float) -> str:
        name = f"constant_{len(self._constants)}"
        array = np.asarray(value, np.float32)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def write(self, network: Network, input_type: str) -> Any:
        kinds, describe = self._onnx.TensorProto, self._onnx.helper.make_tensor_value_info
        raw = self.add("Cast", "x", to=kinds.FLOAT)
        hidden = self.add("Sub", raw, self.constant(network.shift))
        hidden = self.add("Mul", hidden, self.constant(network.scale))
        for layer in network.params[:-1]:
            activation = ACTIVATIONS[network.settings.activation].graph
            hidden = activation(self, self._normalized(layer, self._affine(layer, hidden)))
        outputs = self._affine(network.params[-1], hidden)
        self.add("ArgMax", outputs, name="label", axis=1, keepdims=0)
        if network.settings.loss != "cross_entropy":  # log s(z) = -softplus(-z)
            outputs = self.add("Neg", self.add("Softplus", self.add("Neg", outputs)))
        self.add("Softmax", outputs, name="probabilities", axis=1)
        features, classes = len(network.shift), network.params[-1]["weight"].shape[1]
        x = describe("x", getattr(kinds, input_type.removesuffix("32").upper()), ["rows", features])
        shares = describe("probabilities", kinds.FLOAT, ["rows", classes])
        label = describe("label", kinds.INT64, ["rows"])
        constants = self._constants
        return self._onnx.helper.make_graph(self._nodes, "net", [x], [shares, label], constants)

    def _affine(self, layer: Layer, x: str) -> str:
        product = self.add("MatMul", x, self.constant(layer["weight"]))
        return (
            self.add("Add", product, self.constant(layer["bias"])) if "bias" in layer else product
        )

    def _normalized(self, layer: Layer, x: str) -> str:
        if "gain" not in layer:
            return x
        operator = "BatchNormalization" if "mean" in layer else "LayerNormalization"
        names = [name for name in ("gain", "offset", "mean", "variance") if name in layer]
        return self.add(
            operator, x, *(self.constant(layer[name]) for name in names), epsilon=EPSILON
        )


class Activation(NamedTuple):
    """One function in both forms: on an array, and as steps appended to a graph."""

    array: Callable[[Hidden], Hidden]
    graph: Callable[[_Graph, str], str]


def _step(operator: str, **attributes: Any) -> Callable[[_Graph, str], str]:
    return lambda graph, x: graph.add(operator, x, **attributes)


def _sigmoid(x: Hidden) -> Hidden:
    share: Hidden = 0.5 * (1 + np.tanh(0.5 * x))  # has no exponential that could overflow
    return share


def _gelu(x: Hidden) -> Hidden:
    product: Hidden = x * _sigmoid(GELU[0] * (x + GELU[1] * (x * x * x)))
    return product


def _gelu_graph(graph: _Graph, x: str) -> str:
    cube = graph.add("Mul", graph.add("Mul", x, x), x)
    bent = graph.add("Add", x, graph.add("Mul", graph.constant(GELU[1]), cube))
    gate = graph.add("Sigmoid", graph.add("Mul", graph.constant(GELU[0]), bent))
    return graph.add("Mul", x, gate)


ACTIVATIONS: Mapping[str, Activation] = {
    "elu": Activation(lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), _step("Elu")),
    "gelu": Activation(_gelu, _gelu_graph),
    "leaky_relu": Activation(lambda x: np.maximum(x, LEAK * x), _step("LeakyRelu", alpha=LEAK)),
    "relu": Activation(lambda x: np.maximum(x, 0), _step("Relu")),
    "rounded_sigmoid": Activation(_sigmoid, _step("Sigmoid")),  # only its slope is rounded
    "sigmoid": Activation(_sigmoid, _step("Sigmoid")),
    "silu": Activation(
        lambda x: x * _sigmoid(x), lambda g, x: g.add("Mul", x, g.add("Sigmoid", x))
    ),
    "tanh": Activation(np.tanh, _step("Tanh")),
}


def _affine(layer: Layer, x: Hidden) -> Hidden:
    product: Hidden = x @ layer["weight"]
    return product + layer["bias"] if "bias" in layer else product


def _normalized(layer: Layer, x: Hidden) -> Hidden:
    if "gain" not in layer:
        return x
    if "mean" in layer:
        mean, variance = layer["mean"], layer["variance"]
    else:
        mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    normalized: Hidden = (x - mean) / np.sqrt(variance + np.float32(EPSILON))
    return normalized * layer["gain"] + layer["offset"]


def _onnx() -> Any:
    try:
        import onnx  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "the export needs the package `onnx`, got none; run `pip install 'fleetgrad[onnx]'`."
        ) from None
    return onnx
