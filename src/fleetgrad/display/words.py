"""Figures and settings as a person reads them; pure functions from values to text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fleetgrad.metrics import Metric
from fleetgrad.settings import Settings

BARS = "▁▂▃▄▅▆▇█"
UNKNOWN = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def figure(metric: Metric, value: float | None) -> str:
    """A metric's value.

    >>> from fleetgrad.metrics import METRICS
    >>> figure(METRICS["accuracy"], 0.98123), figure(METRICS["rmse"], 47912.3)
    ('98.12 %', '47,912')
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    return metric.written(metric.score(value))


def between(metric: Metric, interval: Sequence[float] | None) -> str:
    """An interval of values; empty where there is none.

    >>> from fleetgrad.metrics import METRICS
    >>> between(METRICS["accuracy"], (0.976, 0.9863)), between(METRICS["rmse"], (47000, 49000))
    ('97.60 to 98.63', '47,000 to 49,000')
    """
    if interval is None:
        return ""
    return " to ".join(metric.figure(metric.score(end)) for end in interval)


def percent(share: float | None) -> str:
    """A share in percent, to two decimals.

    >>> percent(0.98123)
    '98.12 %'
    """
    return UNKNOWN if share is None or math.isnan(share) else f"{100 * share:.2f} %"


def rate(number: float) -> str:
    """A count a second, to three digits or so.

    >>> rate(5.6789), rate(1234.5)
    ('5.7', '1,234')
    """
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"  # noqa: PLR2004 - digits


def duration(seconds: float) -> str:
    """A time in two units at most.

    >>> duration(9.64), duration(83), duration(7260)
    ('9.6 s', '1 min 23 s', '2 h 1 min')
    """
    if seconds < 9.95:  # noqa: PLR2004 - two digits are enough
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < _MINUTE:
        return f"{seconds} s"
    for large, unit, small, lesser in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if seconds >= large:
            return f"{seconds // large} {unit} {seconds % large // small} {lesser}"
    return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"


def size(number: float) -> str:
    """Bytes, to three digits or so.

    >>> size(812), size(3_456_789), size(16_100_000_000)
    ('812 bytes', '3.46 MB', '16.1 GB')
    """
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= bytes_:
            return f"{number / bytes_:.3g} {unit}"
    return f"{number:,.0f} bytes"


def count(number: float, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "repeat"), count(1437, "row")
    ('1 repeat', '1,437 rows')
    """
    return f"{number:,.0f} {one if round(number) == 1 else many or f'{one}s'}"


def value(setting: Any) -> str:
    """One hyperparameter's value.

    >>> value((256, 128)), value(()), value(0.00213456), value(True)
    ('256-128', 'linear', '0.00213', 'yes')
    >>> value({"shift": 2, "rotation": 10.0})
    'shift 2, rotation 10'
    """
    if isinstance(setting, tuple | list):
        return "-".join(map(str, setting)) or "linear"
    if isinstance(setting, Mapping):
        return ", ".join(f"{name} {value(amount)}" for name, amount in setting.items())
    if isinstance(setting, bool):
        return "yes" if setting else "no"
    return f"{setting:.3g}" if isinstance(setting, float) else str(setting)


def course(settings: Settings, name: str) -> str:
    """One hyperparameter's value, and those that it had before.

    >>> course(Settings(learning_rate=0.1).then(4, {"learning_rate": 0.02}), "learning_rate")
    '0.1, from epoch 5 0.02'
    """
    told, since = "", 1
    for until, own in settings.timeline:
        now = value(getattr(own, name))
        if not told:
            told = last = now
        elif now != last:
            told, last = f"{told}, from epoch {since} {now}", now
        since = until + 1
    return told


def edge(number: float) -> str:
    """Where a field of a map ends, as short as it can be told apart.

    >>> edge(0.000866), edge(8.891), edge(158.1), edge(1234567.0)
    ('0.00087', '8.9', '158', '1.2e+06')
    """
    return f"{number:.0f}" if 100 <= abs(number) < 1e5 else f"{number:.2g}"  # noqa: PLR2004


def columns_of(summary: Mapping[str, Any]) -> str:
    """What an encoded table holds.

    >>> columns_of({"kinds": {"numeric": 1, "category": 8}, "missing": 2, "left_out": ["id"]})
    '1 numeric, 8 category; 2 with missing cells; left out, always the same: id'
    """
    parts = [", ".join(f"{number} {kind}" for kind, number in summary["kinds"].items())]
    if summary["missing"]:
        parts.append(f"{summary['missing']} with missing cells")
    if summary["left_out"]:
        parts.append(f"left out, always the same: {', '.join(summary['left_out'])}")
    return "; ".join(parts)


def taken_over(earlier: Mapping[str, Any]) -> str:
    """What an earlier run gave to a new one."""
    first = "none tried first"
    if earlier["enqueued"]:
        first = f"best {earlier['enqueued']} tried first"
    candidates = count(earlier["candidates"], "candidate")
    return f"{earlier['run']} ({earlier['dataset']}): {candidates}, {first}"


def searched(span: Mapping[str, Any]) -> str:
    """What a range holds, from its plain form.

    >>> searched({"low": 0.0001, "high": 0.1, "log": True})
    '0.0001 to 0.1, log'
    >>> searched({"choice": [[128], [256, 128]]})
    '128 | 256-128'
    """
    if "choice" in span:
        return " | ".join(map(value, span["choice"]))
    log = ", log" if span.get("log") else ""
    return f"{value(span['low'])} to {value(span['high'])}{log}"


def sparkline(values: Sequence[float], low: float, high: float, width: int) -> str:
    """A curve in one line of text, at most `width` characters; a gap where a value is NaN.

    Args:
        values: The curve; if it is longer than `width`, points at even distances are shown.
        low: The value of the lowest bar.
        high: The value of the highest bar.
        width: Most characters, >= 2.

    >>> sparkline([0.1, 0.5, 0.9], 0.1, 0.9, 10)
    '▁▅█'
    """
    points = len(values)
    if points > width:
        places = [round(place * (points - 1) / (width - 1)) for place in range(width)]
        values = [values[place] for place in places]
    return "".join(_bar(one, low, high) for one in values)


def _bar(number: float, low: float, high: float) -> str:
    if math.isnan(number):
        return " "
    height = 1.0 if high <= low else (number - low) / (high - low)
    return BARS[round(min(max(height, 0.0), 1.0) * (len(BARS) - 1))]
