"""The tables that are raced over: which there are, and which rows are for the test."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "data" / "tabular"
TEST = 1 / 5  # of the rows, where the set has no test part of its own
TARGET = "target"


class Set(NamedTuple):
    """A table, cut in two.

    Args:
        name: Of the set.
        task: "classification" or "regression".
        train, test: Frames with the column `TARGET`; text columns are pandas' categories.
    """

    name: str
    task: str
    train: pd.DataFrame
    test: pd.DataFrame


class File(NamedTuple):
    """A CSV file: its target, how many rows come first for training, and the task."""

    file: str
    target: str
    rows: int | None
    task: str = "classification"


FILES: Mapping[str, File] = {
    "adult": File("adult.csv.gz", "income", 32_561),
    "letter": File("letter.csv", "class", 16_000),
    "pendigits": File("pendigits.csv", "class", 7_494),
    "california_housing": File("california_housing.csv", "median_house_value", None, "regression"),
}
BUNDLED: Mapping[str, tuple[Callable[..., Any], str]] = {
    "breast_cancer": (datasets.load_breast_cancer, "classification"),
    "diabetes": (datasets.load_diabetes, "regression"),
    "digits": (datasets.load_digits, "classification"),
    "iris": (datasets.load_iris, "classification"),
    "wine": (datasets.load_wine, "classification"),
}
NAMES = (*FILES, *BUNDLED)


def load(name: str, seed: int, folder: Path = FOLDER) -> Set:
    """A set by its name; where it has no test part, a fifth of its rows by the seed."""
    if name in FILES:
        file, target, rows, task = FILES[name]
        whole = pd.read_csv(folder / file).rename(columns={target: TARGET})
        text = whole.drop(columns=TARGET).select_dtypes("str").columns
        whole = whole.astype(dict.fromkeys(text, "category"))
    else:
        make, task = BUNDLED[name]
        whole, rows = make(as_frame=True).frame, None
    if task == "classification":
        whole[TARGET] = whole[TARGET].astype(str)
    if rows is None:
        order = np.random.default_rng(seed).permutation(len(whole))
        whole, rows = whole.iloc[order], len(whole) - round(TEST * len(whole))
    train, test = whole.iloc[:rows], whole.iloc[rows:]
    return Set(name, task, train.reset_index(drop=True), test.reset_index(drop=True))
