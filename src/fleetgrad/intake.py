"""How an ONNX graph takes a raw table: an input for each column, and nodes that encode them.

Numbers and truth values come as float32, NaN where one is missing; words as text, empty where one
is missing. Dates have no form in ONNX and are refused.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from fleetgrad.data.coding import Coding
from fleetgrad.data.columns import CATEGORY, DATE, MISSING
from fleetgrad.data.encoding import Encoding
from fleetgrad.errors import ModelError

DOMAIN = ("ai.onnx.ml", 2)  # its operator on text, of 2019
FLOAT = 1  # its number in ONNX
OUTPUTS = ("probabilities", "label", "prediction")  # names that no input may have


class Nodes(Protocol):
    """A graph in the making; what a node gives is known by its name."""

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node."""

    def constant(self, value: Any) -> str:
        """Add a number in float32."""

    def integers(self, values: Sequence[int]) -> str:
        """Add whole numbers."""

    def described(self, name: str, kind: str, shape: Sequence[str | int]) -> Any:
        """An input or output."""


def take(graph: Nodes, encoding: Encoding) -> tuple[str, list[Any]]:
    """Add the nodes that make features of columns.

    Args:
        graph: Where to.
        encoding: Of the table.

    Returns:
        The name of the features (rows, features), float32; and the inputs, each (rows, 1).

    Raises:
        ModelError: There are dates.
    """
    wanted = [one for one in encoding.codings if one.features]
    dates = [one.name for one in wanted if one.kind == DATE]
    if dates:
        raise ModelError(
            f"an ONNX file must take numbers and text, got dates in column `{dates[0]}`; train "
            "with numbers in place of dates, or predict by `Model.predict`."
        )
    parts, inputs = [], []
    for one, name in zip(wanted, input_names(encoding), strict=True):
        words = one.kind == CATEGORY
        inputs.append(graph.described(name, "STRING" if words else "FLOAT", ["rows", 1]))
        parts.append(_words(graph, one, name) if words else _number(graph, one, name))
    return graph.add("Concat", *parts, axis=1), inputs


def input_names(encoding: Encoding) -> list[str]:
    """What the inputs are called: as the columns, unless an output is called so."""
    names = list(encoding.kinds)
    return [f"{name} (column)" if name in OUTPUTS else name for name in names]


def _number(graph: Nodes, coding: Coding, name: str) -> str:
    parts = [name]
    if coding.points:
        equal = graph.add("Equal", name, graph.constant([coding.points]))
        parts.append(graph.add("Cast", equal, to=FLOAT))
    if coding.missing:
        parts.append(graph.add("Cast", graph.add("IsNaN", name), to=FLOAT))
    return graph.add("Concat", *parts, axis=1)


def _words(graph: Nodes, coding: Coding, name: str) -> str:
    """A word's place, or one beyond all where it has none, as zeros and a one."""
    beyond = coding.features
    places = {word: place for place, word in enumerate(coding.words)}
    gone = beyond - 1 if coding.missing else beyond
    spelled = {form for word in MISSING for form in (word, word.upper(), word.capitalize())}
    places |= dict.fromkeys(sorted(spelled | {"NaN", "NaT"}), gone)
    place = graph.add(
        "LabelEncoder",
        name,
        domain=DOMAIN[0],
        keys_strings=list(places),
        values_int64s=list(places.values()),
        default_int64=len(coding.words) if coding.other else beyond,
    )
    flat = graph.add("Reshape", place, graph.integers([-1]))
    coded = graph.add("OneHot", flat, graph.integers([beyond + 1]), graph.constant([0, 1]), axis=1)
    return graph.add(
        "Slice", coded, graph.integers([0]), graph.integers([beyond]), graph.integers([1])
    )
