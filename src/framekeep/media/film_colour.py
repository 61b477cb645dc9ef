"""From a decoded picture to RGB as it is meant to be seen: upright, square pixels, sRGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from framekeep.types import RgbImage

if TYPE_CHECKING:
    import av

_UNSPECIFIED = (0, 2, 3)


@dataclass(frozen=True, slots=True)
class Upright:
    """How a film's pictures are laid upright: size as displayed, quarter turns, mirrored or not.

    `stored_wh` is the size with square pixels before turning.
    """

    size_wh: tuple[int, int]
    stored_wh: tuple[int, int]
    turns: int = 0
    mirrored: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame, stream: Any) -> Upright:
        """From a film's first picture: its display matrix and its pixels' shape."""
        turns, mirrored = _turns(frame)
        ratio = stream.sample_aspect_ratio
        square = not ratio or ratio <= 0 or not 0.05 < ratio < 20
        width = frame.width if square else max(1, round(frame.width * ratio))
        stored = (width, frame.height)
        return cls(stored[::-1] if turns % 2 else stored, stored, turns, mirrored)

    def rgb(self, frame: av.VideoFrame, min_side_px: int | None) -> RgbImage:
        """(height, width, 3) uint8; reduced to a shorter side of `min_side_px` where given."""
        width, height = self.stored_wh
        if min_side_px is not None and min(width, height) > min_side_px:
            scale = min_side_px / min(width, height)
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
        rgb = _converted(frame, width, height)
        if self.mirrored:
            rgb = rgb[:, ::-1]
        return np.ascontiguousarray(np.rot90(rgb, self.turns))


def _turns(frame: av.VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise and whether it is mirrored before, by the display matrix."""
    from av.sidedata.sidedata import Type

    try:
        matrix = np.frombuffer(bytes(frame.side_data[Type.DISPLAYMATRIX]), np.int32)
    except KeyError:
        return 0, False
    a, b, c, d = (float(matrix[i]) for i in (0, 1, 3, 4))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # The matrix turns clockwise where the picture's axis points down.
    angle = np.degrees(np.arctan2(b, a))
    return -round(float(angle) / 90) % 4, mirrored


def _converted(frame: av.VideoFrame, width: int, height: int) -> RgbImage:
    from av.video.reformatter import Colorspace, Interpolation

    reduced = width < frame.width or height < frame.height
    way = Interpolation.AREA if reduced else Interpolation.BICUBIC
    # Films that do not tell follow the custom of their size: BT.709 from 720 lines on.
    untold = frame.colorspace in _UNSPECIFIED and max(frame.width, frame.height) >= 1280
    converted = frame.reformat(
        width,
        height,
        "rgb24",
        src_colorspace=Colorspace.ITU709 if untold else None,
        interpolation=way | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )
    return np.asarray(converted.to_ndarray())
