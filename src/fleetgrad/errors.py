"""What can go wrong, as one tree.

    FleetgradError              every mistake a user can mend; the message says how
    ├── UsageError              a call or a command line that cannot mean anything
    ├── SettingsError           one network's hyperparameters
    ├── SpaceError              the ranges to search
    ├── BudgetError             how long, or how many
    ├── DataError               the data itself
    │   └── DownloadError       fetching it
    ├── RunError                a run directory: locked, foreign, damaged, unwritable
    │   ├── DeviceError         a run cut short: its device is gone or has no room; the run is kept
    │   └── DiskError           a disk that refuses to write, or has lost what was written
    ├── ModelError              a saved model, or inputs it cannot take
    ├── InstallationError       a library here that computes wrongly
    └── TrainingError           the run itself failed: every candidate diverged

    KeyboardInterrupt
    └── RunInterrupted          the user's wish, before there was a result; the run is kept

Messages follow one form, *what, rule, got, remedy*: "`keep` must be in (0, 1), got 1.5; use 0.25
to keep a quarter per rung." Only `TrainingError` and `DeviceError` are no fault of the caller's;
the command line turns them into exit status 1 and every other into 2.
"""

import difflib
from collections.abc import Iterable
from typing import Any


class FleetgradError(Exception):
    """A mistake the user can mend; the message is a whole sentence and ends with the remedy."""


class UsageError(FleetgradError):
    """A call or a command line that cannot mean anything."""


class SettingsError(FleetgradError):
    """A hyperparameter outside its range, or one that does not exist."""


class SpaceError(FleetgradError):
    """A search range that is empty, reversed or unknown."""


class BudgetError(FleetgradError):
    """A budget that is no time, no count, or too small for one rung."""


class DataError(FleetgradError):
    """Data that is missing, malformed, or cannot be learned from."""


class DownloadError(DataError):
    """Every source of a named data set failed."""


class RunError(FleetgradError):
    """A run directory that is locked, foreign, damaged or unwritable."""


class DeviceError(RunError):
    """A device that is gone, or has no room for even one network; what was recorded is kept."""


class DiskError(RunError):
    """A disk that is full or may not be written, or on which a file is not as it was left."""


class ModelError(FleetgradError):
    """A saved model that cannot be read, or inputs it cannot take."""


class InstallationError(FleetgradError):
    """A library that is installed here and computes wrongly."""


class TrainingError(FleetgradError):
    """The run failed though it was asked for rightly.

    `divergence` is the `divergence.Map` of a search that failed, where there is one.
    """

    divergence: Any = None


class RunInterrupted(KeyboardInterrupt):
    """A run was stopped before it had a result to hand back; the message says how to go on."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the nearest known one, or the whole list.

    >>> suggestion("learning_rat", ["learning_rate", "momentum"])
    'did you mean `learning_rate`?'
    >>> suggestion("q", ["learning_rate", "momentum"])
    'use one of: learning_rate, momentum.'
    """
    known = sorted(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        return f"did you mean `{nearest[0]}`?"
    return f"use one of: {', '.join(known)}."
