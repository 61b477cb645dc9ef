"""Encoders that tell what was asked of them."""

from __future__ import annotations

from collections.abc import Sequence

from framekeep.testing import HashEncoder
from framekeep.types import RgbImage, Vectors


class CountingEncoder(HashEncoder):
    """Counts the pictures it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def _embed_images(self, images: Sequence[RgbImage]) -> Vectors:
        self.encoded += len(images)
        return super()._embed_images(images)


class RefusingEncoder(HashEncoder):
    """Takes no picture at all."""

    def _embed_images(self, images: Sequence[RgbImage]) -> Vectors:
        raise RuntimeError("out of order")
