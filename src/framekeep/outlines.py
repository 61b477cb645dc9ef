"""Outlines of masks along pixel edges, and their way back: exact for every mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError
from framekeep.object_types import BoolMask
from framekeep.runs import check_mask, pixel_bounds

Ring = NDArray[np.float64]
"""A closed line: (N, 2) float64, x and y in pixels along pixel edges; the last point is not
the first one again."""

Polygon = tuple[Ring, list[Ring]]
"""One part of an object: its outer ring (clockwise as seen) and its holes (the other way round)."""

_Indices = NDArray[np.int64]

# A corner is told by its four pixels: 1 above left, 2 above right, 4 below left, 8 below right.
_ABOVE_LEFT, _ABOVE_RIGHT, _BELOW_LEFT, _BELOW_RIGHT = 1, 2, 4, 8
_SADDLES = (_ABOVE_LEFT + _BELOW_RIGHT, _ABOVE_RIGHT + _BELOW_LEFT)


def _one_of(*pixels: int) -> NDArray[np.bool_]:
    """A table (16,) bool to look corners up in."""
    return np.isin(np.arange(16), pixels)


_CONVEX = _one_of(1, 2, 4, 8)
_CONCAVE = _one_of(14, 13, 11, 7)
_SADDLE = _one_of(*_SADDLES)
_CORNER = _CONVEX | _CONCAVE | _SADDLE
# The pixel of a corner's own that lies in the middle: of three, the one opposite to the missing.
_BELOW = _one_of(4, 8, 14, 13)
_RIGHT = _one_of(2, 8, 14, 11)
# With the object on the right hand, a ring leaves these corners along the row.
_LEAVES_BY_ROW = _one_of(_ABOVE_LEFT, _BELOW_RIGHT, 15 - _ABOVE_RIGHT, 15 - _BELOW_LEFT)


@dataclass(frozen=True, slots=True)
class Corners:
    """The corners of all rings: (N,) each, in no order.

    `x`, `y` are pixel edges. `inward_xy` (N, 2), -1 or 1, points into the object. `following`
    holds the index of the next corner on the ring, `part` the number of the part it bounds.
    """

    x: _Indices
    y: _Indices
    inward_xy: _Indices
    following: _Indices
    part: _Indices


def mask_to_polygons(mask: BoolMask) -> list[Polygon]:
    """The parts of a mask (height, width) bool as polygons along pixel edges, topmost first.

    Pixels that touch at a corner only belong to different parts, so that no outer ring meets
    itself. `polygons_to_mask` gives the same mask again. An empty mask has no polygons.
    """
    corners = trace(mask)
    points = np.stack([corners.x, corners.y], axis=1).astype(np.float64)
    outer: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    part = corners.part.tolist()
    for cycle in cycles(corners.following):
        ring = points[cycle]
        if signed_area(ring) > 0:
            outer[part[cycle[0]]] = ring
        else:
            holes.setdefault(part[cycle[0]], []).append(ring)
    return [(ring, holes.get(number, [])) for number, ring in sorted(outer.items())]


def signed_area(ring: Ring) -> float:
    """The area within a ring (N, 2) in square pixels, negative where it runs anticlockwise."""
    x, y = (ring - ring[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def trace(mask: BoolMask) -> Corners:
    """The corners of a mask's outline, linked to rings with the object on the right hand."""
    mask = check_mask(mask)
    left, top, right, bottom = pixel_bounds(mask)
    if left == right:
        none = np.empty(0, np.int64)
        return Corners(none, none, none.reshape(0, 2), none, none)
    inner = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
    inner[1:-1, 1:-1] = mask[top:bottom, left:right]
    y, x, own = _find_corners(inner)
    below, rightwards = _BELOW[own], _RIGHT[own]
    import cv2

    _, parts = cv2.connectedComponents(inner, connectivity=4, ltype=cv2.CV_32S)
    part = parts[y + below, x + rightwards].astype(np.int64)
    inward = np.stack([rightwards, below], axis=1).astype(np.int64) * 2 - 1
    return Corners(x + left, y + top, inward, _link(x, y, own), part)


