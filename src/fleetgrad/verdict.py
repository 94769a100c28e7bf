"""What a run's record says of its own search: whether stopping cost winners, what more would bring.

The study, and a look back at it, ask here, so that they cannot disagree.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from fleetgrad import audits, finals, metrics
from fleetgrad.audit import Audit
from fleetgrad.doubling import Doubling, doubling
from fleetgrad.leaderboard import Row
from fleetgrad.plan import Plan
from fleetgrad.rows import rung_rows
from fleetgrad.store import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetgrad.settings import Settings

EVOLVED = "candidates of a population that evolves are no draws that twice as many would repeat."
ANNEALED = ("cosine", "linear", "one_cycle", "step")  # schedules that end low


class Verdict(NamedTuple):
    """What is said of a search.

    corrected: What the winner can be expected to score, free of the luck of being chosen.
    audit: What became of some that had been stopped; None where nobody was, or time was up.
    doubling: What twice the budget would bring.
    """

    corrected: float | None
    audit: Audit | None
    doubling: Doubling | None


def verdict(run: Run, plan: Plan) -> Verdict:
    """The verdict on a run, as far as it has come."""
    rows, table = searched(run, plan), finalists(run)
    scores = np.array(list(table.values())) if table else None
    curves: dict[int, list[float]] = {one: [] for one in sorted(rows)}
    for candidate, score in run.scores("search"):
        if candidate in curves:
            curves[candidate].append(score)
    return Verdict(
        corrected=None if scores is None else finals.corrected(scores),
        audit=audits.found(run.segment("audit"), rows),
        doubling=_doubling(plan, rows, list(curves.values()), scores, run.config),
    )


def _doubling(
    plan: Plan,
    rows: "Mapping[int, Row]",
    curves: list[list[float]],
    scores: np.ndarray | None,
    config: "Mapping[str, Any]",
) -> Doubling:
    """What twice the budget would bring; nothing is said of a population that evolves."""
    if plan.evolves:
        return Doubling(None, None, EVOLVED, metrics.recorded(config))
    falls = [row.settings.schedule in ANNEALED for row in rows.values()]
    annealed = sum(falls) > len(falls) / 2
    return doubling(
        curves,
        plan.epochs,
        scores,
        annealed=annealed,
        seed=int(config["seed"]),
        metric=metrics.recorded(config),
    )


def searched(run: Run, plan: Plan) -> dict[int, Row]:
    """Everyone who has come through a rung or a round of the search, before any audit."""
    settings: dict[int, Settings] = {
        one: own for generation in run.generations().values() for one, own in generation
    }
    rows: dict[int, Row] = {}
    for name in run.segments():
        if name.startswith("search/"):
            done: Mapping[str, Any] = run.segment(name) or {}
            rows |= rung_rows(done, settings, last=is_last(name, plan))
    return rows


def finalists(run: Run) -> dict[int, Float[np.ndarray, " replicates"]]:
    """The scores of those repeated so far, by candidate; NaN for one that diverged."""
    scores: dict[int, list[float]] = {}
    for name in run.segments():
        done = (run.segment(name) or {}) if name.startswith("finals/") else {}
        # A stopped block has no scores.
        for (candidate, _), score in zip(
            done.get("members", ()), done.get("scores", ()), strict=False
        ):
            scores.setdefault(candidate, []).append(math.nan if score is None else score)
    return {one: np.array(found) for one, found in scores.items()}


def is_last(name: str, plan: Plan) -> bool:
    """Whether nobody goes on at once after a segment of the search."""
    if plan.by_rounds:
        return True
    generation, rung = map(int, name.split("/")[1].split("_"))
    return rung + 1 == len(plan.rungs(generation))
