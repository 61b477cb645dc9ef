"""Masks, boxes and outlines: between pixels, COCO's run-length encoding, polygons and boxes.

Coordinates run along pixel edges, x to the right and y down; sizes are (width, height). Nothing
here reads files or knows models; OpenCV and pycocotools are loaded when first needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from framekeep.errors import InputError
from framekeep.object_types import BoolMask, BoxXyxy, Mask, Proposal
from framekeep.outlines import (
    Polygon,
    Ring,
    mask_to_polygons,
    polygons_to_mask,
    signed_area,
)
from framekeep.runs import (
    box_to_mask,
    check_mask,
    counts_to_mask,
    decode_mask,
    decode_part,
    encode_mask,
    encode_part,
    mask_area,
    mask_bbox,
    pixel_bounds,
    runs_to_mask,
)
from framekeep.slits import LEAST_IOU, redrawn_iou, slit_ring

__all__ = [
    "LEAST_IOU",
    "Boxes",
    "Polygon",
    "Ring",
    "box_iou",
    "box_mask",
    "box_to_mask",
    "clip_xyxy",
    "counts_to_mask",
    "decode_mask",
    "decode_part",
    "encode_mask",
    "encode_part",
    "encode_polygons",
    "encode_rings",
    "mask_area",
    "mask_bbox",
    "mask_iou",
    "mask_to_polygons",
    "non_max_suppression",
    "outline",
    "polygons_to_mask",
    "proposal",
    "redrawn_iou",
    "remove_small_regions",
    "rings_to_mask",
    "runs_to_mask",
    "slit_ring",
    "xywh_to_xyxy",
    "xyxy_to_xywh",
]

LONGEST_RING_PX = 5_000_000
"""pycocotools keeps every step of a ring in memory, and does not ask whether there is enough."""

Boxes = NDArray[np.float64]
"""(N, 4) float64: left, top, right, bottom along pixel edges."""


def mask_iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks of one picture, 0..1; 0 where both are empty."""
    from pycocotools import mask as coco

    if one.size_wh != other.size_wh:
        raise InputError(f"Masks of {one.size_wh} and {other.size_wh} cannot be compared.")
    if not (mask_area(one) and mask_area(other)):
        return 0.0
    height, width = one.size_wh[::-1]
    encoded = [{"size": [height, width], "counts": m.counts.encode("ascii")} for m in (one, other)]
    return float(coco.iou(encoded[:1], encoded[1:], [0])[0, 0])


def proposal(
    mask: BoolMask | Mask,
    score: float,
    label: str | None = None,
    label_score: float | None = None,
) -> Proposal:
    """One object with its box and area; raises InputError for an empty mask."""
    encoded = mask if isinstance(mask, Mask) else encode_mask(mask)
    return Proposal(encoded, mask_bbox(encoded), mask_area(encoded), score, label, label_score)


def xyxy_to_xywh(box: BoxXyxy) -> tuple[float, float, float, float]:
    """Left, top, right, bottom to left, top, width, height."""
    left, top, right, bottom = box
    return (left, top, right - left, bottom - top)


def xywh_to_xyxy(box: tuple[float, float, float, float]) -> BoxXyxy:
    """Left, top, width, height to left, top, right, bottom."""
    left, top, width, height = box
    return (left, top, left + width, top + height)


def clip_xyxy(box: BoxXyxy, size_wh: tuple[int, int]) -> BoxXyxy:
    """The part of a box within the picture; of one outside, a box without area on the border."""
    width, height = size_wh
    left, top, right, bottom = box
    x, y = (min(max(left, 0.0), width), min(max(top, 0.0), height))
    return (x, y, min(max(right, x), width), min(max(bottom, y), height))


