"""Masks, boxes and outlines: between pixels, COCO's run-length encoding, polygons and boxes.

Coordinates run along pixel edges, x to the right and y down; sizes are (width, height). Nothing
here reads files or knows models; OpenCV and pycocotools are loaded when first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from framekeep.errors import InputError
from framekeep.object_types import BoolMask, BoxXyxy, Mask, Proposal
from framekeep.outlines import (
    Polygon,
    Ring,
    check_mask,
    mask_to_polygons,
    polygons_to_mask,
    signed_area,
)
from framekeep.slits import redrawn_iou, slit_ring

__all__ = [
    "Boxes",
    "Polygon",
    "Ring",
    "box_iou",
    "box_mask",
    "clip_xyxy",
    "decode_mask",
    "encode_mask",
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

Boxes = NDArray[np.float64]
"""(N, 4) float64: left, top, right, bottom along pixel edges."""


def encode_mask(mask: BoolMask) -> Mask:
    """A mask (height, width) bool as COCO's compressed run-length encoding."""
    from pycocotools import mask as coco

    mask = check_mask(mask)
    height, width = mask.shape
    encoded = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    return Mask((width, height), encoded["counts"].decode("ascii"))


def decode_mask(mask: Mask) -> BoolMask:
    """The pixels of an encoded mask, (height, width) bool; raises InputError for broken runs."""
    from pycocotools import mask as coco

    _runs(mask)  # pycocotools fills what the runs leave open with whatever lies in memory
    return np.ascontiguousarray(coco.decode(_rle(mask)).view(np.bool_))


def runs_to_mask(runs: Sequence[int], size_wh: tuple[int, int]) -> Mask:
    """COCO's uncompressed encoding, numbers of pixels column by column, background first.

    Raises InputError where they are not whole numbers from 0 on that fill the picture.
    """
    from pycocotools import mask as coco

    width, height = size_wh
    whole = all(isinstance(run, int) and run >= 0 for run in runs)
    if not whole or sum(runs) != width * height:
        raise InputError(f"The runs of the mask do not fill a picture of {width} x {height}.")
    encoded = coco.frPyObjects({"size": [height, width], "counts": list(runs)}, height, width)
    return Mask(size_wh, encoded["counts"].decode("ascii"))


def _rle(mask: Mask) -> dict[str, Any]:
    return {"size": [mask.size_wh[1], mask.size_wh[0]], "counts": mask.counts.encode("ascii")}


