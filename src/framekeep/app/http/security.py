"""Guards around every request and websocket, Streamlit's as well as ours. Plain ASGI."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framekeep.app.http.answers import error, refuse
from framekeep.app.http.parts import Parts
from framekeep.app.http.signing import (
    SESSION,
    SIGN_IN,
    SIGN_OUT,
    TICKET,
    sign_in_address,
    signed_in,
)

OURS = "/fk/"
HEALTH = "/_stcore/health"
HEADER = "x-framekeep"
_OPEN_TO_ALL = (SIGN_IN, SESSION, TICKET, HEALTH)
# With an identity provider the pages themselves ask for the sign-in; these hold what they show.
_BEHIND_THE_PAGES = (OURS, "/media/", "/_stcore/upload_file")
_FORMS = (SESSION, SIGN_OUT)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"ws": "http", "wss": "https"}
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' {sockets} blob: data:; worker-src 'self' blob:; media-src 'self' blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def middleware(parts: Callable[[], Parts]) -> list[Middleware]:
    """The guards, outermost first; `parts` is asked at every request."""
    return [
        Middleware(SafeHeaders),
        Middleware(OwnHost, parts=parts),
        Middleware(SignedIn, parts=parts),
        Middleware(OwnOrigin),
    ]


class SafeHeaders:
    """Adds to every answer what keeps browsers from framing, sniffing and lending it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = _policy(Headers(scope=scope).get("host", ""))

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", policy)
                # Streamlit lends its files to every site.
                del headers["access-control-allow-origin"]
            await send(message)

        await self._app(scope, receive, safely)


class OwnHost:
    """Refuses requests for a host that is not ours, as DNS rebinding makes them."""

    def __init__(self, app: ASGIApp, parts: Callable[[], Parts]) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] in ("http", "websocket") and not self._ours(scope):
            await refuse(
                scope, receive, send, error(400, "framekeep is not asked for under this name.")
            )
            return
        await self._app(scope, receive, send)

    def _ours(self, scope: Scope) -> bool:
        given = Headers(scope=scope).getlist("host")
        match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        return match is not None and _plain(match[1]) in map(_plain, self._parts().hosts)


class SignedIn:
    """Lets in who has signed in, where the app asks for it; guards every route and websocket."""

    def __init__(self, app: ASGIApp, parts: Callable[[], Parts]) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if (scope["type"] == "http" and scope["path"] in _OPEN_TO_ALL) or (
            self._parts().users is not None and not scope["path"].startswith(_BEHIND_THE_PAGES)
        ):
            await self._app(scope, receive, send)
        elif not signed_in(connection, self._parts()):
            await self._ask(scope, receive, send)
        elif scope["type"] == "http":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, self._while_signed_in(connection, receive, send), send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_page(scope):
            query = scope.get("query_string", b"").decode("latin-1")
            address = sign_in_address(scope["path"], query)
            response = RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
            await response(scope, receive, send)
            return
        status = 401 if scope["type"] == "http" else 403
        await refuse(scope, receive, send, error(status, "Sign in first: reload the page."))

    def _while_signed_in(self, connection: HTTPConnection, receive: Receive, send: Send) -> Receive:
        """A websocket outlives the request that opened it: signing out ends it too."""

        async def checked() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not signed_in(connection, self._parts()):
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        return checked


class OwnOrigin:
    """Refuses what another site's page makes a browser send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] in ("http", "websocket"):
            sentence = _foreign(scope)
            if sentence:
                await refuse(scope, receive, send, error(403, sentence))
                return
        await self._app(scope, receive, send)


def _foreign(scope: Scope) -> str | None:
    """Why a request seems to come from elsewhere; None where it does not."""
    headers, path = Headers(scope=scope), scope["path"]
    given = headers.get("origin")
    # For Streamlit's addresses too: it would look up its own address on the internet to compare.
    if given is not None and not _same_origin(scope, headers, given):
        return "This was sent by another site's page."
    if scope["type"] != "http" or not path.startswith(OURS):
        return None
    site = headers.get("sec-fetch-site", "none")
    if site not in ("same-origin", "none") and path != SIGN_IN:
        return "This was asked for by another site's page."
    if scope["method"] in ("GET", "HEAD") or headers.get(HEADER) == "1":
        return None
    if path in _FORMS and given is not None:
        return None
    return "This needs the header X-Framekeep: 1, which only the app's own pages send."


def _same_origin(scope: Scope, headers: Headers, origin: str) -> bool:
    scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"{scheme}://{headers.get('host', '')}")
        return (theirs.scheme, theirs.hostname, theirs.port or _PORTS.get(theirs.scheme)) == (
            ours.scheme,
            ours.hostname,
            ours.port or _PORTS.get(ours.scheme),
        )
    except ValueError:
        return False


def _is_page(scope: Scope) -> bool:
    """Whether a person looks at the answer, not a script."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    headers = Headers(scope=scope)
    mode = headers.get("sec-fetch-mode")
    return mode == "navigate" or (mode is None and "text/html" in headers.get("accept", ""))


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _policy(host: str) -> str:
    """What our pages may load: this server's alone, its websocket included."""
    sockets = f"ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return _POLICY.format(sockets=sockets)
