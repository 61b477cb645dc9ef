"""Signing in with the token that the server printed, and out again."""

from __future__ import annotations

import base64
import hashlib
import html
import math
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.app.http.incoming import RefusedError
from framekeep.app.http.parts import Parts
from framekeep.app.http.sessions import LIFE_S, same

SIGN_IN = "/fk/sign-in"
SESSION = "/fk/session"
SIGN_OUT = "/fk/sign-out"
TICKET = "/fk/ticket"
LONGEST_FORM = 8192
_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1f2328; --soft: #57606a; --line: #8a919b;
  --accent: #3b5bdb; --bad: #a61e1e; }
@media (prefers-color-scheme: dark) { :root { --back: #121316; --text: #e8e9ec; --soft: #a4abb6;
  --line: #7b828d; --accent: #4263eb; --bad: #ff8f8f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; font-weight: 650; }
p { margin: 0 0 1.25rem; color: var(--soft); }
p.bad { color: var(--bad); }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input, button { width: 100%; font: inherit; padding: .6rem .75rem; border-radius: 8px; }
input { border: 1px solid var(--line); background: var(--back); color: var(--text); }
button { margin-top: 1rem; border: 0; background: var(--accent); color: #fff; font-weight: 600; }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    # Under no-referrer a browser sends "Origin: null" with a form, and ours must tell its own.
    "Referrer-Policy": "same-origin",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>framekeep: {title}</title>{head}
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
_FORM = """<p>Paste the token that framekeep printed where it was started.</p>
{problem}<form method="post" action="{session}">
<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Sign in</button>
</form>"""
_LEAVE = """<p>This browser will need the token again.</p>
<form method="post" action="{sign_out}"><button type="submit">Sign out</button></form>"""


def signing_routes(parts: Callable[[], Parts]) -> list[BaseRoute]:
    """GET /fk/sign-in, POST /fk/session, POST /fk/ticket, GET and POST /fk/sign-out."""

    async def sign_in(request: Request) -> Response:
        target = own_address(request.query_params.get("next"))
        if signed_in(request, parts()):
            return RedirectResponse(target, 303)
        if request.headers.get("sec-fetch-site") == "cross-site" and not _asked_again(request):
            return _ask_again(target)
        return sign_in_page(target)

    async def session(request: Request) -> Response:
        here = parts()
        form = await _form(request)
        target = own_address(form.get("next"))
        if here.token is None:
            return RedirectResponse(target, 303)
        address = request.client.host if request.client else ""
        wait_s = here.sessions.wait_s(address)
        if wait_s > 0:
            sentence = f"Too many wrong tries: wait {math.ceil(wait_s)} seconds."
            return sign_in_page(target, sentence, 429, {"Retry-After": str(math.ceil(wait_s))})
        if not same(form.get("token", "").strip(), here.token):
            here.sessions.wrong(address)
            return sign_in_page(target, "That is not the token.", 403)
        response = RedirectResponse(target, 303)
        _set_cookie(response, request, here.sessions.open(), LIFE_S)
        return response

    async def ticket(request: Request) -> Response:
        """The page of a user who has signed in elsewhere fetches the cookie for our routes."""
        here = parts()
        name = here.sessions.redeem(request.headers.get("x-ticket", "")[:100])
        if here.users is None or name is None:
            raise RefusedError(403, "This sign-in is no longer good: reload the page.")
        response = Response(status_code=204)
        _set_cookie(response, request, name, LIFE_S)
        return response

    async def sign_out(request: Request) -> Response:
        if request.method != "POST":
            return _page("Sign out", _LEAVE.format(sign_out=SIGN_OUT))
        parts().sessions.end(request.cookies.get(cookie_name(request)))
        response = RedirectResponse(SIGN_IN, 303)
        _set_cookie(response, request, "", 0)
        return response

    return [
        Route(SIGN_IN, told(sign_in)),
        Route(SESSION, told(session), methods=["POST"]),
        Route(TICKET, told(ticket), methods=["POST"]),
        Route(SIGN_OUT, told(sign_out), methods=["GET", "POST"]),
    ]


def signed_in(connection: HTTPConnection, parts: Parts) -> bool:
    """Whether this request may see the library."""
    name = connection.cookies.get(cookie_name(connection))
    return (parts.token is None and parts.users is None) or parts.sessions.known(name)


def author(connection: HTTPConnection, parts: Parts) -> str | None:
    """The account that is signed in with an identity provider, else None."""
    if parts.users is None:
        return None
    return parts.sessions.user(connection.cookies.get(cookie_name(connection)))


def cookie_name(connection: HTTPConnection) -> str:
    """Browsers share cookies between the ports of a host, so the name tells them apart."""
    try:
        port = urlsplit("//" + connection.headers.get("host", "")).port
    except ValueError:
        port = None
    return f"framekeep_{port or 'session'}"


def sign_in_address(path: str, query: str) -> str:
    """Where to sign in, to come back to an address of ours."""
    target = own_address(path + (f"?{query}" if query else ""))
    return SIGN_IN if target == "/" else f"{SIGN_IN}?next={quote(target, safe='')}"


def own_address(target: str | None) -> str:
    """A path and query on this server; "/" for anything that could lead elsewhere."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return "/"
    if len(target) > 4096 or not target.isprintable() or target.startswith("/fk/"):
        return "/"
    return quote(target, safe="/?&=%+:;,@!$'()*~#[]-._")


def sign_in_page(
    target: str, problem: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The form, with what was wrong."""
    told_problem = f'<p class="bad" role="alert">{html.escape(problem)}</p>\n' if problem else ""
    body = _FORM.format(problem=told_problem, session=SESSION, next=html.escape(target))
    return _page("Sign in", body, status=status, headers=headers)


def _ask_again(target: str) -> Response:
    """After a link from another site the browser keeps a strict cookie back: come from here."""
    again = html.escape(f"{SIGN_IN}?again=1&next={quote(target, safe='')}")
    head = f'\n<meta http-equiv="refresh" content="0; url={again}">'
    return _page("Sign in", f'<p><a href="{again}">Go on to framekeep</a></p>', head=head)


def _asked_again(request: Request) -> bool:
    return request.query_params.get("again") == "1"


def _page(
    title: str,
    body: str,
    *,
    head: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    text = _PAGE.format(title=title, head=head, style=_STYLE, body=body)
    return HTMLResponse(text, status, headers={**_HEADERS, **(headers or {})})


def _set_cookie(response: Response, request: Request, value: str, life_s: int) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        cookie_name(request),
        value,
        max_age=life_s,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


async def _form(request: Request) -> dict[str, str]:
    """A form's first value for each name. Raises RefusedError for a long or foreign body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedError(415, "A sign-in is sent as a form.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise RefusedError(413, "That form is too long.")
    fields = parse_qs(body.decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}