def _runs(mask: Mask) -> NDArray[np.int64]:
    """The lengths of a mask's runs, background first: five bits a character, the lowest first,
    from the fourth on as the difference to the last but one."""
    width, height = mask.size_wh
    broken = InputError(f"The runs of the mask do not fill a picture of {width} x {height}.")
    try:
        codes = np.frombuffer(mask.counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError as exc:
        raise broken from exc
    last = np.flatnonzero((codes & 32) == 0)
    lengths = np.diff(last, prepend=-1)
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 32 or lengths.max() > 7:
        raise broken
    place = np.arange(len(codes)) - np.repeat(last - lengths + 1, lengths)
    values = np.add.reduceat((codes & 31) << (5 * place), last - lengths + 1)
    values -= np.where(codes[last] & 16, np.int64(1) << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if values.min() < 0 or values.sum() != width * height:
        raise broken
    return values


def mask_area(mask: Mask) -> int:
    """The number of pixels of the object."""
    return int(_runs(mask)[1::2].sum())


def mask_bbox(mask: Mask) -> BoxXyxy:
    """The box around the object along pixel edges; raises InputError where there is none."""
    height = mask.size_wh[1]
    ends = np.cumsum(_runs(mask))
    ends = ends[: len(ends) // 2 * 2].reshape(-1, 2)
    ends = ends[ends[:, 0] < ends[:, 1]]
    if not len(ends):
        raise InputError("The mask is empty; an object has at least one pixel.")
    first, last = ends[:, 0], ends[:, 1] - 1
    left, right = int(first[0]) // height, int(last[-1]) // height
    if (first // height != last // height).any():
        top, bottom = _rows_of_long_runs(first, last, height)
    else:
        top, bottom = int((first % height).min()), int((last % height).max())
    return (float(left), float(top), float(right + 1), float(bottom + 1))


def _rows_of_long_runs(
    first: NDArray[np.int64], last: NDArray[np.int64], height: int
) -> tuple[int, int]:
    """The topmost and the lowest row where a run goes on from one column to the next."""
    within = first // height == last // height
    top = np.where(within, first % height, 0).min()
    bottom = np.where(within, last % height, height - 1).max()
    return int(top), int(bottom)


def mask_iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks of one picture, 0..1; 0 where both are empty."""
    from pycocotools import mask as coco

    if one.size_wh != other.size_wh:
        raise InputError(f"Masks of {one.size_wh} and {other.size_wh} cannot be compared.")
    if not (mask_area(one) and mask_area(other)):
        return 0.0
    return float(coco.iou([_rle(one)], [_rle(other)], [0])[0, 0])


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


def rings_to_mask(rings: Sequence[ArrayLike], size_wh: tuple[int, int]) -> BoolMask:
    """What COCO's polygons cover, (height, width) bool: all rings (N, 2) together.

    Drawn as pycocotools draws them. Raises InputError for a ring of fewer than three points or
    with one that is no finite number.
    """
    from pycocotools import mask as coco

    width, height = size_wh
    flat = []
    for ring in rings:
        points = np.asarray(ring, np.float64).reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            raise InputError("A polygon has at least three points, all of them finite numbers.")
        # Points far outside would have every pixel on the way to them counted.
        flat.append(np.clip(points, -width, [2 * width, 2 * height]).ravel().tolist())
    if not flat:
        return np.zeros((height, width), np.bool_)
    merged = coco.merge(coco.frPyObjects(flat, height, width))
    return np.ascontiguousarray(coco.decode(merged).view(np.bool_))


def box_mask(box: BoxXyxy, size_wh: tuple[int, int]) -> BoolMask:
    """A filled box, (height, width) bool: its edges rounded to pixels, at least one pixel large.

    Raises InputError for a box without area or outside of the picture.
    """
    left, top, right, bottom = clip_xyxy(box, size_wh)
    if not (left < right and top < bottom):
        raise InputError(f"The box {box} has no area within the picture.")
    mask = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    x, y = (min(int(left + 0.5), size_wh[0] - 1), min(int(top + 0.5), size_wh[1] - 1))
    mask[y : max(int(bottom + 0.5), y + 1), x : max(int(right + 0.5), x + 1)] = True
    return mask


def outline(mask: Mask, max_points: int = 400) -> list[list[tuple[float, float]]]:
    """Rings to draw an object with, in pixels, by the even-odd rule (holes are rings too).

    Simplified (Douglas and Peucker 1973) until they have at most `max_points` together; where
    there are more rings than that allows, the largest stay.
    """
    polygons = mask_to_polygons(decode_mask(mask))
    rings = [ring for outer, holes in polygons for ring in (outer, *holes)]
    rings.sort(key=lambda ring: -abs(signed_area(ring)))
    rings = rings[: max(max_points // 4, 1)]
    tolerance_px, simple = 0.5, rings
    while sum(map(len, simple)) > max_points:
        simple = [_simplified(ring, tolerance_px) for ring in rings]
        tolerance_px *= 1.5
    return [[(float(x), float(y)) for x, y in ring] for ring in simple]


def _simplified(ring: Ring, tolerance_px: float) -> Ring:
    """A ring with fewer points; one that would lose its area becomes its box."""
    import cv2

    points = cv2.approxPolyDP(ring.astype(np.float32), tolerance_px, closed=True)[:, 0]
    if len(points) >= 3:
        return points.astype(np.float64)
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def remove_small_regions(mask: BoolMask, min_px: int) -> BoolMask:
    """A mask without holes and islands of fewer than `min_px` pixels; the largest island stays."""
    mask = check_mask(mask)
    small = _regions(~mask, min_px)
    mask = mask | small
    lost = _regions(mask, min_px)
    if not lost.any():
        return mask
    return mask & ~lost if (mask & ~lost).any() else _largest(mask)


def _regions(mask: BoolMask, min_px: int) -> BoolMask:
    """All regions of fewer than `min_px` pixels; those that touch at a corner are one."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < min_px
    small[0] = False
    return np.asarray(small[labels], np.bool_)


def _largest(mask: BoolMask) -> BoolMask:
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    return np.asarray(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]), np.bool_)
