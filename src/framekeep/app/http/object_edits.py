"""Routes that edit objects; each checks that the object still is as the page showed it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import Handler, told
from framekeep.app.http.bodies import (
    Body,
    DrawnBody,
    LabelBody,
    MaskBody,
    NewBody,
    StateBody,
    UndoBody,
    read_body,
)
from framekeep.app.http.incoming import RefusedError
from framekeep.app.http.objects import (
    Outlines,
    class_list,
    fresh,
    media_id_in,
    object_id_in,
    object_with,
    seen,
    shown,
    size_of,
)
from framekeep.app.http.parts import Parts
from framekeep.app.http.pictures import Decoding
from framekeep.app.http.signing import author
from framekeep.errors import InputError
from framekeep.library import Library
from framekeep.object_types import PERSON, BoolMask, Mask, Segment

KNOWN_CHANGES = 100
KEPT_KEYS = 1000
STALE_MASK = "Somebody else has changed this outline: it is shown anew, without your edit."
STALE = "Somebody else has changed this object: it is shown anew, without your edit."
STALE_UNDO = "Something else was edited since: nothing was taken back."

Kind = TypeVar("Kind", bound=Body)


class Edited(NamedTuple):
    """An object after an edit, and the number of the change, if it was one."""

    segment: Segment
    change: int | None


Edit = Callable[[Parts, str, Kind, str | None], Segment]


class Drawn:
    """The objects that were drawn last, by the keys that their pages gave them."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str], str] = OrderedDict()

    def draw(self, here: Parts, media_id: str, body: NewBody, who: str | None) -> Segment:
        """The object of this key, drawn now where it has not been."""
        library, key = here.library, (media_id, body.key)
        known = library.segments_by_id([self._ids[key]]) if key in self._ids else []
        if known:
            return known[0]
        size_wh = size_of(library, media_id)
        by = library.segmenter(here.segmenter).info.id if body.prompted else PERSON
        mask = _mask(body, size_wh)
        drawn = library.draw(media_id, mask, body.label, author=who, segmenter_id=by)
        self._ids[key] = drawn.segment_id
        while len(self._ids) > KEPT_KEYS:
            self._ids.popitem(last=False)
        return drawn


def edit_routes(
    parts: Callable[[], Parts], decoding: Decoding, outlines: Outlines
) -> list[BaseRoute]:
    """POST /fk/objects/{media_id}; PUT /fk/objects/{object_id}/mask, POST …/label, …/state;
    POST /fk/undo.
    """
    editing = Decoding(1)  # one edit at a time, so that none comes between a check and its edit

    def route(
        named: Callable[[Request], str],
        kind: type[Kind],
        edit: Edit[Kind],
        status: int = 200,
    ) -> Handler:
        async def handle(request: Request) -> Response:
            here, name = parts(), named(request)
            body = await read_body(request, kind)
            edited = await editing.run(_edited, edit, here, name, body, author(request, here))
            return fresh(await decoding.run(_told, here.library, edited, outlines), status)

        return told(handle)

    async def undo(request: Request) -> Response:
        here = parts()
        body = await read_body(request, UndoBody)
        return fresh(await editing.run(_undone, here.library, body.change, author(request, here)))

    new = route(media_id_in, NewBody, Drawn().draw, 201)
    mask = route(object_id_in, MaskBody, _masked)
    label = route(object_id_in, LabelBody, _labelled)
    state = route(object_id_in, StateBody, _judged)
    return [
        Route("/fk/objects/{media_id}", new, methods=["POST"]),
        Route("/fk/objects/{object_id}/mask", mask, methods=["PUT"]),
        Route("/fk/objects/{object_id}/label", label, methods=["POST"]),
        Route("/fk/objects/{object_id}/state", state, methods=["POST"]),
        Route("/fk/undo", told(undo), methods=["POST"]),
    ]


def _told(library: Library, edited: Edited, outlines: Outlines) -> dict[str, Any]:
    return {
        "segment": shown(edited.segment, outlines),
        "counts": edited.segment.mask.counts,
        "change": edited.change,
        "classes": class_list(library),
    }


def _edited(edit: Edit[Kind], here: Parts, name: str, body: Kind, who: str | None) -> Edited:
    before = _newest(here.library, who)
    segment = edit(here, name, body, who)
    after = _newest(here.library, who)
    return Edited(segment, None if after == before else after)


def _masked(here: Parts, object_id: str, body: MaskBody, who: str | None) -> Segment:
    segment = object_with(here.library, object_id)
    if segment.version != body.version:
        raise RefusedError(409, STALE_MASK)
    mask = _mask(body, segment.mask.size_wh, segment.mask)
    return here.library.correct(object_id, mask, author=who)


def _labelled(here: Parts, object_id: str, body: LabelBody, who: str | None) -> Segment:
    _check_seen(here.library, object_id, body.seen)
    here.library.label([object_id], body.label, author=who)
    return object_with(here.library, object_id)


def _judged(here: Parts, object_id: str, body: StateBody, who: str | None) -> Segment:
    library = here.library
    _check_seen(library, object_id, body.seen)
    judge = {"accepted": library.accept, "rejected": library.reject, "open": library.reopen}
    judge[body.state]([object_id], author=who)
    return object_with(library, object_id)


def _check_seen(library: Library, object_id: str, as_seen: str) -> None:
    if seen(object_with(library, object_id)) != as_seen:
        raise RefusedError(409, STALE)


def _mask(body: DrawnBody, size_wh: tuple[int, int], former: Mask | None = None) -> Mask:
    """The mask that a body draws on a former one, or on nothing.

    Raises InputError, also where nothing would be left of the object.
    """
    from framekeep.geometry import decode_mask, encode_mask
    from framekeep.retouch import even_odd_mask, paint, reshape

    if former is None:
        base: BoolMask = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    else:
        base = decode_mask(former)
    if body.moved is not None:
        pixels = reshape(base, body.moved.before, body.moved.after)
    elif body.strokes is not None:
        pixels = paint(base, [one.stroke() for one in body.strokes])
    else:
        drawn = (
            decode_mask(Mask(size_wh, body.counts))
            if body.counts is not None
            else even_odd_mask(body.rings or (), size_wh)
        )
        pixels = _combined(base, drawn, body.combine if isinstance(body, MaskBody) else "replace")
    if not pixels.any():
        raise InputError("Nothing would be left of this object: reject it instead.")
    return encode_mask(pixels)


def _combined(base: BoolMask, drawn: BoolMask, combine: str) -> BoolMask:
    if combine == "add":
        return base | drawn
    return base & ~drawn if combine == "remove" else drawn


def _newest(library: Library, who: str | None) -> int | None:
    """The last change that can be taken back, of one account or of all."""
    for change in library.changes(KNOWN_CHANGES):
        if not change.undone and who in (None, change.author):
            return change.change_id
    return None


def _undone(library: Library, change_id: int, who: str | None) -> dict[str, Any]:
    if _newest(library, who) != change_id:
        raise RefusedError(409, STALE_UNDO)
    undone = library.undo(who)
    return {"undone": undone.what if undone else ""}
