"""What Hypothesis draws for tests of data: arrays an IDX file can hold, labels, class counts."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

IDX_TYPES = ("uint8", "int8", "int16", "int32", "float32", "float64")


def idx_arrays() -> st.SearchStrategy[np.ndarray]:
    """Arrays of every IDX type, in both byte orders, of one to six dimensions, empty ones too."""
    types = st.sampled_from(IDX_TYPES).flatmap(
        lambda name: st.sampled_from([np.dtype(name), np.dtype(name).newbyteorder(">")])
    )
    shapes = hnp.array_shapes(min_dims=1, max_dims=6, min_side=0, max_side=5)
    return hnp.arrays(types, shapes)


def class_counts(least: int = 0) -> st.SearchStrategy[np.ndarray]:
    """Rows of each of up to 12 classes."""
    counts = st.lists(st.integers(least, 40), min_size=2, max_size=12)
    return counts.map(lambda values: np.array(values, np.int64))


def class_numbers() -> st.SearchStrategy[np.ndarray]:
    """Class numbers, each class at least once, in any order."""
    counts = class_counts(least=1)
    return counts.flatmap(lambda c: st.permutations(np.repeat(np.arange(len(c)), c).tolist())).map(
        lambda rows: np.array(rows, np.int32)
    )


def finite_rows() -> st.SearchStrategy[np.ndarray]:
    """Features of any real type, (rows, features), finite and not huge."""
    types = st.sampled_from(["uint8", "int64", "float32", "float64"])
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
    small = {"min_value": -1e6, "max_value": 1e6, "allow_nan": False}

    def of(name: str) -> st.SearchStrategy[np.ndarray]:
        floats = {**small, "width": 32 if name == "float32" else 64}
        elements = None if name == "uint8" else st.integers(-(10**6), 10**6)
        return hnp.arrays(
            name, shapes, elements=st.floats(**floats) if "float" in name else elements
        )

    return types.flatmap(of)
