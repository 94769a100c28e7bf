"""The studies of a soak: small, of every kind, and the same in every round."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fleetgrad as fg
from fleetgrad.clock import Progress
from fleetgrad.estimators import FleetClassifier

BUDGET = fg.Budget(candidates=9, epochs=3)
ROWS = 400


def studies(runs: Path) -> list[Callable[[], None]]:
    """Functions of nothing, each of which leaves nothing behind.

    Args:
        runs: Where runs lie while they last.
    """
    digits, table, numbers = fg.load("digits"), _table(), _numbers()

    def images() -> None:
        _predicts(fg.tune(digits, budget=BUDGET, out=runs / "images"), digits)

    def columns() -> None:
        fg.tune(table, budget=BUDGET, out=runs / "table", strategy="halving", sampler="tpe")

    def regression() -> None:
        fg.tune(numbers, budget=BUDGET, out=runs / "numbers")

    def together() -> None:
        fg.tune(digits, budget=BUDGET, out=runs / "ensemble", ensemble=True)

    def thawed() -> None:
        fg.tune(digits, budget=fg.Budget(network_epochs=40, epochs=4), out=runs / "thaw")

    def interrupted() -> None:
        fg.tune(digits, budget=BUDGET, out=runs / "stopped", report=_Interrupt(3))
        fg.resume(runs / "stopped", digits)

    def fixed() -> None:
        fg.train(digits, [fg.Settings(hidden=(16,)), fg.Settings(hidden=(24, 8))], epochs=2)

    def estimator() -> None:
        x, y = np.asarray(digits.x, np.float32), digits.y
        FleetClassifier(budget=BUDGET).fit(x[:ROWS], y[:ROWS]).predict(x[:ROWS])

    kinds = (images, columns, regression, together, thawed, interrupted, fixed, estimator)
    return [_cleared(one, runs) for one in kinds]


class _Interrupt:
    """Presses Ctrl-C when progress has been told so many times."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, _: Progress) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def _cleared(study: Callable[[], None], runs: Path) -> Callable[[], None]:
    def run() -> None:
        study()
        shutil.rmtree(runs, ignore_errors=True)

    return run


def _predicts(result: fg.Result, data: fg.Dataset) -> None:
    """The saved model, loaded again, predicts."""
    assert result.model_path is not None
    fg.Model.load(result.model_path).predict_proba(data.x[:ROWS])


def _table() -> fg.Dataset:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((ROWS, 6))
    x[draw.random(x.shape) < 0.05] = np.nan  # noqa: PLR2004 - a few are missing
    return fg.Dataset.from_arrays(x, (np.nan_to_num(x[:, 0]) > 0).astype(int))


def _numbers() -> fg.Dataset:
    draw = np.random.default_rng(1)
    x = draw.standard_normal((ROWS, 6))
    return fg.Dataset.from_arrays(x, x[:, 0] * x[:, 1] + 0.1 * draw.standard_normal(ROWS))
