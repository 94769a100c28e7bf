"""Some of those that were stopped, run to the end after all, to see whether stopping costs winners.

    audit        who they are, where they had been stopped, what they came to, and the weights of
                 the best

They train anew from the first epoch, as nobody's weights are kept for long; the same draws give the
same curve. Whoever turns out well may still be a finalist, and win, and be of an ensemble.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from fleetgrad import audit
from fleetgrad.leaderboard import Row
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.rows import furthest, is_whole, rung_rows
from fleetgrad.settings import Settings
from fleetgrad.standing import number, points, standing, trained
from fleetgrad.store import Run
from fleetgrad.trainees import Member, Trainer, Weights, fetched, populated

SEGMENT = "audit"


class Audits:
    """The audit of a run.

    Args:
        run: Its open record.
        plan: Says how long a full training is.
        trainer: Makes populations.
        pace: Says when to stop.
        seed: Of the draw.
    """

    def __init__(self, run: Run, plan: Plan, trainer: Trainer, pace: Pace, seed: int) -> None:
        self._run, self._plan, self._trainer = run, plan, trainer
        self._pace, self._seed = pace, seed

    def rows(self, known: Mapping[int, Row]) -> dict[int, Row]:
        """The audited ones' rows, at the end of their training.

        Args:
            known: What the search knows of everyone.
        """
        if self._plan.evolves:  # whoever was stopped had lost to one that went on
            return {}
        done = self._run.segment(SEGMENT)
        if done is None:
            done = self._train(known)
        return _ends(done, known)

    def weights(self, settings: Mapping[int, Settings]) -> dict[int, Weights]:
        """The best of them at the end of their training, by id.

        Args:
            settings: Of everyone.
        """
        if SEGMENT not in self._run.weighted():
            return {}
        take = partial(fetched, self._trainer, settings=settings, arrays=self._run.weights(SEGMENT))
        return {one: partial(take, one) for one in kept(self._run)}

    def _train(self, known: Mapping[int, Row]) -> dict[str, Any]:
        stopped = [row.id for row in known.values() if _was_stopped(row, self._plan.epochs)]
        enough = round(audit.SHARE * len(stopped)) >= 1  # of a handful nobody is worth the price
        chosen = audit.chosen(stopped, self._seed) if enough else ()
        settings = {one: row.settings for one, row in known.items()}
        population = populated(self._trainer, chosen, settings)
        population.keep(population.members[: self._pace.auditable(population)])
        began = [known[member.candidate] for member in population.members]
        stage = Stage("audit", 1, 1, trained(self._run))
        arrived = population.advance(self._plan.epochs, self._pace.proceed(stage, population))
        done: dict[str, Any] = {
            "rung": [standing(population, member) for member in population.members],
            "survivors": [],
            "until": self._plan.epochs,
            "cut": not arrived,
            "stopped": len(stopped),
            "stops": [_stop(row) for row in began],
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [p for m in population.members for p in points(SEGMENT, population, m)]
        done["kept"] = furthest(_ends(done, known).values(), {}, self._plan.finalists)
        population.keep(Member(one) for one in done["kept"])
        weights = population.state() if done["kept"] else None
        self._run.commit(SEGMENT, payload=done, curves=curves, weights=weights)
        return done


def kept(run: Run) -> tuple[int, ...]:
    """Whose weights the audit on record has kept, until the run ended."""
    return tuple((run.segment(SEGMENT) or {}).get("kept", ()))


def _ends(done: Mapping[str, Any], known: Mapping[int, Row]) -> dict[int, Row]:
    """The rows of those that the time sufficed for."""
    if done["cut"]:
        return {}
    return rung_rows(done, {one: row.settings for one, row in known.items()}, last=True)


def _stop(row: Row) -> dict[str, Any]:
    return {"candidate": row.id, "epochs": row.epochs, "score": row.score}


def _was_stopped(row: Row, epochs: int) -> bool:
    """Whether a candidate learned soundly, and could have gone on."""
    return math.isfinite(row.score) and not is_whole(row, epochs)


def found(done: Mapping[str, Any] | None, known: Mapping[int, Row]) -> audit.Audit | None:
    """What an audit came to; None where there was none, or the time ran out.

    Args:
        done: The payload of its segment.
        known: What the search knew of everyone, before the audit.
    """
    if done is None or done["cut"]:
        return None
    ends = {one["candidate"]: number(one["score"]) for one in done["rung"]}
    whole = [
        row.score for row in known.values() if row.id not in ends and is_whole(row, done["until"])
    ]
    if not whole:
        return None
    stops = [one["score"] for one in done["stops"]]
    return audit.audit(stops, [ends[one["candidate"]] for one in done["stops"]], max(whole))
