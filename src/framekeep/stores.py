"""The concrete parts that a job works on, and encoding with one bad picture among many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from framekeep.encoders.base import Encoder
from framekeep.errors import FramekeepError
from framekeep.media.thumbnails import ThumbnailCache
from framekeep.object_types import CropSettings, object_space
from framekeep.store.catalog import Catalog
from framekeep.store.vectors import VectorStore
from framekeep.types import RgbImage, Vectors


@dataclass(frozen=True, slots=True)
class Stores:
    """The concrete parts a job works on; `crop` is how objects are cut out in this library."""

    catalog: Catalog
    vectors: VectorStore
    encoder: Encoder
    thumbnails: ThumbnailCache | None = None
    crop: CropSettings = field(default_factory=CropSettings)

    @property
    def space(self) -> str:
        """The vector space this run writes to."""
        return self.encoder.info.space

    @property
    def object_space(self) -> str:
        """The space of the vectors of objects."""
        return object_space(self.space, self.crop)


def encode_carefully(
    encoder: Encoder, pictures: Sequence[tuple[str, RgbImage]]
) -> tuple[Vectors, dict[str, str]]:
    """Encode (id, picture) pairs; give the vectors of the good ones and reasons for the others."""
    if not pictures:
        return np.zeros((0, encoder.dim), np.float32), {}
    try:
        return encoder.encode_images([image for _, image in pictures]), {}
    except (FramekeepError, RuntimeError, ValueError, MemoryError) as exc:
        if len(pictures) == 1:
            reason = f"The encoder could not read this picture ({exc})."
            return np.zeros((0, encoder.dim), np.float32), {pictures[0][0]: reason}
    parts = [encode_carefully(encoder, [picture]) for picture in pictures]
    bad = {media_id: reason for _, part in parts for media_id, reason in part.items()}
    return np.concatenate([vectors for vectors, _ in parts]), bad
