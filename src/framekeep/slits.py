"""One ring through all parts and holes of an object, for formats that know one polygon only.

The ring runs a quarter of a pixel inside the object's edge. So it gives the same pixels to those
who ask which centres lie within (the even-odd rule) and to those who cut its coordinates down to
whole pixels and fill those together with the line itself, as training code does with OpenCV.
Slits are lines there and back, without width. Through holes they run within the object, between
parts by the shortest way; there the line itself costs pixels where it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import InputError
from framekeep.object_types import BoolMask
from framekeep.outlines import (
    Corners,
    Ring,
    cycles,
    fill,
    signed_area,
    trace,
)
from framekeep.runs import check_mask, pixel_bounds

INSET_PX = 0.25
TOLERANCES_PX = (2.0, 1.0)
LEAST_IOU, GOOD_IOU = 0.98, 0.99
MORE_LOST = 0.002
CRUMBS = (0.002, 0.005, 0.01)
# Rings of so few points are not worth simplifying.
FEW_POINTS = 64

_Indices = NDArray[np.int64]
_Pixel = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Foot:
    """Where a slit meets a ring: on the edge that starts at corner `edge`."""

    edge: int
    xy: tuple[float, float]


def slit_ring(mask: BoolMask, tolerance_px: float | None = None) -> Ring:
    """One ring (N, 2) float64 in pixels through all parts and holes of a mask.

    Simplified by up to `tolerance_px` (Douglas and Peucker 1973); 0 keeps every corner, None
    takes the greatest of 2, 1 and 0 px at which `redrawn_iou` stays at 0.99 or above, or where
    slits between parts have cost more, about where every corner leaves it. With None, the smallest
    parts, up to 1 % of the pixels in all, are left out where `redrawn_iou` reaches 0.98 only so.
    Raises InputError for an empty mask.
    """
    mask = check_mask(mask)
    left, top, right, bottom = pixel_bounds(mask)
    if left == right:
        raise InputError("The mask is empty; an object has at least one pixel.")
    inner = np.pad(mask[top:bottom, left:right], 1)
    ring, pinned = _joined(inner)
    if tolerance_px is None:
        ring, pinned, drawn_iou = _without_crumbs(inner, ring, pinned)
        ring = _best_simplified(inner, ring, pinned, drawn_iou)
    elif tolerance_px > 0:
        ring = _simplified(ring, pinned, tolerance_px)
    return np.asarray(ring + np.array([left - 1, top - 1]))


def _without_crumbs(
    inner: BoolMask, ring: Ring, pinned: NDArray[np.bool_]
) -> tuple[Ring, NDArray[np.bool_], float]:
    """The ring without parts so small that they are not worth their slits, where these cost much;
    where that does not help enough, with every part. The last value is what OpenCV leaves of it.
    """
    drawn_iou = redrawn_iou(inner, ring)[1]
    if drawn_iou >= LEAST_IOU:
        return ring, pinned, drawn_iou
    import cv2

    _, parts, figures, _ = cv2.connectedComponentsWithStats(inner.view(np.uint8), connectivity=4)
    areas_px = figures[1:, cv2.CC_STAT_AREA]
    order = np.argsort(areas_px)
    share = np.cumsum(areas_px[order]) / areas_px.sum()
    for most in CRUMBS:
        crumbs = order[share <= most] + 1
        if crumbs.size:
            fewer, fewer_pinned = _joined(inner & ~np.isin(parts, crumbs))
            fewer_iou = redrawn_iou(inner, fewer)[1]
            if fewer_iou >= LEAST_IOU:
                return fewer, fewer_pinned, fewer_iou
    return ring, pinned, drawn_iou


def _best_simplified(
    inner: BoolMask, exact: Ring, pinned: NDArray[np.bool_], exact_iou: float
) -> Ring:
    if len(exact) <= FEW_POINTS:
        return exact
    least = min(GOOD_IOU, exact_iou - MORE_LOST)
    if exact_iou >= LEAST_IOU:
        least = max(least, LEAST_IOU)
    for tolerance_px in TOLERANCES_PX:
        simple = _simplified(exact, pinned, tolerance_px)
        by_centres, by_opencv = redrawn_iou(inner, simple)
        if by_centres >= GOOD_IOU and by_opencv >= least:
            return simple
    return exact


def redrawn_iou(mask: BoolMask, ring: Ring) -> tuple[float, float]:
    """What is left of a mask when one ring is drawn again, as intersection over union, 0..1.

    By the even-odd rule at pixel centres, and by OpenCV's fillPoly on coordinates cut down to
    whole pixels, as YOLO's training code draws it.
    """
    import cv2

    by_centres = np.zeros(mask.shape, np.bool_)
    fill(by_centres, [ring])
    by_opencv = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(by_opencv, [ring.astype(np.int32)], color=1)
    return _iou(mask, by_centres), _iou(mask, by_opencv.view(np.bool_))


def _iou(one: BoolMask, other: BoolMask) -> float:
    return float(np.count_nonzero(one & other)) / max(float(np.count_nonzero(one | other)), 1.0)


def _joined(inner: BoolMask) -> tuple[Ring, NDArray[np.bool_]]:
    """All rings of a mask with an empty border as one, and which of its points end slits."""
    corners = trace(inner)
    points = np.stack([corners.x, corners.y], axis=1) + INSET_PX * corners.inward_xy
    edges = _Edges(corners, points, inner)
    links = _links_of_holes(corners, edges, inner) + _links_of_parts(corners, edges, inner)
    xy = [*map(tuple, points.tolist())]
    following = corners.following.tolist()
    feet = [foot for link in links for foot in link]
    nodes = list(range(len(xy), len(xy) + len(feet)))
    xy += [foot.xy for foot in feet]
    following += [-1] * len(feet)
    # Feet of one edge are put in from the far end on, each right behind the edge's start.
    far_first = sorted(
        zip(feet, nodes, strict=True), key=lambda one: -_distance(one[0].xy, xy[one[0].edge])
    )
    for foot, node in far_first:
        following[node], following[foot.edge] = following[foot.edge], node
    pins = set(nodes)
    for one, other in zip(nodes[0::2], nodes[1::2], strict=True):
        back, there = len(xy), len(xy) + 1
        xy += [xy[one], xy[other]]
        following += [following[one], following[other]]
        following[one], following[other] = there, back
        pins |= {back, there}
    order = next(iter(cycles(np.array(following))))
    ring = np.array([xy[node] for node in order], np.float64)
    return ring, np.array([node in pins for node in order], np.bool_)


def _distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


class _Edges:
    """Finds the edge of a ring that bounds a pixel on one side."""

    def __init__(self, corners: Corners, points: Ring, inner: BoolMask) -> None:
        self._inner = inner
        self._points = points
        self._stride = max(inner.shape) + 2
        x, y, after = corners.x, corners.y, corners.following
        upright = np.flatnonzero(x == x[after])
        level = np.flatnonzero(y == y[after])
        upright_keys = x[upright] * self._stride + np.minimum(y[upright], y[after[upright]])
        level_keys = y[level] * self._stride + np.minimum(x[level], x[after[level]])
        self._upright = upright[np.argsort(upright_keys)], np.sort(upright_keys)
        self._level = level[np.argsort(level_keys)], np.sort(level_keys)

    def upright(self, x: int, row: int) -> _Foot:
        """The middle of the pixel's side on the line at `x`, which must be an edge."""
        edge = self._find(self._upright, x, row)
        return _Foot(edge, (float(self._points[edge, 0]), row + 0.5))

    def level(self, y: int, column: int) -> _Foot:
        """The middle of the pixel's side on the line at `y`, which must be an edge."""
        edge = self._find(self._level, y, column)
        return _Foot(edge, (column + 0.5, float(self._points[edge, 1])))

    def _find(self, found: tuple[_Indices, _Indices], line: int, along: int) -> int:
        edges, keys = found
        at = np.searchsorted(keys, line * self._stride + along, side="right") - 1
        return int(edges[at])

    def towards(self, pixel: _Pixel, target: _Pixel) -> _Foot:
        """The open side of an object's pixel (row, column) that looks most at another one."""
        (row, column), (to_row, to_column) = pixel, target
        sides = sorted(
            [(row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)],
            key=lambda side: (side[0] - to_row) ** 2 + (side[1] - to_column) ** 2,
        )
        open_row, open_column = next(side for side in sides if not self._inner[side])
        if open_row == row:
            return self.upright(max(column, open_column), row)
        return self.level(max(row, open_row), column)


