"""Plain values as strict JSON, and back without loss.

JSON has no NaN and no infinity, and a run is full of them (a diverged loss), so they are written
as `{"$float": "nan"}`, `"inf"` or `"-inf"`; no other name may start with `$`. Tuples come back as
lists, NumPy numbers and arrays as Python's numbers and lists.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

_FLOAT = "$float"
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(value: Any, *, indent: int | None = None) -> str:
    """Strict JSON, on one line or indented for a person.

    Raises:
        TypeError: A value or a name that JSON does not know.

    >>> encode({"losses": [0.5, float("nan")]})
    '{"losses":[0.5,{"$float":"nan"}]}'
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(_plain(value), allow_nan=False, indent=indent, separators=separators)


def decode(text: str | bytes) -> Any:
    """What `encode` was given.

    Raises:
        ValueError: The text is not of this kind.
    """
    try:
        return json.loads(text, object_hook=_restored, parse_constant=_refuse)
    except (RecursionError, TypeError) as error:
        raise ValueError(f"not a payload: {error}") from error


def strict(value: Any) -> Any:
    """The same for programs that know nothing of `$float`: what is no number becomes None.

    Names become text, tuples lists, and instances of dataclasses their fields by name, so that any
    encoder of JSON takes it.

    >>> strict({1: (0.5, float("nan"))})
    {'1': [0.5, None]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: strict(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): strict(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [strict(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, Mapping):
        return {_name(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _name(name: Any) -> str:
    if not isinstance(name, str) or name.startswith("$"):
        raise TypeError(f"names must be text not starting with `$`, got {name!r}.")
    return name


def _restored(record: dict[str, Any]) -> Any:
    if _FLOAT not in record:
        return record
    try:
        return _NOT_FINITE[record[_FLOAT]]
    except KeyError as error:
        raise ValueError(f"not a float: {record!r}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"not strict JSON: {constant}")
