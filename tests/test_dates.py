"""What comes again in dates: as the calendar has it, and only where it differs."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.data import dates

BEGAN = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - days are counted without a zone
TURNS = [[name for name in dates.NAMES if name.startswith(f"{part} (")] for part in dates.PARTS]
CLOCK = [name for name in dates.NAMES if name.startswith("hour ")]


def since(moment):
    return (moment - BEGAN) / dt.timedelta(days=1)


def turned(days, part):
    """How much of a year or a day is over, from its sine and cosine, in [0, 1)."""
    sine, cosine = dates.features(np.array(days), TURNS[part]).astype(float).T
    return np.arctan2(sine, cosine) / (2 * math.pi) % 1


@given(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9998, 12, 31)))  # noqa: DTZ001
def test_the_calendar_is_the_usual_one(moment):
    days = since(moment)
    week = dates.features(np.array([days]), dates.WEEK)[0]
    assert week.tolist() == [float(day == moment.weekday()) for day in range(7)]
    expected = (moment.month - 1 + (moment.day - 1) / 31) / 12
    assert turned([days], 0)[0] == pytest.approx(expected, abs=1e-5)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (moment - midnight) / dt.timedelta(days=1)
    hours = dates.features(np.array([since(moment.replace(microsecond=0))]), CLOCK)[0]
    assert hours.tolist() == [float(hour == moment.hour) for hour in range(24)]
    apart = abs(turned([days], 2)[0] - passed)
    assert min(apart, 1 - apart) < 1e-5


def test_the_end_of_a_year_lies_beside_its_beginning():
    dates_ = [dt.datetime(2025, 12, 31), dt.datetime(2026, 1, 1)]  # noqa: DTZ001
    last, first = dates.features(np.array([*map(since, dates_)]), TURNS[0])
    assert np.hypot(*(last - first)) < 2 * math.pi / 360


@pytest.mark.parametrize(
    ("days", "parts"),
    [
        (range(0, 70, 7), ["time of year"]),
        (range(10), ["time of year", "weekday"]),
        (np.arange(48) / 24, ["time of year", "weekday", "time of day"]),
        (0.25 + np.arange(10), ["time of year", "weekday"]),
        ([since(dt.datetime(2000 + n, 3, 1)) for n in range(9)], ["weekday"]),  # noqa: DTZ001
        ([5.5, 5.5], []),
    ],
)
def test_what_never_differs_is_left_out(days, parts):
    names = dates.varying(np.array(days, float))
    assert dates.parts(names) == parts
    assert list(names) == [name for name in dates.NAMES if name in names]
    made = dates.features(np.array(days, float), names)
    assert (made.min(axis=0) < made.max(axis=0)).all()


def test_only_days_of_the_week_that_occur_have_a_feature():
    working = [day for day in range(28) if (day + dates.THURSDAY) % 7 < 5]
    assert set(dates.varying(np.array(working, float))) & {*dates.WEEK} == {*dates.WEEK[:5]}


def test_what_is_missing_says_nothing():
    made = dates.features(np.array([math.nan, 3.5]), dates.NAMES)
    assert not made[0].any()
    assert made[1].any()
