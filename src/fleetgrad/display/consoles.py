"""The two places where text goes: standard output for results, standard error for the rest.

Where an encoding lacks the bars, dots and lines of the tables, plain letters stand for them.
"""

import io
import sys
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.text import Text

PLAIN = dict(zip("▁▂▃▄▅▆▇█│└─\u00d7·…", "_.:-=+*#|+-x-.", strict=True))


def out() -> Console:
    """Standard output, as it is now."""
    return Console(file=_plain(sys.stdout), highlight=False, emoji=False, markup=False)


def err() -> Console:
    """Standard error, as it is now."""
    return Console(file=_plain(sys.stderr), highlight=False, emoji=False, markup=False)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong, on one line."""
    err().print(Text.assemble(("Error: ", "bold red"), sentence), soft_wrap=True)


def note(sentence: str) -> None:
    """Say something by the way on standard error."""
    err().print(Text(sentence, "yellow"), soft_wrap=True)


class Plain:
    """A stream whose encoding lacks some letters: others, or their codes, are written for them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._letters = {ord(one): plain for one, plain in PLAIN.items() if not _has(stream, one)}

    def write(self, text: str) -> int:
        """Write what can be written of it."""
        known = text.translate(self._letters)
        encoding = self._stream.encoding
        return self._stream.write(known.encode(encoding, "backslashreplace").decode(encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _plain(stream: TextIO) -> IO[str]:
    if all(_has(stream, one) for one in PLAIN):
        return stream
    return cast("IO[str]", Plain(stream))


def _has(stream: TextIO, letter: str) -> bool:
    """Whether a stream can write this; those in memory, which have no encoding, can write all."""
    if isinstance(stream, io.StringIO):
        return True
    try:
        letter.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
