"""The first version's API, adapted to today's encoder and store; no logic of its own.

Documented imports, from a checkout: ``from src.models.model_manager import ModelManager`` and
``from src.database.vector_db import VectorDatabase``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framekeep.encoders import registry
from framekeep.errors import IndexUnavailableError, InputError, WeightsError
from framekeep.settings import load_settings, no_telemetry
from framekeep.store.chroma import ChromaStore
from framekeep.store.lock import WriterLock
from framekeep.types import RgbImage, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

    from framekeep.encoders.base import Encoder

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
        raise InputError(f"encode takes a Pillow image, not {type(image).__name__}.")
    upright = ImageOps.exif_transpose(image)
    return np.asarray(upright.convert("RGB"))


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
