"""How far training images may be disturbed: checked once, never changed after.

Pure Python, like the settings that hold it; `augment` does what it says. Only images that are
learned from are disturbed, never those that are scored or predicted.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from fleetgrad.errors import SettingsError, suggestion

_MOST = {"rotation": 180.0, "scale": 0.9, "shear": 60.0}  # further, nothing is left of an image


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far images are disturbed, each anew at every step it is learned from.

    Args:
        shift: Most whole pixels up or down, and as many left or right, >= 0.
        rotation: Most degrees about the center, either way, in [0, 180].
        scale: Size is multiplied by a factor in [1 - scale, 1 + scale], in [0, 0.9].
        shear: Most degrees by which upright lines lean, either way, in [0, 60].
        elastic: Most pixels by which parts of an image move against each other, >= 0.

    Raises:
        SettingsError: A part is out of its range or of a wrong type.
    """

    shift: int = 0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shift", _pixels(self.shift))
        for name in PARTS[1:]:
            value = _amount(name, getattr(self, name), _MOST.get(name, math.inf))
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, given: Any) -> Self:
        """The augmentation that a user means.

        Args:
            given: None or "none", a name of `PRESETS`, a mapping from `PARTS` to amounts, or an
                augmentation.

        Raises:
            SettingsError: It is none of these, has an unknown part, or an amount out of range.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, str) and given in PRESETS:
            given = PRESETS[given]
        if given is not None and not isinstance(given, Mapping):
            near = suggestion(given, PRESETS) if isinstance(given, str) else 'use "shift".'
            raise SettingsError(
                "`augment` must be a known name or a table of amounts such as "
                f'{{"shift": 2}}, got {given!r}; {near}'
            )
        for part in given or {}:
            if part not in PARTS:
                raise SettingsError(
                    f"`augment` must have no part but {', '.join(PARTS)}, got {part!r}; "
                    f"{suggestion(str(part), PARTS)}"
                )
        return cls(**(given or {}))

    def check(self, image_shape: tuple[int, ...] | None) -> None:
        """Refuse data that are no images, or images too small.

        Args:
            image_shape: (height, width[, channels]) where rows are images.

        Raises:
            SettingsError: Rows are no images, or a part would move all of an image out of sight.
        """
        if not self:
            return
        if image_shape is None:
            raise SettingsError(
                f'`augment` must be "none" where rows are no images, got {self}; leave it out, or '
                "give the data as images: (rows, height, width), or `image_shape`."
            )
        side = min(image_shape[:2])
        for name in ("shift", "elastic"):
            amount = getattr(self, name)
            if amount >= side:
                raise SettingsError(
                    f"`augment` must have a {name} below the {side} pixels of the images' shorter "
                    f"side, got {amount:g}; use at most {side // 8}."
                )

    def reaches(self, other: Self) -> bool:
        """Whether it goes as far as another in every part."""
        return all(getattr(self, part) >= getattr(other, part) for part in PARTS)

    def plain(self) -> str | dict[str, int | float]:
        """Ready for JSON: "none", or the parts that are not 0. `of` gives the augmentation back."""
        parts = {name: amount for name, amount in asdict(self).items() if amount}
        return parts or "none"

    def __bool__(self) -> bool:
        return self != NONE

    def __str__(self) -> str:
        parts = self.plain()
        if isinstance(parts, str):
            return parts
        return ", ".join(f"{name} {amount:g}" for name, amount in parts.items())


def _pixels(shift: Any) -> int:
    whole = not isinstance(shift, bool) and hasattr(shift, "__index__")
    if not whole or int(shift) < 0:
        raise SettingsError(
            f"`augment` must have a whole number of at least 0 as shift, got {shift!r}; use 2."
        )
    return int(shift)


def _amount(name: str, value: Any, most: float) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not (0 <= number <= most and math.isfinite(number)):
        interval = f"[0, {most:g}]" if math.isfinite(most) else "[0, inf)"
        raise SettingsError(f"`augment` must have a {name} in {interval}, got {value!r}; use 0.")
    return number


PARTS = tuple(field.name for field in fields(Augmentation))
NONE = Augmentation()
_AFFINE = {"shift": 2, "rotation": 10, "scale": 0.1, "shear": 5}
PRESETS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "shift": {"shift": 2},
    "affine": _AFFINE,
    "elastic": {**_AFFINE, "elastic": 1},
}
