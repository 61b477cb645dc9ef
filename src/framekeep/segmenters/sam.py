"""Segment Anything (Kirillov et al. 2023): objects for points and boxes, or all of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framekeep.segmenters.automatic import AutomaticSettings
from framekeep.segmenters.base import Segmenter
from framekeep.segmenters.models import checkpoint_of, describe
from framekeep.segmenters.promptable import PromptedSegmenter, Seen
from framekeep.settings import Settings
from framekeep.types import RgbImage

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SamSegmenter", "describe", "fitted_wh", "load", "normalised"]

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def load(name: str, settings: Settings) -> Segmenter:
    """SAM of that name. Raises as `PromptedSegmenter`."""
    return SamSegmenter(describe(name, settings), checkpoint_of(name, settings), settings)


class SamSegmenter(PromptedSegmenter):
    """SAM: the picture keeps its aspect and lies in the square's upper left corner."""

    looking = AutomaticSettings(least_iou=0.88)

    def fitted(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The longer side fills the square."""
        return fitted_wh(size_wh, self.arch.image_px)

    def pixels(self, image: RgbImage) -> NDArray[np.float32]:
        """As Meta's and transformers' SamImageProcessorPil do: scaled, normalised, padded."""
        fitted = self.fitted((image.shape[1], image.shape[0]))
        side = self.arch.image_px
        square = np.zeros((3, side, side), np.float32)
        square[:, : fitted[1], : fitted[0]] = normalised(image, fitted)
        return square

    def enlarged(self, logits: Tensor, seen: Seen) -> Tensor:
        """To the square's size, cut to the picture, then to the picture's size."""
        from torch.nn.functional import interpolate

        side, (width, height) = self.arch.image_px, seen.fitted_wh
        square = interpolate(logits[None, None], (side, side), mode="bilinear")
        picture = square[..., :height, :width]
        return interpolate(picture, seen.size_wh[::-1], mode="bilinear")[0, 0]


def fitted_wh(size_wh: tuple[int, int], side: int) -> tuple[int, int]:
    """A size scaled so that its longer side is `side`, rounded half up."""
    scale = side / max(size_wh)
    width, height = (max(1, int(length * scale + 0.5)) for length in size_wh)
    return width, height


def normalised(image: RgbImage, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    """(3, h, w) float32: scaled bilinearly by Pillow, then by ImageNet's mean and deviation."""
    picture = Image.fromarray(image).resize(size_wh, Image.Resampling.BILINEAR)
    values = np.asarray(picture, np.float32) * np.float32(1 / 255)
    return np.ascontiguousarray(((values - MEAN) / STD).transpose(2, 0, 1))
