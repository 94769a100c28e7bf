"""What predictions are judged by: accuracy and its like for classes, errors for numbers.

A metric's *value* is what people know, in its own units and sign. Its *score* is what a search
compares: the greater, the better; so it is the value, or for errors minus the value. Each can be
told the weights of rows, and only their ratios count.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from numpy.typing import NDArray

from fleetgrad.errors import UsageError, suggestion

CLASSIFICATION, REGRESSION = TASKS = ("classification", "regression")

Predicted = Float[np.ndarray, "rows *classes"]  # probabilities, or numbers
Truth = Num[np.ndarray, " rows"]  # class numbers, or numbers
Weights = Float[np.ndarray, " rows"]
Judge = Callable[[Weights], float]

_LEAST = np.finfo(np.float64).eps  # a probability below this counts as this much
_LARGE = 1000  # from here on numbers are written without decimals


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to judge predictions.

    Args:
        name: What it is chosen by.
        title: What people call it.
        task: "classification" or "regression".
        greater: Whether greater values are better.
        percent: Whether people read it in percent.
        low, high: The worst and the best score there can be.
        judge: Takes predictions, and what is true, and gives the value by the weights of rows.
    """

    name: str
    title: str
    task: str
    greater: bool
    percent: bool
    low: float
    high: float
    judge: Callable[[Predicted, Truth], Judge]

    def of(self, predicted: Predicted, truth: Truth, weights: Weights | None = None) -> float:
        """The value.

        Args:
            predicted: (rows, classes) probabilities, each row's summing to 1; or (rows,) numbers.
            truth: (rows,) class numbers; or numbers.
            weights: Of rows, at least 0, not all 0; equal ones by default.
        """
        given = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
        return self.judge(np.asarray(predicted, np.float64), np.asarray(truth))(given)

    def score(self, value: float) -> float:
        """The score of a value, and the value of a score."""
        return value if self.greater else -value

    def ends(self, interval: Sequence[float]) -> tuple[float, float]:
        """An interval of scores as one of values, and the other way round; low end first."""
        low, high = map(self.score, interval)
        return (low, high) if self.greater else (high, low)

    def written(self, score: float) -> str:
        """A score as a person reads it.

        >>> METRICS["accuracy"].written(0.98123), METRICS["rmse"].written(-47912.3)
        ('98.12 %', '47,912')
        """
        return f"{self.figure(score)} %" if self.percent else self.figure(score)

    def figure(self, score: float) -> str:
        """The same without a percent sign, as in an interval."""
        return f"{100 * score:.2f}" if self.percent else number(self.score(score))

    def amount(self, score: float) -> str:
        """A difference of scores, without a unit."""
        if self.percent:
            return f"{100 * score:.2f}"
        return f"{score:.3g}" if abs(score) < _LARGE else number(score)

    def gain(self, score: float) -> str:
        """How much better, in words, of a difference of scores that is at least 0.

        >>> METRICS["accuracy"].gain(0.005), METRICS["rmse"].gain(1200.0)
        ('0.50 points of accuracy', '1,200 less RMSE')
        """
        unit = "points of" if self.percent else "more" if self.greater else "less"
        return f"{self.amount(score)} {unit} {self.title}"


def number(value: float) -> str:
    """A number to four digits or so.

    >>> number(0.0123456), number(0.913), number(12345.6), number(1e12)
    ('0.01235', '0.9130', '12,346', '1.000e+12')
    """
    if _LARGE <= abs(value) < 1e9:  # noqa: PLR2004 - longer ones are not read anyway
        return f"{value:,.0f}"
    return f"{value:#.4g}"


def _mean(values: NDArray[Any]) -> Judge:
    return lambda weights: float(weights @ values / weights.sum())


def _accuracy(shares: Predicted, truth: Truth) -> Judge:
    return _mean(shares.argmax(axis=1) == truth)


def _log_loss(shares: Predicted, truth: Truth) -> Judge:
    return _mean(-np.log(np.maximum(shares[np.arange(len(truth)), truth], _LEAST)))


def _balanced_accuracy(shares: Predicted, truth: Truth) -> Judge:
    """The mean over classes, of those that occur, of the share that is recognized."""
    right, classes = shares.argmax(axis=1) == truth, shares.shape[1]

    def value(weights: Weights) -> float:
        whole = np.bincount(truth, weights, classes)
        found = np.bincount(truth, weights * right, classes)
        return float((found[whole > 0] / whole[whole > 0]).mean())

    return value


def _auc(shares: Predicted, truth: Truth) -> Judge:
    """The area under the curve of true by false positives; the mean over classes of three or more.

    Each class against all others (Hanley and McNeil 1982; Provost and Domingos 2000); a class that
    does not occur, or alone, has none.
    """
    several = range(shares.shape[1]) if shares.shape[1] > 2 else (1,)  # noqa: PLR2004 - a pair
    ranked = [(np.unique(shares[:, one], return_inverse=True)[1], truth == one) for one in several]

    def value(weights: Weights) -> float:
        areas = [area(ranks, positive, weights) for ranks, positive in ranked]
        sound = [one for one in areas if not np.isnan(one)]
        return float(np.mean(sound)) if sound else np.nan

    return value