def _links_of_holes(corners: Corners, edges: _Edges, inner: BoolMask) -> list[tuple[_Foot, _Foot]]:
    """From the leftmost side of each hole straight to the left, up to the next ring.

    Each ring that is met reaches further left, so that the rings of one part become one.
    """
    points = np.stack([corners.x, corners.y], axis=1).astype(np.float64)
    links = []
    for cycle in cycles(corners.following):
        if signed_area(points[cycle]) > 0:
            continue
        x, y = corners.x[cycle], corners.y[cycle]
        side = np.flatnonzero((x == x.min()) & (np.roll(x, -1) == x.min()))[0]
        row = int(min(y[side], np.roll(y, -1)[side]))
        met = int(np.flatnonzero(~inner[row, : x[side]])[-1]) + 1
        links.append((edges.upright(int(x[side]), row), edges.upright(met, row)))
    return links


def _links_of_parts(corners: Corners, edges: _Edges, inner: BoolMask) -> list[tuple[_Foot, _Foot]]:
    """The shortest tree between the parts (Kruskal 1956), over parts that are neighbours.

    Neighbours are those whose pixels are the nearest to two pixels side by side.
    """
    if corners.part.min() == corners.part.max():
        return []
    import cv2

    count, parts = cv2.connectedComponents(inner.view(np.uint8), connectivity=4)
    _, labels = cv2.distanceTransformWithLabels(
        (~inner).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    object_px = np.flatnonzero(inner)
    nearest_px = np.zeros(int(labels.max()) + 1, np.int64)
    nearest_px[labels.ravel()[object_px]] = object_px
    nearest = nearest_px[labels]
    owner = parts.ravel()[nearest]
    beside, below = owner[:, 1:] != owner[:, :-1], owner[1:] != owner[:-1]
    one = np.concatenate([nearest[:, :-1][beside], nearest[:-1][below]])
    other = np.concatenate([nearest[:, 1:][beside], nearest[1:][below]])
    one_yx, other_yx = (np.stack(np.divmod(px, inner.shape[1]), axis=1) for px in (one, other))
    order = np.argsort(((one_yx - other_yx) ** 2).sum(axis=1), kind="stable")
    pairs = np.stack([parts.ravel()[one[order]], parts.ravel()[other[order]]], axis=1)
    # Of each two parts only the nearest pixels matter: the first of each key.
    _, first = np.unique(
        pairs.min(axis=1).astype(np.int64) * count + pairs.max(axis=1), return_index=True
    )
    first.sort()
    tree = _spanning_tree(pairs[first].tolist(), count)
    links = []
    for at in order[first[tree]].tolist():
        near, far = tuple(one_yx[at].tolist()), tuple(other_yx[at].tolist())
        links.append((edges.towards(near, far), edges.towards(far, near)))
    return links


def _spanning_tree(pairs: list[list[int]], count: int) -> list[int]:
    """Which of the pairs, best first, join what was not joined yet."""
    above = list(range(count))

    def root(one: int) -> int:
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    chosen = []
    for number, (one, other) in enumerate(pairs):
        first, second = root(one), root(other)
        if first != second:
            above[second] = first
            chosen.append(number)
    return chosen


def _simplified(ring: Ring, pinned: NDArray[np.bool_], tolerance_px: float) -> Ring:
    """A ring with fewer points; the ends of slits stay where they are, so slits have no width."""
    import cv2

    pins = np.flatnonzero(pinned)
    if not pins.size:
        points = cv2.approxPolyDP(ring.astype(np.float32), tolerance_px, closed=True)[:, 0]
        return points.astype(np.float64) if len(points) > 2 else ring
    ring = np.roll(ring, -pins[0], axis=0)
    bounds = [*(pins - pins[0]).tolist(), len(ring)]
    closed = np.concatenate([ring, ring[:1]])
    pieces = [
        _simplified_line(closed[start : end + 1], tolerance_px)[:-1]
        for start, end in pairwise(bounds)
    ]
    return np.concatenate(pieces)


def _simplified_line(line: Ring, tolerance_px: float) -> Ring:
    """An open line with fewer points; one that comes back to its start is cut at its far end."""
    import cv2

    if len(line) <= 2:
        return line
    if (line[0] == line[-1]).all():
        far = int(np.argmax(((line - line[0]) ** 2).sum(axis=1)))
        there = _simplified_line(line[: far + 1], tolerance_px)
        back = _simplified_line(line[far:], tolerance_px)
        return line if len(there) + len(back) < 5 else np.concatenate([there, back[1:]])
    points = cv2.approxPolyDP(line.astype(np.float32), tolerance_px, closed=False)[:, 0]
    return np.concatenate([line[:1], points[1:-1].astype(np.float64), line[-1:]])
