"""Tables as text, and how a refusal of one must read."""

import time

import pytest

from fleetgrad.errors import DataError


def lines(*rows):
    return "\n".join(rows) + "\n"


def refused(read, *args, words=(), **options):
    """The message of the refusal, which comes within a second and holds these words."""
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        read(*args, **options)
    assert time.process_time() - began < 1
    message = str(caught.value)
    for word in ("must", "got", *words):
        assert word in message
    return message
