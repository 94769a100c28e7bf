"""Data: loaded, checked, split, sealed.

    load(source) -> Dataset     a name, a folder of IDX files, .npz, .pkl, .csv, .parquet
    fetch(name) -> folder       a named set into the cache
    Dataset.from_arrays(X, y)   arrays at hand
    Dataset.from_frame(f, "y")  a frame of pandas or Polars
    read_inputs(path, ...)      rows to predict from

A `Dataset` holds read-only arrays of training rows and a sealed test part; splits and scalings are
pure functions of it.
"""

from fleetgrad.data.dataset import Dataset
from fleetgrad.data.download import Progress
from fleetgrad.data.encoding import Encoded, Encoding
from fleetgrad.data.inputs import read_inputs
from fleetgrad.data.scaling import Scaling
from fleetgrad.data.sealed import Opened, SealedTest
from fleetgrad.data.sources import NAMES, fetch, load
from fleetgrad.data.splits import Split
from fleetgrad.data.targets import AUTO

__all__ = [
    "AUTO",
    "NAMES",
    "Dataset",
    "Encoded",
    "Encoding",
    "Opened",
    "Progress",
    "Scaling",
    "SealedTest",
    "Split",
    "fetch",
    "load",
    "read_inputs",
]
