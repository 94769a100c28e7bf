"""A run as an Optuna study, and optuna-dashboard opened on it.

    export    the record as a study in memory
    server    the dashboard over such a study, for this machine alone

The study is a copy: whatever is done to it, in the dashboard too, never reaches the run.
"""

from fleetgrad.dashboard.export import study

__all__ = ["study"]
