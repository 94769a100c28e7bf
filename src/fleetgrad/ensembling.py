"""Who predicts together with the winner: chosen on validation rows, then trained on all rows.

    ensemble     who was chosen, how much each counts and how sure it may be, and their weights
                 after the refit

Only networks that went through the whole of their training in the search are asked; all have seen
the same split, so that they can be compared row by row. Each is first made as sure of itself as its
validation rows allow: the last layer of a softmax is divided by a temperature.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fleetgrad import metrics, parsimony, selection, temperatures
from fleetgrad.leaderboard import Row
from fleetgrad.pace import Pace, Stage
from fleetgrad.plan import Plan
from fleetgrad.rows import is_whole
from fleetgrad.settings import Settings
from fleetgrad.standing import points, trained
from fleetgrad.store import Run
from fleetgrad.stretching import as_trained
from fleetgrad.trainees import ALONE, Member, Trainees, Trainer, renamed
from fleetgrad.views import CENTER, KINDS, View

SEGMENT = "ensemble"
MOST_ASKED = 24  # networks, the best of them
BAGS = 20  # random halves of the networks, among which an ensemble is chosen


class Partner(NamedTuple):
    """A network of an ensemble: which candidate it is, its weights, and how much it counts.

    Its logits have been divided by `temperature`; `views` names where all of the ensemble see
    images from.
    """

    candidate: int
    settings: Settings
    params: Any
    weight: float
    temperature: float
    views: str = "plain"


class _Share(NamedTuple):
    """How much a network counts, its temperature, and what it says at that, of images as they are.

    Its logits are divided by the temperature.
    """

    weight: float
    temperature: float
    said: np.ndarray


class Ensembling:
    """The ensemble of a run.

    Args:
        run: Its open record.
        plan: Says how many there may be, and how long they train.
        trainer: Makes populations, and knows the validation rows.
        pace: Says when to stop.
        seed: Of the choice.
    """

    def __init__(self, run: Run, plan: Plan, trainer: Trainer, pace: Pace, seed: int) -> None:
        self._run, self._plan, self._trainer = run, plan, trainer
        self._pace, self._seed = pace, seed

    @property
    def _power(self) -> int:
        """Of the error, where numbers are predicted; else 0."""
        metric = metrics.recorded(self._run.config)
        if metric.task != metrics.REGRESSION:
            return 0
        return 1 if metric.name == "mae" else 2

    def partners(
        self, rows: Mapping[int, Row], weights: Callable[[], Mapping[int, Callable[[], Any]]]
    ) -> tuple[Partner, ...]:
        """Those chosen, refitted on all rows; none where the time ran out, or nobody was whole.

        Args:
            rows: What the search knows of everyone.
            weights: Gives the weights that are at hand, by id.
        """
        settings = {one: row.settings for one, row in rows.items()}
        done, population = self._run.segment(SEGMENT), None
        if done is None:
            done, population = self._begun(rows, settings, weights())
        longer = trained_for(self._run, done, self._plan, settings)
        if population is None:
            population = restored(self._run, self._trainer, longer)
        return joined(done, population, longer)

    def _begun(
        self,
        rows: Mapping[int, Row],
        settings: Mapping[int, Settings],
        weights: Mapping[int, Callable[[], Any]],
    ) -> tuple[dict[str, Any], Trainees]:
        """Choose and train them; what is on record of it then, and their networks."""
        shares = self._chosen(rows, weights)
        own = {one: settings[one] for one in shares}
        views, lasting = self._seeing(shares, own, weights), self._lasting(own)
        longer = {one: self._longer(each, lasting) for one, each in own.items()}
        population = refit(self._trainer, longer)
        self._share(population, settings, longer)
        return self._train(shares, views, lasting, population), population

    def _longer(self, settings: Settings, lasting: int | None) -> Settings:
        return as_trained(self._run, self._plan, settings, lasting)

    def _share(
        self,
        population: Trainees,
        settings: Mapping[int, Settings],
        longer: Mapping[int, Settings],
    ) -> None:
        """Let the winner be as it was refitted, where it would go through the very same again."""
        done: dict[str, Any] = self._run.segment("refit") or {}
        winner = done.get("candidate", -1)
        if winner not in longer:
            return
        if self._longer(settings[winner], done.get("lasting")) == longer[winner]:
            member = Member(winner)
            population.restore(renamed(self._run.weights("refit"), ALONE, member), [member])

    def _lasting(self, settings: Mapping[int, Settings]) -> int:
        """Epochs of their last training."""
        costs = self._trainer.epoch_costs(settings.values())
        return self._pace.lasting(costs) if costs else self._plan.epochs

    def _chosen(
        self, rows: Mapping[int, Row], weights: Mapping[int, Callable[[], Any]]
    ) -> dict[int, _Share]:
        """Shares of those that together predict the search's validation rows best."""
        epochs = self._plan.epochs
        whole = [
            row
            for row in rows.values()
            if row.id in weights and math.isfinite(row.score) and is_whole(row, epochs)
        ]
        whole.sort(key=lambda row: (-row.score, row.id))
        whole = whole[:MOST_ASKED]
        if not whole:
            return {}
        sure = [self._sure(row.settings, weights[row.id]()) for row in whole]
        found = self._selected(np.stack([one.said for one in sure]))
        ranked = np.argsort(-found, kind="stable").tolist()
        best = [place for place in ranked if found[place] > 0]
        if len(best) == 1:  # then the winner, which more than one split has chosen, stands alone
            return {}
        return {whole[place].id: _Share(float(found[place]), *sure[place]) for place in best}

    def _sure(self, settings: Settings, params: Any) -> temperatures.Sure:
        """What a network says of the validation rows, as sure as they allow."""
        ask, counts = self._trainer.probabilities, self._trainer.row_weights()
        said, labels = ask(settings, params), self._trainer.labels()
        return temperatures.found(settings, params, ask, said, labels, counts)

    def _seeing(
        self,
        shares: Mapping[int, _Share],
        settings: Mapping[int, Settings],
        weights: Mapping[int, Callable[[], Any]],
    ) -> str:
        """From where those chosen see the validation rows best, if they have learned to shift."""
        if not shares or any(one.augment.shift == 0 for one in settings.values()):
            return "plain"
        params = {one: weights[one]() for one in shares}

        def said(one: int, view: View) -> np.ndarray:
            share = shares[one]
            if view == CENTER:
                return share.said
            own, ask = settings[one], functools.partial(self._trainer.probabilities, view=view)
            return temperatures.at(own, params[one], ask, ask(own, params[one]), share.temperature)

        @functools.cache
        def together(view: View) -> np.ndarray:
            each = [share.weight * said(one, view) for one, share in shares.items()]
            total: np.ndarray = np.sum(each, axis=0)
            return total

        losses = {
            name: self._loss(np.mean([together(view) for view in views], axis=0))
            for name, views in KINDS.items()
        }
        return min(losses, key=losses.__getitem__)

    def _loss(self, said: np.ndarray) -> float:
        """What an ensemble is chosen by, the less the better."""
        return float(np.average(self._losses(said), weights=self._trainer.row_weights()))

    def _losses(self, said: np.ndarray) -> np.ndarray:
        """Of each validation row."""
        truth = self._trainer.labels()
        if self._power:
            return np.asarray(np.abs(said[:, 0] - truth) ** self._power)
        return selection.log_losses(said, truth)

    def _selected(self, said: np.ndarray) -> np.ndarray:
        """The weight of each, by what they say of the same rows; of no more than there may be.

        Bags take in more networks. That serves new rows better, unless the validation rows say that
        some of those do harm, or that nobody helps the best: then one choice among all stands.
        """
        most = self._plan.ensemble
        chosen_once = _few(self._weighted(said, bags=0), most)
        if np.count_nonzero(chosen_once) == 1:
            return chosen_once
        ways = {"once": chosen_once, "bags": _few(self._weighted(said, bags=BAGS), most)}
        losses = {
            way: self._losses(np.tensordot(found[found > 0], said[found > 0], 1))
            for way, found in ways.items()
        }
        return ways[parsimony.compared(losses, self._trainer.row_weights()).taken]

    def _weighted(self, said: np.ndarray, bags: int) -> np.ndarray:
        truth, counts, seed = self._trainer.labels(), self._trainer.row_weights(), self._seed
        if self._power:
            numbers, power = said[:, :, 0], self._power
            return selection.select_numbers(
                numbers, truth, counts, power=power, bags=bags, seed=seed
            )
        return selection.select(said, truth, counts, bags=bags, seed=seed)

    def _train(
        self, shares: Mapping[int, _Share], views: str, lasting: int, population: Trainees
    ) -> dict[str, Any]:
        """Train them on all rows; one that diverges or is not done has no part."""
        stage = Stage("ensemble", 1, 1, trained(self._run))
        arrived = population.advance(lasting, self._pace.proceed(stage, population))
        members = population.members if arrived else ()  # half-trained networks would spoil it
        sound = [member for member in members if population.diverged_at(member) is None]
        sound = sound if len(sound) > 1 else []
        chosen = {str(member.candidate): shares[member.candidate] for member in sound}
        total = sum(share.weight for share in chosen.values())
        done = {
            "weights": {one: share.weight / total for one, share in chosen.items()},
            "temperatures": {one: share.temperature for one, share in chosen.items()},
            "views": views,
            "lasting": lasting,
            "network_epochs": population.network_epochs,
            "elapsed": self._pace.elapsed,
        }
        curves = [
            p for member in population.members for p in points("ensemble", population, member)
        ]
        population.keep(sound)
        weights = population.state() if sound else None
        self._run.commit(SEGMENT, payload=done, curves=curves, weights=weights)
        return done


