"""A predictor as bytes: the two files that it saves, and no others.

What unpickles an estimator hands these bytes to the reader that strangers' files go through
(`saved`), so that weights are checked against their checksum and nothing of them is executed.
"""

import tempfile
from pathlib import Path

from fleetgrad.errors import ModelError
from fleetgrad.model import Model
from fleetgrad.predictor import Predictor
from fleetgrad.saved import MODEL, WEIGHTS

Packed = dict[str, bytes]


def pack(model: Predictor) -> Packed:
    """The contents of its files, by their names."""
    with tempfile.TemporaryDirectory() as place:
        model.save(place)
        return {name: Path(place, name).read_bytes() for name in (MODEL, WEIGHTS)}


def unpack(files: Packed) -> Predictor:
    """The predictor of such files.

    Raises:
        ModelError: They are not as `pack` gives them.
    """
    if set(files) != {MODEL, WEIGHTS}:
        raise ModelError(
            f"a packed model must hold `{MODEL}` and `{WEIGHTS}`, got something else; fit again."
        )
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            Path(place, name).write_bytes(content)
        return Model.load(place)
