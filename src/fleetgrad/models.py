"""What a study ends with, as models that predict."""

from dataclasses import replace
from typing import Any

from fleetgrad.data import Dataset
from fleetgrad.distilled import STUDENT, Distilled
from fleetgrad.ensemble import Ensemble
from fleetgrad.metrics import REGRESSION
from fleetgrad.model import Model
from fleetgrad.study import Outcome, Winner
from fleetgrad.views import KINDS


def predictor(data: Dataset, outcome: Outcome, seed: int) -> Model | Ensemble:
    """The winner, or those that predict together with it, or one that has learned from them."""
    assert outcome.winner is not None
    if outcome.partners and outcome.distilled is None:
        return together(data, outcome, seed)
    return model_of(data, outcome.winner, seed, outcome.distilled)


def together(data: Dataset, outcome: Outcome, seed: int) -> Ensemble:
    """Those that predict together."""
    assert outcome.winner is not None
    winner = outcome.winner
    models = [
        model_of(data, replace(winner, candidate=one, settings=own, params=params), seed)
        for one, own, params, *_ in outcome.partners
    ]
    return Ensemble.of(
        models,
        [partner.weight for partner in outcome.partners],
        {"winner": winner.candidate, "members": [one.candidate for one in outcome.partners]},
        KINDS[outcome.partners[0].views],
    )


def model_of(data: Dataset, winner: Winner, seed: int, distilled: Distilled | None = None) -> Model:
    """One network, which says whom it has learned from."""
    said: dict[str, Any] = {
        "candidate": winner.candidate,
        "refitted": winner.refitted,
        "seed": seed,
    }
    if distilled is not None and distilled.kept == STUDENT:
        said["distilled"] = distilled.to_dict()
    return Model(
        settings=winner.settings,
        params=winner.params,
        shift=winner.view.shift,
        scale=winner.view.scale,
        classes=data.classes,
        image_shape=data.image_shape,
        feature_names=data.feature_names,
        limit=winner.view.limit,
        encoding=data.encoding,
        dataset=data.name,
        information=said,
        target=(winner.view.center, winner.view.spread) if data.task == REGRESSION else (0.0, 1.0),
    )
