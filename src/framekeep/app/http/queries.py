"""Pictures to search with that are no members of the library, kept for a while."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

from PIL import Image

from framekeep.app.http.incoming import PartFile, PartFolder, RefusedError, safe_suffix
from framekeep.errors import NotFoundError
from framekeep.library import Library

MAX_BYTES = 100_000_000
PREVIEW_PX = 640
_SHA = re.compile(r"[0-9a-f]{64}")
_PREVIEWS = "previews"


class QueryImages:
    """Pictures by the SHA-256 of their bytes; the oldest go beyond `max_files` or `max_bytes`."""

    def __init__(
        self,
        folder: Path,
        max_files: int = 500,
        max_bytes: int = 2_000_000_000,
        min_free_bytes: int = 500_000_000,
    ) -> None:
        self.folder = folder
        self.max_files = max_files
        self.max_bytes = max_bytes
        self.parts = PartFolder(folder, min_free_bytes)

    def receive(self, shown_name: str, expected_bytes: int | None = None) -> IncomingPicture:
        """Begin to take one picture. Raises RefusedError where it cannot be taken."""
        check_size(expected_bytes or 0)
        self.parts.check_room(expected_bytes or 0)
        return IncomingPicture(self, self.parts.open(safe_suffix(shown_name)))

    def path(self, sha256: str) -> Path:
        """The picture's file. Raises NotFoundError."""
        found = self._find(sha256)
        if found is None:
            raise NotFoundError(
                "The picture that was searched with is no longer kept: add it to the search again."
            )
        with contextlib.suppress(OSError):
            os.utime(found)
        return found

    def preview(self, sha256: str) -> Path:
        """A WebP file of the picture, at most 640 px wide and high. Raises NotFoundError."""
        self.path(sha256)
        return self.folder / _PREVIEWS / f"{sha256}.webp"

    def keep(self, part: PartFile, library: Library) -> str:
        """Keep a closed part that is a picture; gives its id. Raises MediaError, RefusedError."""
        rgb = library.check_picture(part.path, PREVIEW_PX)
        sha256 = part.sha256
        image = Image.fromarray(rgb)
        image.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.BICUBIC, reducing_gap=2.0)
        small = self.parts.open(".webp")
        try:
            small.write(_webp(image))
            small.close()
            small.move(self.folder / _PREVIEWS / f"{sha256}.webp")
        finally:
            small.discard()
        part.move(self._find(sha256) or self.folder / f"{sha256}{part.suffix}")
        self._shrink(keep=sha256)
        return sha256

    def _find(self, sha256: str) -> Path | None:
        if not _SHA.fullmatch(sha256):
            return None
        return next(self.folder.glob(f"{sha256}.*"), None)

    def _shrink(self, keep: str) -> None:
        found = []
        for path in self.folder.glob("*.*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.is_file():
                    found.append((status.st_mtime_ns, status.st_size, path))
        count, size = len(found), sum(entry[1] for entry in found)
        for _, own, path in sorted(found):
            if count <= self.max_files and size <= self.max_bytes:
                return
            if path.stem == keep:
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                (self.folder / _PREVIEWS / f"{path.stem}.webp").unlink(missing_ok=True)
            count, size = count - 1, size - own


class IncomingPicture:
    """One picture on its way in: `write` its bytes in order, then `finish`, or `abort`."""

    def __init__(self, queries: QueryImages, part: PartFile) -> None:
        self._queries = queries
        self._part = part

    def write(self, data: bytes) -> None:
        """Append bytes. Raises RefusedError where a bound is passed or the disk is full."""
        check_size(self._part.bytes + len(data))
        self._queries.parts.check_room(len(data))
        self._part.write(data)

    def finish(self, library: Library) -> str:
        """Keep the picture; gives its id. Raises MediaError where it is none, RefusedError."""
        self._part.close()
        return self._queries.keep(self._part, library)

    def abort(self) -> None:
        """Delete what has come so far; does nothing after `finish`."""
        self._part.discard()


def _webp(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "WEBP", quality=82, method=2)
    return encoded.getvalue()


def check_size(size: int) -> None:
    """Raise RefusedError for more bytes than a picture to search with may have."""
    if size > MAX_BYTES:
        raise RefusedError(
            413, f"A picture to search with has at most {MAX_BYTES / 1e6:,.0f} MB: take a smaller."
        )
