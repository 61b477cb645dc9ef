"""The first version's API, adapted to today's encoder and store; no logic of its own.

Documented imports, from a checkout: ``from src.models.model_manager import ModelManager``,
``from src.database.vector_db import VectorDatabase`` and
``from src.processing.segment_extractor import SegmentExtractor``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framekeep.cropping import Cropper
from framekeep.encoders import registry
from framekeep.errors import IndexUnavailableError, InputError, WeightsError
from framekeep.object_types import BoolMask, BoxXyxy, CropSettings
from framekeep.settings import load_settings, no_telemetry
from framekeep.store.chroma import ChromaStore
from framekeep.store.lock import WriterLock
from framekeep.types import RgbImage, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

    from framekeep.encoders.base import Encoder
    from framekeep.segmenters.base import Segmenter

DEFAULT_MODEL = "clip-vit-b-32"
Metadata = Mapping[str, str | int | float | bool]


class ModelManager:
    """CLIP for single pictures and texts; `model_name` is any of `framekeep models list`."""

    def __init__(self, model_name: str = DEFAULT_MODEL) -> None:
        self.model_name = model_name
        self._settings = load_settings()
        self._encoder: Encoder | None = None

    def load_clip(self) -> Encoder:
        """Load the model, fetching its weights if they are not on this machine.

        Raises WeightsError where they can neither be found nor fetched.
        """
        if self._encoder is None:
            no_telemetry()
            try:
                registry.describe(self.model_name, self._settings)
            except WeightsError:
                self._fetch()
            self._encoder = registry.load_encoder(self.model_name, self._settings)
        return self._encoder

    def _fetch(self) -> None:
        try:
            registry.pull(self.model_name, self._settings, None)
        except WeightsError as exc:
            raise WeightsError(
                f"{exc} Bring a checkpoint yourself with `framekeep models add NAME PATH` and use "
                f'ModelManager("NAME"), or try `framekeep models pull {self.model_name}` later.'
            ) from exc

    def encode(self, image: Image | RgbImage) -> Vectors:
        """A picture's vector: (512,) float32 of unit length with the default model.

        `image` is a Pillow image, or (H, W, 3) uint8 RGB. Raises InputError for anything else.
        """
        vector: Vectors = self.load_clip().encode_images([_rgb(image)])[0]
        return vector

    def encode_text(self, text: str) -> Vectors:
        """A text's vector: (512,) float32 of unit length with the default model."""
        vector: Vectors = self.load_clip().encode_texts([text])[0]
        return vector


def _rgb(image: Image | RgbImage) -> RgbImage:
    if isinstance(image, np.ndarray):
        return image
    from PIL import Image, ImageOps

    if not isinstance(image, Image.Image):
        raise InputError(f"A picture is a Pillow image here, not {type(image).__name__}.")
    upright = ImageOps.exif_transpose(image)
    return np.asarray(upright.convert("RGB"))


@dataclass(frozen=True, slots=True)
class ExtractedSegment:
    """One object of a picture: its mask (height, width) bool, the mask's box, area and score.

    `score` is the segmenter's confidence, 0..1; `label` what it takes the object for, if it can.
    """

    mask: BoolMask
    bbox_xyxy: BoxXyxy
    area_px: int
    score: float
    label: str | None = None

    @property
    def metadata(self) -> dict[str, str | int | float]:
        """What `VectorDatabase.add_segments` takes beside the segment's vector."""
        left, top, right, bottom = self.bbox_xyxy
        known: dict[str, str | int | float] = {
            "left": left,
            "top": top,
            "right": right,
            "bottom": bottom,
            "area": self.area_px,
            "score": self.score,
        }
        return known | ({"label": self.label} if self.label else {})


