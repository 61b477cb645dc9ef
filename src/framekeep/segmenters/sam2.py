"""SAM 2.1 (Ravi et al. 2024) for single pictures: as SAM, quicker and with finer edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import SegmenterError
from framekeep.segmenters.automatic import AutomaticSettings
from framekeep.segmenters.base import Segmenter
from framekeep.segmenters.models import checkpoint_of, describe
from framekeep.segmenters.promptable import PromptedSegmenter, Seen
from framekeep.segmenters.sam import normalised
from framekeep.settings import Settings
from framekeep.types import RgbImage

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Sam2Segmenter", "describe", "load", "pools_right"]


def load(name: str, settings: Settings) -> Segmenter:
    """SAM 2 of that name. Raises as `PromptedSegmenter`."""
    return Sam2Segmenter(describe(name, settings), checkpoint_of(name, settings), settings)


class Sam2Segmenter(PromptedSegmenter):
    """SAM 2: the picture is stretched to the square, whatever its aspect."""

    looking = AutomaticSettings(least_iou=0.8)

    def fitted(self, size_wh: tuple[int, int]) -> tuple[int, int]:  # noqa: ARG002 - as SAM's
        """The whole square."""
        return self.arch.image_px, self.arch.image_px

    def pixels(self, image: RgbImage) -> NDArray[np.float32]:
        """As Meta's SAM2Transforms: stretched, with antialiasing, then normalised."""
        return normalised(image, self.fitted((image.shape[1], image.shape[0])))

    def enlarged(self, logits: Tensor, seen: Seen) -> Tensor:
        """Straight to the picture's size."""
        from torch.nn.functional import interpolate

        return interpolate(logits[None, None], seen.size_wh[::-1], mode="bilinear")[0, 0]

    def _pick_device(self, wanted: str) -> str:
        device = super()._pick_device(wanted)
        if device == "mps" and not pools_right(device):
            if wanted == "auto":
                return "cpu"
            raise SegmenterError(
                "This PyTorch computes SAM 2 wrongly on mps: update it, or use the device cpu."
            )
        return device


def pools_right(device: str) -> bool:
    """Whether a device pools a turned tensor as the CPU does, which PyTorch on mps has not."""
    import torch
    from torch.nn.functional import max_pool2d

    turned = torch.arange(192.0).reshape(1, 8, 8, 3).permute(0, 3, 1, 2)
    there = max_pool2d(turned.to(device), 2, 2)
    return bool(torch.equal(there.cpu(), max_pool2d(turned, 2, 2)))
