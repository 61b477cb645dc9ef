"""The segmenter protocol, and the base class that does the checking for a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from framekeep.errors import InputError
from framekeep.object_types import Prompt, Proposal, SegmenterInfo
from framekeep.types import RgbImage


@runtime_checkable
class Segmenter(Protocol):
    """What the rest of framekeep knows of a segmenter. Thread-safe."""

    info: SegmenterInfo

    def segment(self, image: RgbImage) -> list[Proposal]:
        """The objects in a picture (H, W, 3) uint8 RGB, best first; masks at its full size."""

    def prompt(self, image: RgbImage, prompt: Prompt, key: str | None = None) -> list[Proposal]:
        """Masks for what a prompt points at, best first, up to three.

        Under the same `key` (a media id) the picture is embedded once, so that each further
        prompt is quick; embeddings are kept in a bounded cache.
        """