def box_iou(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of boxes (N, 4) and (M, 4) in xyxy: (N, M) float64, 0..1."""
    one = np.asarray(boxes, np.float64).reshape(-1, 4)
    two = np.asarray(others, np.float64).reshape(-1, 4)
    corner = np.maximum(one[:, None, :2], two[None, :, :2])
    opposite = np.minimum(one[:, None, 2:], two[None, :, 2:])
    sides = np.clip(opposite - corner, 0, None)
    shared = sides[..., 0] * sides[..., 1]
    total = _areas(one)[:, None] + _areas(two)[None] - shared
    return np.asarray(shared / np.where(total > 0, total, 1.0))


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]


def non_max_suppression(boxes_xyxy: ArrayLike, scores: ArrayLike, iou: float) -> NDArray[np.int64]:
    """The boxes to keep of (N, 4), as indices, best first.

    A box goes where a better one that stays has more than `iou` in common with it; of equal
    scores the first is the better.
    """
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    waiting = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept = []
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        waiting = waiting[box_iou(boxes[best], boxes[waiting])[0] <= iou]
    return np.array(kept, np.int64)


def encode_rings(rings: Sequence[ArrayLike], size_wh: tuple[int, int]) -> Mask:
    """What COCO's polygons cover: all rings (N, 2) together, drawn as pycocotools draws them.

    Raises InputError for a ring of fewer than three points, with one that is no finite number, or
    absurdly long.
    """
    from pycocotools import mask as coco

    width, height = size_wh
    flat = []
    for ring in rings:
        points = np.asarray(ring, np.float64).reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            raise InputError("A polygon has at least three points, all of them finite numbers.")
        # Every pixel on the way to a point is counted, so none may lie far outside.
        near = np.clip(points, [-width, -height], [2 * width, 2 * height])
        if np.abs(np.diff(near, axis=0, append=near[:1])).max(axis=1).sum() > LONGEST_RING_PX:
            raise InputError(f"A polygon is at most {LONGEST_RING_PX:,} pixels long.")
        flat.append(near.ravel().tolist())
    if not flat:
        return runs_to_mask([width * height], size_wh)
    merged = coco.merge(coco.frPyObjects(flat, height, width))
    return counts_to_mask(merged["counts"].decode("ascii"), size_wh)


def rings_to_mask(rings: Sequence[ArrayLike], size_wh: tuple[int, int]) -> BoolMask:
    """What COCO's polygons cover, (height, width) bool; see `encode_rings`."""
    return decode_mask(encode_rings(rings, size_wh))


def encode_polygons(polygons: Sequence[Polygon], size_wh: tuple[int, int]) -> Mask:
    """`polygons_to_mask`, encoded, without a whole picture in memory."""
    points = np.concatenate([ring for outer, holes in polygons for ring in (outer, *holes)])
    low = np.clip(np.floor(points.min(axis=0)), 0, size_wh).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)), low, size_wh).astype(int)
    moved = [(outer - low, [hole - low for hole in holes]) for outer, holes in polygons]
    wide, tall = (high - low).tolist()
    part = polygons_to_mask(moved, (max(wide, 1), max(tall, 1)))[:tall, :wide]
    return encode_part(part, (int(low[0]), int(low[1])), size_wh)


def box_mask(box: BoxXyxy, size_wh: tuple[int, int]) -> BoolMask:
    """A filled box, (height, width) bool: its edges rounded to pixels, at least one pixel large.

    Raises InputError for a box without area in the picture.
    """
    return decode_mask(box_to_mask(box, size_wh))


def outline(mask: Mask, max_points: int = 400) -> list[list[tuple[float, float]]]:
    """Rings to draw an object with, in pixels, by the even-odd rule (holes are rings too).

    Simplified (Douglas and Peucker 1973) until they have at most `max_points` together; where
    there are more rings than that allows, the largest stay.
    """
    part, left_top = decode_part(mask)
    rings = [ring for outer, holes in mask_to_polygons(part) for ring in (outer, *holes)]
    rings.sort(key=lambda ring: -abs(signed_area(ring)))
    rings = rings[: max(max_points // 4, 1)]
    tolerance_px, simple = 0.5, rings
    while sum(map(len, simple)) > max_points:
        simple = [_simplified(ring, tolerance_px) for ring in rings]
        tolerance_px *= 1.5
    return [[*map(tuple, (ring + left_top).tolist())] for ring in simple]


def _simplified(ring: Ring, tolerance_px: float) -> Ring:
    """A ring with fewer points; one that would lose its area becomes its box."""
    import cv2

    points = cv2.approxPolyDP(ring.astype(np.float32), tolerance_px, closed=True)[:, 0]
    if len(points) >= 3:
        return points.astype(np.float64)
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def remove_small_regions(mask: BoolMask, min_px: int) -> BoolMask:
    """A mask (height, width) bool with holes of fewer than `min_px` pixels filled and islands of
    fewer taken away; the largest island always stays."""
    cleaned = check_mask(mask).copy()
    left, top, right, bottom = pixel_bounds(cleaned)
    if left == right:
        return cleaned
    part = np.pad(cleaned[top:bottom, left:right], 1)  # a border, so that only holes are enclosed
    labels, areas = _regions(~part)
    small = areas < min_px
    small[[0, labels[0, 0]]] = False
    part |= small[labels]
    labels, areas = _regions(part)
    small = areas < min_px
    small[[0, 1 + int(np.argmax(areas[1:]))]] = False
    part &= ~small[labels]
    cleaned[top:bottom, left:right] = part[1:-1, 1:-1]
    return cleaned


def _regions(mask: BoolMask) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The region of each pixel, 0 where the mask is False, and the area of each; those that
    touch at a corner are one."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    return np.asarray(labels, np.int32), np.asarray(stats[:, cv2.CC_STAT_AREA], np.int32)
