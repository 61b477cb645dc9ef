"""What SAM and SAM 2 share: a picture is embedded once, then prompts are answered quickly."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from framekeep.devices import free_bytes, pick_device
from framekeep.errors import SegmenterError
from framekeep.geometry import proposal
from framekeep.object_types import BoolMask, Prompt, Proposal, SegmenterInfo
from framekeep.segmenters.automatic import AutomaticSettings, Logits, Points, find_objects
from framekeep.segmenters.base import BaseSegmenter, Kept
from framekeep.segmenters.sam_arch import SamArch
from framekeep.segmenters.sam_checkpoint import build_model, read_sam
from framekeep.settings import Settings, no_telemetry
from framekeep.types import RgbImage

if TYPE_CHECKING:
    from torch import Tensor

MOST_EMBEDDINGS = 32
EMBEDDING_BYTES = 256_000_000
"""Embeddings are kept until they are as many, or take as much memory."""

GPU_GRID = 32
GPU_BATCH = 64
SMALLER = "sam2.1-tiny"


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the model sees it: its embedding, its size, and its size within the square."""

    embedding: Any
    size_wh: tuple[int, int]
    fitted_wh: tuple[int, int]


class PromptedSegmenter(BaseSegmenter):
    """SAM or SAM 2 on the CPU, CUDA or Apple's MPS, through transformers. Thread-safe.

    A single point or box is ambiguous, so it is answered by up to three masks; several of them
    together by one. Raises WeightsError for a checkpoint that cannot be used; SegmenterError where
    transformers or the device is missing, and where memory does not suffice.
    """

    looking: ClassVar[AutomaticSettings]
    """How all objects are looked for, but for what depends on device and settings."""

    def __init__(self, info: SegmenterInfo, checkpoint: Path, settings: Settings) -> None:
        no_telemetry()
        super().__init__(info)
        read = read_sam(checkpoint)
        self.arch = read.arch
        self.device = self._pick_device(settings.device)
        self._check_memory(checkpoint.stat().st_size)
        self._lock = threading.RLock()
        with self._guarded():
            self.model = build_model(checkpoint, read).to(self.device)
        count = max(1, min(MOST_EMBEDDINGS, EMBEDDING_BYTES // self.arch.embedding_bytes))
        self._kept: Kept[Seen] = Kept(count)
        on_gpu = self.device != "cpu"
        self.automatic = replace(
            self.looking,
            points_per_side=settings.sam_points or (GPU_GRID if on_gpu else 16),
            batch=GPU_BATCH if on_gpu else 16,
            crop_layers=settings.sam_crops,
        )

    @abstractmethod
    def fitted(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The size that a picture of this size gets within the model's square."""

    @abstractmethod
    def pixels(self, image: RgbImage) -> NDArray[np.float32]:
        """(3, S, S) float32: what the model is fed, S being its side."""

    @abstractmethod
    def enlarged(self, logits: Tensor, seen: Seen) -> Tensor:
        """(H, W) logits at the picture's size from (h, w), the square's decoded ones."""

    def _pick_device(self, wanted: str) -> str:
        return pick_device(wanted, SegmenterError)

    # Prompts

    def _prompt(self, image: RgbImage, prompt: Prompt, key: str | None) -> list[Proposal]:
        points = np.array([prompt.points_xy], np.float32) if prompt.points_xy else None
        labels = np.array([prompt.point_labels], np.int64) if prompt.points_xy else None
        box = np.array([prompt.box_xyxy], np.float32) if prompt.box_xyxy else None
        ambiguous = len(prompt.points_xy) + (box is not None) == 1
        with self._running():
            seen = self._kept.of(key, image, self.look)
            logits, scores = self.decode(seen, points, labels, box, several=ambiguous)
            masks = [self.mask(one, seen) for one in logits[0]]
        return [
            proposal(mask, float(score))
            for mask, score in zip(masks, _shares(scores[0]), strict=True)
            if mask.any()
        ]

    def look(self, image: RgbImage) -> Seen:
        """Embed a picture (H, W, 3) uint8 RGB."""
        import torch

        height, width = image.shape[:2]
        pixels = torch.from_numpy(self.pixels(image))[None].to(self.device)
        embedding = self.model.get_image_embeddings(pixels)
        return Seen(embedding, (width, height), self.fitted((width, height)))

    def decode(
        self,
        seen: Seen,
        points_xy: NDArray[np.float32] | None,
        labels: NDArray[np.int64] | None,
        boxes_xyxy: NDArray[np.float32] | None,
        *,
        several: bool,
    ) -> tuple[Tensor, Tensor]:
        """N prompts: points (N, P, 2) with labels (N, P), boxes (N, 4), in the picture's pixels.

        Gives logits (N, M, h, w) of the whole square and predicted IoUs (N, M), float32 on the
        device; M is three with `several`, else one.
        """
        import torch

        scale = np.divide(seen.fitted_wh, seen.size_wh).astype(np.float32)

        def moved(array: NDArray[Any] | None) -> Tensor | None:
            return None if array is None else torch.from_numpy(array)[None].to(self.device)

        output = self.model(
            image_embeddings=seen.embedding,
            input_points=moved(None if points_xy is None else points_xy * scale),
            input_labels=moved(labels),
            input_boxes=moved(None if boxes_xyxy is None else boxes_xyxy * np.tile(scale, 2)),
            multimask_output=several,
        )
        return output.pred_masks[0].float(), output.iou_scores[0].float()

    def mask(self, logits: Tensor, seen: Seen) -> BoolMask:
        """(H, W) bool at the picture's size from the square's logits (h, w)."""
        return np.asarray((self.enlarged(logits, seen) > 0).cpu().numpy(), np.bool_)

    # All objects

    def _segment(self, image: RgbImage) -> list[Proposal]:
        with self._running():
            return find_objects(self, image, self.automatic)

    def look_at(self, image: RgbImage) -> _Answers:
        """Embed a picture to ask for many points."""
        return _Answers(self, self.look(image))

    # Trouble

    def _check_memory(self, weights_bytes: int) -> None:
        free = free_bytes(self.device)
        needed = weights_bytes + working_bytes(self.arch)
        if free is not None and free < needed:
            raise SegmenterError(
                f"{self.info.name} needs about {needed / 1e9:.1f} GB of memory, and "
                f"{free / 1e9:.1f} GB are free ({self.device}): {self._instead()}."
            )

    def _instead(self) -> str:
        if self.info.name == SMALLER:
            return "close other programs"
        return f"close other programs, or take a smaller model such as {SMALLER}"

    @contextmanager
    def _running(self) -> Iterator[None]:
        """One thread at a time, no gradients."""
        import torch

        with self._lock, torch.inference_mode(), self._guarded():
            yield

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """What goes wrong in PyTorch becomes one sentence."""
        try:
            yield
        except (MemoryError, RuntimeError) as exc:
            if isinstance(exc, MemoryError) or _of_memory(exc):
                raise SegmenterError(
                    f"There was not enough memory for {self.info.name} ({self.device}): "
                    f"{self._instead()}."
                ) from exc
            raise SegmenterError(f"PyTorch failed on {self.device}: {exc}") from exc


class _Answers:
    """One embedded picture, asked by points."""

    def __init__(self, segmenter: PromptedSegmenter, seen: Seen) -> None:
        self._segmenter = segmenter
        self._seen = seen
        # Masks are decoded at a quarter of the square's side.
        width, height = seen.fitted_wh
        self.visible_hw = (-(-height // 4), -(-width // 4))

    def answer(self, points_xy: Points) -> tuple[Logits, NDArray[np.float32]]:
        """Masks for single points (N, 2), three each, and their scores."""
        labels = np.ones((len(points_xy), 1), np.int64)
        points = points_xy[:, None]
        logits, scores = self._segmenter.decode(self._seen, points, labels, None, several=True)
        return logits.flatten(0, 1).cpu().numpy(), _shares(scores.flatten())

    def full_size(self, logits: NDArray[np.floating]) -> BoolMask:
        """One mask (h, w) as `answer` gives it, at the picture's size, (H, W) bool."""
        import torch

        square = torch.from_numpy(logits).to(self._segmenter.device).float()
        return self._segmenter.mask(square, self._seen)


def working_bytes(arch: SamArch) -> int:
    """About what embedding a picture takes beside the weights, measured on a CPU in float32."""
    if arch.family == "sam2":
        return int(1.1e9 * (arch.image_px / 1024) ** 2)
    # Each head compares all places with all places, once for their content and once for position.
    places = (arch.image_px // arch.vision["patch_size"]) ** 2
    return int(2.4 * 4 * arch.vision["num_attention_heads"] * places**2)


def _shares(scores: Tensor) -> NDArray[np.float32]:
    """Predicted IoUs, which the model does not hold within 0 and 1."""
    return np.asarray(scores.clamp(0, 1).cpu().numpy(), np.float32)


def _of_memory(exc: BaseException) -> bool:
    text = str(exc).lower()
    return any(words in text for words in ("out of memory", "allocate memory", "not enough memory"))
