"""How routes and guards answer when something is not as it should be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from framekeep.app.http.incoming import RefusedError
from framekeep.errors import FramekeepError, InputError, MediaError, NotFoundError

Handler = Callable[[Request], Awaitable[Response]]


def error(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to what is not done, with the reason."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse({"error": sentence}, status_code=status, headers=kept)


def told(handler: Handler) -> Handler:
    """A handler whose errors are answered with a sentence; what was not foreseen is logged."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as exc:
            return error(exc.status, str(exc))
        except NotFoundError as exc:
            return error(404, str(exc))
        except MediaError as exc:
            return error(422, str(exc))
        except InputError as exc:
            return error(400, str(exc))
        except FramekeepError as exc:
            return error(503, str(exc))
        except ClientDisconnect:
            return error(400, "The connection broke off; send it again.")
        except Exception:
            logging.getLogger(__name__).exception("A route failed: %s", request.url.path)
            return error(500, "This failed; the server's log says why.")

    return answer


async def refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Answer a request, or deny a websocket before it is opened."""
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await response(scope, receive, send)
        return
    await send({"type": "websocket.close", "code": 1008, "reason": ""})  # servers answer 403
