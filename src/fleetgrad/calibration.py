"""How sure the winner may be: its probabilities brought to what they came true to on rows held out.

    calibration   the temperature that its logits are divided by, and what it was good for

The network of the search, which has never seen the rows held out, tells the temperature with the
lowest log loss there (Guo, Pleiss, Sun and Weinberger, ICML 2017); the refitted one takes it over.
Labels that are predicted stay the same. Networks of an ensemble have temperatures of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from fleetgrad import temperatures
from fleetgrad.leaderboard import Row
from fleetgrad.rows import is_whole
from fleetgrad.selection import Counts
from fleetgrad.settings import Settings
from fleetgrad.store import Run
from fleetgrad.trainees import Trainer

SEGMENT = "calibration"
BINS = 15  # of Guo et al.


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a temperature does to a network's probabilities, on rows held out.

    Args:
        temperature: What logits are divided by; below 1 makes the network surer.
        before: Expected calibration error without it, in [0, 1].
        after: The same with it; as the temperature was found on these rows, a little too good.
        rows: How many rows.
    """

    temperature: float
    before: float
    after: float
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "temperature": self.temperature,
            "expected_calibration_error": {"before": self.before, "after": self.after},
            "rows": self.rows,
        }


def calibrated(
    run: Run,
    trainer: Trainer,
    row: Row,
    weights: Callable[[], Mapping[int, Callable[[], Any]]],
    epochs: int,
) -> Calibration | None:
    """The winner's calibration, from the record if it is there; None where there is none.

    Args:
        run: The open record.
        trainer: Knows the rows held out.
        row: What the search knows of the winner.
        weights: Gives the search's weights that are at hand, by id.
        epochs: A full training.
    """
    if row.settings.loss != temperatures.SOFTMAX:
        return None
    if run.segment(SEGMENT) is None:
        held = weights()
        found = None
        if row.id in held and is_whole(row, epochs):
            found = _measured(row.settings, held[row.id](), trainer)
        run.commit(SEGMENT, payload={"found": found})
    return on_record(run)


def on_record(run: Run) -> Calibration | None:
    """What a run's record says of it; None where it is not known, or there is none."""
    done = run.segment(SEGMENT)
    return None if done is None or done["found"] is None else Calibration(**done["found"])


def expected_error(
    shares: Float[np.ndarray, "rows classes"],
    labels: Int[np.ndarray, " rows"],
    counts: Counts = None,
) -> float:
    """By how much the probability of the likeliest class differs from how often it is right.

    Rows are put into `BINS` bins of equal width by that probability; the differences are averaged
    over rows (Naeini, Cooper and Hauskrecht, AAAI 2015), each counting as much as it does.
    """
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    place = bins(sure)
    each = np.ones(len(labels)) if counts is None else counts
    apart = np.bincount(place, each * (sure - right), BINS)
    return float(np.abs(apart).sum() / each.sum(dtype=np.float64))


def bins(sure: Float[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    """Which of `BINS` bins of equal width each probability lies in, from 0."""
    place: Int[np.ndarray, " rows"] = np.minimum((sure * BINS).astype(int), BINS - 1)
    return place


def _measured(settings: Settings, params: Any, trainer: Trainer) -> dict[str, Any] | None:
    said, labels = trainer.probabilities(settings, params), trainer.labels()
    counts = trainer.row_weights()
    if not np.isfinite(said).all():
        return None
    sure = temperatures.found(settings, params, trainer.probabilities, said, labels, counts)
    return {
        "temperature": sure.temperature,
        "before": expected_error(said, labels, counts),
        "after": expected_error(sure.said, labels, counts),
        "rows": len(labels),
    }
