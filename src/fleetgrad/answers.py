"""What a model said of rows it had never seen, kept from the one opening for whoever looks back.

Figures of it (a confusion matrix, say) must not open the test part again, so the answers are put on
record with the opening: row by row, and with the rows themselves where the model was most sure and
wrong, and the first of each class for examples.

    truth, said   class numbers, or numbers
    sure, right   the probability of what was said, and of what is true; classes alone
    wrong, first  numbers of rows, most surely wrong first; `wrong_x`, `first_x` are these rows
    drop          how much worse the score is with a column shuffled, one a column; tables alone
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Shaped

from fleetgrad import keys
from fleetgrad.data import Encoded, Opened
from fleetgrad.data.encoding import Encoding
from fleetgrad.data.features import Features
from fleetgrad.data.targets import Target
from fleetgrad.metrics import Metric

if TYPE_CHECKING:
    from fleetgrad.predictor import Predictor

TEST, HELD_OUT = "test", "held_out"
SEGMENTS = (TEST, HELD_OUT)  # whose arrays are answers, and no network's
WRONG, FIRST = 24, 20  # rows kept of each kind
MOST_NUMBERS = 1 << 22  # in the rows of a kind
SHUFFLED_ROWS, SHUFFLES = 2000, 3
_MOST_PRODUCTS = 1 << 37  # multiplications that shuffling may cost: some seconds


class Answers(NamedTuple):
    """What was said of some rows.

    Args:
        said: Class numbers, or numbers.
        sure: The probability of what was said; None for numbers, as are the next two.
        right: The probability of what is true.
        shares: All probabilities; None where they were not asked for.
    """

    said: Shaped[np.ndarray, " rows"]
    sure: Float32[np.ndarray, " rows"] | None = None
    right: Float32[np.ndarray, " rows"] | None = None
    shares: Float64[np.ndarray, "rows classes"] | None = None


def given(model: "Predictor", x: Features, truth: Target, *, whole: bool) -> Answers:
    """What a model says of encoded rows, each of which it sees once.

    Args:
        model: Who answers.
        x: The rows.
        truth: What is true of them.
        whole: Whether all probabilities are kept, which may be many.
    """
    said, sure, right, all_of_them = [], [], [], []
    start = 0
    for answers, shares in model.answered(Encoded(x)):
        said.append(answers)
        if shares is not None:
            rows = np.arange(len(shares))
            sure.append(shares[rows, answers].astype(np.float32))
            right.append(shares[rows, truth[start : start + len(rows)]].astype(np.float32))
            start += len(rows)
            all_of_them += [shares] if whole else []
    if not sure:
        return Answers(np.concatenate(said))
    shares = np.concatenate(all_of_them) if whole else None
    return Answers(np.concatenate(said), np.concatenate(sure), np.concatenate(right), shares)


def kept(
    model: "Predictor", opened: Opened, answers: Answers, metric: Metric, seed: int
) -> dict[str, np.ndarray]:
    """The arrays to put on record.

    Args:
        model: Who answered.
        opened: The test part.
        answers: Of all its rows.
        metric: Of the scores that `drop` compares.
        seed: Of shuffles.
    """
    truth = opened.y
    found: dict[str, np.ndarray] = {"truth": truth, "said": answers.said.astype(truth.dtype)}
    if answers.sure is None or answers.right is None:
        found |= _rows(opened, "wrong", _farthest(answers.said, truth))
    else:
        found |= {"sure": answers.sure, "right": answers.right}
        found |= _rows(opened, "wrong", _surest(found))
        found |= _rows(opened, "first", _firsts(truth))
    if model.encoding is not None and _is_cheap(model, model.encoding):
        found["drop"] = _drops(model, model.encoding, opened, metric, seed)
    return found


def _surest(found: dict[str, np.ndarray]) -> Int[np.ndarray, " rows"]:
    """Rows that are wrong, the surest first."""
    wrong = np.flatnonzero(found["said"] != found["truth"])
    return wrong[np.argsort(-found["sure"][wrong], kind="stable")][:WRONG]


def _farthest(
    said: Shaped[np.ndarray, " rows"], truth: Shaped[np.ndarray, " rows"]
) -> Int[np.ndarray, " rows"]:
    """Rows with the largest errors, the largest first."""
    return np.argsort(-np.abs(said - truth), kind="stable")[:WRONG]


def _firsts(truth: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    """The first row of each class that occurs, the second too where there is room."""
    order = np.argsort(truth, kind="stable")
    starts = np.unique(truth[order], return_index=True)[1]
    places = np.concatenate([starts, starts + 1]) if 2 * len(starts) <= FIRST else starts
    same = places[places < len(order)]
    chosen = order[same]
    return np.array(sorted(set(chosen.tolist()), key=lambda row: (truth[row], row))[:FIRST])


def _rows(opened: Opened, name: str, rows: Int[np.ndarray, " rows"]) -> dict[str, np.ndarray]:
    """Some rows' numbers and features, as many as may be kept."""
    few = rows[: max(1, MOST_NUMBERS // opened.x.shape[1])].astype(np.int64)
    return {name: few, f"{name}_x": opened.x[few]}


def _is_cheap(model: "Predictor", encoding: Encoding) -> bool:
    products = sum(
        math.prod(layer["weight"].shape) for part in model.parts for layer in part.network.params
    )
    return products * SHUFFLED_ROWS * SHUFFLES * len(encoding.kinds) <= _MOST_PRODUCTS


def _drops(
    model: "Predictor", encoding: Encoding, opened: Opened, metric: Metric, seed: int
) -> Float[np.ndarray, "columns shuffles"]:
    """What shuffling each column costs (Breiman 2001; Fisher, Rudin and Dominici 2019)."""
    draw = keys.generator(seed, "shuffle", len(opened.y))
    rows = np.sort(draw.permutation(len(opened.y))[:SHUFFLED_ROWS])
    x, truth = opened.x[rows].copy(), opened.y[rows]
    weights = None if opened.weights is None else opened.weights[rows]

    def score() -> float:
        answers = given(model, x, truth, whole=True)
        told = answers.said if answers.shares is None else answers.shares
        return metric.score(metric.of(told, truth, weights))

    whole, found = score(), []
    for start, end in columns(encoding):
        own = x[:, start:end].copy()
        column = []
        for _ in range(SHUFFLES):
            x[:, start:end] = own[draw.permutation(len(own))]
            column.append(whole - score())
        x[:, start:end] = own
        found.append(column)
    return np.array(found, np.float64)


def columns(encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Where the features of each column begin and end, of those that have any."""
    start = 0
    for one in encoding.codings:
        if one.features:
            yield start, start + one.features
            start += one.features
