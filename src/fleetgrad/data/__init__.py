"""Data: loaded, checked, split, sealed.

    load(source) -> Dataset     a name, a folder of IDX files, .npz, .pkl, .csv
    Dataset.from_arrays(X, y)   arrays at hand

A `Dataset` holds read-only arrays of training rows and a sealed test part; splits and scalings are
pure functions of it.
"""

from fleetgrad.data.dataset import Dataset
from fleetgrad.data.scaling import Scaling
from fleetgrad.data.sealed import Opened, SealedTest
from fleetgrad.data.sources import NAMES, load
from fleetgrad.data.splits import Split

__all__ = ["NAMES", "Dataset", "Opened", "Scaling", "SealedTest", "Split", "load"]
