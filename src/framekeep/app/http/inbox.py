"""Uploaded files: streamed to disk under their content's hash, never under a name that was sent."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from framekeep.app.http.incoming import FILM_SUFFIXES, PartFolder, RefusedError, safe_suffix, shown

KEPT_BATCHES = 1000
MAX_BATCH_BYTES = 200_000_000_000
_BATCH = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived whole. `shown_name` is for eyes only, never part of a path."""

    path: Path
    sha256: str
    bytes: int
    shown_name: str


@dataclass
class _Batch:
    """What was sent under one name; `files` and `bytes` count what is still on its way too."""

    files: int = 0
    bytes: int = 0
    on_the_way: int = 0
    received: list[Received] = field(default_factory=list)


class Inbox:
    """Takes files into `folder`, with bounds for one file, one batch and the disk; thread-safe.

    What is named as a film may have `max_film_bytes`, by default as many as any other file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        max_film_bytes: int | None = None,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        max_batch_files: int = 100_000,
        min_free_bytes: int = 500_000_000,
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_film_bytes = max_bytes if max_film_bytes is None else max_film_bytes
        self.max_batch_bytes = max_batch_bytes
        self.max_batch_files = max_batch_files
        self.parts = PartFolder(folder, min_free_bytes)
        self._batches: OrderedDict[str, _Batch] = OrderedDict()
        self._lock = threading.Lock()

    def receive(self, batch: str, shown_name: str, expected_bytes: int | None = None) -> Incoming:
        """Begin to take one file. Raises RefusedError where it cannot be taken."""
        if not _BATCH.fullmatch(batch):
            raise RefusedError(
                400, "An upload's batch is named with 8 to 64 letters, digits, - and _."
            )
        name = shown(shown_name)
        if not name:
            raise RefusedError(400, "An uploaded file needs a name.")
        self.check_size(expected_bytes or 0, safe_suffix(name))
        self.parts.check_room(expected_bytes or 0)
        with self._lock:
            kept = self._batch(batch)
            if kept.files >= self.max_batch_files:
                raise RefusedError(
                    413,
                    f"At most {self.max_batch_files:,} files are taken at once: add the others "
                    "afterwards.",
                )
            kept.files += 1
            kept.on_the_way += 1
        try:
            return Incoming(self, kept, name)
        except BaseException:
            self._let_go(kept, 0)
            raise

    def take(self, batch: str) -> list[Received]:
        """What has arrived for a batch and was not taken yet."""
        with self._lock:
            kept = self._batches.get(batch)
            if kept is None:
                return []
            taken, kept.received = kept.received, []
            return taken

    def check_size(self, size: int, suffix: str) -> None:
        """Raise RefusedError for a file of more bytes than one with this suffix may have."""
        film = suffix in FILM_SUFFIXES
        limit = self.max_film_bytes if film else self.max_bytes
        if size > limit:
            what, setting = ("film", "_FILM") if film else ("file", "")
            raise RefusedError(
                413,
                f"The {what} is larger than the limit of {limit / 1e6:,.0f} MB "
                f"(FRAMEKEEP_MAX{setting}_BYTES).",
            )

    def _batch(self, name: str) -> _Batch:
        kept = self._batches.setdefault(name, _Batch())
        self._batches.move_to_end(name)
        if len(self._batches) > KEPT_BATCHES:
            idle = (n for n, batch in self._batches.items() if not batch.on_the_way and n != name)
            oldest = next(idle, None)
            if oldest is not None:
                del self._batches[oldest]
        return kept

    def _grow(self, batch: _Batch, size: int) -> None:
        with self._lock:
            if batch.bytes + size > self.max_batch_bytes:
                raise RefusedError(
                    413,
                    f"At most {self.max_batch_bytes / 1e9:,.0f} GB are taken at once: add the "
                    "others afterwards.",
                )
            batch.bytes += size

    def _let_go(self, batch: _Batch, size: int) -> None:
        with self._lock:
            batch.files -= 1
            batch.bytes -= size
            batch.on_the_way -= 1

    def _arrived(self, batch: _Batch, received: Received) -> None:
        with self._lock:
            batch.on_the_way -= 1
            batch.received.append(received)


class Incoming:
    """One file on its way in: `write` its bytes in order, then `finish`, or `abort`."""

    def __init__(self, inbox: Inbox, batch: _Batch, name: str) -> None:
        self._inbox = inbox
        self._batch = batch
        self._name = name
        self._part = inbox.parts.open(safe_suffix(name))
        self._counted = 0
        self._ended = False

    def write(self, data: bytes) -> None:
        """Append bytes. Raises RefusedError where a bound is passed or the disk is full."""
        self._inbox.check_size(self._part.bytes + len(data), self._part.suffix)
        self._inbox.parts.check_room(len(data))
        self._inbox._grow(self._batch, len(data))
        self._counted += len(data)
        self._part.write(data)

    def finish(self) -> Received:
        """Move the whole file to its place. Raises RefusedError."""
        self._part.close()
        sha256 = self._part.sha256
        place = self._inbox.folder / sha256[:2] / f"{sha256}{self._part.suffix}"
        self._part.move(place)
        self._ended = True
        received = Received(place, sha256, self._part.bytes, self._name)
        self._inbox._arrived(self._batch, received)
        return received

    def abort(self) -> None:
        """Delete what has come so far; does nothing after `finish`."""
        if self._ended:
            return
        self._ended = True
        self._part.discard()
        self._inbox._let_go(self._batch, self._counted)