def _few(weights: np.ndarray, most: int) -> np.ndarray:
    """The largest of these weights; they sum to 1."""
    kept = np.zeros_like(weights)
    best = np.argsort(-weights, kind="stable")[:most]
    kept[best] = weights[best]
    return np.asarray(kept / kept.sum())


def chosen(done: Mapping[str, Any]) -> tuple[int, ...]:
    """Ids of those in the ensemble on record."""
    return tuple(map(int, done["weights"]))


def trained_for(
    run: Run, done: Mapping[str, Any], plan: Plan, settings: Mapping[int, Settings]
) -> dict[int, Settings]:
    """Those in the ensemble on record, as they were trained on all rows; by id."""
    lasting = done.get("lasting")
    return {one: as_trained(run, plan, settings[one], lasting) for one in chosen(done)}


def refit(trainer: Trainer, settings: Mapping[int, Settings]) -> Trainees:
    """Those of an ensemble, about to train on all rows; by id."""
    return trainer.refit_all({Member(one): own for one, own in settings.items()})[0]


def restored(run: Run, trainer: Trainer, settings: Mapping[int, Settings]) -> Trainees:
    """The same after their training, from the record."""
    population = refit(trainer, settings)
    if settings:
        population.restore(run.weights(SEGMENT))
    return population


def joined(
    done: Mapping[str, Any], population: Trainees, settings: Mapping[int, Settings]
) -> tuple[Partner, ...]:
    """The ensemble that is on record, of networks that have been trained."""
    partners = []
    for one, own in settings.items():
        degree, views = done["temperatures"][f"{one}"], done.get("views", "plain")
        params = temperatures.cooled(population.params(Member(one)), degree)
        weight = done["weights"][f"{one}"]
        partners.append(Partner(one, own, params, weight, degree, views))
    return tuple(partners)
