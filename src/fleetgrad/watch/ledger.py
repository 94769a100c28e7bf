"""What a record says of its candidates, read piece by piece: a look costs what is new.

The same rows as `history.leaderboard` has (a test), without reading everything anew at every rung
of a search of thousands.
"""

from dataclasses import dataclass, field

import numpy as np

from fleetgrad.leaderboard import Leaderboard, Row
from fleetgrad.metrics import recorded
from fleetgrad.plan import Plan
from fleetgrad.rows import repeated_rows, rung_rows
from fleetgrad.settings import Settings
from fleetgrad.store import Run
from fleetgrad.verdict import finalists, is_last


@dataclass
class Ledger:
    """What has been read of one run.

    plan: Its schedule; None before there is one.
    searched: The rows of the search, by id.
    proposed: How many candidates there are, with those that have not come through a rung.
    held: Whose weights are kept, of a search by rounds.
    """

    plan: Plan | None = None
    searched: dict[int, Row] = field(default_factory=dict)
    held: frozenset[int] = frozenset()
    _settings: dict[int, Settings] = field(default_factory=dict)
    _generations: int = 0
    _segments: int = 0

    @property
    def proposed(self) -> int:
        """How many candidates there are, with those that have not come through a rung yet."""
        return len(self._settings)

    def follow(self, run: Run) -> None:
        """Take in what is new on record."""
        names = run.segments()  # first: whoever is in these has been proposed by then
        fresh = run.generations(self._generations)
        for number, candidates in fresh.items():
            self._settings |= dict(candidates)
            self._generations = max(self._generations, number + 1)
        for name in names[self._segments :]:
            self._learn(run, name)
        self._segments = len(names)

    def leaderboard(self, run: Run) -> Leaderboard:
        """Everyone who has come through a rung, ranked."""
        rows, audited = dict(self.searched), run.segment("audit")
        if audited is not None and not audited["cut"]:
            rows |= rung_rows(audited, self._settings, last=True)
        scores, metric = finalists(run), recorded(run.config)
        if scores:
            table, seed = np.array(list(scores.values())), int(run.config["seed"])
            rows |= repeated_rows(rows, list(scores), table, metric, seed=seed)
        return Leaderboard(rows.values(), metric.name)

    def _learn(self, run: Run, name: str) -> None:
        done = run.segment(name) or {}
        if name == "plan":
            self.plan = Plan.from_dict(done["plan"])
        elif name.startswith("search/") and self.plan is not None:
            last = is_last(name, self.plan)
            self.searched |= rung_rows(done, self._settings, last=last)
            self.held = frozenset(done.get("held", ()))
