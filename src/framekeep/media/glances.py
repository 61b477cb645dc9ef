"""How a decoded picture looks at a glance, by its luma alone: converting costs ten times more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from framekeep.media.cuts import PLANES
from framekeep.media.film_reader import Picture
from framekeep.media.quality import REFERENCE_SIDE_PX, Luma, brightness, sharpness

if TYPE_CHECKING:
    import av

_FULL_RANGE = 2
_DARK, _BRIGHT, _DIM, _GLARING = 0.06, 0.97, 0.15, 0.95
_BLANK, _SOFT = 4.0, 40.0


@dataclass(frozen=True, slots=True)
class Glance:
    """A picture that may be chosen, not yet converted, with its figures of `media.quality`."""

    picture: Picture
    sharpness: float
    brightness: float

    @property
    def worth(self) -> float:
        """How much it is worth showing; 0 for black, white or blank ones."""
        if not _DARK < self.brightness < _BRIGHT or self.sharpness < _BLANK:
            return 0.0
        exposure = min(1.0, self.brightness / _DIM, (1 - self.brightness) / 0.1)
        return float(np.log1p(self.sharpness)) * exposure

    @property
    def is_poor(self) -> bool:
        """Whether a better one near it is wanted."""
        return not _DIM < self.brightness < _GLARING or self.sharpness < _SOFT


def glance(picture: Picture) -> Glance:
    """Look at a decoded picture."""
    luma = _luma(picture.frame)
    return Glance(picture, sharpness(luma), brightness(luma))


def _luma(frame: av.VideoFrame) -> Luma:
    """(H, W) uint8, its shorter side from once to twice the reference of `media.quality`."""
    # By a whole number: OpenCV averages those quickly.
    step = max(1, min(frame.width, frame.height) // REFERENCE_SIDE_PX)
    size_wh = (max(1, frame.width // step), max(1, frame.height // step))
    if frame.format.name not in PLANES:
        return np.asarray(frame.reformat(*size_wh, "gray8").to_ndarray())
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size]
    height, width = size_wh[1] * step, size_wh[0] * step
    whole = rows.reshape(plane.height, plane.line_size)[:height, :width]
    small = cv2.resize(whole, size_wh, interpolation=cv2.INTER_AREA)
    if frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj"):
        return np.asarray(small, np.uint8)
    # Black is 16 and white 235.
    return np.asarray(cv2.convertScaleAbs(small, alpha=255 / 219, beta=-16 * 255 / 219), np.uint8)
