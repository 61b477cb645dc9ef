"""The segmenter protocol, and the base class that does the checking for a backend."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar, runtime_checkable

from framekeep.errors import InputError
from framekeep.object_types import Prompt, Proposal, SegmenterInfo
from framekeep.types import RgbImage, check_rgb

T = TypeVar("T")

MOST_ANSWERS = 3
"""Masks that one prompt is answered with at most."""


@runtime_checkable
class Segmenter(Protocol):
    """What the rest of framekeep knows of a segmenter. Thread-safe."""

    info: SegmenterInfo

    def segment(self, image: RgbImage) -> list[Proposal]:
        """The objects in a picture (H, W, 3) uint8 RGB, best first; masks at its full size."""

    def prompt(self, image: RgbImage, prompt: Prompt, key: str | None = None) -> list[Proposal]:
        """Masks for what a prompt points at, best first, up to three.

        Under the same `key` (a media id) the picture is embedded once, so that each further
        prompt is quick; embeddings are kept in a bounded cache.
        """


class BaseSegmenter(ABC):
    """Checks pictures and prompts, and puts the best first; a backend finds the masks.

    A prompt's box is cut to the picture, and its points lie on a pixel, before a backend sees it.
    Raises InputError for what is no picture, and for a prompt that points outside of it or at
    nothing but background.
    """

    def __init__(self, info: SegmenterInfo) -> None:
        self.info = info

    @abstractmethod
    def _segment(self, image: RgbImage) -> list[Proposal]:
        """The objects in a picture, in any order."""

    @abstractmethod
    def _prompt(self, image: RgbImage, prompt: Prompt, key: str | None) -> list[Proposal]:
        """Masks for a prompt that lies inside the picture, in any order."""

    def segment(self, image: RgbImage) -> list[Proposal]:
        """The objects in a picture (H, W, 3) uint8 RGB, best first; masks at its full size."""
        check_rgb(image)
        return _best_first(self._segment(image))

    def prompt(self, image: RgbImage, prompt: Prompt, key: str | None = None) -> list[Proposal]:
        """Masks for what a prompt points at, best first, up to three.

        Under the same `key` (a media id) the picture is embedded once, so that each further
        prompt is quick; embeddings are kept in a bounded cache.
        """
        check_rgb(image)
        height, width = image.shape[:2]
        inside = inside_picture(prompt, (width, height))
        return _best_first(self._prompt(image, inside, key))[:MOST_ANSWERS]


def inside_picture(prompt: Prompt, size_wh: tuple[int, int]) -> Prompt:
    """The prompt with its box cut to the picture and its points on pixels of it.

    Raises InputError for points outside the picture, for a box of which less than one pixel lies
    inside, and where neither a box nor a point says where the object is.
    """
    width, height = size_wh
    if prompt.box_xyxy is None and 1 not in prompt.point_labels:
        raise InputError("A prompt needs a point on the object (label 1) or a box around it.")
    for x, y in prompt.points_xy:
        if not (0 <= x <= width and 0 <= y <= height):
            raise InputError(f"The point ({x:g}, {y:g}) lies outside the {width}x{height} picture.")
    points = tuple((min(x, width - 0.5), min(y, height - 0.5)) for x, y in prompt.points_xy)
    box = prompt.box_xyxy
    if box is not None:
        if not all(math.isfinite(edge) for edge in box):
            raise InputError(f"A box has four numbers, not {box}.")
        left, top, right, bottom = box
        box = (max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height))
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            raise InputError(f"Of that box not one pixel lies in the {width}x{height} picture.")
    return replace(prompt, points_xy=points, box_xyxy=box)


def _best_first(found: Sequence[Proposal]) -> list[Proposal]:
    """By score; where two are as good, the larger one, then the one further up and left."""
    return sorted(
        found, key=lambda one: (-one.score, -one.area_px, one.bbox_xyxy[1], one.bbox_xyxy[0])
    )


class Kept(Generic[T]):
    """What pictures were turned into, by key, the `limit` used last. Thread-safe.

    Two threads may make the same one at once; both then use the first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, tuple[int, ...]], T] = OrderedDict()

    def of(self, key: str | None, image: RgbImage, make: Callable[[RgbImage], T]) -> T:
        """What was made of the picture under that key, else made now; without a key not kept."""
        if key is None:
            return make(image)
        full_key = (key, image.shape)
        with self._lock:
            if full_key in self._made:
                self._made.move_to_end(full_key)
                return self._made[full_key]
        made = make(image)
        with self._lock:
            made = self._made.setdefault(full_key, made)
            self._made.move_to_end(full_key)
            while len(self._made) > self._limit:
                self._made.popitem(last=False)
        return made

    def __len__(self) -> int:
        with self._lock:
            return len(self._made)
