"""What the model said of rows that it had never seen, from the answers on record.

Of a finished run these are the test rows, and the answers those of the one opening: nothing is
opened here. Where data have no test part they are validation rows (`heldout`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from fleetgrad import answers
from fleetgrad.calibration import BINS, bins
from fleetgrad.ensemble import Ensemble
from fleetgrad.errors import RunError
from fleetgrad.metrics import number
from fleetgrad.model import Model
from fleetgrad.report import pictures
from fleetgrad.result import Result
from fleetgrad.store import Run

PARTS = {answers.TEST: "test", answers.HELD_OUT: "validation"}  # by segment
MOST_POINTS = 2000  # of a regression's rows, in a figure
MOST_CLASSES = 100  # in a confusion matrix
MOST_VALUES = 12  # of a row of a table that is shown

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Sample:
    """One row, what is true of it, and what was said.

    Args:
        row: Its number in its part, from 0.
        truth, said: A class's name, or a number as text.
        sure: The probability of what was said; None for numbers.
        right: That of what is true.
        picture: The image as a PNG data address; None where rows are no images.
        values: Of the features that are not 0, by name, of a table.
    """

    row: int
    truth: str
    said: str
    sure: float | None
    right: float | None
    picture: str | None
    values: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows that the model was about equally sure of: how sure, how often right, and how many."""

    sure: float
    right: float
    rows: int


@dataclass(frozen=True, slots=True)
class Column:
    """What shuffling a column cost, in scores: the mean of all tries, the least, and the most."""

    name: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Answers:
    """All that is shown of them.

    Args:
        part: Whose rows: "test", or "validation" where the data have no test part.
        rows: How many.
        classes: Their names; empty for numbers.
        confusion: How many rows of each class (a row each) were said to be of each; None for
            numbers, and for very many classes.
        bins: How far probabilities can be trusted; empty for numbers.
        wrong: The most surely wrong rows, or those with the largest errors, worst first.
        first: Some rows to try, the first of each class.
        points: What is true and what was said, of a regression.
        columns: What shuffling each column cost, greatest first; empty where rows are no table.
        examples: The raw rows of `first`, where they are images; for whoever checks a network.
    """

    part: str
    rows: int
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    bins: tuple[Bin, ...]
    wrong: tuple[Sample, ...]
    first: tuple[Sample, ...]
    points: tuple[tuple[float, float], ...]
    columns: tuple[Column, ...]
    examples: Shaped[np.ndarray, "rows features"] | None


def of(
    run: Run, result: Result, model: Model | Ensemble | None, missing: dict[str, str]
) -> Answers | None:
    """The answers on record; None where there are none, which `missing` then explains."""
    kept = [name for name in PARTS if name in run.weighted()]
    if model is None or not kept:
        missing["answers"] = missing["model"] if kept else _why(run, result)
        return None
    try:
        return _told(model, run.weights(kept[0]), PARTS[kept[0]])
    except (RunError, KeyError, ValueError, IndexError) as error:
        missing["answers"] = f"What is on record of the answers cannot be read: {error}"
        return None


def _why(run: Run, result: Result) -> str:
    if result.dataset.get("test_rows") == 0:
        return "The data have no test part, and nothing was kept of the validation rows."
    if run.segment("test") is None:
        return "The test part is still sealed: it is opened once, at the end of the run."
    return "This run is of a version that kept the figure of the test part, and no answers."


def _told(model: Model | Ensemble, held: Arrays, part: str) -> Answers:
    truth, said = held["truth"], held["said"]
    classes = tuple(map(str, model.classes.tolist()))
    return Answers(
        part=part,
        rows=len(truth),
        classes=classes,
        confusion=_confusion(truth, said, len(classes)),
        bins=_bins(held["sure"], said == truth) if classes else (),
        wrong=_samples(model, held, "wrong"),
        first=_samples(model, held, "first"),
        points=() if classes else _points(truth, said),
        columns=_columns(model, held),
        examples=np.array(held["first_x"]) if model.image_shape and "first_x" in held else None,
    )


def _confusion(
    truth: Int[np.ndarray, " rows"], said: Int[np.ndarray, " rows"], classes: int
) -> tuple[tuple[int, ...], ...] | None:
    if not 0 < classes <= MOST_CLASSES:
        return None
    counts = np.bincount(truth.astype(np.int64) * classes + said, minlength=classes * classes)
    return tuple(map(tuple, counts.reshape(classes, classes).tolist()))


def _bins(sure: Shaped[np.ndarray, " rows"], right: Shaped[np.ndarray, " rows"]) -> tuple[Bin, ...]:
    place = bins(sure)
    rows = np.bincount(place, minlength=BINS)
    sums = [np.bincount(place, values, BINS) for values in (sure, right)]
    return tuple(
        Bin(float(sums[0][one] / rows[one]), float(sums[1][one] / rows[one]), int(rows[one]))
        for one in np.flatnonzero(rows)
    )


def _samples(model: Model | Ensemble, held: Arrays, name: str) -> tuple[Sample, ...]:
    if name not in held:
        return ()
    return tuple(
        _sample(model, held, name, int(row), x)
        for row, x in zip(held[name], held[f"{name}_x"], strict=True)
    )


def _sample(model: Model | Ensemble, held: Arrays, name: str, row: int, x: np.ndarray) -> Sample:
    def shown(value: Any) -> str:
        return str(model.classes[value]) if len(model.classes) else number(float(value))

    picture = _picture(model, x, name)
    return Sample(
        row=row,
        truth=shown(held["truth"][row]),
        said=shown(held["said"][row]),
        sure=float(held["sure"][row]) if "sure" in held else None,
        right=float(held["right"][row]) if "right" in held else None,
        picture=picture,
        values=() if picture else _values(model, x),
    )


def _picture(model: Model | Ensemble, x: np.ndarray, name: str) -> str | None:
    """Examples are whole, for the network sees them; others are as large as they are shown."""
    if model.image_shape is None:
        return None
    step = 1 if name == "first" else -(-max(model.image_shape[:2]) // pictures.SHOWN)
    return pictures.png(x, model.image_shape, model.white, step)


def _values(model: Model | Ensemble, x: np.ndarray) -> tuple[tuple[str, float], ...]:
    names = model.feature_names or tuple(f"feature {place}" for place in range(len(x)))
    told = [(name, float(value)) for name, value in zip(names, x, strict=True) if value]
    return tuple(told[:MOST_VALUES])


def _points(
    truth: Shaped[np.ndarray, " rows"], said: Shaped[np.ndarray, " rows"]
) -> tuple[tuple[float, float], ...]:
    some = np.unique(np.linspace(0, len(truth) - 1, MOST_POINTS).astype(int))
    return tuple(zip(truth[some].tolist(), said[some].tolist(), strict=True))


def _columns(model: Model | Ensemble, held: Arrays) -> tuple[Column, ...]:
    if "drop" not in held or model.encoding is None:
        return ()
    names = [one.name for one in model.encoding.codings if one.features]
    found = [
        Column(name, float(tries.mean()), float(tries.min()), float(tries.max()))
        for name, tries in zip(names, held["drop"], strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.mean))
