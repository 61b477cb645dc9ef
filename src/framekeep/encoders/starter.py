"""The shipped encoder: real, small, and at work without any download.

Pictures: ConSE (Norouzi et al. 2013). EfficientNet-Lite2's ten most probable ImageNet labels,
softmax-weighted, times the labels' MiniLM vectors. Texts: MiniLM's own vector. Both are centred
by the mean of all label vectors (Mu and Viswanath 2018), so that a picture and a text that have
nothing to do with each other score about 0 whatever the text is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framekeep.encoders.base import BaseEncoder
from framekeep.errors import WeightsError
from framekeep.settings import no_telemetry
from framekeep.types import EncoderInfo, RgbImage, Vectors, check_rgb

NAME = "starter"
PREPROCESSING = "p1"
TOP_LABELS = 10
TEMPERATURE = 1.3
# EfficientNet-Lite crops the middle 260 of 292 pixels.
RESIZED_SIDE_PX = 292


@cache
def _folder() -> Path:
    return Path(str(resources.files("framekeep") / "data" / "starter"))


@cache
def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise WeightsError(
            f"The starter encoder's data in {folder} are missing or damaged: install framekeep "
            f"again."
        ) from exc
    return meta


def starter_info() -> EncoderInfo:
    """The starter encoder's id and dimension, without loading it. Raises WeightsError."""
    meta = _meta(_folder())
    return EncoderInfo(NAME, f"{NAME}@{meta['sha256'][:12]}/{PREPROCESSING}", int(meta["dim"]))


def starter_status() -> tuple[int, str]:
    """The size of the shipped data in bytes, and their SHA-256."""
    folder = _folder()
    return sum(path.stat().st_size for path in folder.iterdir()), str(_meta(folder)["sha256"])


def verify_starter() -> tuple[str, str]:
    """The folder of the shipped data, and what is wrong with them (nothing: "")."""
    encoder = StarterEncoder()
    try:
        for name in _meta(_folder())["files"]:
            encoder._checked(name)
    except WeightsError as exc:
        return str(_folder()), str(exc)
    return str(_folder()), ""


class StarterEncoder(BaseEncoder):
    """EfficientNet-Lite2 and MiniLM joined by the names of 1,000 labels; 384 numbers, on the CPU.

    Models are loaded at their first use. Raises WeightsError for damaged data.
    """

    decode_side_px = 2 * RESIZED_SIDE_PX
    batch_size = 16

    def __init__(self, info: EncoderInfo | None = None, folder: Path | None = None) -> None:
        super().__init__(info or starter_info())
        self._folder = folder or _folder()
        self._meta = _meta(self._folder)
        self._side_px = int(self._meta["side_px"])

    def prepare(self, image: RgbImage) -> RgbImage:
        """Bicubic resize of the shorter side to 292, centre crop to 260 x 260."""
        from PIL import Image

        check_rgb(image)
        side = self._side_px
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

    def _checked(self, name: str) -> Path:
        """A data file whose SHA-256 is right."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise WeightsError(f"{path} cannot be read: install framekeep again.") from exc
        if actual != self._meta["files"].get(name):
            raise WeightsError(f"{path} is damaged: install framekeep again.")
        return path

    def _session(self, name: str) -> Any:
        no_telemetry()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0)) if _affinity else 0
        options.log_severity_level = 3
        path = self._checked(name)
        try:
            return onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # onnxruntime raises classes of its own, without a common base
            raise WeightsError(f"{path} cannot be loaded: {exc}") from exc

    @cached_property
    def _vision(self) -> Any:
        return self._session("vision.onnx")

    @cached_property
    def _text(self) -> Any:
        return self._session("text.onnx")

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self._checked("tokenizer.json")))

    @cached_property
    def _label_vectors(self) -> Vectors:
        rows: Vectors = np.load(self._checked("label_vectors.npy"), allow_pickle=False)
        return rows

    @cached_property
    def _mean_vector(self) -> Vectors:
        row: Vectors = np.load(self._checked("mean_vector.npy"), allow_pickle=False)
        return row

    @cached_property
    def _names(self) -> list[list[str]]:
        names: list[list[str]] = json.loads(self._checked("labels.json").read_text("utf-8"))
        return names


_affinity = hasattr(os, "sched_getaffinity")


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    normal: NDArray[np.float32] = odds / odds.sum(axis=1, keepdims=True)
    return normal
