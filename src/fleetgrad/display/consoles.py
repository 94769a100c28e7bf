"""The two places where text goes: standard output for results, standard error for the rest."""

from rich.console import Console
from rich.text import Text


def out() -> Console:
    """Standard output, as it is now."""
    return Console(highlight=False, emoji=False, markup=False)


def err() -> Console:
    """Standard error, as it is now."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong, on one line."""
    err().print(Text.assemble(("Error: ", "bold red"), sentence), soft_wrap=True)


def note(sentence: str) -> None:
    """Say something by the way on standard error."""
    err().print(Text(sentence, "yellow"), soft_wrap=True)
