"""The fakes we ship, for tests of framekeep and of what is built on it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence

import numpy as np

from framekeep.encoders.base import BaseEncoder
from framekeep.errors import StoreError
from framekeep.geometry import box_mask, proposal
from framekeep.object_types import BoolMask, Prompt, Proposal, SegmenterInfo
from framekeep.segmenters.base import BaseSegmenter
from framekeep.types import EncoderInfo, RgbImage, Vectors

PAGE = 1000


class MemoryVectorStore:
    """A `VectorStore` in memory: exact, thread-safe, gone when the process ends."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._dims: dict[str, int] = {}
        self._rows: dict[str, dict[str, Vectors]] = {}

    def spaces(self) -> list[str]:
        """The spaces that exist, sorted."""
        with self._lock:
            return sorted(self._dims)

    def create(self, space: str, dim: int) -> None:
        """Make the space if it does not exist yet; StoreError where it has another dimension."""
        with self._lock:
            if self._dims.setdefault(space, dim) != dim:
                raise StoreError(
                    f"The space {space} has vectors of {self._dims[space]} numbers, not {dim}."
                )
            self._rows.setdefault(space, {})

    def drop(self, space: str) -> None:
        """Remove the space and its vectors; nothing happens if there is none."""
        with self._lock:
            self._dims.pop(space, None)
            self._rows.pop(space, None)

    def count(self, space: str) -> int:
        """How many vectors the space holds."""
        with self._lock:
            return len(self._rows.get(space, {}))

    def ids(self, space: str) -> Iterator[list[str]]:
        """All ids, in pages."""
        with self._lock:
            ids = list(self._rows.get(space, {}))
        for start in range(0, len(ids), PAGE):
            yield ids[start : start + PAGE]

    def get(self, space: str, ids: Sequence[str]) -> dict[str, Vectors]:
        """The stored vectors, each (dim,) float32, of those ids that exist."""
        with self._lock:
            rows = self._rows.get(space, {})
            return {i: rows[i].copy() for i in ids if i in rows}

    def upsert(self, space: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Add or replace vectors (N, dim) under their ids; any N."""
        with self._lock:
            if space not in self._dims:
                raise StoreError(f"There is no space {space}; create it before adding to it.")
            if vectors.shape != (len(ids), self._dims[space]):
                raise StoreError(
                    f"The space {space} takes {len(ids)} vectors of {self._dims[space]} numbers, "
                    f"not an array of shape {vectors.shape}."
                )
            for media_id, row in zip(ids, vectors, strict=True):
                self._rows[space][media_id] = np.array(row, dtype=np.float32)

    def delete(self, space: str, ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are no error."""
        with self._lock:
            for media_id in ids:
                self._rows.get(space, {}).pop(media_id, None)

    def query(
        self, space: str, vector: Vectors, limit: int, ids: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The nearest vectors to the unit vector (dim,), as (id, cosine), best first."""
        with self._lock:
            rows = self._rows.get(space, {})
            kept = list(rows) if ids is None else [i for i in dict.fromkeys(ids) if i in rows]
            if not kept:
                return []
            if vector.shape != (self._dims[space],):
                raise StoreError(
                    f"The space {space} has vectors of {self._dims[space]} numbers, "
                    f"and the query is of shape {vector.shape}."
                )
            scores = np.stack([rows[i] for i in kept]) @ np.asarray(vector, np.float32)
        best = np.argsort(-scores, kind="stable")[:limit]
        return [(kept[n], float(scores[n])) for n in best]

    def reopen(self) -> None:
        """Nothing to do: there are no other processes."""

    def close(self) -> None:
        """Nothing to let go of; the vectors stay, so that a test can open them again."""


_COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "green": (30, 180, 30),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 30),
    "orange": (240, 140, 20),
    "purple": (140, 40, 180),
    "pink": (250, 160, 200),
    "brown": (120, 75, 40),
}


class HashEncoder(BaseEncoder):
    """A fake encoder without weights: a picture's mean colour, and a trace of its content.

    Deterministic: the same pixels or words always give the same vector, different ones almost
    surely a different one. "a red thing" finds red pictures; words that name no colour land
    anywhere.
    """

    DIM = 32
    _COLOUR_DIM = 24

    def __init__(self, info: EncoderInfo | None = None, *, side_px: int = 16) -> None:
        super().__init__(info or EncoderInfo("hash", "hash@000000000000/p1", self.DIM))
        self.side_px = side_px
        self.decode_side_px = side_px * 2

    def prepare(self, image: RgbImage) -> RgbImage:
        """Sample to (side_px, side_px, 3) uint8 RGB; a picture of that size stays as it is."""
        height, width = image.shape[:2]
        if (height, width) == (self.side_px, self.side_px):
            return image
        rows = (np.arange(self.side_px) * height) // self.side_px
        columns = (np.arange(self.side_px) * width) // self.side_px
        return np.ascontiguousarray(image[rows][:, columns])

    def _embed_images(self, images: Sequence[RgbImage]) -> Vectors:
        return np.stack(
            [self._vector(image.reshape(-1, 3).mean(axis=0), image.tobytes()) for image in images]
        )

    def _embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._text_vector(text) for text in texts])

    def _text_vector(self, text: str) -> Vectors:
        named = [_COLOURS[word] for word in text.lower().split() if word in _COLOURS]
        colour = np.mean(named, axis=0) if named else None
        return self._vector(colour, text.encode("utf-8", "surrogatepass"))

    def _vector(self, colour: np.ndarray | None, content: bytes) -> Vectors:
        """(DIM,): closeness to fixed points in the colour cube, then noise from the content."""
        seed = np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint32)
        noise = np.random.default_rng(seed).normal(size=self.DIM).astype(np.float32)
        if colour is None:
            return noise
        anchors = np.random.default_rng(0).uniform(0, 255, size=(self._COLOUR_DIM, 3))
        near = np.exp(-((np.linalg.norm(anchors - colour, axis=1) / 90) ** 2))
        vector = noise * 0.02
        vector[: self._COLOUR_DIM] += near.astype(np.float32)
        return vector


class GridSegmenter(BaseSegmenter):
    """A fake segmenter without weights: the picture cut into a grid of cells.

    Deterministic. Cells are labelled "cell" and numbered row by row, the first one scored best. A
    prompt gives the box and the cells that were pointed at as the object, less the cells that
    were pointed at as background.
    """

    def __init__(self, columns: int = 2, rows: int = 2) -> None:
        super().__init__(SegmenterInfo("grid", f"grid@{columns}x{rows}/g1"))
        self._columns_rows = (columns, rows)

    def _segment(self, image: RgbImage) -> list[Proposal]:
        columns, rows = self._columns_rows
        cells = self._cells(image)
        found = []
        for number in range(columns * rows):
            if (mask := cells == number).any():
                score = 0.95 - 0.9 * number / (columns * rows)
                found.append(proposal(mask, score, "cell", 0.5))
        return found

    def _prompt(
        self,
        image: RgbImage,
        prompt: Prompt,
        key: str | None,  # noqa: ARG002 - nothing is worth keeping
    ) -> list[Proposal]:
        cells = self._cells(image)
        mask: BoolMask = np.zeros(cells.shape, np.bool_)
        if prompt.box_xyxy is not None:
            mask = box_mask(prompt.box_xyxy, (cells.shape[1], cells.shape[0])).copy()
        for wanted in (0, 1):
            for (x, y), label in zip(prompt.points_xy, prompt.point_labels, strict=True):
                if label == wanted:
                    mask[cells == cells[int(y), int(x)]] = bool(wanted)
        return [proposal(mask, 0.9, "cell", 0.5)] if mask.any() else []

    def _cells(self, image: RgbImage) -> np.ndarray:
        """(H, W): the number of the cell that each pixel lies in."""
        columns, rows = self._columns_rows
        height, width = image.shape[:2]
        down = np.arange(height) * rows // height
        across = np.arange(width) * columns // width
        cells: np.ndarray = down[:, None] * columns + across
        return cells
