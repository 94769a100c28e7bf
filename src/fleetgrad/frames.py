"""Tables for analysis: columns as a frame of whichever library is installed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleetgrad.errors import UsageError


def frame(columns: Mapping[str, Sequence[Any]]) -> Any:
    """A frame of pandas, or of Polars where pandas is not installed.

    Raises:
        UsageError: Neither is installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional
    except ImportError:
        try:
            import polars as pl  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        except ImportError:
            raise UsageError(
                "a frame needs pandas or Polars, got neither; "
                "run `pip install pandas`, or take plain values by to_json() or to_dict()."
            ) from None
        return pl.DataFrame(dict(columns))
    return pd.DataFrame(dict(columns))


def of_lines(names: Sequence[str], lines: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Columns from lines, each with a value for every name."""
    rows = list(lines)
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}
