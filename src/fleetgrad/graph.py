"""What trained networks compute, as ONNX: for other programs; held against NumPy by the tests."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fleetgrad import intake
from fleetgrad.data.encoding import Encoding
from fleetgrad.data.scaling import FARTHEST
from fleetgrad.errors import ModelError, UsageError
from fleetgrad.forward import EPSILON, GELU, LEAK, SELU, Layer
from fleetgrad.inference import Network, Part
from fleetgrad.views import CENTER, PLAIN, REACH, View

OPSET, IR_VERSION = 17, 8  # of ONNX: what runtimes from 2022 on can read
MOST_ONNX_BYTES = 2**31 - 2**20  # a protocol buffer ends at two gibibytes


class Seeing(NamedTuple):
    """What networks see: images of a shape, from where; or the columns of an encoded table."""

    image_shape: Sequence[int] = ()
    views: Sequence[View] = PLAIN
    encoding: Encoding | None = None


def onnx_bytes(
    parts: Sequence[Part],
    input_type: str,
    metadata: Mapping[str, str],
    seeing: Seeing = Seeing(),  # noqa: B008 - it cannot be changed
    *,
    numbers: bool = False,
) -> bytes:
    """Networks as one ONNX model, which averages their probabilities, or numbers, by their shares.

    Args:
        parts: What to export.
        input_type: "float32" or "uint8", of the raw, unscaled input `x` (rows, features).
        metadata: Written beside the graph.
        seeing: What they see; one network sees images as they are.
        numbers: Whether they predict numbers, and not classes.

    Returns:
        A checked model with the outputs `probabilities` (rows, classes), float32, and `label`
        (rows,), int64, the number of the likeliest class; or `prediction` (rows,), float32.

    Raises:
        UsageError: The package `onnx` is missing, or the input type is neither.
        ModelError: The weights are more than ONNX can hold, or columns are none of its kinds.
    """
    if input_type not in {"float32", "uint8"}:
        raise UsageError(
            f"`input_type` must be float32 or uint8, got {input_type!r}; use float32, which holds "
            "every input that training takes."
        )
    held = sum(array.nbytes for part in parts for array in part.network.arrays.values())
    if held > MOST_ONNX_BYTES:
        raise ModelError(
            f"an ONNX file must hold at most {MOST_ONNX_BYTES:,} bytes of weights, got {held:,}; "
            "train a narrower network, or fewer."
        )
    onnx = _onnx()
    model = onnx.helper.make_model(
        _Graph(onnx).write(parts, input_type, seeing, numbers=numbers),
        producer_name="fleetgrad",
        ir_version=IR_VERSION,
        opset_imports=[
            onnx.helper.make_opsetid(*one)
            for one in (("", OPSET), *([intake.DOMAIN] if seeing.encoding else []))
        ],
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
        result = name or f"net/{operator.lower()}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [result], **attributes)
        self._nodes.append(node)
        return result

    def constant(self, value: Any) -> str:
        """Numbers in float32."""
        return self._held(np.asarray(value, np.float32))

    def integers(self, values: Sequence[int]) -> str:
        """Whole numbers, as shapes need them."""
        return self._held(np.asarray(values, np.int64))

    def _held(self, array: np.ndarray) -> str:
        name = f"net/constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def write(
        self, parts: Sequence[Part], input_type: str, seeing: Seeing, *, numbers: bool
    ) -> Any:
        if seeing.encoding is None:
            raw = self.add("Cast", "x", to=self._onnx.TensorProto.FLOAT)
            kind, features = input_type.removesuffix("32").upper(), len(parts[0].network.shift)
            inputs = [self.described("x", kind, ["rows", features])]
        else:
            raw, inputs = intake.take(self, seeing.encoding)
        images = [self._seen(raw, seeing.image_shape, view) for view in seeing.views]
        find = self._numbers if numbers else self._classes
        found = find(parts, images)
        return self._onnx.helper.make_graph(self._nodes, "net", inputs, found, self._constants)

    def described(self, name: str, kind: str, shape: Sequence[str | int]) -> Any:
        """An input or output of a kind, as ONNX names it."""
        number = getattr(self._onnx.TensorProto, kind)
        return self._onnx.helper.make_tensor_value_info(name, number, shape)

    def _numbers(self, parts: Sequence[Part], images: Sequence[str]) -> list[Any]:
        """Append the average of what networks say, in the units of the target."""
        said = []
        for network, weight in parts:
            for one in images:
                share, output = weight / len(images), self._outputs(network, one)
                spread = self.add("Mul", output, self.constant(share * network.spread))
                said.append(self.add("Add", spread, self.constant(share * network.center)))
        together = self.add("Sum", *said)
        self.add("Squeeze", together, self.integers([1]), name="prediction")
        return [self.described("prediction", "FLOAT", ["rows"])]

    def _classes(self, parts: Sequence[Part], images: Sequence[str]) -> list[Any]:
        """Append what the probabilities are, and the likeliest class."""
        if len(parts) == 1 and len(images) == 1:  # its outputs tell more apart than shares do
            label = self._outputs(parts[0].network, images[0])
            self._shares(parts[0].network, label, name="probabilities")
        else:
            label = self._average(parts, images, name="probabilities")
        self.add("ArgMax", label, name="label", axis=1, keepdims=0)
        classes = parts[0].network.params[-1]["weight"].shape[-1]
        shares = self.described("probabilities", "FLOAT", ["rows", classes])
        return [shares, self.described("label", "INT64", ["rows"])]

    def _outputs(self, network: Network, raw: str) -> str:
        hidden = self.add("Sub", raw, self.constant(network.shift))
        hidden = self.add("Mul", hidden, self.constant(network.scale))
        if network.limit is not None:
            hidden = self._bent(hidden, network.limit)
        hidden = self._embedded(network, hidden)
        *before, last = network.folded
        for layer in before:
            activation = ACTIVATIONS[network.settings.activation]
            x = self._normalized(layer, self._affine(layer, hidden))
            hidden = self._slanted(layer, x, activation(self, x))
        return self._pooled(network, self._affine(last, hidden))

    def _bent(self, x: str, limit: np.ndarray) -> str:
        known = self.add("Where", self.add("IsNaN", x), self.constant(0), x)
        near = self.add("Clip", known, self.constant(-FARTHEST), self.constant(FARTHEST))
        turned = self.add("Mul", near, self.constant(limit))
        squared = self.add("Add", self.add("Mul", turned, turned), self.constant(1))
        return self.add("Div", near, self.add("Sqrt", squared))

    def _shares(self, network: Network, outputs: str, name: str | None = None) -> str:
        if network.settings.loss != "cross_entropy":  # log s(z) = -softplus(-z)
            outputs = self.add("Neg", self.add("Softplus", self.add("Neg", outputs)))
        return self.add("Softmax", outputs, name=name, axis=1)

    def _average(self, parts: Sequence[Part], images: Sequence[str], name: str) -> str:
        weighted = [
            self.add(
                "Mul",
                self._shares(part.network, self._outputs(part.network, one)),
                self.constant(part.weight / len(images)),
            )
            for part in parts
            for one in images
        ]
        return self.add("Sum", *weighted, name=name)

    def _seen(self, raw: str, image_shape: Sequence[int], view: View) -> str:
        """The images, moved: each channel convolved with the view's kernel."""
        if view == CENTER:
            return raw
        height, width, channels = (*image_shape, 1)[:3]
        images = self.add("Reshape", raw, self.integers([-1, height, width, channels]))
        images = self.add("Transpose", images, perm=[0, 3, 1, 2])
        kernel = self.constant(np.tile(view.kernel, (channels, 1, 1, 1)))
        moved = self.add("Conv", images, kernel, group=channels, pads=[REACH] * 4)
        moved = self.add("Transpose", moved, perm=[0, 2, 3, 1])
        return self.add("Reshape", moved, self.integers([-1, height * width * channels]))

    def _embedded(self, network: Network, x: str) -> str:
        """As in `embeddings`; each number has a matrix of its own, so numbers come first."""
        layer, places = network.params[0], network.places
        if "frequency" not in layer:
            return x
        found = x if places is None else self.add("Gather", x, self.integers(places), axis=1)
        column = self.add("Unsqueeze", found, self.integers([2]))
        turns = self.add("Mul", column, self.constant(math.tau * layer["frequency"]))
        waves = self.add("Cos", self.add("Add", turns, self.constant(layer["phase"])))
        by_number = self.add("Transpose", waves, perm=[1, 0, 2])
        mixed = self.add("MatMul", by_number, self.constant(layer["mixture"]))
        mixed = self.add("Add", mixed, self.constant(layer["level"][:, np.newaxis]))
        by_row = self.add("Transpose", mixed, perm=[1, 0, 2])
        flat = self.add("Reshape", by_row, self.integers([-1, layer["level"].size]))
        return self.add("Concat", x, flat, axis=1)

    def _affine(self, layer: Layer, x: str) -> str:
        """Of rows, or of (members, rows, units) where there are several (`sharing`)."""
        x = self._by_member("Mul", layer, "inward", x)
        product = self.add("MatMul", x, self.constant(layer["weight"]))
        return self._by_member(
            "Add", layer, "bias", self._by_member("Mul", layer, "outward", product)
        )

    def _by_member(self, operator: str, layer: Layer, name: str, x: str) -> str:
        if name not in layer:
            return x
        own = layer[name]
        return self.add(operator, x, self.constant(own if own.ndim == 1 else own[:, np.newaxis]))

    def _pooled(self, network: Network, outputs: str) -> str:
        """As in `losses`, but for a constant that no probability and no label depends on."""
        if network.settings.members == 1:
            return outputs
        if network.params[-1]["weight"].shape[-1] == 1:
            return self.add("ReduceMean", outputs, axes=[0], keepdims=0)
        if network.settings.loss == "cross_entropy":
            return self._log_sum(self.add("LogSoftmax", outputs, axis=2))
        off, on = (
            self._log_sum(self.add("Neg", self.add("Softplus", one)))
            for one in (outputs, self.add("Neg", outputs))
        )
        return self.add("Sub", on, off)

    def _log_sum(self, logs: str) -> str:
        return self.add("ReduceLogSumExp", logs, axes=[0], keepdims=0)

    def _slanted(self, layer: Layer, x: str, activated: str) -> str:
        if "slant" not in layer:
            return activated
        change = self.add("Sub", activated, x)
        return self.add("Add", x, self.add("Mul", self.constant(layer["slant"]), change))

    def _normalized(self, layer: Layer, x: str) -> str:
        if "gain" not in layer:
            return x
        if "mean" in layer:  # the operator for it would take members for rows
            factor = layer["gain"] / np.sqrt(layer["variance"] + np.float32(EPSILON))
            centered = self.add("Sub", x, self.constant(layer["mean"]))
            scaled = self.add("Mul", centered, self.constant(factor))
            return self.add("Add", scaled, self.constant(layer["offset"]))
        gain, offset = self.constant(layer["gain"]), self.constant(layer["offset"])
        return self.add("LayerNormalization", x, gain, offset, epsilon=EPSILON)


