"""CLIP's picture preprocessing, as OpenAI's ``_transform`` and transformers' processor do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framekeep.types import RgbImage

PREPROCESSING_VERSION = 1
"""Raised whenever the same picture would become other numbers."""

# OpenAI's mean and standard deviation of the pictures it trained on, per channel, of values 0..1.
MEAN_RGB = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD_RGB = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def clip_prepare(image: RgbImage, side_px: int) -> RgbImage:
    """Resize the shorter side to `side_px` (Pillow's bicubic), then cut out the centre square.

    Takes (H, W, 3) uint8 RGB, gives (side_px, side_px, 3) uint8; a picture that already has
    that size is given back as it is. The longer side is cut to a whole number of pixels and the
    crop starts at half the rest rounded down, as in transformers.
    """
    height, width = image.shape[:2]
    if (height, width) == (side_px, side_px):
        return image
    short = min(height, width)
    size_wh = (
        max(side_px, int(side_px * width / short)),
        max(side_px, int(side_px * height / short)),
    )
    resized = Image.fromarray(image).resize(size_wh, Image.Resampling.BICUBIC)
    left, top = (size_wh[0] - side_px) // 2, (size_wh[1] - side_px) // 2
    return np.array(resized.crop((left, top, left + side_px, top + side_px)))


def clip_normalise(batch: Sequence[RgbImage]) -> NDArray[np.float32]:
    """Stack prepared pictures, each (S, S, 3) uint8, to (N, 3, S, S) float32, C order.

    Values are scaled to 0..1, then by OpenAI's mean and standard deviation.
    """
    stacked = np.stack(batch).transpose(0, 3, 1, 2)
    scale = (1.0 / (255.0 * STD_RGB)).reshape(1, 3, 1, 1).astype(np.float32)
    shift = (MEAN_RGB / STD_RGB).reshape(1, 3, 1, 1)
    pixels: NDArray[np.float32] = np.ascontiguousarray(stacked, dtype=np.float32)
    pixels *= scale
    pixels -= shift
    return pixels
