"""Finding files: folders, files and glob patterns, one record per file, memory flat."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from framekeep.errors import InputError, MediaError
from framekeep.types import FileRecord

RAW_SUFFIXES = frozenset(
    (
        ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".nef", ".nrw", ".orf",
        ".pef", ".raf", ".rw2", ".srw",
    )
)  # fmt: skip
PICTURE_SUFFIXES = RAW_SUFFIXES.union(
    (
        ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic",
        ".heif", ".avif",
    )
)  # fmt: skip
# Not .ts and .mts, which are also names of program code: such films are known by content alone.
FILM_SUFFIXES = frozenset(
    (
        ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".ivf", ".m2ts", ".m2v", ".m4v", ".mkv",
        ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mxf", ".ogv", ".qt", ".vob", ".webm", ".wmv",
        ".y4m",
    )
)  # fmt: skip
MAX_FILM_BYTES = 200_000_000_000
# A library of framekeep's own, which may lie among the photos.
LIBRARY_FILES = frozenset(["catalog.sqlite3", "writer.lock"])
RUBBISH = frozenset(
    ["thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"]
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One path a scan came upon; `problem` says why it cannot be read, if that is known already."""

    path: str
    bytes: int
    mtime_ns: int
    problem: str | None = None


def resolve_roots(
    paths: Sequence[str | Path], known: Callable[[str], bool] | None = None
) -> list[str]:
    """Absolute paths of what to scan: patterns are expanded, repeats left out.

    A path that is not there is kept where `known` says that it was once, so that its files can
    be marked missing. Raises InputError for any other path that matches nothing.
    """
    roots: list[str] = []
    for path in paths:
        if not str(path).strip():
            raise InputError("An empty path was given: name a file or folder to add.")
        absolute = os.path.abspath(os.path.expanduser(path))
        if os.path.lexists(absolute) or (known and known(absolute)):
            roots.append(absolute)
            continue
        matches = sorted(glob.glob(absolute, recursive=True)) if glob.has_magic(absolute) else []
        if not matches:
            raise InputError(f"There is no file or folder {path}: check the spelling.")
        roots.extend(matches)
    return list(dict.fromkeys(roots))


def scan(
    roots: Sequence[str | Path],
    *,
    max_bytes: int = 1_000_000_000,
    max_film_bytes: int = MAX_FILM_BYTES,
) -> Iterator[FoundFile]:
    """Walk the roots and tell every file once, in order.

    Files with a picture's name may have `max_bytes`, those with a film's `max_film_bytes`.

    Inside folders, names that begin with a dot and what operating systems leave behind are
    passed over. Linked folders are followed, each real folder once.
    """
    walk = _Walk(max_bytes, max_film_bytes)
    for root in roots:
        yield from walk.root(os.path.abspath(root))


@dataclass(frozen=True, slots=True)
class _Level:
    """One folder being walked: names still to come, last first, and which of them are folders."""

    path: str
    identity: tuple[int, int]
    names: list[str]
    folders: frozenset[str]


def _level(path: str, identity: tuple[int, int]) -> _Level:
    # Only names are kept: a folder of a million files would cost three times as much as entries.
    names: list[str] = []
    folders: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if _passed_over(entry.name):
                continue
            names.append(entry.name)
            if _is_folder(entry):
                folders.append(entry.name)
    names.sort(reverse=True)
    return _Level(path, identity, names, frozenset(folders))


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name.lower() in RUBBISH


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


