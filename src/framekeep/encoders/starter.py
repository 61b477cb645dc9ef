"""The shipped encoder: real, small, and at work without any download.

Pictures: ConSE (Norouzi et al. 2013). EfficientNet-Lite2's ten most probable ImageNet labels,
softmax-weighted, times the labels' MiniLM vectors. Texts: MiniLM's own vector. Both are centred
by the mean of all label vectors (Mu and Viswanath 2018), so that a picture and a text that have
nothing to do with each other score about 0 whatever the text is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framekeep.encoders.base import BaseEncoder
from framekeep.errors import WeightsError
from framekeep.starter_data import StarterData
from framekeep.types import EncoderInfo, RgbImage, Vectors, check_rgb

NAME = "starter"
PREPROCESSING = "p1"
TOP_LABELS = 10
TEMPERATURE = 1.3
# EfficientNet-Lite crops the middle 260 of 292 pixels.
RESIZED_SIDE_PX = 292


def starter_info() -> EncoderInfo:
    """The starter encoder's id and dimension, without loading it. Raises WeightsError."""
    data = StarterData()
    return EncoderInfo(NAME, f"{NAME}@{data.digest[:12]}/{PREPROCESSING}", int(data.meta["dim"]))


def starter_status() -> tuple[int, str]:
    """The size of the shipped data in bytes, and their SHA-256."""
    data = StarterData()
    return sum(path.stat().st_size for path in data.folder.iterdir()), data.digest


def verify_starter() -> tuple[str, str]:
    """The folder of the shipped data, and what is wrong with them (nothing: "")."""
    data = StarterData()
    try:
        for name in data.meta["files"]:
            data.checked(name)
    except WeightsError as exc:
        return str(data.folder), str(exc)
    return str(data.folder), ""


class StarterEncoder(BaseEncoder):
    """EfficientNet-Lite2 and MiniLM joined by the names of 1,000 labels; 384 numbers, on the CPU.

    Models are loaded at their first use. Raises WeightsError for damaged data.
    """

    decode_side_px = 2 * RESIZED_SIDE_PX
    batch_size = 16

    def __init__(self, info: EncoderInfo | None = None, folder: Path | None = None) -> None:
        super().__init__(info or starter_info())
        self._data = StarterData(folder)

    def prepare(self, image: RgbImage) -> RgbImage:
        """Bicubic resize of the shorter side to 292, centre crop to 260 x 260."""
        from PIL import Image

        check_rgb(image)
        side = self._data.side_px
        if image.shape[:2] == (side, side):
            return image
        height, width = image.shape[:2]
        scale = RESIZED_SIDE_PX / min(width, height)
        size_wh = (max(side, round(width * scale)), max(side, round(height * scale)))
        left, top = (size_wh[0] - side) // 2, (size_wh[1] - side) // 2
        # Only the part that the crop keeps is resized: panoramas cost no more than squares.
        box = (
            left * width / size_wh[0],
            top * height / size_wh[1],
            (left + side) * width / size_wh[0],
            (top + side) * height / size_wh[1],
        )
        picture = Image.fromarray(image)
        return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box))

    def labels(self, image: RgbImage, limit: int = 5) -> list[tuple[str, float]]:
        """The most probable ImageNet labels of a picture, each with its probability."""
        odds = _softmax(self._logits([self.prepare(image)]))[0]
        best = np.argsort(-odds)[:limit]
        return [(self._names[i][0], float(odds[i])) for i in best]

    def texts_cut(self, texts: Sequence[str]) -> list[str]:
        """Those texts whose end is not read: MiniLM takes 128 tokens."""
        return [text for text in texts if self._tokenizer.encode(text).overflowing]

    def _embed_images(self, images: Sequence[RgbImage]) -> Vectors:
        odds = _softmax(self._logits(images) / TEMPERATURE)
        least = np.partition(odds, -TOP_LABELS, axis=1)[:, -TOP_LABELS][:, None]
        rows: Vectors = np.where(odds >= least, odds, 0) @ self._label_vectors
        return rows

    def _logits(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        pixels = (np.stack(images).astype(np.float32) - 127) / 128
        feed = {"pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))}
        logits: NDArray[np.float32] = self._vision.run(None, feed)[0]
        return logits

    def _embed_texts(self, texts: Sequence[str]) -> Vectors:
        encoded = [self._tokenizer.encode(text).ids for text in texts]
        longest = max(len(ids) for ids in encoded)
        ids = np.zeros((len(encoded), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        rows: Vectors = self._text.run(None, {"ids": ids, "mask": mask})[0]
        return rows - self._mean_vector

    @cached_property
    def _vision(self) -> Any:
        return self._data.session("vision.onnx")

    @cached_property
    def _text(self) -> Any:
        return self._data.session("text.onnx")

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self._data.checked("tokenizer.json")))

    @cached_property
    def _label_vectors(self) -> Vectors:
        rows: Vectors = np.load(self._data.checked("label_vectors.npy"), allow_pickle=False)
        return rows

    @cached_property
    def _mean_vector(self) -> Vectors:
        row: Vectors = np.load(self._data.checked("mean_vector.npy"), allow_pickle=False)
        return row

    @property
    def _names(self) -> list[list[str]]:
        return self._data.names


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    normal: NDArray[np.float32] = odds / odds.sum(axis=1, keepdims=True)
    return normal
