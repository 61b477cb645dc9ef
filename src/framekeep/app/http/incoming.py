"""Files that arrive piece by piece: written beside their place, and moved there whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from framekeep.errors import InputError

PICTURE_SUFFIXES = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic",
        ".heif", ".avif", ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".nef",
        ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw",
    )
)  # fmt: skip
# Names of program code, too: such a file's content tells whether it is a film.
FILM_OR_CODE = frozenset((".ts", ".mts"))
FILM_SUFFIXES = FILM_OR_CODE.union(
    (
        ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".ivf", ".m2ts", ".m2v", ".m4v", ".mkv",
        ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mxf", ".ogv", ".qt", ".vob", ".webm", ".wmv",
        ".y4m",
    )
)  # fmt: skip
PLAIN_SUFFIX = ".bin"
LONGEST_NAME = 400
INCOMING = ".incoming"
_LOCK = "in-use.lock"
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota error


class RefusedError(InputError):
    """Something that was sent is not taken; `status` is the answer's HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def shown(name: str) -> str:
    """A file's name as it may be shown: one line of printable characters, its end kept."""
    kept = "".join(c for c in name.encode("utf-8", "replace").decode() if c.isprintable())
    return kept.strip()[-LONGEST_NAME:]


def safe_suffix(name: str) -> str:
    """A picture's or film's suffix out of a name that somebody gave, or a plain one."""
    suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
    return suffix if suffix in PICTURE_SUFFIXES or suffix in FILM_SUFFIXES else PLAIN_SUFFIX


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn what the disk raises into RefusedError."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise no_room() from exc
        reason = (exc.strerror or "error").lower()
        raise RefusedError(
            500, f"The file cannot be written to the library's folder: {reason}."
        ) from exc


def no_room() -> RefusedError:
    """What is told where the disk is full."""
    return RefusedError(
        507, "The disk that holds the library is full: make room, then add the file again."
    )


class PartFile:
    """One file on its way in. After `move` or `discard` nothing of it is left beside its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suffix = path.suffix
        self.bytes = 0
        self._hash = hashlib.sha256()
        with writing():
            self._file = path.open("xb")

    @property
    def sha256(self) -> str:
        """The hash of what has been written so far, 64 hex digits."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Append bytes. Raises RefusedError where the disk does not take them."""
        with writing():
            self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    def close(self) -> None:
        """All has been written. Raises RefusedError."""
        with writing():
            self._file.close()

    def move(self, place: Path) -> None:
        """Move the closed file to its place; the same content that lies there already stays."""
        with writing():
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_file() and place.stat().st_size == self.bytes:
                self.discard()
            else:
                self.path.replace(place)

    def discard(self) -> None:
        """Delete it, as far as it has come."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class PartFolder:
    """Where one running server keeps its unfinished files, inside `folder`.

    What a server that was killed has left there is deleted by the next one; the parts of one
    that runs are locked.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._incoming = folder / INCOMING
        self._min_free_bytes = min_free_bytes
        self._own: Path | None = None
        self._in_use: FileLock | None = None
        self._guard = threading.Lock()
        self._delete_left_over()

    def open(self, suffix: str) -> PartFile:
        """A new unfinished file. Raises RefusedError."""
        return PartFile(self._folder() / f"{uuid.uuid4().hex}.part{suffix}")

    def check_room(self, bytes_to_come: int = 0) -> None:
        """Raise RefusedError where so many bytes would leave too little of the disk free."""
        with writing():
            free = shutil.disk_usage(self._folder()).free
        if free - bytes_to_come < self._min_free_bytes:
            raise no_room()

    def _folder(self) -> Path:
        with self._guard:
            if self._own is None or not self._own.is_dir():
                own = self._incoming / uuid.uuid4().hex
                with writing():
                    own.mkdir(parents=True)
                    self._in_use = FileLock(own / _LOCK)
                    self._in_use.acquire(blocking=False)
                self._own = own
            return self._own

    def _delete_left_over(self) -> None:
        with contextlib.suppress(OSError):
            for left in list(self._incoming.iterdir()):
                lock = FileLock(left / _LOCK)
                with contextlib.suppress(Timeout):
                    if (left / _LOCK).exists():
                        lock.acquire(blocking=False)
                        lock.release()
                    shutil.rmtree(left, ignore_errors=True)
                    if not left.is_dir():
                        left.unlink(missing_ok=True)
