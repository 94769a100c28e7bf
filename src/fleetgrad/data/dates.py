"""What comes again in dates: the time of the year, the day of the week, the time of the day.

A date is the number of its day, in which nothing comes again; so a network would have to learn the
calendar. These features tell it. What goes round without a break, year and day, has a sine and a
cosine; what people keep one unlike the other, days of the week and hours, have a feature each.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64

Days = Float64[np.ndarray, " rows"]

YEAR, WEEKDAY, TIME = PARTS = ("time of year", "weekday", "time of day")
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
THURSDAY = 3  # the first day of 1970
MONTHS, MONTH = 12, 31  # of a year; days of the longest
HOURS = 24
ROUNDING = 1e-6  # of an hour: days are counted in float64
DIGITS = 6  # of a sine: what is left beyond them is rounding


def _year(days: Days) -> Days:
    """How much of the year is over: the same for the same day and month of every year."""
    dates = _whole(days).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months.astype("datetime64[D]")).astype(np.float64)
    passed: Days = (months.astype(np.int64) % MONTHS + day / MONTH) / MONTHS
    return passed


def _time(days: Days) -> Days:
    """How much of the day is over."""
    passed: Days = days - np.floor(days)
    return passed


def _whole(days: Days) -> Int64[np.ndarray, " rows"]:
    whole: Int64[np.ndarray, " rows"] = np.floor(days).astype(np.int64)
    return whole


def _waves(part: str, passed: Callable[[Days], Days]) -> Mapping[str, Callable[[Days], Days]]:
    """Sine and cosine of how much of something is over."""
    return {
        f"{part} (sine)": lambda days: np.round(np.sin(2 * np.pi * passed(days)), DIGITS),
        f"{part} (cosine)": lambda days: np.round(np.cos(2 * np.pi * passed(days)), DIGITS),
    }


def _is_day(place: int) -> Callable[[Days], Days]:
    """Whether it is this day of the week."""
    return lambda days: ((_whole(days) + THURSDAY) % len(WEEK) == place).astype(np.float64)


def _is_hour(hour: int) -> Callable[[Days], Days]:
    """Whether it is this hour of the day."""

    def feature(days: Days) -> Days:
        hours = np.minimum(_whole(HOURS * _time(days) + ROUNDING), HOURS - 1)
        sign: Days = (hours == hour).astype(np.float64)
        return sign

    return feature


_OF = {
    YEAR: _waves(YEAR, _year),
    WEEKDAY: {day: _is_day(place) for place, day in enumerate(WEEK)},
    TIME: {**_waves(TIME, _time), **{f"hour {hour}": _is_hour(hour) for hour in range(HOURS)}},
}
_FEATURES = {name: feature for made in _OF.values() for name, feature in made.items()}
NAMES = tuple(_FEATURES)


def varying(days: Days) -> tuple[str, ...]:
    """The features, of `NAMES`, that differ from one of these days to another.

    Args:
        days: Since 1970, in UTC; none missing.
    """
    made = ((name, feature(days)) for name, feature in _FEATURES.items())
    return tuple(name for name, values in made if values.min() < values.max())


def features(days: Days, names: Sequence[str]) -> Float32[np.ndarray, "rows features"]:
    """These features, 0 where a date is missing.

    Args:
        days: Since 1970, NaN where one is missing.
        names: Of `NAMES`.
    """
    out = np.zeros((len(days), len(names)), np.float32)
    known = np.flatnonzero(~np.isnan(days))
    for place, name in enumerate(names):
        out[known, place] = _FEATURES[name](days[known])
    return out


def parts(names: Sequence[str]) -> list[str]:
    """What features of these names tell, of `PARTS`."""
    return [part for part in PARTS if not _OF[part].keys().isdisjoint(names)]
