"""Where a dataset is written: beside its place, and moved there when it is whole.

While `OUT` is made, everything lies in the hidden folder `.OUT.framekeep-part` beside it; the
former dataset waits as `.OUT.framekeep-former` for the moment in which the new one takes its place.
What a killed run leaves behind is cleared away, and a former dataset put back, by the next one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from framekeep.errors import InputError

_FULL = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG])


def resolve_out(out: str | Path) -> Path:
    """Where a dataset goes, absolute, links followed. Raises InputError for what is no place."""
    text = str(out)
    if not text.strip() or "\0" in text:
        raise InputError("Name the folder to write to.")
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError) as exc:
        raise InputError(f"{text!r} cannot be a folder to write to: {exc}.") from exc


def check_target(out: Path, *, overwrite: bool, keep: Sequence[Path]) -> None:
    """Raise InputError where a dataset must not go: over a file, over what is there unless told
    so, into or over a folder of `keep`, over the present or the user's own folder."""
    for folder in keep:
        if out == folder or folder in out.parents or out in folder.parents:
            raise InputError(
                f"{out} lies in or over {folder}, where framekeep keeps its own: name another "
                "place."
            )
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file, and a folder is needed: name another place.")
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise InputError(
            f"{out} is not empty: name another folder, or say that it may be replaced "
            "(--overwrite)."
        )
    for precious in (Path.cwd(), Path.home()):
        if out == precious or out in precious.parents:
            raise InputError(f"{out} holds {precious}, so it is not replaced: name another folder.")


@contextmanager
def placed(out: Path) -> Iterator[Path]:
    """A new hidden folder beside `out` to write into; it becomes `out` where nothing is raised.

    What was at `out` is replaced in that moment and not before. Raises InputError where another
    process writes there, where the disk is full, and for whatever the system refuses.
    """
    part, former = _beside(out, "part"), _beside(out, "former")
    with _told(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(out):
        with _told(out):
            _clear_away(part, former, out)
            part.mkdir()
        try:
            with _told(out):
                yield part
                _move_into_place(part, former, out)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _beside(out: Path, what: str) -> Path:
    return out.parent / f".{out.name}.framekeep-{what}"


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    lock = FileLock(_beside(out, "lock"))
    with _told(out):
        try:
            lock.acquire(timeout=0)
        except Timeout as exc:  # an OSError, too
            raise InputError(
                f"Another process is writing to {out}: wait until it is done."
            ) from exc
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _clear_away(part: Path, former: Path, out: Path) -> None:
    """Remove what a killed run left; put a dataset back that it had just set aside."""
    if part.exists():
        shutil.rmtree(part)
    if not former.exists():
        return
    if os.path.lexists(out):
        shutil.rmtree(former)
    else:
        former.rename(out)


def _move_into_place(part: Path, former: Path, out: Path) -> None:
    if os.path.lexists(out):
        out.rename(former)
    try:
        part.rename(out)
    except OSError:
        if former.exists():
            former.rename(out)
        raise
    shutil.rmtree(former, ignore_errors=True)


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turn what the system refuses into one sentence."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise InputError(
                f"There is no room left on the disk for {out}; nothing was written there: make "
                "room, or name another place."
            ) from exc
        if exc.errno in (errno.EBUSY, errno.EXDEV):
            raise InputError(
                f"{out} is a place of its own that cannot be replaced as one: name a folder "
                "within it."
            ) from exc
        where = exc.filename or out
        raise InputError(
            f"Nothing can be written to {out}: {(exc.strerror or str(exc)).lower()} ({where})."
        ) from exc


def foreign_file(folder: Path, known: Mapping[str, str | None]) -> str | None:
    """A file in a folder that is not among those known, or has another SHA-256 (None: any)."""
    for inner, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(inner) / name
            place = path.relative_to(folder).as_posix()
            if place not in known:
                return place
            wanted = known[place]
            if wanted is not None and _digest(path) != wanted:
                return place
    return None


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
