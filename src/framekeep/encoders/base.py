"""The encoder protocol, and the base class that does the checking and batching for a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from framekeep.errors import EncoderError, InputError
from framekeep.types import EncoderInfo, RgbImage, Vectors, check_rgb

T = TypeVar("T")


@runtime_checkable
class Encoder(Protocol):
    """What the rest of framekeep knows of an encoder."""

    info: EncoderInfo
    decode_side_px: int
    """The shorter side, in pixels, below which a decoder should not shrink a picture."""
    batch_size: int

    @property
    def id(self) -> str:
        """Model, weights and preprocessing version; two ids never share vectors."""

    @property
    def dim(self) -> int:
        """Numbers per vector."""

    def prepare(self, image: RgbImage) -> RgbImage:
        """Resize and crop a picture to the model's input; encoding the result changes nothing.

        Thread-safe, so that decoding threads can do it.
        """

    def encode_images(self, images: Sequence[RgbImage]) -> Vectors:
        """Encode pictures, each (H, W, 3) uint8 RGB, to (N, dim) float32 unit rows."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to (N, dim) float32 unit rows."""


class BaseEncoder(ABC):
    """Checks input and output and cuts batches; a backend embeds one batch.

    Raises InputError for pictures or texts of the wrong kind, EncoderError where a backend
    gives vectors that cannot be used.
    """

    decode_side_px: int = 448
    batch_size: int = 32

    def __init__(self, info: EncoderInfo) -> None:
        self.info = info

    @property
    def id(self) -> str:
        """Model, weights and preprocessing version; two ids never share vectors."""
        return self.info.id

    @property
    def dim(self) -> int:
        """Numbers per vector."""
        return self.info.dim

    @abstractmethod
    def prepare(self, image: RgbImage) -> RgbImage:
        """Resize and crop a picture to the model's input; encoding the result changes nothing."""

    @abstractmethod
    def _embed_images(self, images: Sequence[RgbImage]) -> Vectors:
        """Embed one batch of prepared pictures; any length of row."""

    @abstractmethod
    def _embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed one batch of texts; any length of row."""

    def encode_images(self, images: Sequence[RgbImage]) -> Vectors:
        """Encode pictures, each (H, W, 3) uint8 RGB, to (N, dim) float32 unit rows."""
        for image in images:
            check_rgb(image)

        def embed(batch: Sequence[RgbImage]) -> Vectors:
            return self._embed_images([self.prepare(image) for image in batch])

        return self._in_batches(images, embed)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to (N, dim) float32 unit rows."""
        if isinstance(texts, str):
            raise InputError("encode_texts takes a list of texts, not one text.")
        for text in texts:
            if not isinstance(text, str) or not text.strip():
                raise InputError("A text to search for has at least one visible character.")
            if any("\ud800" <= char <= "\udfff" for char in text):
                raise InputError(f"The text {text!a} is not valid Unicode: type it anew.")
        return self._in_batches(texts, self._embed_texts)

    def _in_batches(self, items: Sequence[T], embed: Callable[[Sequence[T]], Vectors]) -> Vectors:
        step = self.batch_size
        parts = [embed(items[i : i + step]) for i in range(0, len(items), step)]
        if not parts:
            return np.zeros((0, self.dim), np.float32)
        return unit_rows(np.concatenate(parts), self.dim)


def unit_rows(rows: Vectors, dim: int) -> Vectors:
    """Scale rows to unit length, float32, C order.

    Raises EncoderError for a wrong width, or rows that are zero or not finite.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise EncoderError(f"The encoder gave vectors of shape {rows.shape}, not (N, {dim}).")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise EncoderError("The encoder gave a vector that is zero or not a number.")
    unit: Vectors = rows / lengths
    return unit
