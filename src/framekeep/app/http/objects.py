"""Routes of the annotation view: the objects of a medium, their masks, and prompts."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.app.http.bodies import PromptBody, read_body
from framekeep.app.http.parts import Parts
from framekeep.app.http.pictures import Decoding
from framekeep.errors import FramekeepError, NotFoundError
from framekeep.library import Library
from framekeep.object_types import PERSON, Mask, Prompt, Segment

POINTS = 400
KEPT_OUTLINES = 2048
_MEDIA = re.compile(r"[0-9a-f]{64}")
_OBJECT = re.compile(r"[0-9a-f]{32}")

FlatRings = list[list[float]]
"""Rings as x, y, x, y, … each."""


class Outlines:
    """Outlines by object and version of its mask; the last ones are kept. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], FlatRings] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, segment: Segment) -> FlatRings:
        """The rings to draw an object with, holes included, by the even-odd rule."""
        key = (segment.segment_id, segment.version)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = flat_rings(segment.mask)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT_OUTLINES:
                self._kept.popitem(last=False)
        return made


def flat_rings(mask: Mask) -> FlatRings:
    """A mask's outline as few numbers as drawing it takes."""
    from framekeep.geometry import outline

    rings = outline(mask, max_points=POINTS)
    return [[round(value, 1) for point in ring for value in point] for ring in rings]


def object_routes(
    parts: Callable[[], Parts], decoding: Decoding, outlines: Outlines
) -> list[BaseRoute]:
    """GET /fk/objects/{media_id}, POST …/prompt, and GET /fk/objects/{object_id}/mask."""
    prompting = Decoding(1)  # one prompt at a time: a model uses all cores

    async def listing(request: Request) -> Response:
        here, media_id = parts(), media_id_in(request)
        found = await decoding.run(_listed, here.library, media_id, outlines)
        return fresh(found, background=BackgroundTask(prompting.run, _warm, here))

    async def prompt(request: Request) -> Response:
        here, media_id = parts(), media_id_in(request)
        asked = (await read_body(request, PromptBody)).prompt()
        return fresh(await prompting.run(_prompted, here, media_id, asked))

    async def mask(request: Request) -> Response:
        found = await to_thread.run_sync(object_with, parts().library, object_id_in(request))
        size = list(found.mask.size_wh)
        return fresh({"version": found.version, "size": size, "counts": found.mask.counts})

    return [
        Route("/fk/objects/{media_id}", told(listing)),
        Route("/fk/objects/{media_id}/prompt", told(prompt), methods=["POST"]),
        Route("/fk/objects/{object_id}/mask", told(mask)),
    ]


def media_id_in(request: Request) -> str:
    """The medium that an address names. Raises NotFoundError for what cannot be one."""
    media_id = str(request.path_params["media_id"])
    if not _MEDIA.fullmatch(media_id):
        raise NotFoundError("There is no such photo in this library.")
    return media_id


def object_id_in(request: Request) -> str:
    """The object that an address names. Raises NotFoundError for what cannot be one."""
    object_id = str(request.path_params["object_id"])
    if not _OBJECT.fullmatch(object_id):
        raise NotFoundError("There is no such object in this library.")
    return object_id


def fresh(
    content: dict[str, Any], status: int = 200, background: BackgroundTask | None = None
) -> Response:
    """An answer that is never kept."""
    return JSONResponse(content, status, {"Cache-Control": "no-store"}, background=background)


def object_with(library: Library, object_id: str) -> Segment:
    """The object of this id. Raises NotFoundError."""
    found = library.segments_by_id([object_id])
    if not found:
        raise NotFoundError("This object is no longer in the library.")
    return found[0]


def _listed(library: Library, media_id: str, outlines: Outlines) -> dict[str, Any]:
    size_wh = size_of(library, media_id)
    segments = library.segments(media_id, rejected=True)
    return {
        "media": media_id,
        "size": list(size_wh),
        "segments": [shown(segment, outlines) for segment in segments],
        "classes": class_list(library),
    }


def size_of(library: Library, media_id: str) -> tuple[int, int]:
    """A medium's width and height. Raises NotFoundError."""
    hits = library.hits([media_id])
    if not hits:
        raise NotFoundError("There is no such photo in this library.")
    return hits[0].media.size_wh


def class_list(library: Library) -> list[dict[str, str]]:
    """All classes, the most used first."""
    known = sorted(library.classes(), key=lambda c: (-c.segments - c.media, c.name))
    return [{"name": one.name, "colour": one.colour} for one in known]


def shown(segment: Segment, outlines: Outlines) -> dict[str, Any]:
    """An object as the page draws it; `seen` changes with its label and state."""
    return {
        "id": segment.segment_id,
        "version": segment.version,
        "seen": seen(segment),
        "label": segment.label or "",
        "labelSource": segment.label_source or "",
        "labelScore": segment.label_score,
        "state": segment.state,
        "maskSource": segment.mask_source,
        "origin": origin(segment),
        "score": round(segment.score, 4),
        "box": list(segment.bbox_xyxy),
        "area": segment.area_px,
        "rings": outlines.of(segment),
    }


def origin(segment: Segment) -> str:
    """Where an object's mask comes from, in words."""
    name = segment.segmenter_id.partition("@")[0].removesuffix("-seg")
    if segment.mask_source == "import":
        return "imported"
    if segment.mask_source == "person":
        return "by a person" + ("" if segment.segmenter_id == PERSON else f" with {name}")
    return "draft of the main object by starter" if name == "starter" else f"found by {name}"


def seen(segment: Segment) -> str:
    """What a person saw of an object beside its mask, to tell whether it is still so."""
    known = f"{segment.state}|{segment.label_source}|{segment.label}"
    return hashlib.sha256(known.encode()).hexdigest()[:12]


# Prompts


def _warm(here: Parts) -> None:
    """Load the segmenter before the first prompt; why it does not load is told by that one."""
    try:
        here.library.segmenter(here.segmenter)
    except FramekeepError:
        return
    except Exception:
        logging.getLogger(__name__).exception("The segmenter could not be loaded")


def _prompted(here: Parts, media_id: str, prompt: Prompt) -> dict[str, Any]:
    size_of(here.library, media_id)
    segmenter = here.library.segmenter(here.segmenter)
    found = here.library.prompt(media_id, prompt, segmenter)
    return {
        "segmenter": {"name": segmenter.info.name, "draft": segmenter.info.is_draft},
        "proposals": [
            {
                "counts": one.mask.counts,
                "rings": flat_rings(one.mask),
                "box": list(one.bbox_xyxy),
                "area": one.area_px,
                "score": round(one.score, 4),
                "label": one.label or "",
            }
            for one in found
        ],
    }
