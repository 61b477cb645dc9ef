"""Turns at an index folder: one process at a time, each told what happened since its last turn.

Chroma's local index needs this. Whoever reads it may also write its files (a query first applies
what the log holds), each process works on its own copy in memory, and a process that dies while
the files are written leaves them torn: read blindly, such files can end the reader, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from framekeep.errors import IndexUnavailableError

STAMP_FILE = "framekeep.stamp"
WAIT_S = 60.0
_POLL_S = 0.005
_CLOCK_NS = 20_000_000  # file systems tell time in steps


@dataclass(frozen=True, slots=True)
class Stamp:
    """The state in which the last writer left the folder.

    `token` changes with every write. `whole` is False where a write began and never ended.
    """

    token: str
    whole: bool


class IndexGuard:
    """The lock beside an index folder, and the stamp inside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = folder / STAMP_FILE
        self._lock = FileLock(folder.with_name(folder.name + ".lock"), thread_local=False)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the folder to oneself. Raises IndexUnavailableError after a minute of waiting."""
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=WAIT_S, poll_interval=_POLL_S)
        except Timeout as exc:
            raise IndexUnavailableError(
                f"The vector index {self._folder} was busy for {WAIT_S:.0f} s; try again."
            ) from exc
        try:
            yield
        finally:
            self._lock.release()

    def read(self) -> Stamp:
        """What the last writer left; only within a turn."""
        try:
            state, token = self._stamp.read_text("ascii").split()
        except FileNotFoundError:
            return Stamp("", whole=True)
        except ValueError:
            return Stamp("", whole=False)
        return Stamp(token, whole=state == "whole")

    def torn(self) -> bool:
        """True where a writer died while Chroma saved its vector files; only within a turn.

        It saves them every few hundred writes, and logs the others safely in SQL: a write cut
        short in between, which no vector file is newer than, is finished from the log.
        """
        if self.read().whole:
            return False
        began_ns = self._stamp.stat().st_mtime_ns - _CLOCK_NS
        saved = list(self._folder.glob("*/*"))
        return any(file.stat().st_mtime_ns >= began_ns for file in saved)

    @contextmanager
    def writing(self) -> Iterator[Stamp]:
        """Change the folder; gives the stamp that it has afterwards, unless an error ends it."""
        token = uuid.uuid4().hex
        self._write(f"torn {token}", durable=True)
        try:
            yield Stamp(token, whole=True)
        except (KeyboardInterrupt, GeneratorExit):
            self._write(f"whole {uuid.uuid4().hex}", durable=False)  # Python stops between calls
            raise
        self._write(f"whole {token}", durable=False)

    def _write(self, content: str, durable: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._stamp.open("w", encoding="ascii") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())


def survives(code: str, folder: Path) -> bool:
    """Run `code` on a folder in a process of its own: torn files can end whoever reads them."""
    done = subprocess.run(  # noqa: S603 (our own interpreter and code)
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


_spellings: dict[str, set[int]] = {}
_spellings_lock = threading.Lock()


def own_spelling(folder: Path) -> tuple[str, Callable[[], None]]:
    """The folder's path in a spelling that no other open client of this process uses.

    Chroma shares one system among all clients of the same path, which is how a reader misses
    what others write; another spelling of the path gives a system of our own, which `close`
    stops at once and which leaves other users of Chroma in this process alone.
    """
    base = str(folder.absolute())
    with _spellings_lock:
        used = _spellings.setdefault(base, set())
        number = next(n for n in range(1, len(used) + 2) if n not in used)
        used.add(number)

    def release() -> None:
        with _spellings_lock:
            used.discard(number)

    return base + (os.sep + ".") * number, release
