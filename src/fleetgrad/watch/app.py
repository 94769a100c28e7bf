"""The addresses: the page and its files, events as they come, the end of the study.

GET /          the page, and beside it its styles and scripts
GET /events    what is on record and how things stand, whenever that changes
GET /state     the same, once
GET /report    the study's report, as soon as there is one
POST /stop     ends the study in order
"""

import asyncio
import os
import stat
import threading
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fleetgrad.directory import REPORT
from fleetgrad.errors import RunError
from fleetgrad.watch import site, stopping
from fleetgrad.watch.follower import Follower, Look
from fleetgrad.watch.guard import Guard

SECONDS = 0.5  # between two looks for a page
SOON = 0.05  # seconds in which the end of the server is noticed
SILENCE = 15.0  # seconds after which a line of nothing shows whether anybody listens
AGAIN = 1500  # milliseconds after which a page asks again for a server that went away
# A report runs its own scripts and no others, by its own policy; here it is also kept apart from
# this page and its server, for a run's directory may come from anybody.
APART = "sandbox allow-scripts; frame-ancestors 'none'; base-uri 'none'"


class Site:
    """What the pages of one server share.

    Args:
        follower: Sees the study.
        token: What a request to stop must carry.
    """

    def __init__(self, follower: Follower, token: str) -> None:
        self.follower, self._token = follower, token
        self.ending = threading.Event()  # set as the server is about to end
        self.listening = 0  # pages that get events

    def application(self) -> Guard:
        """All of it, guarded."""
        routes = [
            Route("/events", self._events),
            Route("/state", self._state),
            Route("/report", self._report),
            Route("/stop", self._stop, methods=["POST"]),
            *(Route(path, self._file) for path in site.ADDRESSES),
        ]
        return Guard(Starlette(routes=routes), self._token)

    async def _file(self, request: Request) -> Response:
        """One of the page's own files, of which there is a fixed list."""
        found = site.file(request.scope["path"])
        return Response(found.content, media_type=found.kind)

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self._told(request), media_type="text/event-stream")

    async def _told(self, request: Request) -> AsyncIterator[str]:
        self.listening += 1
        try:
            yield f"retry: {AGAIN}\n\n"
            number = beat = -1
            said = time.monotonic()
            while not await request.is_disconnected():
                ending = self.ending.is_set()
                look = await asyncio.to_thread(self.follower.look, at_once=ending)
                for text in _news(look, number, beat):
                    yield text
                    said = time.monotonic()
                number, beat = look.number, look.beat
                if ending:
                    yield "event: end\ndata: {}\n\n"
                    return
                if time.monotonic() - said > SILENCE:
                    yield ":\n\n"
                    said = time.monotonic()
                await self._pause()
        finally:
            self.listening -= 1

    async def _pause(self) -> None:
        """Wait for the next look, or for the end, whichever comes first."""
        for _ in range(round(SECONDS / SOON)):
            if self.ending.is_set():
                return
            await asyncio.sleep(SOON)

    async def _state(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's contract
        look = await asyncio.to_thread(self.follower.look)
        text = f'{{"record":{look.record},"now":{look.now}}}'
        return Response(text, media_type="application/json")

    async def _report(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's contract
        path = self.follower.path
        content = None if path is None else await asyncio.to_thread(_read, path / REPORT)
        if content is None:
            return PlainTextResponse("There is no report yet.\n", HTTPStatus.NOT_FOUND)
        headers = {"Content-Security-Policy": APART}
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)

    async def _stop(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's contract
        path = self.follower.path
        try:
            if path is None:
                raise RunError("a run must have begun to be stopped, got none yet; wait for it.")
            writer = await asyncio.to_thread(stopping.stop, path)
        except RunError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.CONFLICT)
        return JSONResponse({"stopping": str(writer)})


def _news(look: Look, number: int, beat: int) -> list[str]:
    """The events for a page that knows these."""
    events = []
    if look.number != number:
        events.append(f"event: record\ndata: {look.record}\n\n")
    if look.beat != beat:
        age = time.monotonic() - look.made
        events.append(f'event: now\ndata: {{"age":{age:.3f},{look.now[1:]}\n\n')
    return events


def _read(path: Path) -> bytes | None:
    """A file, if it is one and no link to elsewhere."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:  # which refuses a folder
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