class SegmentExtractor:
    """Finds the objects of a picture and cuts each out with its background blurred.

    `segmenter` is any of `framekeep models list`; None takes SAM 2.1 tiny where its weights are on
    this machine, else the shipped `starter`, whose masks are a draft of the main object.
    """

    def __init__(self, segmenter: str | None = None) -> None:
        self.segmenter_name = segmenter
        self._settings = load_settings()
        self._segmenter: Segmenter | None = None

    def load_segmenter(self) -> Segmenter:
        """Load the segmenter. Raises NotFoundError, WeightsError, SegmenterError."""
        from framekeep.segmenters import registry

        if self._segmenter is None:
            name = self.segmenter_name or registry.choose_default(self._settings)
            self._segmenter = registry.load_segmenter(name, self._settings)
        return self._segmenter

    def extract_segments(self, image: Image | RgbImage) -> list[ExtractedSegment]:
        """The objects of a picture, best first. A Pillow image is turned upright by its EXIF."""
        from framekeep.geometry import decode_mask

        return [
            ExtractedSegment(
                decode_mask(found.mask), found.bbox_xyxy, found.area_px, found.score, found.label
            )
            for found in self.load_segmenter().segment(_rgb(image))
        ]

    def blur_background(
        self,
        image: Image | RgbImage,
        mask: BoolMask,
        kernel_size: int = 21,
        reference_px: int | None = 375,
    ) -> Image:
        """The whole picture with everything outside the mask blurred.

        A Gaussian kernel of odd size, applied where the picture's shorter side is `reference_px`;
        None applies it to the picture as it is. Raises InputError for an even kernel, or a mask
        that does not fit the picture.
        """
        settings = CropSettings(kernel_px=kernel_size, reference_px=reference_px)
        return _pillow(Cropper(_rgb(image), settings).whole(np.asarray(mask, dtype=np.bool_)))

    def extract(
        self, image: Image | RgbImage, kernel_size: int = 21, margin: float = 0.1
    ) -> list[tuple[ExtractedSegment, Image]]:
        """Each object of a picture with its crop, as it is encoded: background blurred, a margin.

        `margin` is a share of the box's longer side.
        """
        rgb = _rgb(image)
        cropper = Cropper(rgb, CropSettings(kernel_px=kernel_size, margin=margin))
        return [(each, _pillow(cropper.crop(each.mask))) for each in self.extract_segments(rgb)]


def _pillow(rgb: RgbImage) -> Image:
    from PIL import Image

    return Image.fromarray(rgb)


@contextmanager
def _refusals() -> Iterator[None]:
    """Chroma's complaints of arguments, told as such."""
    try:
        yield
    except IndexUnavailableError as exc:
        if isinstance(exc.__cause__, ValueError | TypeError):
            raise InputError(f"Chroma cannot take these segments: {exc.__cause__}") from exc
        raise


class VectorDatabase:
    """Vectors with metadata in one Chroma collection, kept in a folder, by cosine distance.

    All methods raise InputError for what Chroma does not take, StoreError where it fails.
    """

    def __init__(self, path: str | Path = "./chroma_db", collection_name: str = "segments") -> None:
        self._folder = Path(path).absolute()
        self._name = collection_name
        self._store = ChromaStore.local(self._folder)
        self._lock = WriterLock(self._folder)
        self._seen: tuple[int, int] | None = None

    def create_or_get_collection(self) -> Any:
        """The Chroma collection, made if it is new."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._catch_up()
        with self._store.plain(self._name) as collection:
            self._seen = self._state()
            return collection

    def add_segments(
        self,
        embeddings: Sequence[Sequence[float]] | Sequence[Vectors] | Vectors,
        metadatas: Sequence[Metadata],
        ids: Sequence[str],
    ) -> None:
        """Add or replace vectors (N, dim) with one mapping and one id each.

        Raises InputError where the three differ in length.
        """
        rows = np.asarray(embeddings, dtype=np.float32)
        if not len(rows) == len(metadatas) == len(ids):
            raise InputError(
                f"There are {len(rows)} embeddings, {len(metadatas)} metadatas and {len(ids)} ids: "
                "give one of each per segment."
            )
        if not len(rows):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock.hold("add_segments", load_settings().lock_wait_s):
            self._catch_up()
            with _refusals(), self._store.plain(self._name) as collection:
                collection.upsert(
                    ids=list(ids), embeddings=rows, metadatas=[dict(m) or None for m in metadatas]
                )
            self._seen = self._state()

    def search_by_embedding(
        self, query_embedding: Sequence[float] | Vectors, n_results: int = 10
    ) -> dict[str, Any]:
        """The nearest segments as Chroma tells them: lists of `ids`, `distances`, `metadatas`.

        Each is a list with one list in it, best first; a distance is 1 minus the cosine.
        """
        vector = np.asarray(query_embedding, dtype=np.float32).reshape(1, -1)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._catch_up()
        with _refusals(), self._store.plain(self._name) as collection:
            found = collection.query(
                query_embeddings=vector,
                n_results=n_results,
                include=["distances", "metadatas"],
            )
        self._seen = self._state()
        return dict(found)

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()

    def _catch_up(self) -> None:
        """A Chroma client misses what others wrote since it was opened: then open a new one."""
        if self._seen != self._state():
            self._store.close()

    def _state(self) -> tuple[int, int] | None:
        try:
            stat = (self._folder / "chroma.sqlite3").stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size
