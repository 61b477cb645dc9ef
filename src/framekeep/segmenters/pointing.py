"""What a person's points and boxes say of a picture's patches, and of the mask that comes out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from framekeep.geometry import mask_iou
from framekeep.object_types import BoolMask, BoxXyxy, Prompt, Proposal
from framekeep.segmenters.spreading import Found, Hints, Scene
from framekeep.segmenters.windows import Window

Doubles = NDArray[np.float64]

POINT_RADIUS = 2.0
"""Pixels of the working picture around a point that are as sure as the point itself."""


POINT_REACHES = (0.04, 0.09, 0.19)
"""How far from a point its object is looked for, in shorter sides."""
LEAST_OF_BOX = 0.1
"""The share of a box that a mask in it has to cover."""
WORST = 0.1
"""The score of an answer that is no more than a repetition of the prompt."""


def make_hints(scene: Scene, window: Window, prompt: Prompt) -> Hints:
    """What a prompt tells of a window: its points, and that outside its box is background."""
    patch = scene.patches.patch
    count = len(scene.patches.area_px)
    pixels: dict[int, BoolMask] = {}
    told: dict[int, NDArray[np.bool_]] = {}
    down, across = _places(window, patch.shape)
    for kind in (1, 0):
        pixels[kind], told[kind] = np.zeros(patch.shape, np.bool_), np.zeros(count, np.bool_)
        for (x, y), label in zip(prompt.points_xy, prompt.point_labels, strict=True):
            if label == kind and window[0] <= x < window[2] and window[1] <= y < window[3]:
                row, column = int(np.abs(down - y).argmin()), int(np.abs(across - x).argmin())
                rows, columns = np.ogrid[: patch.shape[0], : patch.shape[1]]
                near = (rows - row) ** 2 + (columns - column) ** 2 <= POINT_RADIUS**2
                pixels[kind] |= near
                told[kind][patch[row, column]] = True
    if prompt.box_xyxy is not None:
        outside = ~inside_box(prompt.box_xyxy, window, patch.shape)
        pixels[0] |= outside & ~pixels[1]
        told[0] |= scene.patches.mean(outside) > 0.5
    return Hints(pixels[1], pixels[0], told[1], told[0] & ~told[1])


def inside_box(box: BoxXyxy, window: Window, shape: tuple[int, ...]) -> BoolMask:
    """The working pixels (h, w) of a window whose middle lies in a box; at least one."""
    down, across = _places(window, shape)
    rows = (down > box[1]) & (down < box[3])
    columns = (across > box[0]) & (across < box[2])
    rows[np.abs(down - (box[1] + box[3]) / 2).argmin()] = True
    columns[np.abs(across - (box[0] + box[2]) / 2).argmin()] = True
    inside: BoolMask = rows[:, None] & columns
    return inside


def bulge(box: BoxXyxy, window: Window, shape: tuple[int, ...]) -> Doubles:
    """A map (h, w): 1 in the middle of a box, 0.6 on the ellipse within it, 0 outside."""
    down, across = _places(window, shape)
    y = (2 * down - box[1] - box[3]) / (box[3] - box[1])
    x = (2 * across - box[0] - box[2]) / (box[2] - box[0])
    bulging: Doubles = np.clip(1 - 0.4 * (y[:, None] ** 2 + x**2), 0, 1)
    return np.where(inside_box(box, window, shape), bulging, 0)


def hills(prompt: Prompt, window: Window, shape: tuple[int, ...]) -> list[Doubles]:
    """Maps (h, w) that fall off from the points on the object, for small to large objects."""
    down, across = _places(window, shape)
    points = [
        point for point, label in zip(prompt.points_xy, prompt.point_labels, strict=True) if label
    ]
    far = max(math.dist(one, other) for one in points for other in points)
    side = min(window[2] - window[0], window[3] - window[1])
    found = []
    for reach in (max(size * side, 0.3 * far) for size in POINT_REACHES):
        heights = [((down - y) ** 2)[:, None] + (across - x) ** 2 for x, y in points]
        found.append(np.exp(-np.min(heights, axis=0) / (2 * reach**2)))
    return found


def settled(
    found: Found | None, hints: Hints, window: Window, prompt: Prompt
) -> tuple[BoolMask, float]:
    """The mask (h, w) for a prompt, and how far to trust it, 0..1.

    GrabCut in a box can come back next to empty; then it is the ellipse in the box, which a
    person can correct, with a low score.
    """
    shape = hints.object.shape
    if prompt.box_xyxy is None:
        if found is None:
            return hints.object, WORST
    else:
        inside = inside_box(prompt.box_xyxy, window, shape)
        if found is None or (found.mask & inside).sum() < LEAST_OF_BOX * inside.sum():
            ellipse = bulge(prompt.box_xyxy, window, shape) >= 0.6
            return (ellipse | hints.object) & ~hints.background, WORST
    clear = found.agreement * min(1.0, max(0.0, found.contrast) / 0.7)
    return found.mask, (0.05 + 0.65 * clear) / (2 if found.plain else 1)


def obey(mask: BoolMask, prompt: Prompt) -> None:
    """Make a full-size mask keep to the prompt's points, in place, where it does not yet."""
    radius = max(1.0, 0.005 * min(mask.shape))
    for wanted in (0, 1):
        for (x, y), label in zip(prompt.points_xy, prompt.point_labels, strict=True):
            if label == wanted and mask[int(y), int(x)] != bool(wanted):
                rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
                mask[(rows - int(y)) ** 2 + (columns - int(x)) ** 2 <= radius**2] = bool(wanted)


def distinct(found: list[Proposal]) -> list[Proposal]:
    """Without those that are nearly the same as one before them."""
    kept: list[Proposal] = []
    for one in found:
        if all(mask_iou(one.mask, other.mask) < 0.85 for other in kept):
            kept.append(one)
    return kept


def _places(window: Window, shape: tuple[int, ...]) -> tuple[Doubles, Doubles]:
    """The y of each working row, and the x of each working column, in the full picture."""
    down = window[1] + (np.arange(shape[0]) + 0.5) * (window[3] - window[1]) / shape[0]
    across = window[0] + (np.arange(shape[1]) + 0.5) * (window[2] - window[0]) / shape[1]
    return down, across
