"""Every candidate ever tried, ranked: the immutable outcome of a study.

Finalists come first, by the mean of their replicates; then the others, those trained longer
before those stopped sooner, by their last score; whoever diverged comes last.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from fleetgrad.errors import TrainingError, UsageError
from fleetgrad.finals import Interval
from fleetgrad.frames import frame
from fleetgrad.metrics import METRICS
from fleetgrad.settings import Settings

Status = Literal["finalist", "stopped", "diverged", "unfinished"]
PLACES = 6  # numbers that decide a row's rank, before its id
STATUSES: tuple[Status, ...] = ("finalist", "stopped", "unfinished", "diverged")


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one candidate.

    Args:
        id: Its lasting id.
        settings: Its hyperparameters.
        status: `finalist`, `stopped` at a rung, `unfinished` (the budget ended), or `diverged`.
        epochs: How long it trained in the search.
        score: Its last validation score in the search, the greater, the better; NaN if it has none.
        best_epoch: Epoch of its best validation score; None if it has none.
        mean: Mean over replicates; None where it was not repeated.
        interval: Of the mean; None for fewer than two replicates.
        replicates: How often it was repeated.
        diverged_step: The first step with a loss that was not finite; None if it is sound.
        tied: Whether the data cannot tell it from the winner.
    """

    id: int
    settings: Settings
    status: Status
    epochs: int
    score: float
    best_epoch: int | None = None
    mean: float | None = None
    interval: Interval | None = None
    replicates: int = 0
    diverged_step: int | None = None
    tied: bool = False

    @property
    def tried(self) -> bool:
        """Whether anything is known of it: an epoch, or that it broke before."""
        return self.epochs > 0 or self.status == "diverged"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; NaN becomes None."""
        return {
            "id": self.id,
            "status": self.status,
            "epochs": self.epochs,
            "score": _or_none(self.score),
            "best_epoch": self.best_epoch,
            "mean": _or_none(self.mean),
            "interval": list(self.interval) if self.interval else None,
            "replicates": self.replicates,
            "diverged_step": self.diverged_step,
            "tied": self.tied,
            "settings": self.settings.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The row whose `to_dict` this is."""
        interval = values["interval"]
        return cls(
            **{
                **values,
                "settings": Settings.from_dict(values["settings"]),
                "score": math.nan if values["score"] is None else values["score"],
                "interval": None if interval is None else Interval(*interval),
            }
        )


@dataclass(frozen=True, slots=True, repr=False)
class Leaderboard:
    """Rows in the order of their rank, however they are given.

    Rows hold scores, the greater, the better; JSON and frames show the metric as people know it.

    Args:
        rows: Any rows with distinct ids.
        metric: Of their scores, one of `metrics.METRICS`.
    """

    rows: tuple[Row, ...]
    metric: str

    def __init__(self, rows: Iterable[Row], metric: str = "accuracy") -> None:
        ranked = _ranked(rows)
        if len({row.id for row in ranked}) < len(ranked):
            raise UsageError("rows of a leaderboard must have distinct ids; give each id once.")
        object.__setattr__(self, "rows", ranked)
        object.__setattr__(self, "metric", metric)

    def __repr__(self) -> str:
        return f"Leaderboard({len(self.rows):,} candidates by {METRICS[self.metric].title})"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, candidate: int) -> Row:
        """The row of the candidate with this id."""
        return next(row for row in self.rows if row.id == candidate)

    @property
    def best(self) -> Row:
        """The winner.

        Raises:
            TrainingError: There is none, for every candidate diverged or none was trained.
        """
        if not self.rows or _broken(self.rows[0]):
            raise TrainingError(
                f"no candidate of {len(self.rows)} has a score, so there is no winner; "
                "search lower learning rates, or give a larger budget."
            )
        return self.rows[0]

    @property
    def tried(self) -> Self:
        """Without those whose first epoch an interrupt came before: their places mean nothing."""
        if all(row.tried for row in self.rows):
            return self
        return type(self)((row for row in self.rows if row.tried), self.metric)

    @property
    def ties(self) -> tuple[int, ...]:
        """Ids that the data cannot tell from the winner."""
        return tuple(row.id for row in self.rows if row.tied)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain rows in the order of rank; NaN becomes None."""
        return [self._shown(row).to_dict() for row in self.rows]

    @classmethod
    def from_json(cls, rows: Iterable[Mapping[str, Any]], metric: str = "accuracy") -> Self:
        """The leaderboard whose `to_json` this is."""
        shown = cls((), metric)
        return cls((shown._shown(Row.from_dict(row)) for row in rows), metric)

    def _shown(self, row: Row) -> Row:
        """A row in the metric's own sign, or one of such a row."""
        metric = METRICS[self.metric]
        return replace(
            row,
            score=metric.score(row.score),
            mean=None if row.mean is None else metric.score(row.mean),
            interval=None if row.interval is None else Interval(*metric.ends(row.interval)),
        )

    def to_frame(self) -> Any:
        """A frame of pandas, or of Polars where pandas is not installed, one line a candidate.

        Raises:
            UsageError: Neither is installed.
        """
        return frame(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        shown = map(self._shown, self.rows)
        lines = [_flat(rank, row) for rank, row in enumerate(shown, start=1)]
        empty = Row(0, Settings(), "stopped", 0, math.nan)
        return {name: [line[name] for line in lines] for name in _flat(0, empty)}


def _ranked(rows: Iterable[Row]) -> tuple[Row, ...]:
    """In order, by a table of numbers: tuples for a sort would outweigh the rows themselves."""
    by_id = sorted(rows, key=lambda row: row.id)
    places = np.fromiter(map(_place, by_id), np.dtype((np.float64, PLACES)), len(by_id))
    return tuple(by_id[place] for place in np.lexsort(places.T[::-1]))


def _place(row: Row) -> tuple[float, ...]:
    repeated = row.status == "finalist" and _or_none(row.mean) is not None
    mean = row.mean if repeated and row.mean is not None else -math.inf
    score = -math.inf if math.isnan(row.score) else row.score
    lesser = row.status != "finalist"
    return (_broken(row), not repeated, -mean, lesser, -row.epochs, -score)


def _broken(row: Row) -> bool:
    if row.status == "diverged":
        return True
    return _or_none(row.mean) is None and math.isnan(row.score)


def _flat(rank: int, row: Row) -> dict[str, Any]:
    values = row.to_dict()
    settings = values.pop("settings")
    settings["augment"] = str(row.settings.augment)  # a frame's column is of one type
    low, high = values.pop("interval") or (None, None)
    training = settings.pop("epochs")  # the horizon; `epochs` of the row is how far it came
    return {"rank": rank, **values, "low": low, "high": high, **settings, "horizon": training}


def _or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
