"""One writer per library: a file lock that the operating system lets go of when its holder dies."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from framekeep.errors import LibraryLockedError, StoreError

LOCK_FILE = "writer.lock"
HOLDER_FILE = "writer.json"
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: a process, on a machine, doing `what` since an instant (UTC)."""

    pid: int
    host: str
    what: str
    since: datetime

    @property
    def may_live(self) -> bool:
        """False where the process is known to be gone, as after kill -9."""
        if self.host != socket.gethostname() or os.name == "nt":
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # there, but another user's
        return True

    def __str__(self) -> str:
        """In words, with the local time."""
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        since = self.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return f"process {self.pid}{where} ({self.what}), since {since}"


class WriterLock:
    """The right to write to a library, held by one process (and thread) at a time.

    Holding it again in the same thread is allowed, also through another `WriterLock` of the same
    folder. A second thread or process waits.
    """

    _shared: ClassVar[dict[str, FileLock]] = {}
    _shared_guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        self._lock_path = self._folder / LOCK_FILE
        self._holder_path = self._folder / HOLDER_FILE

    @contextmanager
    def hold(
        self, what: str, wait_s: float, on_wait: Callable[[str], None] | None = None
    ) -> Iterator[None]:
        """Hold the lock; `on_wait` is told once, in a sentence, who holds it now.

        Raises LibraryLockedError, naming the holder, when it was not free after `wait_s` seconds.
        """
        lock = self._file_lock()
        self._acquire(lock, wait_s, on_wait)
        try:
            outermost = lock.lock_counter == 1
            if outermost:
                self._write_holder(what)
            try:
                yield
            finally:
                if outermost:
                    self._holder_path.unlink(missing_ok=True)
        finally:
            lock.release()

    def holder(self) -> Holder | None:
        """Who says to hold the lock; a holder that was killed may still be named."""
        try:
            said = json.loads(self._holder_path.read_text("utf-8"))
            since = datetime.fromisoformat(said["since"])
            return Holder(int(said["pid"]), str(said["host"]), str(said["what"]), since)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _file_lock(self) -> FileLock:
        """One lock object per file, process and thread: that is what makes nesting work."""
        key = f"{self._lock_path.absolute()}|{os.getpid()}|{threading.get_ident()}"
        with self._shared_guard:
            if key not in self._shared:
                self._shared[key] = FileLock(self._lock_path, thread_local=False)
            return self._shared[key]

    def _acquire(
        self, lock: FileLock, wait_s: float, on_wait: Callable[[str], None] | None
    ) -> None:
        try:
            try:
                lock.acquire(timeout=0)
                return
            except Timeout:
                if on_wait is not None and wait_s > 0:
                    on_wait(f"Waiting for {self._who()}.")
            deadline = time.monotonic() + wait_s
            while True:
                try:
                    lock.acquire(timeout=0)
                    return
                except Timeout as exc:
                    if time.monotonic() >= deadline:
                        raise LibraryLockedError(
                            f"The library {self._folder} is being written to by {self._who()}; "
                            "wait until it is done, or stop it."
                        ) from exc
                time.sleep(min(_POLL_S, max(0.001, deadline - time.monotonic())))
        except OSError as exc:
            raise StoreError(
                f"The library {self._folder} cannot be locked for writing: {exc.strerror or exc}; "
                "check that the folder exists and is yours."
            ) from exc

    def _who(self) -> str:
        holder = self.holder()
        return "another process" if holder is None or not holder.may_live else str(holder)

    def _write_holder(self, what: str) -> None:
        holder = Holder(os.getpid(), socket.gethostname(), what, datetime.now(UTC))
        content = json.dumps({**asdict(holder), "since": holder.since.isoformat()})
        part = self._holder_path.with_suffix(".part")
        part.write_text(content, "utf-8")
        part.replace(self._holder_path)
