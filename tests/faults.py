"""A tally of misfortunes: how many a test has brought about, and how many the product survived.

A test asks for the fixture `faults` and counts; what all tests of a session counted is printed at
its end, as a table. A fault that was tried and not survived is lost, and its test fails.
"""

from collections import Counter
from contextlib import contextmanager

PROPERTY = "faults"  # of a test's report, which travels between processes
TRIED, SURVIVED = "tried", "survived"


class Faults:
    """The tally of one test, kept in its report.

    Args:
        properties: The report's.
    """

    def __init__(self, properties):
        self._counts = {TRIED: {}, SURVIVED: {}}
        properties.append((PROPERTY, self._counts))

    def tried(self, kind, times=1):
        """A fault of this kind is about to happen."""
        self._add(TRIED, kind, times)

    def survived(self, kind, times=1):
        """Nothing came of it."""
        self._add(SURVIVED, kind, times)

    @contextmanager
    def against(self, kind):
        """A block that brings about one fault; survived if it ends without an error."""
        self.tried(kind)
        yield
        self.survived(kind)

    def _add(self, what, kind, times):
        self._counts[what][kind] = self._counts[what].get(kind, 0) + times


class Tally:
    """What all tests counted."""

    def __init__(self):
        self.counts = {TRIED: Counter(), SURVIVED: Counter()}

    def add(self, properties):
        """Take in the properties of a test's last report."""
        for name, counts in properties:
            if name == PROPERTY:
                for what, found in counts.items():
                    self.counts[what].update(found)

    def lines(self):
        """The table; nothing where nothing was tried."""
        tried, survived = self.counts.values()
        if not tried:
            return []
        rows = [(kind, n, survived[kind], n - survived[kind]) for kind, n in tried.items()]
        whole = [sum(row[place] for row in rows) for place in (1, 2, 3)]
        width = max(len(kind) for kind in ("all", *tried))
        head = f"{'fault':<{width}}  {'tried':>8}  {'survived':>8}  {'lost':>6}"
        return [
            head,
            "-" * len(head),
            *(f"{kind:<{width}}  {n:>8,}  {ok:>8,}  {lost:>6,}" for kind, n, ok, lost in rows),
            "-" * len(head),
            f"{'all':<{width}}  {whole[0]:>8,}  {whole[1]:>8,}  {whole[2]:>6,}",
        ]
