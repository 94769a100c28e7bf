"""What is kept of rows held out, where data have no test part: the next best there is to look at.

The refitted model has learned from all rows, so it is the search's own network of the winner that
answers, for the validation rows that it has not seen. As the winner was chosen by these very rows,
its answers are a little too good.
"""

from dataclasses import replace

from fleetgrad import answers, models
from fleetgrad.data import Dataset, Opened
from fleetgrad.metrics import Metric
from fleetgrad.store import Run
from fleetgrad.study import Outcome, Study
from fleetgrad.temperatures import cooled


def record(run: Run, study: Study, outcome: Outcome, data: Dataset, metric: Metric) -> None:
    """Put the answers on record, unless they are there, or its weights are not at hand any more."""
    winner = outcome.winner
    if winner is None or outcome.interrupted or run.segment(answers.HELD_OUT) is not None:
        return
    apart = study.apart(winner.candidate)
    if apart is None:
        return
    if outcome.calibration is not None:
        params = cooled(apart.params, outcome.calibration.temperature)
        apart = replace(apart, params=params)
    seed, rows = int(run.config["seed"]), apart.view.validation
    model = models.model_of(data, apart, seed)
    weights = None if data.weights is None else data.weights[rows]
    held = Opened(data.x[rows], data.y[rows], 0, weights)
    found = answers.given(model, held.x, held.y, whole=False)
    kept = answers.kept(model, held, found, metric, seed)
    run.commit(answers.HELD_OUT, payload={"candidate": winner.candidate}, weights=kept)