def _step(operator: str, **attributes: Any) -> Callable[[_Graph, str], str]:
    return lambda graph, x: graph.add(operator, x, **attributes)


def _gelu(graph: _Graph, x: str) -> str:
    cube = graph.add("Mul", graph.add("Mul", x, x), x)
    bent = graph.add("Add", x, graph.add("Mul", graph.constant(GELU[1]), cube))
    gate = graph.add("Sigmoid", graph.add("Mul", graph.constant(GELU[0]), bent))
    return graph.add("Mul", x, gate)


def _mish(graph: _Graph, x: str) -> str:
    return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))


ACTIVATIONS: Mapping[str, Callable[[_Graph, str], str]] = {  # appended to a graph
    "elu": _step("Elu"),
    "gelu": _gelu,
    "leaky_relu": _step("LeakyRelu", alpha=LEAK),
    "mish": _mish,
    "relu": _step("Relu"),
    "rounded_sigmoid": _step("Sigmoid"),
    "selu": _step("Selu", gamma=SELU[0], alpha=SELU[1]),
    "sigmoid": _step("Sigmoid"),
    "silu": lambda graph, x: graph.add("Mul", x, graph.add("Sigmoid", x)),
    "tanh": _step("Tanh"),
}


def _onnx() -> Any:
    try:
        import onnx  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            "the export needs the package `onnx`, got none; run `pip install 'fleetgrad[onnx]'`."
        ) from None
    return onnx
