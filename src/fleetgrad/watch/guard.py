"""Who may ask, and what a browser may do with the answers.

The server listens on this machine alone, but every page in its browser can send requests there.
- A name of somebody else's that was made to mean 127.0.0.1 (DNS rebinding) would make our answers
  that somebody's own, free to read: so the Host must be a loopback name.
- A form on any page can post: so whatever changes something must come from our own page (Origin),
  and carry the token, which only whoever reads the command's output knows.
- What we send may load nothing from elsewhere, stand in nobody's frame, and be kept nowhere.
"""

import hmac
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = frozenset({"127.0.0.1", "localhost"})
TOKEN = "x-fleetgrad-token"  # noqa: S105 - the name of a header
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """An application behind these rules.

    Args:
        app: The application.
        token: What a request that changes something must carry.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                for name, held in HEADERS.items():
                    headers[name] = held
            await send(message)

        refused = refusal(scope, self._token)
        await (refused or self._app)(scope, receive, sending)


def refusal(scope: Scope, token: str) -> Response | None:
    """Why a request is not answered; None where it is.

    Args:
        scope: Of the request.
        token: What it must carry where it may change something.
    """
    if scope["type"] != "http":
        return _refused(HTTPStatus.BAD_REQUEST, "only HTTP is spoken here")
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or (hosts[0].rpartition(":")[0] not in HOSTS and hosts[0] not in HOSTS):
        return _refused(HTTPStatus.MISDIRECTED_REQUEST, "the Host must be 127.0.0.1 or localhost")
    if scope["method"] in {"GET", "HEAD"}:
        return None
    if headers.getlist("origin") != [f"http://{hosts[0]}"]:
        return _refused(HTTPStatus.FORBIDDEN, "the Origin must be this page's own")
    given = headers.get(TOKEN, "")
    if not hmac.compare_digest(given.encode(), token.encode()):
        return _refused(
            HTTPStatus.FORBIDDEN,
            "the token must be this server's; open the address that the command printed last",
        )
    return None


def _refused(status: HTTPStatus, why: str) -> Response:
    return PlainTextResponse(f"{why}.\n", status)
