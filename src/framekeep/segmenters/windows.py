"""Parts of pictures, and how maps and masks get from one to another.

A window is left, top, right, bottom in whole pixels of the full picture; maps are (h, w) at some
working size and cover one window.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from framekeep.object_types import BoolMask, BoxXyxy

Floats = NDArray[np.float32]
Window = tuple[int, int, int, int]


def around(box: BoxXyxy, margin: float, inside: Window) -> Window:
    """The window around a box, with room of `margin` times its sides, kept inside another."""
    left, top, right, bottom = box
    # A strip would show the network next to nothing, so that each side gets room for the other.
    room = margin * max(right - left, bottom - top)
    return (
        max(inside[0], math.floor(left - room)),
        max(inside[1], math.floor(top - room)),
        min(inside[2], math.ceil(right + room)),
        min(inside[3], math.ceil(bottom + room)),
    )


def area_of(window: Window) -> int:
    """Pixels in a window."""
    return (window[2] - window[0]) * (window[3] - window[1])


def box_in(mask: BoolMask, window: Window) -> BoxXyxy:
    """The box, in the full picture, of a mask (h, w) with at least one pixel of a window."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    across = (window[2] - window[0]) / mask.shape[1]
    down = (window[3] - window[1]) / mask.shape[0]
    return (
        window[0] + columns[0] * across,
        window[1] + rows[0] * down,
        window[0] + (columns[-1] + 1) * across,
        window[1] + (rows[-1] + 1) * down,
    )


def seen_from(values: Floats, window: Window, other: Window, shape: tuple[int, ...]) -> Floats:
    """A map of one window as seen from another, at the size `shape` (h, w); 0 outside."""
    import cv2

    height, width = shape
    # Pixel centres of the new map, in pixels of the old one.
    across = other[0] + (np.arange(width) + 0.5) * (other[2] - other[0]) / width - window[0]
    down = other[1] + (np.arange(height) + 0.5) * (other[3] - other[1]) / height - window[1]
    x = across * values.shape[1] / (window[2] - window[0]) - 0.5
    y = down * values.shape[0] / (window[3] - window[1]) - 0.5
    x_map = np.broadcast_to(x, (height, width)).astype(np.float32)
    y_map = np.broadcast_to(y[:, None], (height, width)).astype(np.float32)
    seen = cv2.remap(values.astype(np.float32), x_map, y_map, cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(seen, np.float32)


def full_size(mask: BoolMask, window: Window, shape: tuple[int, ...]) -> BoolMask:
    """A mask of a window at the full picture's size `shape` (height, width, …), its edge smooth."""
    import cv2

    size_wh = (window[2] - window[0], window[3] - window[1])
    grown = size_wh[0] * size_wh[1] > mask.size
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0) if grown else mask
    way = cv2.INTER_LINEAR if grown else cv2.INTER_AREA
    part = cv2.resize(np.asarray(soft, np.float32), size_wh, interpolation=way) > 0.5
    full: BoolMask = np.zeros(shape[:2], np.bool_)
    full[window[1] : window[3], window[0] : window[2]] = part
    return full
