"""Thumbnails on disk: WebP by media id, in a cache with a bound."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from pathlib import Path

from PIL import Image

from framekeep.types import RgbImage, ThumbnailSize

LONGEST_PX: dict[ThumbnailSize, int] = {"small": 320, "large": 640, "preview": 2048}
_QUALITY: dict[ThumbnailSize, int] = {"small": 75, "large": 75, "preview": 82}
_DAY_S = 86_400


class ThumbnailCache:
    """WebP pictures under `folder`, by size and media id; at most about `max_bytes` of them.

    Those used longest ago go first. Threads and processes may share a folder: a file is written
    beside its place and moved there whole.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._look_after = max_bytes // 20
        # Starting anywhere, so that many processes that each write little keep the bound, too.
        self._written = uuid.uuid4().int % max(1, self._look_after)
        self._lock = threading.Lock()

    def place(self, media_id: str, size: ThumbnailSize) -> Path:
        """Where a thumbnail lies, or would."""
        return self.folder / size / media_id[:2] / f"{media_id}.webp"

    def get(self, media_id: str, size: ThumbnailSize) -> Path | None:
        """The thumbnail, if it is there."""
        path = self.place(media_id, size)
        try:
            if time.time() - path.stat().st_mtime > _DAY_S:
                os.utime(path)
        except OSError:
            return path if path.exists() else None
        return path

    def put(self, media_id: str, size: ThumbnailSize, rgb: RgbImage) -> Path:
        """Keep a picture (H, W, 3) uint8 at this size; never enlarged. Raises OSError."""
        return self._write(media_id, size, Image.fromarray(rgb))

    def _write(self, media_id: str, size: ThumbnailSize, image: Image.Image) -> Path:
        """Reduce a picture to a size, in place, and keep it."""
        path = self.place(media_id, size)
        longest = LONGEST_PX[size]
        image.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=2.0)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{uuid.uuid4().hex[:8]}.part")
        try:
            image.save(part, "WEBP", quality=_QUALITY[size], method=1)
            written = part.stat().st_size
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._keep_bound(written)
        return path

    def put_new(self, media_id: str, rgb: RgbImage, size_wh: tuple[int, int]) -> None:
        """Keep both sizes of a gallery, as far as `rgb` holds enough of a picture of `size_wh`.

        A thumbnail that cannot be written is made later, when it is wanted.
        """
        with contextlib.suppress(OSError, MemoryError):
            longest, image = max(rgb.shape[:2]), Image.fromarray(rgb)
            # The small one is made of the large one.
            for size in ("large", "small"):
                if longest >= min(LONGEST_PX[size], max(size_wh)):
                    self._write(media_id, size, image)

    def shrink(self) -> None:
        """Delete what was used longest ago, where the cache has outgrown its bound."""
        found = []
        total = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with contextlib.suppress(OSError):
                    path = Path(folder) / name
                    status = path.stat()
                    total += status.st_size
                    # One being written is left alone; a day later its writer must have died.
                    if path.suffix != ".part" or status.st_mtime < time.time() - _DAY_S:
                        found.append((status.st_mtime, status.st_size, path))
        if total <= self._max_bytes:
            return
        for _, size, path in sorted(found):
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size
            if total <= 0.9 * self._max_bytes:
                return

    def _keep_bound(self, written: int) -> None:
        """Look at the whole cache, which takes a second, only after a good part of it is new."""
        with self._lock:
            self._written += written
            if self._written < self._look_after:
                return
            self._written = 0
        self.shrink()
