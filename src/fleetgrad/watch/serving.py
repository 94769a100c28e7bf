"""A server on this machine alone, in a thread of its own; and a browser to look at it.

The thread takes no signals: whoever started it ends it.
"""

import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import uvicorn

from fleetgrad.errors import UsageError
from fleetgrad.watch.app import Site
from fleetgrad.watch.follower import Follower

HOST, PORT = "127.0.0.1", 8787
GRACE = 1.0  # seconds in which pages hear the last word: a command that is stopped has few
PORTS = 65536


class Address(NamedTuple):
    """Where the page is: `url` for whoever may stop the study, with the token behind `#`.

    What stands behind `#` is never sent to any server; the page reads it from its address.
    """

    port: int
    token: str

    @property
    def url(self) -> str:
        """What to open."""
        return f"http://{HOST}:{self.port}/#{self.token}"


@contextmanager
def serving(follower: Follower, port: int | None = None) -> Iterator[Address]:
    """A block in which the page can be opened; at its end pages hear how things stand, and so.

    Args:
        follower: Sees the study.
        port: Where; else the usual one, or a free one where that is taken.

    Raises:
        UsageError: The port is taken.
    """
    listener = _bound(port)
    address = Address(listener.getsockname()[1], secrets.token_urlsafe(16))
    site = Site(follower, address.token)
    server = uvicorn.Server(
        uvicorn.Config(
            site.application(),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(
        target=server.run, args=([listener],), name="fleetgrad-watch", daemon=True
    )
    thread.start()
    try:
        yield address
    finally:
        site.ending.set()
        last = time.monotonic() + GRACE
        while site.listening and time.monotonic() < last:
            time.sleep(0.02)
        server.should_exit = True
        thread.join(GRACE)
        if not thread.is_alive():  # else it is still about to listen, and ends with the process
            listener.close()


def opened(url: str) -> bool:
    """Open a page in a browser, where there is somebody to see it; whether that was tried."""
    far = any(os.environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
    screen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if far or not screen or not sys.stderr.isatty():
        return False
    # Some browsers stay in the foreground until they are closed.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    return True


def _bound(port: int | None) -> socket.socket:
    if port is not None and not 0 <= port < PORTS:
        raise UsageError(f"a port must be from 0 to {PORTS - 1}, got {port}; use {PORT}.")
    for wanted in (PORT, 0) if port is None else (port,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
            listener.listen()
        except OSError as error:
            listener.close()
            if port is not None:
                raise UsageError(
                    f"the port must be free, got {port}, where: {error}; leave out `--port`, and "
                    "a free one is taken."
                ) from None
        else:
            return listener
    raise UsageError("a page needs a port, got none that is free; close other servers.")
