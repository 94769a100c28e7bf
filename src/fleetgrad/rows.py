"""Rows of the leaderboard, from what segments recorded: while a run goes on, and long after.

The study and the history of a run both read their rows here, so they cannot disagree.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from fleetgrad import finals
from fleetgrad.errors import BudgetError, TrainingError
from fleetgrad.leaderboard import Row, Status
from fleetgrad.metrics import Metric
from fleetgrad.settings import Settings


def rung_rows(
    done: Mapping[str, Any], settings: Mapping[int, Settings], *, last: bool
) -> dict[int, Row]:
    """Where a rung left each of its candidates.

    Args:
        done: The payload of the rung's segment.
        settings: Of each candidate.
        last: Whether the schedule ends with this rung.
    """
    going_on = frozenset(() if last else done["survivors"])
    return {
        found["candidate"]: Row(
            id=found["candidate"],
            settings=settings[found["candidate"]],
            status=_status(found, done, going_on),
            epochs=found["epochs"],
            score=math.nan if found["score"] is None else float(found["score"]),
            best_epoch=found["best_epoch"],
            diverged_step=found["diverged_step"],
        )
        for found in done["rung"]
    }


def repeated_rows(
    rows: Mapping[int, Row],
    finalists: Sequence[int],
    table: Float[np.ndarray, "finalists replicates"],
    metric: Metric,
    *,
    seed: int,
) -> dict[int, Row]:
    """The finalists' rows with their means, intervals and ties.

    Args:
        rows: The search's row of each.
        finalists: Ids, in the order of the table.
        table: Validation scores.
        metric: Of these.
        seed: Of the bootstrap.
    """
    tied = finals.ties(table, seed=seed)
    return {
        candidate: replace(
            rows[candidate],
            status="finalist",
            mean=float(scores.mean()) if np.isfinite(scores).all() else math.nan,
            interval=_interval(scores, metric),
            replicates=len(scores),
            tied=place in tied,
        )
        for place, (candidate, scores) in enumerate(zip(finalists, table, strict=True))
    }


def leaders(
    rows: Sequence[Row], reach: Mapping[int, int], count: int, seconds: float | None
) -> list[int]:
    """Ids of so many sound ones: who came furthest first, and of those the best.

    Args:
        rows: Of all candidates.
        reach: The epoch up to which each has been judged, where that is not what it was trained.
        count: How many.
        seconds: The time there was to search in, for a message.

    Raises:
        TrainingError: Every candidate diverged.
        BudgetError: The time ran out before anything was learned.
    """
    sound = [row for row in rows if not math.isnan(row.score)]
    if not sound and any(row.status == "diverged" for row in rows):
        rates = [row.settings.learning_rate for row in rows]
        raise TrainingError(
            f"a search needs a candidate that learns, got {len(rows)} that all diverged, at "
            f"learning rates from {min(rates):.3g} to {max(rates):.3g}; search `learning_rate` "
            f"below {min(rates):.3g}."
        )
    if not sound:
        raise BudgetError(
            f"the budget must be enough for one epoch of one candidate, got {seconds or 0:g} s; "
            "double it."
        )
    return furthest(sound, reach, count)


def furthest(rows: Iterable[Row], reach: Mapping[int, int], count: int) -> list[int]:
    """Ids of so many that have a score: who came furthest first, and of those the best."""

    def place(row: Row) -> tuple[float, float, int]:
        return -reach.get(row.id, row.epochs), -row.score, row.id

    sound = (row for row in rows if not math.isnan(row.score))
    return [row.id for row in heapq.nsmallest(count, sound, key=place)]


def best_of(rows: Iterable[Row]) -> float:
    """The best score of all; NaN where nobody has any."""
    return max((row.score for row in rows if not math.isnan(row.score)), default=math.nan)


def is_whole(row: Row, epochs: int) -> bool:
    """Whether a candidate went through the whole of a training of so many epochs, or its own."""
    return row.epochs >= min(epochs, row.settings.epochs)


def _interval(scores: Float[np.ndarray, " replicates"], metric: Metric) -> finals.Interval | None:
    """Where the mean lies, as far as scores go: Student's interval of a few knows no bounds."""
    found = finals.mean_interval(scores)
    if found is None:
        return None
    return finals.Interval(max(found.low, metric.low), min(found.high, metric.high))


def _status(found: Mapping[str, Any], done: Mapping[str, Any], going_on: frozenset[int]) -> Status:
    if found["diverged_step"] is not None:
        return "diverged"
    if done["cut"] and found["epochs"] < done["until"]:
        return "unfinished"
    return "unfinished" if found["candidate"] in going_on else "stopped"
