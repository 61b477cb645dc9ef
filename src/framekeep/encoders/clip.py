"""What both engines of CLIP share: preprocessing, tokens, and checks of a model against its id."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from framekeep.encoders.base import BaseEncoder
from framekeep.encoders.checkpoint import ClipArch
from framekeep.encoders.preprocess import clip_normalise, clip_prepare
from framekeep.encoders.tokenizer import VOCABULARY, batch_ids, cut_texts
from framekeep.errors import WeightsError
from framekeep.types import EncoderInfo, RgbImage, Vectors


class ClipEncoder(BaseEncoder):
    """CLIP without its towers; an engine runs these.

    Raises WeightsError where `arch` does not fit `info` or the tokenizer.
    """

    batch_size = 16

    def __init__(self, info: EncoderInfo, checkpoint: Path, arch: ClipArch) -> None:
        super().__init__(info)
        if arch.embed_dim != info.dim:
            raise WeightsError(
                f"{checkpoint} gives vectors of {arch.embed_dim} numbers, but {info.id} stands "
                f"for {info.dim}; the file was exchanged, so add it under a new name."
            )
        if arch.vocab != VOCABULARY:
            raise WeightsError(
                f"{checkpoint} has a vocabulary of {arch.vocab} tokens, but CLIP's tokenizer has "
                f"{VOCABULARY}; this variant of CLIP is not supported."
            )
        self.arch = arch
        self.decode_side_px = 2 * arch.image_px

    def prepare(self, image: RgbImage) -> RgbImage:
        """Resize and crop a picture to the model's input; encoding the result changes nothing."""
        return clip_prepare(image, self.arch.image_px)

    def texts_cut(self, texts: Sequence[str]) -> list[str]:
        """Those of `texts` that are too long for the model, so that their end is not read."""
        return cut_texts(texts, self.arch.context)

    def _embed_images(self, images: Sequence[RgbImage]) -> Vectors:
        return self._vision_rows(clip_normalise(images))

    def _embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._text_rows(batch_ids(texts, self.arch.context))

    @abstractmethod
    def _vision_rows(self, pixels: NDArray[np.float32]) -> Vectors:
        """Map (N, 3, image_px, image_px) float32 to (N, dim) float32, any length of row."""

    @abstractmethod
    def _text_rows(self, ids: NDArray[np.int64]) -> Vectors:
        """Map (N, L) int64 token ids to (N, dim) float32, any length of row."""
