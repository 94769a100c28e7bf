"""The page's own files, all there are: whatever else is asked for is not found."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple


class File(NamedTuple):
    """What is sent, and what kind of text it is."""

    content: bytes
    kind: str


_PLACES = {  # addresses: whose package, which file, its kind
    "/": ("watch", "page/watch.html", "text/html"),
    "/common.css": ("report", "templates/style.css", "text/css"),
    "/watch.css": ("watch", "page/watch.css", "text/css"),
    "/chart.js": ("watch", "page/chart.js", "text/javascript"),
    "/watch.js": ("watch", "page/watch.js", "text/javascript"),
}
ADDRESSES = tuple(_PLACES)


@cache
def file(address: str) -> File:
    """What lies at one of the addresses."""
    package, name, kind = _PLACES[address]
    content = files(f"fleetgrad.{package}").joinpath(*name.split("/")).read_bytes()
    return File(content, f"{kind}; charset=utf-8")
