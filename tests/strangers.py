"""Files of a model as strangers might send them: changed anywhere, with checksums that fit."""

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from fleetgrad.errors import DataError, ModelError
from fleetgrad.model import Model
from fleetgrad.saved import MODEL, WEIGHTS

NO_JSON_OF_OURS = (b"", b"null", b'{"pid"', b"\xff" * 512, b"[" * 100_000)


def survives(head, weights):
    """A model of these files is refused as one, or else is whole and predicts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, MODEL).write_bytes(
            head if isinstance(head, bytes) else json.dumps(head).encode()
        )
        Path(folder, WEIGHTS).write_bytes(weights)
        try:
            model = Model.load(folder)
        except ModelError:
            return False
        with suppress(ModelError, DataError):
            model.predict(np.zeros((1, model.features)))
        return True


LEAVES = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text()
FLAT = LEAVES | st.lists(LEAVES, max_size=4) | st.dictionaries(st.text(), LEAVES, max_size=4)
JSON = FLAT | st.lists(FLAT, max_size=4) | st.dictionaries(st.text(), FLAT, max_size=4)


def places(value, path=()):
    """The way to every value inside."""
    yield path
    inner = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, dict) else inner:
        yield from places(item, (*path, key))


def put(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def sealed(head, weights):
    """The description with the checksum of these weights."""
    known = {"sha256": hashlib.sha256(weights).hexdigest(), "size": len(weights)}
    return {**head, "weights": known}
