"""Edits of a mask by hand: strokes of a brush, and outlines whose corners were moved.

Both change only the pixels they touch; all others stay as they are, whatever the size at which the
person saw the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError
from framekeep.geometry import rings_to_mask
from framekeep.object_types import BoolMask

Ring = Sequence[tuple[float, float]]
"""A closed line of x and y in pixels, along pixel edges."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A stroke of a round brush: the way of its middle in pixels, and its radius in pixels.

    `erases` is True where it takes away instead of adding.
    """

    points_xy: tuple[tuple[float, float], ...]
    radius_px: float
    erases: bool = False

    def __post_init__(self) -> None:
        if not self.points_xy or not np.isfinite(self.points_xy).all():
            raise InputError("A stroke has at least one point, all of them finite numbers.")
        if not 0 < self.radius_px < np.inf:
            raise InputError(f"A brush has a radius above 0, not {self.radius_px}.")


def paint(mask: BoolMask, strokes: Sequence[Stroke]) -> BoolMask:
    """A mask (height, width) bool after these strokes, one after the other, as a new array."""
    painted = mask.copy()
    for stroke in strokes:
        touched, corner_xy = _touched(stroke, (mask.shape[1], mask.shape[0]))
        _set(painted, touched, corner_xy, not stroke.erases)
    return painted


def reshape(mask: BoolMask, before: Sequence[Ring], after: Sequence[Ring]) -> BoolMask:
    """A mask (height, width) bool whose outline `before` was moved to `after`, as a new array.

    Only what lies between both outlines changes, so that an outline with fewer corners than the
    mask's own may be moved without a loss elsewhere. Rings count by the even-odd rule.
    """
    reshaped = mask.copy()
    between: list[Ring] = []
    for ring in (*before, *after):
        # By the even-odd rule a ring that comes twice encloses nothing.
        if ring in between:
            between.remove(ring)
        else:
            between.append(ring)
    if not between:
        return reshaped
    size_wh = (mask.shape[1], mask.shape[0])
    changed = even_odd_mask(between, size_wh)
    reshaped[changed] = even_odd_mask(after, size_wh)[changed]
    return reshaped


def even_odd_mask(rings: Sequence[Ring], size_wh: tuple[int, int]) -> BoolMask:
    """What rings enclose by the even-odd rule, (height, width) bool: rings within are holes.

    Corners outside the picture count as on its edge.
    """
    mask = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    for ring in rings:
        corners = np.clip(np.asarray(ring, np.float64), 0, size_wh)
        left, top, right, bottom = _box(corners, size_wh)
        drawn = rings_to_mask([corners - (left, top)], (right - left, bottom - top))
        mask[top:bottom, left:right] ^= drawn
    return mask


def _box(corners: NDArray[np.float64], size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a picture that corners lie in: left, top, right, bottom; at least one pixel."""
    first = np.minimum(np.floor(corners.min(axis=0)), np.array(size_wh) - 1).astype(int).tolist()
    last = np.minimum(np.ceil(corners.max(axis=0)) + 1, size_wh).astype(int).tolist()
    return first[0], first[1], last[0], last[1]


def _touched(stroke: Stroke, size_wh: tuple[int, int]) -> tuple[BoolMask, NDArray[np.int64]]:
    """The pixels whose middle lies under the stroke, and the place (x, y) of their first one."""
    import cv2

    radius = stroke.radius_px
    points = np.clip(np.asarray(stroke.points_xy), -radius, np.array(size_wh) + radius)
    first = np.floor(points.min(axis=0) - radius).astype(np.int64) - 1
    last = np.ceil(points.max(axis=0) + radius).astype(np.int64) + 1
    width, height = (last - first).tolist()
    away = np.full((height, width), 255, np.uint8)
    # Sixteenths of a pixel, measured from the middle of the first one.
    ways = np.rint((points - first - 0.5) * 16).astype(np.int32)
    for start, end in zip(ways, np.vstack([ways[1:], ways[-1:]]), strict=True):
        cv2.line(away, start.tolist(), end.tolist(), 0, 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    under: BoolMask = distance <= radius
    return under, first


def _set(mask: BoolMask, touched: BoolMask, corner_xy: NDArray[np.int64], value: bool) -> None:
    """Set the touched pixels that lie in the mask."""
    x, y = corner_xy.tolist()
    left, top = max(x, 0), max(y, 0)
    right = min(x + touched.shape[1], mask.shape[1])
    bottom = min(y + touched.shape[0], mask.shape[0])
    if left < right and top < bottom:
        within = touched[top - y : bottom - y, left - x : right - x]
        mask[top:bottom, left:right][within] = value
