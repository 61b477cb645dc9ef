"""A route for the outlines of objects, as SVG paths: masks are too large to send with a page."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.app.http.parts import Parts
from framekeep.app.http.pictures import Decoding
from framekeep.errors import InputError
from framekeep.object_types import BoolMask, Segment

MOST_AT_ONCE = 100
KEPT = 4096
POINTS = 160
SIDE_PX = 480
_ID = re.compile(r"[0-9a-f]{32}")


class Outlines:
    """Outlines by object and version of its mask; the last ones are kept. Thread-safe."""

    def __init__(self) -> None:
        self._paths: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, segment: Segment) -> str:
        """The outline as an SVG path in the picture's pixels, holes included."""
        key = (segment.segment_id, segment.version)
        with self._lock:
            if key in self._paths:
                self._paths.move_to_end(key)
                return self._paths[key]
        made = svg_path(segment)
        with self._lock:
            self._paths[key] = made
            while len(self._paths) > KEPT:
                self._paths.popitem(last=False)
        return made


def svg_path(segment: Segment) -> str:
    """A mask's outline as an SVG path, such as "M0 0L9 0L9 9Z"; one part for each ring.

    A large object is drawn from a smaller mask: on a photo of 12 megapixels its exact outline
    takes half a second.
    """
    from framekeep.geometry import decode_part, encode_mask, outline, remove_small_regions

    part, (left, top) = decode_part(segment.mask)
    small, scale = _within(part, SIDE_PX)
    # Crumbs would take the points that the large rings need.
    whole = remove_small_regions(small, int(small.sum()) // 400)
    rings = outline(encode_mask(whole), max_points=POINTS)
    return "".join(
        "M" + "L".join(f"{left + x * scale:.0f} {top + y * scale:.0f}" for x, y in ring) + "Z"
        for ring in rings
    )


def _within(mask: BoolMask, side_px: int) -> tuple[BoolMask, float]:
    """A mask with at most so many pixels a side, and how many of its pixels one of these is."""
    import cv2
    import numpy as np

    height, width = mask.shape
    scale = max(1.0, max(height, width) / side_px)
    if scale == 1.0:
        return mask, scale
    size_wh = (max(1, round(width / scale)), max(1, round(height / scale)))
    share = cv2.resize(mask.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA)
    small = share >= 0.5
    return (small if small.any() else share > 0), scale


def outline_routes(parts: Callable[[], Parts], decoding: Decoding) -> list[BaseRoute]:
    """GET /fk/outlines?ids=A,B: {id: {version, path}}; what is no object any more is left out."""
    outlines = Outlines()

    def made(ids: list[str]) -> dict[str, dict[str, object]]:
        found = parts().library.segments_by_id(ids)
        return {s.segment_id: {"version": s.version, "path": outlines.path(s)} for s in found}

    async def answer(request: Request) -> Response:
        ids = request.query_params.get("ids", "").split(",")
        if len(ids) > MOST_AT_ONCE or not all(_ID.fullmatch(segment_id) for segment_id in ids):
            raise InputError(f"Outlines are asked for by at most {MOST_AT_ONCE} ids of objects.")
        paths = await decoding.run(made, ids)
        return JSONResponse(paths, headers={"Cache-Control": "no-store"})

    return [Route("/fk/outlines", told(answer))]
