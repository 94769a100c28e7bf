"""A space in writing: plain values for JSON, and TOML for a person to read and change.

A range is a table, `{ low, high, log, when }` or `{ choice, when }`; anything else is a fixed
value, and so is a table of `augment` with none of these parts. Whether a stretch is of whole
numbers follows from the name, so nothing is lost.
"""

import json
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleetgrad.augmentation import Augmentation
from fleetgrad.errors import SpaceError, suggestion
from fleetgrad.space.ranges import Choice, Float, Int, Range

_PARTS = ("low", "high", "log", "choice", "when")
_TABLES = ("augment",)  # names whose values may be tables
_EXAMPLE = "learning_rate = { low = 1e-4, high = 1e-1, log = true }"
_HEAD = """\
# What to search. { low, high } is a stretch of numbers (log = true: equal ratios are equally
# likely), { choice = [...] } a list of values, and a plain value fixes a hyperparameter.
# when = { optimizer = "momentum" } searches a name only where it matters.
# What is not named here keeps its default.

"""


def plain(value: Any) -> Any:
    """A range or a fixed value as JSON has it."""
    if isinstance(value, Choice):
        table: dict[str, Any] = {"choice": [_listed(item) for item in value.values]}
    elif isinstance(value, Float | Int):
        table = {"low": value.low, "high": value.high}
        if value.log:
            table["log"] = True
    else:
        return _listed(value)
    if value.when:
        table["when"] = {name: _alternatives(allowed) for name, allowed in value.when.items()}
    return table


def parse(name: str, value: Any, whole: Collection[str]) -> Any:
    """The range that a table means, or the value itself; `whole` are the names of counts.

    Raises:
        SpaceError: The table has an unknown, missing or wrong part.
    """
    if not isinstance(value, Mapping) or (name in _TABLES and not value.keys() & {*_PARTS}):
        return value
    for part in value:
        if part not in _PARTS:
            raise SpaceError(
                f"`{name}` has an unknown part `{part}`; {suggestion(str(part), _PARTS)}"
            )
    try:
        return _range(name, value, whole)
    except SpaceError as error:
        raise SpaceError(f"`{name}`: {error}") from None


def write(values: Mapping[str, Any]) -> str:
    """TOML of the values that `plain` made, one line a name."""
    return _HEAD + "".join(f"{name} = {toml(value)}\n" for name, value in values.items())


def read(path: Path) -> str:
    """The text of a file; the mark that some editors put at its head is none of it.

    Raises:
        SpaceError: It cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise SpaceError(
            f"a space must be a TOML file that can be read, got {path}: {error.strerror}; "
            "check the path."
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpaceError(
            f"{path}:{line}: TOML must be UTF-8 text, got the byte {content[error.start]:#x} that "
            "is none; save the file as UTF-8."
        ) from None


def load(text: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a TOML text.

    Raises:
        SpaceError: It is not TOML; names file and line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found.group(1) if found else text.count("\n") + 1
        raise SpaceError(
            f"{os.fspath(path)}:{line}: this is not TOML: {error}; write lines such as {_EXAMPLE}."
        ) from None
    except RecursionError:
        raise SpaceError(
            f"{os.fspath(path)}:1: a space is nested two or three deep, got hundreds; write lines "
            f"such as {_EXAMPLE}."
        ) from None


def check_searched(values: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Refuse a file without a range, in its own language.

    Raises:
        SpaceError: There is none.
    """
    if not any(isinstance(value, Range) for value in values.values()):
        got = f"only fixed values, of {', '.join(values)}" if values else "none"
        raise SpaceError(
            f"{os.fspath(path)}:1: a space must have at least one range to search, got {got}; "
            f"add {_EXAMPLE}."
        )


@contextmanager
def located(text: str, path: str | os.PathLike[str], *names: str) -> Iterator[None]:
    """Put file and line before an error; with several names, the one that the error speaks of."""
    try:
        yield
    except SpaceError as error:
        message = str(error)
        name = names[0] if len(names) == 1 else _spoken_of(message, names)
        line = _line(text, name)
        raise SpaceError(f"{os.fspath(path)}{f':{line}' if line else ''}: {message}") from None


def _range(name: str, table: Mapping[str, Any], whole: Collection[str]) -> Range:
    when = table.get("when")
    if "choice" in table:
        if len(table.keys() - {"when"}) > 1:
            raise SpaceError("a choice has no low, high or log; keep one or the other.")
        if not isinstance(table["choice"], list | tuple):
            raise SpaceError(
                f"`choice` must be a list, got {table['choice']!r}; put it in brackets."
            )
        return Choice(*table["choice"], when=when)
    if not {"low", "high"} <= table.keys():
        raise SpaceError(
            f"a range needs `low` and `high`, or `choice`, got {', '.join(table) or 'nothing'}; "
            "use { low = 0.1, high = 0.9 }."
        )
    kind = Int if name in whole else Float
    return kind(table["low"], table["high"], log=table.get("log", False), when=when)


def _listed(value: Any) -> Any:
    if isinstance(value, Augmentation):
        return value.plain()
    return list(value) if isinstance(value, tuple) else value


def _alternatives(allowed: tuple[Any, ...]) -> Any:
    values = [_listed(item) for item in allowed]
    return values[0] if len(values) == 1 else values


def toml(value: Any) -> str:
    """A plain value as it stands after the sign of equality."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {toml(item)}' for name, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    return json.dumps(value)


def _spoken_of(message: str, names: Collection[str]) -> str:
    quoted = re.findall(r"`(\w+)`", message)
    return next((word for word in quoted if word in names), "")


def _line(text: str, name: str) -> int:
    pattern = re.compile(rf"""^\s*\[{{0,2}}\s*["']?{re.escape(name)}["']?\s*[\]=.]""")
    for number, line in enumerate(text.splitlines(), start=1):
        if name and pattern.match(line):
            return number
    return 0
