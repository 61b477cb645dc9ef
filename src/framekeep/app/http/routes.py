"""All routes of our own; they lie under /fk/."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import error
from framekeep.app.http.downloads import download_routes
from framekeep.app.http.films import film_routes
from framekeep.app.http.object_edits import edit_routes
from framekeep.app.http.objects import Outlines, object_routes
from framekeep.app.http.outlines import outline_routes
from framekeep.app.http.parts import Parts
from framekeep.app.http.pictures import Decoding, picture_routes
from framekeep.app.http.samples import sample_routes
from framekeep.app.http.signing import signing_routes
from framekeep.app.http.uploads import upload_routes

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes(parts: Callable[[], Parts]) -> list[BaseRoute]:
    """The routes, for `st.App`; `parts` is asked at every request."""
    decoding = Decoding()
    outlines = Outlines()
    return [
        *picture_routes(parts, decoding),
        *film_routes(parts),
        *outline_routes(parts, decoding),
        *sample_routes(parts),
        *download_routes(parts),
        *object_routes(parts, decoding, outlines),
        *edit_routes(parts, decoding, outlines),
        *upload_routes(parts, decoding),
        *signing_routes(parts),
        # Streamlit would answer any other address with its page.
        Route("/fk/{rest:path}", _nothing, methods=METHODS),
    ]


async def _nothing(_request: Request) -> Response:
    return error(404, "There is nothing at this address.")
