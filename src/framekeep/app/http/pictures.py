"""Routes for thumbnails and originals, both by the media id alone."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.app.http.incoming import PLAIN_SUFFIX, safe_suffix, shown
from framekeep.app.http.parts import Parts
from framekeep.errors import MediaError, NotFoundError
from framekeep.library import Library
from framekeep.types import ThumbnailSize

Made = TypeVar("Made")

MADE_AT_ONCE = 2
FOREVER = "private, max-age=31536000, immutable"
# What the browser may run of a file that somebody else made: nothing. Its own page for a picture
# has inline styles.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
TYPES = {
    name: f"image/{name}" for name in ("jpeg", "png", "gif", "bmp", "webp", "tiff", "heic", "avif")
}
FILM_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "mpeg": "video/mpeg",
    "ts": "video/mp2t",
    "3gp": "video/3gpp",
    "wmv": "video/x-ms-wmv",
    "flv": "video/x-flv",
    "ogg": "video/ogg",
    "mxf": "application/mxf",
}
UNKNOWN_TYPE = "application/octet-stream"
_ID = re.compile(r"[0-9a-f]{64}")
_SIZES: dict[str, ThumbnailSize] = {"small": "small", "large": "large", "preview": "preview"}


class Decoding:
    """Works on at most so many pictures at once, beside the event loop, for everyone."""

    def __init__(self, at_once: int = MADE_AT_ONCE) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="pictures")

    async def run(self, make: Callable[..., Made], *args: Any) -> Made:
        """What `make` gives, once it is its turn."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, make, *args)


def picture_routes(parts: Callable[[], Parts], decoding: Decoding) -> list[BaseRoute]:
    """GET /fk/thumb/{media_id}/{size} and GET /fk/media/{media_id}."""

    async def thumbnail(request: Request) -> Response:
        media_id = _checked(request.path_params["media_id"])
        size = _SIZES.get(request.path_params["size"])
        if size is None:
            raise NotFoundError("A thumbnail is small, large or preview.")
        library = parts().library
        data = await to_thread.run_sync(_cached, library, media_id, size)
        if data is None:
            data = await decoding.run(_made, library, media_id, size)
        return unchanging(request, data, f'"{media_id}-{size}"')

    async def original(request: Request) -> Response:
        media_id = _checked(request.path_params["media_id"])
        found = await to_thread.run_sync(_original, parts().library, media_id)
        return _answer(request, *found)

    return [
        Route("/fk/thumb/{media_id}/{size}", told(thumbnail)),
        Route("/fk/media/{media_id}", told(original)),
    ]


def unchanging(request: Request, data: bytes, etag: str) -> Response:
    """A WebP picture that stays as it is for ever under its address."""
    headers = {"Cache-Control": FOREVER, "ETag": etag, "Content-Security-Policy": SANDBOX}
    if etag in _tags(request):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/webp", headers=headers)


def _tags(request: Request) -> list[str]:
    given = request.headers.get("if-none-match", "")
    return [tag.strip().removeprefix("W/") for tag in given.split(",")]


def _checked(media_id: str) -> str:
    if not _ID.fullmatch(media_id):
        raise NotFoundError("There is no such medium in this library.")
    return media_id


def _cached(library: Library, media_id: str, size: ThumbnailSize) -> bytes | None:
    path = library.thumbnails().get(media_id, size)
    try:
        return path.read_bytes() if path else None
    except OSError:
        return None


def _made(library: Library, media_id: str, size: ThumbnailSize) -> bytes:
    try:
        return library.thumbnail(media_id, size).read_bytes()
    except MediaError as exc:
        raise NotFoundError(str(exc)) from exc
    except OSError as exc:
        reason = (exc.strerror or "error").lower()
        raise NotFoundError(f"The thumbnail cannot be kept in the library: {reason}.") from exc


def _original(library: Library, media_id: str) -> tuple[Path, os.stat_result, str, str]:
    """A medium's file, its state, its format and the name to show."""
    path = library.original(media_id)
    hits = library.hits([media_id])
    try:
        status = path.stat()
        with path.open("rb"):
            pass
    except OSError as exc:
        reason = (exc.strerror or "error").lower()
        raise NotFoundError(f"The original cannot be read: {reason}.") from exc
    name = library.shown_names([str(path)]).get(str(path), path.name)
    return path, status, hits[0].media.format if hits else "", name


def _answer(request: Request, path: Path, status: os.stat_result, kind: str, name: str) -> Response:
    content_type = TYPES.get(kind) or FILM_TYPES.get(kind, UNKNOWN_TYPE)
    download = request.query_params.get("download") == "1" or content_type == UNKNOWN_TYPE
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": SANDBOX,
        # Bytes are sent as they are, so that parts of a file and the whole fit together.
        "Content-Encoding": "identity",
    }
    response = FileResponse(
        path,
        media_type=content_type,
        headers=headers,
        filename=download_name(name, kind),
        stat_result=status,
        content_disposition_type="attachment" if download else "inline",
    )
    if response.headers["etag"] in _tags(request):
        return Response(status_code=304, headers={**headers, "ETag": response.headers["etag"]})
    return response


def download_name(name: str, kind: str) -> str:
    """The name under which an original is saved: no folders, an ending of pictures or films."""
    last = shown(re.split(r"[\\/]", name)[-1]).lstrip(".")
    last = last or ("film" if kind in FILM_TYPES else "picture")
    if safe_suffix(last) == PLAIN_SUFFIX:
        last += f".{kind}" if kind in TYPES or kind in FILM_TYPES else PLAIN_SUFFIX
    return last
