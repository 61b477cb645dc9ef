"""Photo or film, told by a file's first bytes."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.media.images import _open, picture_kind
from framekeep.media.scan import (
    FILM_SUFFIXES,
    MAX_FILM_BYTES,
    PICTURE_SUFFIXES,
    too_many_bytes,
)
from framekeep.media.sniff import HEAD_BYTES, is_film, sniff

_SHORTEST_MS, _USUAL_MS = 10, 100


def media_kind(
    path: Path, max_bytes: int, max_film_bytes: int = MAX_FILM_BYTES
) -> tuple[Literal["photo", "video"], str]:
    """What a file is by its content: ("photo", a name out of `PICTURES`), or ("video", kind).

    A film's kind is "video" for what FFmpeg is asked about, "gif" or "webp" for an animation,
    which is a film where it has more than one picture. Raises UnsupportedMediaError for what is
    neither, MediaError for what only claims to be one, is too large, or cannot be read.
    """
    head, size = _head(path)
    suffix = path.suffix.lower()
    if is_film(head) and suffix not in PICTURE_SUFFIXES:
        if size > max_film_bytes:
            raise MediaError(too_many_bytes(size, max_film_bytes, "FRAMEKEEP_MAX_FILM_BYTES"))
        return "video", "video"
    if suffix in FILM_SUFFIXES:
        if not head:
            raise MediaError("The file is empty (0 bytes).")
        kind = sniff(head)
        what = f"seems to be {kind}" if kind else "is of no known kind, or damaged at its start"
        raise MediaError(f"The name says film, but the content {what}.")
    kind = picture_kind(path, max_bytes)
    if kind in ("gif", "webp") and _is_animated(path, kind):
        return "video", kind
    return "photo", kind


def film_kind(path: Path, max_film_bytes: int) -> str:
    """The kind of a film as `media_kind` tells it; UnsupportedMediaError for a picture."""
    medium, kind = media_kind(path, max_film_bytes, max_film_bytes)
    if medium == "photo":
        raise UnsupportedMediaError("This is a single picture, no film.")
    return kind


def _head(path: Path) -> tuple[bytes, int]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError("This is not a file; it was not opened.")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES), status.st_size
    except OSError as exc:
        raise MediaError(f"The file cannot be read: {(exc.strerror or 'error').lower()}.") from exc


def _is_animated(path: Path, kind: str) -> bool:
    """Whether a second picture is there, at least its beginning. Nothing is decoded."""
    if kind == "webp":
        times_ms = webp_times_ms(path)
        return next(times_ms, None) is not None and next(times_ms, None) is not None
    # What Pillow cannot make out is left to the one who reads it as a picture.
    with contextlib.suppress(Exception), _open(path) as image:
        return bool(getattr(image, "is_animated", False))
    return False


def webp_times_ms(path: Path) -> Iterator[int]:
    """How long each picture of an animated WebP is shown, in milliseconds.

    By the container's specification: chunks "ANMF" with 24 bits of duration at offset 12. As
    browsers do, 10 ms or less count as 100.
    """
    with path.open("rb") as file:
        end = int.from_bytes(file.read(12)[4:8], "little") + 8
        while file.tell() < end:
            header = file.read(8)
            length = int.from_bytes(header[4:], "little")
            if len(header) < 8:
                return
            start = file.tell()
            if header[:4] == b"ANMF":
                lasts_ms = int.from_bytes(file.read(16)[12:15], "little")
                yield lasts_ms if lasts_ms > _SHORTEST_MS else _USUAL_MS
            file.seek(start + length + length % 2)
