"""How much each hyperparameter had to do with being among the best, by Optuna's PED-ANOVA."""

import math
import warnings
from collections.abc import Sequence

from fleetgrad.candidates import Candidates
from fleetgrad.samplers.streams import check_scores
from fleetgrad.samplers.trials import frozen_trial, quiet_optuna
from fleetgrad.space import Space

_TOP = 0.1  # share of candidates that count as the best,
_FEWEST, _MOST = 5, 0.5  # but never fewer than five, nor more than half


def importances(space: Space, candidates: Candidates, scores: Sequence[float]) -> dict[str, float]:
    """The share of each searched name in what set the best tenth apart.

    PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023), with conditions as in its successor
    (Conditional PED-ANOVA, arXiv 2601.20800): how far the values of the best lie from those of
    all. Only the order of scores counts.

    Args:
        space: What was searched; candidates outside it are left out.
        candidates: Who was tried.
        scores: One a candidate, higher is better, NaN means diverged and is the worst.

    Returns:
        A share for every name of the space, greatest first; they sum to 1, or are all 0 where
        nothing sets the best apart.

    Raises:
        UsageError: There is not one score a candidate.
    """
    check_scores(candidates, scores)
    found = dict.fromkeys(space.names, 0.0)
    sound = [score for score in scores if math.isfinite(score)]
    if not sound:
        return found
    found |= _divergences(space, candidates, scores, worst=min(sound) - 1)
    total = math.fsum(found.values())
    shares = {name: value / total if total > 0 else 0.0 for name, value in found.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _divergences(
    space: Space, candidates: Candidates, scores: Sequence[float], worst: float
) -> dict[str, float]:
    """What PED-ANOVA finds, by name."""
    import optuna  # noqa: PLC0415 - takes half a second, and only the end of a run asks

    pairs = zip(candidates.settings, scores, strict=True)
    known = [frozen_trial(space, settings, float(score), worst) for settings, score in pairs]
    trials = [one for one in known if one is not None]
    if len(trials) <= _FEWEST:
        return {}
    top = min(_MOST, max(_TOP, _FEWEST / len(trials)))
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that few trials have: they get 0
        study = optuna.create_study(direction="maximize")
        study.add_trials(trials)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=top)
        return optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
