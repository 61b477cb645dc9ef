"""All objects of a picture from a model that answers prompts: points on a grid, then a choice.

The method is that of Kirillov et al. 2023, "Segment Anything", section 5 and appendix B: each point
of a grid is a prompt; masks are kept that the model thinks well of and that hardly change with the
threshold; of those that say the same, the best stays. Masks are judged at the low size they are
decoded at, and only those that stay are scaled up, one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from framekeep.geometry import (
    Boxes,
    non_max_suppression,
    proposal,
    remove_small_regions,
)
from framekeep.object_types import BoolMask, Proposal
from framekeep.types import RgbImage

Logits = NDArray[np.float32]
"""(N, h, w) float32: a mask is where they are above 0; of a lower size than the picture."""

Points = NDArray[np.float32]
"""(N, 2) float32: x, y."""

Crop = tuple[int, int, int, int]
"""Left, top, right, bottom of a part of a picture, in pixels."""

_OVERLAP = 512 / 1500
_EDGE_PX = 20.0


@dataclass(frozen=True, slots=True)
class AutomaticSettings:
    """How objects are looked for.

    `points_per_side` points along each side, `batch` of them at a time; a mask needs a predicted
    intersection over union of `least_iou` and a stability of `least_stability`, which compares the
    masks at thresholds `stability_offset` above and below; of boxes with more than `nms_iou` in
    common the better stays. Holes and islands below `least_region` of the picture go. With
    `crop_layers`, layer i looks again at 2^i by 2^i parts of the picture, for small objects.
    """

    points_per_side: int = 16
    batch: int = 16
    least_iou: float = 0.88
    least_stability: float = 0.95
    stability_offset: float = 1.0
    nms_iou: float = 0.7
    least_region: float = 0.0001
    crop_layers: int = 0


class Looking(Protocol):
    """One picture that a model has embedded; the picture may fill only a part of the logits."""

    visible_hw: tuple[int, int]

    def answer(self, points_xy: Points) -> tuple[Logits, NDArray[np.float32]]:
        """Masks for single points in the picture's pixels, and the predicted IoU of each."""

    def full_size(self, logits: NDArray[np.floating]) -> BoolMask:
        """One mask (h, w) at the picture's size, (H, W) bool."""


class Embedder(Protocol):
    """A model that can look at a picture."""

    def look_at(self, image: RgbImage) -> Looking:
        """Embed a picture (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A mask that has been kept: where it was looked for, and how good it is."""

    crop: Crop
    logits: NDArray[np.float16]
    box_xyxy: NDArray[np.float64]
    score: float


def find_objects(model: Embedder, image: RgbImage, settings: AutomaticSettings) -> list[Proposal]:
    """All objects in a picture (H, W, 3) uint8 RGB; masks at its full size, without labels."""
    height, width = image.shape[:2]
    least_px = round(settings.least_region * height * width)
    made: list[Proposal] = []
    kept: list[_Found] = []
    for layer in range(settings.crop_layers + 1):
        side = max(1, settings.points_per_side >> layer)
        for crop in crops_of_layer((width, height), layer):
            left, top, right, bottom = crop
            looking = model.look_at(np.ascontiguousarray(image[top:bottom, left:right]))
            found = _in_crop(looking, crop, (width, height), side, settings)
            for one in found:
                mask = _whole(looking, one, (width, height), least_px)
                if mask.any():
                    kept.append(one)
                    made.append(proposal(mask, one.score))
    return _best(made, kept, settings.nms_iou)


def _in_crop(
    looking: Looking, crop: Crop, size_wh: tuple[int, int], side: int, settings: AutomaticSettings
) -> list[_Found]:
    left, top, right, bottom = crop
    points = grid(side, (right - left, bottom - top))
    found: list[_Found] = []
    for start in range(0, len(points), settings.batch):
        logits, scores = looking.answer(points[start : start + settings.batch])
        visible = logits[:, : looking.visible_hw[0], : looking.visible_hw[1]]
        good = good_masks(visible, scores, settings)
        boxes = boxes_of(visible[good], crop)
        inside = ~cut_off(boxes, crop, size_wh)
        found += [
            # Half the memory; only the sign of what lies between counts from here on.
            _Found(crop, logits[i].astype(np.float16), box, float(scores[i]))
            for i, box in zip(good[inside], boxes[inside], strict=True)
        ]
    boxes = np.array([one.box_xyxy for one in found], np.float64).reshape(-1, 4)
    best = non_max_suppression(boxes, [one.score for one in found], settings.nms_iou)
    return [found[i] for i in best]


