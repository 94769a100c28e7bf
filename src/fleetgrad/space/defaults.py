"""Spaces that work without thought: files for a person to read, fitted to the data at hand.

`presets/` holds one TOML file for each kind of data, with a reason beside every line. What depends
on the data themselves is set here, line by line, so the reasons stay: `default_toml` is what
`fleetgrad space` prints, and `default_space` is what it means.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from fleetgrad.errors import SpaceError, suggestion
from fleetgrad.space import written
from fleetgrad.space.space import Space

NAMED = ("notebook",)  # spaces of one network, whatever the data

_PRESETS = Path(__file__).with_name("presets")
_WIDE, _MANY = 256, 30_000  # features, rows from which a second layer is always worth its price
_CLASSES = 128  # the narrowest last layer of small tables, which more classes would crowd
_BATCHES = ((30_000, 128), (5_000, 64), (500, 32), (0, 16))  # from so many rows, so large
_LARGE = 16  # pixels of an image's shorter side from which it bears turning and bending
_SQUARED = """# What is minimized; "huber" makes less of single errors that are large.
loss = "squared_error"
"""
_SHIFTED = 14  # a shift goes up to this part of the shorter side


def default_space(
    rows: int,
    features: int,
    image_shape: tuple[int, ...] | None = None,
    precision: str = "float32",
    classes: int = 2,
    *,
    numbers: bool = False,
) -> Space:
    """Ranges that suit dense networks without further thought; the reasons are in the files.

    AdamW under a one-cycle schedule (Smith and Topin 2018) is fixed, its rate and regularization
    are searched.

    Args:
        rows: Training rows.
        features: Numbers a row.
        image_shape: (height, width[, channels]) where rows are pictures.
        precision: Of the products for pictures; numbers of tables are multiplied in float32.
        classes: How many there are to tell apart.
        numbers: Whether numbers are predicted, and not classes.
    """
    return meaning(default_toml(rows, features, image_shape, precision, classes, numbers=numbers))


def default_toml(
    rows: int,
    features: int,
    image_shape: tuple[int, ...] | None = None,
    precision: str = "float32",
    classes: int = 2,
    *,
    numbers: bool = False,
) -> str:
    """The same as TOML, with a reason for each line; arguments as for `default_space`."""
    text = _of_classes(rows, features, image_shape, precision, classes)
    return _of_numbers(text) if numbers else text


def _of_classes(
    rows: int, features: int, image_shape: tuple[int, ...] | None, precision: str, classes: int
) -> str:
    """What suits classes."""
    wide = features >= _WIDE or rows > _MANY or (image_shape is None and classes > _CLASSES)
    values: dict[str, Any] = {"batch_size": _batch_size(rows)}
    if image_shape is None:
        text = _text("tables" if wide else "tables-small")
        return _fitted(text, values | {"hidden": _uncrowded(text, classes)})
    side = min(image_shape[:2])
    large = side >= _LARGE
    text = _text("images" if large else "small-images")
    if wide and not large:
        values["hidden"] = tomllib.loads(_text("images"))["hidden"]
    values |= {"augment": _shifted(text, max(1, round(side / _SHIFTED))), "precision": precision}
    return _fitted(text, values)


def named_space(name: str) -> Space:
    """The space that has this name, one of `NAMED`.

    Raises:
        SpaceError: There is none.
    """
    return meaning(named_toml(name))


def named_toml(name: str) -> str:
    """The same as TOML, with a reason for each line.

    Raises:
        SpaceError: There is none of this name.
    """
    if name not in NAMED:
        raise SpaceError(f"`{name}` is the name of no space; {suggestion(name, NAMED)}")
    return _text(name)


def meaning(text: str) -> Space:
    """The space that such a text describes."""
    return Space.from_dict(tomllib.loads(text))


def _text(name: str) -> str:
    return (_PRESETS / f"{name}.toml").read_text(encoding="utf-8")


def _of_numbers(text: str) -> str:
    """The text for numbers to predict: labels alone can be smoothed, and errors are squared."""
    kept = [one for one in text.split("\n\n") if not re.search(r"(?m)^label_smoothing = ", one)]
    return "\n\n".join([*(one.rstrip("\n") for one in kept), _SQUARED])


def _fitted(text: str, values: dict[str, Any]) -> str:
    """The text with these values, each in the line of its name."""
    for name, value in values.items():
        line = f"{name} = {written.toml(value)}"
        text, found = re.subn(rf"(?m)^{name} = .*$", line.replace("\\", r"\\"), text)
        assert found == 1, f"{name} has one line"
    return text


def _shifted(text: str, pixels: int) -> Any:
    """The disturbances of a text, with shifts of so many pixels."""
    found = tomllib.loads(text)["augment"]["choice"]
    return {"choice": [one if one == "none" else one | {"shift": pixels} for one in found]}


def _uncrowded(text: str, classes: int) -> Any:
    """The widths of a text whose last layer has a unit for each class, or else the widest."""
    found = tomllib.loads(text)["hidden"]["choice"]
    least = min(classes, max(widths[-1] for widths in found))
    return {"choice": [widths for widths in found if widths[-1] >= least]}


def _batch_size(rows: int) -> int:
    size = next(size for least, size in _BATCHES if rows >= least)
    return max(1, min(size, rows // 2))