class _Walk:
    def __init__(self, max_bytes: int, max_film_bytes: int) -> None:
        self._limits = {
            **dict.fromkeys(PICTURE_SUFFIXES, (max_bytes, "FRAMEKEEP_MAX_BYTES")),
            **dict.fromkeys(FILM_SUFFIXES, (max_film_bytes, "FRAMEKEEP_MAX_FILM_BYTES")),
        }
        self._folders: set[tuple[int, int]] = set()
        self._roots: set[str] = set()

    def root(self, path: str) -> Iterator[FoundFile]:
        """Everything at or under one root, which may be gone."""
        if path in self._roots or not os.path.lexists(path):
            return
        self._roots.add(path)
        if os.path.isdir(path):
            yield from self._folder(path)
        elif not self._seen_in_folder(path):
            yield self._file(path)

    def _seen_in_folder(self, path: str) -> bool:
        folder, name = os.path.split(path)
        try:
            status = os.stat(folder)
        except OSError:
            return False
        return not _passed_over(name) and (status.st_dev, status.st_ino) in self._folders

    def _folder(self, path: str) -> Iterator[FoundFile]:
        """Everything under a folder. A stack, since folders may nest deeper than calls can."""
        levels: list[_Level] = []
        yield from self._enter(path, levels)
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                continue
            name = level.names.pop()
            child = os.path.join(level.path, name)
            if name in level.folders:
                yield from self._enter(child, levels)
            elif child not in self._roots:
                yield self._file(child)

    def _enter(self, path: str, levels: list[_Level]) -> Iterator[FoundFile]:
        """Put a folder's level on the stack, or tell why it is not walked."""
        try:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if any(level.identity == identity for level in levels):
                yield _problem(
                    path, "This link leads back to a folder above it; it was not followed."
                )
                return
            if identity in self._folders:
                return
            level = _level(path, identity)
            if {*level.names} >= LIBRARY_FILES:
                return
        except OSError as exc:
            yield _problem(path, f"The folder cannot be read: {_words(exc)}.")
            return
        self._folders.add(identity)
        levels.append(level)
        suffix = os.path.splitext(path)[1].lower()
        if suffix in self._limits:
            what = "picture" if suffix in PICTURE_SUFFIXES else "film"
            yield _problem(
                path, f"This is a folder with a {what}'s name; the files in it were added."
            )

    def _file(self, path: str) -> FoundFile:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        if shown != path:
            return _problem(
                shown, "The file's name or folder is not valid UTF-8: rename it, then add it again."
            )
        try:
            status = os.stat(path)
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                return _problem(path, "This link leads back to itself.")
            if os.path.islink(path):
                return _problem(path, "This link leads to a file that is not there.")
            return _problem(path, f"The file cannot be read: {_words(exc)}.")
        found = FoundFile(path, status.st_size, status.st_mtime_ns)
        return replace(found, problem=self._hindrance(path, status))

    def _hindrance(self, path: str, status: os.stat_result) -> str | None:
        if not stat.S_ISREG(status.st_mode):
            return "This is not a file but a pipe, a socket or a device; it was not opened."
        limit = self._limits.get(os.path.splitext(path)[1].lower())
        if limit is None:
            return (
                None if os.access(path, os.R_OK) else "The file cannot be read: permission denied."
            )
        if status.st_size == 0:
            return "The file is empty (0 bytes)."
        if status.st_size > limit[0]:
            return too_many_bytes(status.st_size, *limit)
        if not os.access(path, os.R_OK):
            return "The file cannot be read: permission denied."
        return None


def too_many_bytes(size: int, limit: int, setting: str) -> str:
    """The reason for a file that is larger than a setting allows."""
    return (
        f"The file has {size / 1e6:,.0f} MB, more than the limit of {limit / 1e6:,.0f} MB "
        f"({setting})."
    )


def _problem(path: str, reason: str) -> FoundFile:
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    return FoundFile(shown, 0, 0, reason)


def _words(exc: OSError) -> str:
    return (exc.strerror or type(exc).__name__).lower()


def content_id(path: str) -> str:
    """The SHA-256 of a file's bytes as 64 hex digits. Raises MediaError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise MediaError(f"The file cannot be read: {_words(exc)}.") from exc


def still_holds(file: FileRecord, media_id: str) -> bool:
    """Whether a file still has the content that it was added with: by size and time, else by hash.

    Raises MediaError where it cannot be read.
    """
    with suppress(OSError):
        status = os.stat(file.path)
        if (file.bytes, file.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return True
    return content_id(file.path) == media_id
