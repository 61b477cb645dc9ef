"""Photo or film, told by a file's first bytes."""

from __future__ import annotations

import stat
from pathlib import Path

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.media.sniff import HEAD_BYTES, sniff


def film_kind(path: Path, max_bytes: int) -> str:
    """What kind of film a file is: "video", "gif" or "webp"."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError("This is not a file; it was not opened.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as exc:
        raise MediaError(f"The file cannot be read: {(exc.strerror or 'error').lower()}.") from exc
    kind = sniff(head)
    if kind not in ("video", "gif", "webp"):
        raise UnsupportedMediaError(f"This is not a film, it seems to be {kind or 'unknown'}.")
    return kind
