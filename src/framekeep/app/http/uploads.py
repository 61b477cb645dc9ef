"""Routes for what the browser sends: files to add, and pictures to search with."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol
from urllib.parse import unquote

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.app.http.inbox import Inbox, Incoming, Received
from framekeep.app.http.incoming import RefusedError
from framekeep.app.http.parts import Parts
from framekeep.app.http.pictures import Decoding, unchanging
from framekeep.errors import NotFoundError, StoreError
from framekeep.library import Library

CHUNK_BYTES = 1_000_000
IDLE_S = 120.0


class Sink(Protocol):
    """Where the bytes of a request go."""

    def write(self, data: bytes) -> None:
        """Append bytes. Raises RefusedError."""


def upload_routes(parts: Callable[[], Parts], decoding: Decoding) -> list[BaseRoute]:
    """PUT /fk/upload/{batch}, PUT /fk/query-image and GET /fk/query-image/{sha}."""

    async def upload(request: Request) -> Response:
        here = parts()
        received = await take_upload(request, here.inbox)
        await to_thread.run_sync(_note, here.library, received)
        return JSONResponse(
            {"name": received.shown_name, "bytes": received.bytes, "sha256": received.sha256}
        )

    async def put_picture(request: Request) -> Response:
        here = parts()
        name, size = _name(request), _length(request)
        incoming = await to_thread.run_sync(here.queries.receive, name, size)
        try:
            await pour(request, incoming)
            image = await decoding.run(incoming.finish, here.library)
        finally:
            incoming.abort()
        return JSONResponse({"image": image})

    async def get_picture(request: Request) -> Response:
        sha256 = request.path_params["sha"]
        path = parts().queries.preview(sha256)
        try:
            data = await to_thread.run_sync(path.read_bytes)
        except OSError as exc:
            raise NotFoundError("That picture is no longer kept.") from exc
        return unchanging(request, data, f'"{sha256}-query"')

    return [
        Route("/fk/upload/{batch}", told(upload), methods=["PUT"]),
        Route("/fk/query-image", told(put_picture), methods=["PUT"]),
        Route("/fk/query-image/{sha}", told(get_picture)),
    ]


async def take_upload(request: Request, inbox: Inbox) -> Received:
    """Stream a request's body into the inbox. Raises RefusedError, ClientDisconnect."""
    batch, name, size = request.path_params["batch"], _name(request), _length(request)
    incoming: Incoming = await to_thread.run_sync(inbox.receive, batch, name, size)
    try:
        await pour(request, incoming)
        return await to_thread.run_sync(incoming.finish)
    finally:
        incoming.abort()


async def pour(request: Request, sink: Sink) -> None:
    """Write a request's body to disk as it comes; about a megabyte is held at a time."""
    held = bytearray()
    async with aclosing(_chunks(request)) as chunks:
        async for chunk in chunks:
            held += chunk
            if len(held) >= CHUNK_BYTES:
                await to_thread.run_sync(sink.write, bytes(held))
                held.clear()
    await to_thread.run_sync(sink.write, bytes(held))


async def _chunks(request: Request) -> AsyncGenerator[bytes, None]:
    stream = request.stream()
    while True:
        with anyio.move_on_after(IDLE_S) as waiting:
            chunk = await anext(stream, None)
        if waiting.cancelled_caught:
            raise RefusedError(408, "Nothing more came for two minutes; send it again.")
        if chunk is None:
            return
        yield chunk


def _name(request: Request) -> str:
    return unquote(request.headers.get("x-name", ""), errors="replace")


def _length(request: Request) -> int | None:
    given = request.headers.get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() else None


def _note(library: Library, received: Received) -> None:
    """The file has arrived: where only its name cannot be kept, that is no reason to refuse it."""
    try:
        library.note_upload(str(received.path), received.shown_name)
    except StoreError:
        logging.getLogger(__name__).warning("The name of an upload was not kept", exc_info=True)
