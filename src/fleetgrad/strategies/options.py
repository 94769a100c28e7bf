"""How a search that freezes and thaws divides its budget."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Options:
    """How to search.

    Args:
        epochs: Full training, >= 1.
        budget: All epochs there are to spend.
        seed: Of all chance.
        rungs: Epochs at which candidates pause, the last being `epochs`; None takes even ratios
            from a tenth of it.
        spread: Greatest share of the budget for evenly spread points.
        crowd: Most of these for each hyperparameter.
        ending: Share of the budget at the end that is for promotions alone.
        fresh: Share of what is between for new points.
        decisions: About how many there are between.
        lanes: Fewest candidates worth training together.
        pool: Points looked at for each decision.
        soonest: Numbers of the evenly spread points that come before the others.
    """

    epochs: int
    budget: float
    seed: int = 0
    rungs: tuple[int, ...] | None = None
    spread: float = 0.3
    crowd: int = 12
    ending: float = 0.1
    fresh: float = 0.35
    decisions: int = 40
    lanes: int = 1
    pool: int = 1500
    soonest: tuple[int, ...] = ()

    @property
    def stops(self) -> tuple[int, ...]:
        """Epochs at which candidates pause."""
        places = self.epochs * 10.0 ** np.array([-1.0, -0.5, 0.0])
        return self.rungs or tuple(sorted({max(1, round(float(place))) for place in places}))

    @property
    def seen(self) -> np.ndarray:
        """Epochs whose scores the model is told: the stops, and one between each two."""
        stops = np.array(self.stops)
        between = np.sqrt(stops[1:] * stops[:-1])
        return np.unique(np.round([*stops, *between]).astype(int))

    def start(self, dimensions: int) -> int:
        """How many evenly spread points come first."""
        most = int(self.spread * self.budget / self.stops[0])
        return max(1, self.lanes, min(most, self.crowd * dimensions))

    def dares(self, dimensions: int) -> bool:
        """Whether the budget is large enough for some of it to go where little is known.

        A search that cannot afford all its evenly spread points has none to spare.
        """
        return self.spread * self.budget / self.stops[0] >= self.crowd * dimensions
