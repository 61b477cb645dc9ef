"""A route that tells a film's frames, for previews and for the line under the player."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.app.http.objects import fresh, media_id_in
from framekeep.app.http.parts import Parts
from framekeep.errors import InputError
from framekeep.library import Library

MOST_FRAMES = 20_000
Placed = tuple[str, float, float, float]
"""A frame's id with its time and its shot's start and end, in seconds."""


def film_routes(parts: Callable[[], Parts]) -> list[BaseRoute]:
    """GET /fk/film/{media_id}?from=12.5&most=8: a film's frames, or some of them."""

    async def frames(request: Request) -> Response:
        media_id = media_id_in(request)
        from_s = _number(request, "from")
        most = int(min(_number(request, "most") or MOST_FRAMES, MOST_FRAMES))
        return fresh(await to_thread.run_sync(_told, parts().library, media_id, from_s, most))

    return [Route("/fk/film/{media_id}", told(frames))]


def _told(library: Library, media_id: str, from_s: float | None, most: int) -> dict[str, Any]:
    film = library.film(media_id)
    video = film.hit.media.video
    placed = [(i, m.time_s, m.start_s, m.end_s) for i, m in film.moments]
    if from_s is None:
        some = spread(placed, most)
    else:
        some = [frame for frame in placed if frame[1] >= from_s][:most]
    return {
        "film": film.hit.media_id,
        "duration_s": video.duration_s if video else 0.0,
        "frames": some,
    }


def spread(placed: Sequence[Placed], most: int) -> list[Placed]:
    """At most so many of these, the first among them, at even distances."""
    if len(placed) <= most:
        return list(placed)
    return [placed[number * len(placed) // most] for number in range(most)]


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise InputError(f"{name} is a number from 0 on.")
    return value
