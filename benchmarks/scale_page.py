"""The growth of a study's bookkeeping as a page of Markdown."""

from collections.abc import Mapping
from typing import Any

HEAD = """\
# Scale

Written by `python benchmarks/scale.py --table`; without it the same is printed as JSON. {date},
{processor}, {cores} cores, {system}, Python {python}.

A study of the library's own (record, halving search, Sobol's sampler, audit of those that were
stopped, repeats, refit) over networks that train nothing, on {lanes:,} lanes, {epochs} epochs, each
study in a process of its own. So what it takes is its bookkeeping: asking, rungs, recording,
telling, and the invented curves.

- The aim: at most 1 ms and 1 KB of memory a candidate, a record below 1 GB for a million.
- Time is the processor's, of the whole study, over the number of candidates.
- Memory is the most that the process ever held during the study, less what it had held after one of
  a hundred candidates.
- Looking back is what `tune` and `show` say of a search beside its winner (`verdict`)."""


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    head = HEAD.format(**found, **found["machine"])
    names = (
        "candidates",
        "study, s",
        "ms a candidate",
        "memory, MB",
        "bytes a candidate",
        "record, MB",
        "bytes a candidate",
        "looking back, s",
    )
    lines = [_line(names), _line(["---:"] * len(names)), *map(_row, found["rows"])]
    return "\n\n".join([head, "\n".join(lines)]) + "\n"


def _row(row: Mapping[str, Any]) -> str:
    return _line(
        [
            f"{row['candidates']:,}",
            f"{row['study_seconds']:.1f}",
            f"{row['ms_a_candidate']:.3f}",
            f"{row['memory_bytes'] / 1e6:.0f}",
            f"{row['bytes_a_candidate']:.0f}",
            f"{row['database_bytes'] / 1e6:.1f}",
            f"{row['database_bytes_a_candidate']:.0f}",
            f"{row['verdict_seconds']:.1f}",
        ]
    )


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"
