"""Drawn samples of a dataset to come: kept in memory for a while, served by a random id."""

from __future__ import annotations

import io
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from framekeep.app.http.answers import told
from framekeep.errors import NotFoundError
from framekeep.types import RgbImage

if TYPE_CHECKING:
    from framekeep.app.http.parts import Parts

KEPT = 200
LONGEST_PX = 640
QUALITY = 80
_ID = re.compile(r"[0-9a-f]{32}")


class Samples:
    """The last pictures that pages have drawn, as WebP. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, images: Sequence[RgbImage]) -> list[str]:
        """Keep pictures (H, W, 3) uint8, scaled down; gives an id for each."""
        made = [(secrets.token_hex(16), as_webp(image)) for image in images]
        with self._lock:
            self._kept.update(made)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return [sample_id for sample_id, _ in made]

    def get(self, sample_id: str) -> bytes:
        """A picture by its id. Raises NotFoundError where it is kept no longer."""
        with self._lock:
            if sample_id in self._kept:
                return self._kept[sample_id]
        raise NotFoundError("This sample is kept no longer: make the preview again.")


def as_webp(image: RgbImage) -> bytes:
    """A picture (H, W, 3) uint8 as WebP, at most 640 px a side."""
    from PIL import Image

    picture = Image.fromarray(image)
    picture.thumbnail((LONGEST_PX, LONGEST_PX))
    out = io.BytesIO()
    picture.save(out, "webp", quality=QUALITY, method=2)
    return out.getvalue()


def sample_routes(parts: Callable[[], Parts]) -> list[BaseRoute]:
    """GET /fk/sample/{sample_id}."""

    async def sample(request: Request) -> Response:
        sample_id = request.path_params["sample_id"]
        if not _ID.fullmatch(sample_id):
            raise NotFoundError("There is no such sample.")
        data = parts().samples.get(sample_id)
        headers = {"Cache-Control": "private, no-store"}
        return Response(data, media_type="image/webp", headers=headers)

    return [Route("/fk/sample/{sample_id}", told(sample))]