def _find_corners(padded: NDArray[np.uint8]) -> tuple[_Indices, _Indices, _Indices]:
    """Row, column and pixels of each corner; where two parts touch there are two corners."""
    above = padded[:, :-1] + 2 * padded[:, 1:]
    pixels = above[:-1] + 4 * above[1:]
    y, x = np.divmod(np.flatnonzero(_CORNER[pixels]), pixels.shape[1])
    own = pixels[y, x].astype(np.int64)
    twice = _SADDLE[own]
    lower = np.where(own[twice] == _SADDLES[0], _BELOW_RIGHT, _BELOW_LEFT)
    second = (y[twice], x[twice], lower)
    own[twice] -= lower
    return tuple(np.concatenate(pair) for pair in zip((y, x, own), second, strict=True))  # type: ignore[return-value]


def _link(x: _Indices, y: _Indices, own: _Indices) -> _Indices:
    """The next corner of each: corners in a row bound its edges two by two, so in a column.

    A corner of one pixel has its edges on that pixel's side, one of three on the other's.
    """
    goes_right, goes_down = (side[own] == _CONVEX[own] for side in (_RIGHT, _BELOW))
    by_row = _pairs(np.lexsort((goes_right, x, y)))
    by_column = _pairs(np.lexsort((goes_down, y, x)))
    return np.where(_LEAVES_BY_ROW[own], by_row, by_column)


def _pairs(order: _Indices) -> _Indices:
    """The partner of each where the 1st and 2nd in order belong together, the 3rd and 4th …"""
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner


def cycles(following: _Indices) -> Iterable[list[int]]:
    """The corners of each ring in turn, as indices, by the first corner of each."""
    after = following.tolist()
    for start in range(len(after)):
        at, cycle = start, []
        while after[at] >= 0:
            cycle.append(at)
            after[at], at = -1, after[at]
        if cycle:
            yield cycle


def polygons_to_mask(polygons: Sequence[Polygon], size_wh: tuple[int, int]) -> BoolMask:
    """The pixels (height, width) bool whose centres lie in any of the polygons, holes left out.

    Within one polygon the even-odd rule holds. What lies outside the picture is cut off.
    """
    mask = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    for outer, holes in polygons:
        fill(mask, [outer, *holes])
    return mask


def fill(mask: BoolMask, rings: Sequence[Ring]) -> None:
    """Set the pixels of `mask` (height, width) whose centres lie in an odd number of rings."""
    height, width = mask.shape
    start = np.concatenate([np.asarray(ring, np.float64).reshape(-1, 2) for ring in rings])
    end = np.concatenate(
        [np.roll(np.asarray(ring, np.float64).reshape(-1, 2), -1, axis=0) for ring in rings]
    )
    if not np.isfinite(start).all():
        raise InputError("A polygon's points are finite numbers.")
    # From top to bottom always, so that a line there and back cancels to the last bit.
    upward = (start[:, 1] > end[:, 1])[:, None]
    start, end = np.where(upward, end, start), np.where(upward, start, end)
    first = np.clip(np.ceil(start[:, 1] - 0.5), 0, height).astype(np.int64)
    counts = np.clip(np.ceil(end[:, 1] - 0.5), 0, height).astype(np.int64) - first
    crossing = np.flatnonzero(counts > 0)
    if not crossing.size:
        return
    first, counts = first[crossing], counts[crossing]
    top, bottom = int(first.min()), int((first + counts).max())
    edge = np.repeat(crossing, counts)
    row = np.arange(len(edge)) + np.repeat(first - np.cumsum(counts) + counts, counts)
    run, drop = (end - start)[edge].T
    x = start[edge, 0] + run * ((row + 0.5 - start[edge, 1]) / drop)
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    left, right = int(column.min()), int(column.max())
    wide = right - left + 1
    odd = np.zeros((bottom - top, wide), np.bool_)
    at, times = np.unique((row - top) * wide + column - left, return_counts=True)
    odd.ravel()[at[times % 2 == 1]] = True
    filled = np.logical_xor.accumulate(odd, axis=1)[:, : right - left]
    mask[top:bottom, left:right] |= filled
