"""Who is worth training next, of the paused and of the new, and how many of each."""

import numpy as np
from scipy.stats import norm

from fleetgrad.strategies.cube import Cube, marks
from fleetgrad.strategies.options import Options
from fleetgrad.strategies.outlook import Outlook, Record

PARENTS = 10  # new points are sought around so many of the most promising candidates
SHORTLIST = 100  # points of each kind (promising, random, refined) that are looked at closely
FAR = -5.0  # standard deviations from which on the improvement is computed by its tail
OPTIMISM = 0.5  # standard deviations added to a candidate's expected score at the end
NEAREST = 20  # then around so many of the most promising new points
DARING = 3  # one in so many choices goes to where the score may be highest, not where it is likely
HOPE = 3.0  # standard deviations added to an expected score by such a choice
ROUNDS = 4  # in which new points for such choices are sought, each around the best so far


def ideas(
    cube: Cube, record: Record, options: Options, outlook: Outlook, rng: np.random.Generator
) -> np.ndarray:
    """(k, d) new points: the most promising of many, some near these, and some by chance."""
    half = options.pool // 2
    top = np.argsort(-outlook.mean)[:PARENTS]
    local = cube.near(record.points[rng.choice(top, half)], (0.01, 0.3), (0.2, 0.5, 1.0), rng)
    chance = cube.random(half, rng)
    ranked = _by_mean(cube, outlook, np.vstack([chance, local]))[:SHORTLIST]
    refined = cube.near(
        ranked[rng.integers(NEAREST, size=3 * SHORTLIST)], (0.003, 0.1), (1.0,), rng
    )
    ranked = _by_mean(cube, outlook, np.vstack([ranked, refined]))[: 2 * SHORTLIST]
    found = [ranked, chance[:SHORTLIST]]
    if options.dares(cube.dimensions):
        found.append(_daring(cube, outlook, cube.random(half, rng), rng))
    return _unknown(np.vstack(found), record.points)


