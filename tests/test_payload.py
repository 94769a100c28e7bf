import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.payload import decode, encode, strict

names = st.text().filter(lambda name: not name.startswith("$"))
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
payloads = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
)


def alike(a, b):
    """Equal, with NaN equal to NaN, 1 not equal to 1.0, and 0.0 not equal to -0.0."""
    return repr(a) == repr(b)


@given(payloads)
def test_any_payload_comes_back(payload):
    assert alike(decode(encode(payload)), payload)
    assert alike(decode(encode(payload, indent=2)), payload)


@given(payloads)
def test_what_is_written_is_strict_json_in_ascii(payload):
    def refuse(constant):
        raise AssertionError(constant)

    text = encode(payload)
    assert text.isascii()
    json.loads(text, parse_constant=refuse)


@given(payloads)
def test_without_what_is_no_number_any_program_can_read_it(payload):
    found = strict(payload)
    assert alike(json.loads(json.dumps(found, allow_nan=False)), found)
    if "nan" not in repr(payload) and "inf" not in repr(payload):
        assert alike(found, payload)


@given(st.text() | st.binary())
def test_any_other_text_is_read_or_refused(text):
    try:
        value = decode(text)
    except ValueError:
        return
    assert alike(decode(encode(value)), value)


def test_tuples_and_numpy_values_come_back_as_pythons_own():
    value = {
        "tuple": (1, (2.5,)),
        "number": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),  # noqa: FBT003 - NumPy's, on purpose
        "array": np.array([[1.0, math.nan], [math.inf, -math.inf]]),
    }
    expected = {
        "tuple": [1, [2.5]],
        "number": 0.5,
        "count": 3,
        "flag": True,
        "array": [[1.0, math.nan], [math.inf, -math.inf]],
    }
    assert alike(decode(encode(value)), expected)


@pytest.mark.parametrize("value", [{1: 2}, {"$float": "nan"}, {"a": object()}, {"a": {1, 2}}, b"x"])
def test_what_json_does_not_know_is_refused(value):
    with pytest.raises(TypeError):
        encode(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        "[Infinity]",
        '{"$float": "1"}',
        '{"$float": []}',
        '{"$float": 1, "a": 2}',
        "[" * 200_000,
        "9" * 5_000,
        b"\xff",
    ],
)
def test_malformed_text_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, it is one kind
        decode(text)
