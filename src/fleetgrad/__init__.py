"""Fleetgrad finds the hyperparameters that give a neural network its best predictions.

>>> import fleetgrad as fg
>>> data = fg.load("digits")
>>> result = fg.tune(data, budget="60s")  # doctest: +SKIP
>>> result.model.predict(X)  # doctest: +SKIP

The names below load what they need when they are first used, so that `fleetgrad --help` does not
wait for JAX.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleetgrad.api import Curves, dry_run, resume, train, tune
    from fleetgrad.budget import Budget
    from fleetgrad.candidates import Candidates
    from fleetgrad.data import Dataset, load
    from fleetgrad.defaults import default_space
    from fleetgrad.ensemble import Ensemble
    from fleetgrad.errors import FleetgradError
    from fleetgrad.forecast import Forecast
    from fleetgrad.insight import Insight
    from fleetgrad.leaderboard import Leaderboard
    from fleetgrad.model import Model
    from fleetgrad.result import Result
    from fleetgrad.settings import Settings
    from fleetgrad.space import Choice, Float, Int, Space

__version__ = "0.1.0"

if "jaxlib" not in sys.modules:  # it reads this when it is loaded
    # XLA takes two of its own tuning flags for features the processor lacks, and says so at length
    # whenever a kept program is loaded (jaxlib 0.10.1). What fails still raises.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__all__ = [
    "Budget",
    "Candidates",
    "Choice",
    "Curves",
    "Dataset",
    "Ensemble",
    "FleetgradError",
    "Float",
    "Forecast",
    "Insight",
    "Int",
    "Leaderboard",
    "Model",
    "Result",
    "Settings",
    "Space",
    "default_space",
    "dry_run",
    "load",
    "resume",
    "train",
    "tune",
]

_HOMES = {
    "Budget": "budget",
    "Candidates": "candidates",
    "Choice": "space",
    "Curves": "api",
    "Dataset": "data",
    "Ensemble": "ensemble",
    "FleetgradError": "errors",
    "Float": "space",
    "Forecast": "forecast",
    "Insight": "insight",
    "Int": "space",
    "Leaderboard": "leaderboard",
    "Model": "model",
    "Result": "result",
    "Settings": "settings",
    "Space": "space",
    "default_space": "defaults",
    "dry_run": "api",
    "load": "data",
    "resume": "api",
    "train": "api",
    "tune": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `fleetgrad` has no attribute `{name}`")
    return getattr(importlib.import_module(f"fleetgrad.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