def _whole(looking: Looking, one: _Found, size_wh: tuple[int, int], least_px: int) -> BoolMask:
    """A crop's mask on the whole picture, (H, W) bool, without small holes and islands."""
    left, top, right, bottom = one.crop
    part = looking.full_size(one.logits)
    if least_px > 1 and part.any():
        part = remove_small_regions(part, least_px)
    if (right - left, bottom - top) == size_wh:
        return part
    mask = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    mask[top:bottom, left:right] = part
    return mask


def _best(made: Sequence[Proposal], kept: Sequence[_Found], iou: float) -> list[Proposal]:
    """What stays of all crops: of two that say the same the nearer one, then the better."""
    areas = [(one.crop[2] - one.crop[0]) * (one.crop[3] - one.crop[1]) for one in kept]
    order = np.lexsort(([-one.score for one in made], areas))
    ranks = np.empty(len(made))
    ranks[order] = np.arange(len(made), 0, -1)
    boxes = np.array([one.bbox_xyxy for one in made], np.float64).reshape(-1, 4)
    return [made[i] for i in non_max_suppression(boxes, ranks, iou)]


def grid(side: int, size_wh: tuple[int, int]) -> Points:
    """`side` by `side` points, (side * side, 2), each in the middle of its cell; row by row."""
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(steps * size_wh[0], steps * size_wh[1])
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def crops_of_layer(size_wh: tuple[int, int], layer: int) -> list[Crop]:
    """2^layer by 2^layer parts that overlap and cover the picture; layer 0 is the whole."""
    count = 2**layer
    if count == 1:
        return [(0, 0, *size_wh)]
    overlap = int(_OVERLAP * min(size_wh) * 2 / count)
    parts = [_cuts(length, count, overlap) for length in size_wh]
    return [(x0, y0, x1, y1) for x0, x1 in parts[0] for y0, y1 in parts[1] if x1 > x0 and y1 > y0]


def _cuts(length: int, count: int, overlap: int) -> list[tuple[int, int]]:
    part = -(-(length + overlap * (count - 1)) // count)
    starts = [i * (part - overlap) for i in range(count)]
    return [(start, min(start + part, length)) for start in starts]


def good_masks(
    logits: Logits, scores: NDArray[np.float32], settings: AutomaticSettings
) -> NDArray[np.int64]:
    """The indices of masks that are thought well of, are stable and are not empty."""
    likely = np.flatnonzero(scores >= settings.least_iou)
    stable = stability(logits[likely], settings.stability_offset) >= settings.least_stability
    likely = likely[stable]
    return likely[(logits[likely] > 0).any(axis=(1, 2))]


def stability(logits: Logits, offset: float) -> NDArray[np.float64]:
    """(N,): the area above `+offset` as a share of that above `-offset`; 0 where both are empty.

    The inner one lies within the outer, so this is their intersection over union.
    """
    inner = (logits > offset).sum(axis=(1, 2), dtype=np.int64)
    outer = (logits > -offset).sum(axis=(1, 2), dtype=np.int64)
    shares: NDArray[np.float64] = inner / np.maximum(outer, 1)
    return shares


def boxes_of(logits: Logits, crop: Crop) -> Boxes:
    """(N, 4) boxes of masks that are not empty, in the whole picture's pixels."""
    masks: NDArray[np.bool_] = logits > 0
    left, top, right, bottom = crop
    height, width = masks.shape[1:]
    columns = np.asarray(masks.any(axis=1), np.bool_)
    rows = np.asarray(masks.any(axis=2), np.bool_)
    x0, y0 = columns.argmax(axis=1), rows.argmax(axis=1)
    x1, y1 = width - columns[:, ::-1].argmax(axis=1), height - rows[:, ::-1].argmax(axis=1)
    x_scale, y_scale = (right - left) / width, (bottom - top) / height
    return np.stack(
        [left + x0 * x_scale, top + y0 * y_scale, left + x1 * x_scale, top + y1 * y_scale], axis=1
    ).astype(np.float64)


def cut_off(boxes: Boxes, crop: Crop, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,): whether a box reaches an inner edge of its crop: the object likely goes on beyond."""
    edges = np.array(crop, np.float64)
    whole = np.array((0, 0, *size_wh), np.float64)
    near = np.abs(boxes - edges) <= _EDGE_PX
    outer = np.abs(edges - whole) < 1
    return np.asarray((near & ~outer).any(axis=1), np.bool_)