def area(
    ranks: Int[np.ndarray, " rows"], positive: Bool[np.ndarray, " rows"], weights: Weights
) -> float:
    """The chance that a positive row ranks above a negative one, equals counting half.

    NaN where there are no rows of one kind.
    """
    wanted, others = weights * positive, weights * ~positive
    each = np.bincount(ranks, others)
    below = np.cumsum(each) - each / 2
    pairs = wanted.sum() * others.sum()
    return float(wanted @ below[ranks] / pairs) if pairs > 0 else np.nan


def _rmse(predicted: Predicted, truth: Truth) -> Judge:
    mean = _mean((predicted - truth) ** 2)
    return lambda weights: float(np.sqrt(mean(weights)))


def _mae(predicted: Predicted, truth: Truth) -> Judge:
    return _mean(np.abs(predicted - truth))


def _r2(predicted: Predicted, truth: Truth) -> Judge:
    """The share of the variance that is explained; of rows that are all equal, 1 or 0."""
    errors, exact = (predicted - truth) ** 2, np.asarray(truth, np.float64)

    def value(weights: Weights) -> float:
        middle = weights @ exact / weights.sum()
        left, whole = float(weights @ errors), float(weights @ (exact - middle) ** 2)
        return 1 - left / whole if whole > 0 else float(left == 0)

    return value


_SHARE, _ERROR = (0.0, 1.0), (-np.inf, 0.0)  # where scores lie


def _classes(name: str, title: str, judge: Any, **what: Any) -> Metric:
    """A share of what is right, unless told otherwise."""
    low, high = what.pop("lies", _SHARE)
    kind: dict[str, Any] = {"greater": True, "percent": True} | what
    return Metric(name, title, CLASSIFICATION, low=low, high=high, judge=judge, **kind)


def _numbers(name: str, title: str, judge: Any, **what: Any) -> Metric:
    """An error, unless told otherwise."""
    low, high = what.pop("lies", _ERROR)
    kind: dict[str, Any] = {"greater": False, "percent": False} | what
    return Metric(name, title, REGRESSION, low=low, high=high, judge=judge, **kind)


METRICS: Mapping[str, Metric] = {
    one.name: one
    for one in (
        _classes("accuracy", "accuracy", _accuracy),
        _classes("auc", "AUC", _auc, percent=False),
        _classes("balanced_accuracy", "balanced accuracy", _balanced_accuracy),
        _classes("log_loss", "log loss", _log_loss, greater=False, percent=False, lies=_ERROR),
        _numbers("mae", "mean absolute error", _mae),
        _numbers("r2", "R2", _r2, greater=True, lies=(-np.inf, 1.0)),
        _numbers("rmse", "RMSE", _rmse),
    )
}
DEFAULTS: Mapping[str, str] = {CLASSIFICATION: "accuracy", REGRESSION: "rmse"}


def chosen(name: str | None, task: str) -> Metric:
    """The metric of this name, or the default of a task.

    Raises:
        UsageError: There is none of this name, or it judges the other task.
    """
    if name is None:
        return METRICS[DEFAULTS[task]]
    able = [one.name for one in METRICS.values() if one.task == task]
    check_name(name)
    if name not in able:
        raise UsageError(
            f"`metric` must judge a {task}, got `{name}`, which judges a {METRICS[name].task}; use "
            f"one of: {', '.join(able)}."
        )
    return METRICS[name]


def check_name(name: str | None) -> None:
    """Refuse a name that no metric has, whatever the task.

    Raises:
        UsageError: There is none.
    """
    if name is not None and name not in METRICS:
        raise UsageError(
            f"`metric` must be a known name, got {name!r}; {suggestion(name, METRICS)}"
        )


def recorded(config: Mapping[str, Any]) -> Metric:
    """The metric of a run, by its configuration; runs before there were others go by accuracy."""
    return METRICS[config.get("metric", "accuracy")]


def guess(metric: Metric, truth: Truth, classes: int, weights: Weights | None = None) -> float:
    """The value of the best answer that is the same for every row.

    Args:
        metric: What it is judged by.
        truth: Class numbers, or numbers.
        classes: How many there are; 0 for numbers.
        weights: Of rows; equal ones by default.
    """
    given = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    if classes:  # a row for each will do
        totals = np.bincount(truth, given, classes)
        return metric.of(np.tile(totals / totals.sum(), (classes, 1)), np.arange(classes), totals)
    middle = _median(truth, given) if metric.name == "mae" else given @ truth / given.sum()
    return metric.of(np.full(len(truth), middle), truth, given)


def _median(values: Truth, weights: Weights) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


def bootstrap(
    metric: Metric,
    predicted: Predicted,
    truth: Truth,
    generator: np.random.Generator,
    *,
    weights: Weights | None = None,
    draws: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Where the value on new rows lies, by drawing rows anew (percentile interval; Efron 1979).

    Args:
        metric: Whose value.
        predicted: As for `Metric.of`, as are the next two.
        truth: What is true.
        generator: Of the draws.
        weights: Of rows.
        draws: How many.
        level: Nominal share of studies covered, in (0, 1).
    """
    rows = len(truth)
    given = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
    judge = metric.judge(np.asarray(predicted, np.float64), np.asarray(truth))
    found = []
    for _ in range(draws):
        times = np.bincount(generator.integers(0, rows, rows), minlength=rows)
        again = given * times
        if again.sum() > 0:
            found.append(judge(again))
    ends = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(ends[0]), float(ends[1])