def _daring(
    cube: Cube, outlook: Outlook, points: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """New points that might be good for all the model knows, from `points` to wherever it leads.

    The best often lies at the edges of several ranges, where no random point and nothing near the
    best so far ever comes.
    """
    found = _by_hope(cube, outlook, points)[:NEAREST]
    for _ in range(ROUNDS):
        parents = found[rng.integers(len(found), size=SHORTLIST)]
        near = cube.near(parents, (0.01, 0.5), (0.2, 0.5, 1.0), rng)
        found = _by_hope(cube, outlook, np.vstack([found, near]))[: 2 * NEAREST]
    return found


def _by_hope(cube: Cube, outlook: Outlook, points: np.ndarray) -> np.ndarray:
    mean, deviation = outlook.model.each(cube.features(points))
    return points[np.argsort(-(mean + HOPE * deviation), kind="stable")]


def _by_mean(cube: Cube, outlook: Outlook, points: np.ndarray) -> np.ndarray:
    return points[np.argsort(-outlook.model.mean(cube.features(points)), kind="stable")]


def _unknown(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The points without repeats, and without those that are known."""
    before = {*marks(known)}
    fresh = dict(zip(marks(points), points, strict=True))
    chosen = [row for mark, row in fresh.items() if mark not in before]
    return np.array(chosen).reshape(-1, known.shape[1])


class Choosing:
    """A choice among paused candidates and new points, one after the other.

    Whoever is chosen is taken to turn out as expected: that makes its like less uncertain, hence
    less worth trying (Desautels, Krause and Burdick 2014), so a batch spreads. Most
    choices go by the improvement that is expected; in long searches one in `DARING` goes by an
    upper confidence bound (Srinivas, Krause, Kakade and Seeger 2010): a model that is sure too
    early would keep the search where it is, and few epochs say little of slow starters.
    """

    def __init__(
        self, cube: Cube, record: Record, options: Options, outlook: Outlook, fresh: np.ndarray
    ) -> None:
        self.record, self.options, self.fresh = record, options, fresh
        self.dares = options.dares(cube.dimensions)
        self.reached = reached = record.reached
        finished = (reached >= options.epochs) & ~record.broken
        paused = np.flatnonzero((reached < options.epochs) & ~record.broken & record.kept)
        self.paused = paused[np.argsort(-outlook.mean[paused])[:SHORTLIST]]
        self.goal = (outlook.mean[finished] if finished.any() else outlook.mean).max()
        self.any_finished = bool(finished.any())
        points = np.vstack([record.points[self.paused], fresh])
        who = np.concatenate([self.paused, len(reached) + np.arange(len(fresh))])
        self.mean, self.covariance = outlook.model.joint(cube.features(points), who)
        self.noise = outlook.model.noise
        self.next = np.array([self._stop(reached[one]) for one in self.paused], int)
        steps = self.next - reached[self.paused]
        self.cost = np.concatenate([steps, np.full(len(fresh), options.stops[0])]).astype(float)
        self.is_new = who >= len(reached)
        self.free = np.ones(len(who), bool)

    def middle(self, remaining: float) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
        """Paused and new ones, so that new ones get their share of the budget in the long run."""
        options, first = self.options, self.options.stops[0]
        start = min(len(self.reached), options.start(self.fresh.shape[1]))
        span = (1 - options.ending) * options.budget - first * start
        most = max(span / options.decisions, 2 * first, options.lanes * first)
        after = self.reached.sum() - first * start  # spent since the spread points
        on_new = first * (len(self.reached) - start)
        share = options.fresh * bool(len(self.fresh)) if len(self.paused) else 1.0
        for_new = share * (after + most) - on_new
        for_paused = (1 - share) * (after + most) - (after - on_new)
        chosen = self._take(~self.is_new, min(for_paused, most), remaining)
        left = remaining - self.cost[chosen].sum()
        chosen += self._take(self.is_new, min(for_new, most), left)
        chosen = chosen or self._take(self.free, 1, remaining)
        return self._decided(chosen)

    def ending(self, remaining: float) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
        """Only those that can still get to the end; if nobody can or did, one as far as it goes."""
        options = self.options
        most = max(options.ending * options.budget / 4, options.epochs)
        whole = options.epochs - self.reached[self.paused]
        chosen = self._take(~self.is_new, most, remaining, whole=whole)
        if not chosen and not self.any_finished and remaining >= 1 and len(self.paused):
            one = int(self.paused[0])
            return ((one, int(min(options.epochs, self.reached[one] + remaining))),), self.fresh[:0]
        return self._decided(chosen)

    def _take(
        self, among: np.ndarray, quota: float, limit: float, whole: np.ndarray | None = None
    ) -> list[int]:
        """Positions of the best, until their cost has filled the quota."""
        chosen: list[int] = []
        spent = 0.0
        while spent < quota:
            needed = self.cost if whole is None else whole
            able = among & self.free & (needed <= limit - spent)
            if not able.any():
                break
            daring = self.dares and (int(self.reached.sum()) + len(chosen)) % DARING == 0
            worth = self._worth(daring=daring) if whole is None else self._hope(OPTIMISM)
            one = int(np.argmax(np.where(able, worth, -np.inf)))
            column = self.covariance[:, one] / np.sqrt(self.covariance[one, one] + self.noise)
            self.covariance = self.covariance - np.outer(column, column)
            self.free[one] = False
            spent += self.cost[one]
            chosen.append(one)
        return chosen

    def _worth(self, *, daring: bool) -> np.ndarray:
        """(n,) of training each a little longer; the higher, the better."""
        if daring:
            return self._hope(HOPE)
        deviation = self._deviation
        gain = (self.mean - self.goal) / deviation
        found: np.ndarray = log_improvement(gain) + np.log(deviation)
        return found

    def _hope(self, deviations: float) -> np.ndarray:
        """(n,) what each may score in the end."""
        found: np.ndarray = self.mean + deviations * self._deviation
        return found

    @property
    def _deviation(self) -> np.ndarray:
        found: np.ndarray = np.sqrt(np.maximum(np.diag(self.covariance), 1e-12))
        return found

    def _decided(self, chosen: list[int]) -> tuple[tuple[tuple[int, int], ...], np.ndarray]:
        old = len(self.paused)
        promote = tuple((int(self.paused[one]), int(self.next[one])) for one in chosen if one < old)
        return promote, self.fresh[[one - old for one in chosen if one >= old]]

    def _stop(self, epoch: int) -> int:
        return next((stop for stop in self.options.stops if stop > epoch), self.options.epochs)


def log_improvement(gain: np.ndarray) -> np.ndarray:
    """Logarithm of the expected improvement, in standard deviations, for a mean of `gain`."""
    far = np.minimum(gain, FAR)
    tail = norm.logpdf(far) - 2 * np.log(-far)  # what is left of it far below
    near = np.maximum(gain, FAR)
    found: np.ndarray = np.where(gain < FAR, tail, np.log(near * norm.cdf(near) + norm.pdf(near)))
    return found
