"""Adding media: scan, decode in threads, encode in batches, store; told as a stream of events.

Order of writing per batch: media and vectors in SQL, then the index, then the ledger, then the
files' rows. A crash between any two of these leaves work that the next run replays.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.film_types import FrameChoice
from framekeep.filming import Filming, is_settled
from framekeep.lookahead import batched, in_threads
from framekeep.media.images import read_photo
from framekeep.media.kinds import media_kind
from framekeep.media.limits import Limits
from framekeep.media.scan import FoundFile, content_id, scan
from framekeep.media.spool import Spool
from framekeep.store.repair import remove_stale, replay
from framekeep.stores import Stores, encode_carefully
from framekeep.types import (
    FileRecord,
    FileState,
    IngestCounts,
    IngestEvent,
    IngestKind,
    MediaItem,
    RgbImage,
    Vectors,
)

LOOKUP_BATCH = 256
SETTLED: tuple[FileState, ...] = ("indexed", "skipped", "failed")


@dataclass(slots=True)
class IngestTimings:
    """Where the time of a run went, in seconds; `decode_s` is summed over threads."""

    decode_s: float = 0.0
    encode_s: float = 0.0
    store_s: float = 0.0
    wait_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add_decode(self, seconds: float) -> None:
        """Add one file's decoding time; called from several threads."""
        with self._lock:
            self.decode_s += seconds


@dataclass(frozen=True, slots=True)
class _Work:
    """What reading one file came to: a picture to encode, a known content, a film, or a reason."""

    found: FoundFile
    media_id: str | None = None
    item: MediaItem | None = None
    image: RgbImage | None = None
    reason: str | None = None
    state: FileState = "indexed"
    is_film: bool = False


class Progress:
    """Counts, rate and time left; makes the events."""

    def __init__(self, found: int | None = None) -> None:
        self.counts = IngestCounts(found=found or 0)
        self.scanned = found is not None
        self._started = time.monotonic()
        self._read = 0

    def event(
        self,
        kind: IngestKind,
        path: str | None = None,
        reason: str | None = None,
        media_id: str | None = None,
        film_s: tuple[float, float] | None = None,
    ) -> IngestEvent:
        """Count one file's end and tell it."""
        if kind not in ("scanning", "reading", "done"):
            self.counts = replace(self.counts, **{kind: getattr(self.counts, kind) + 1})
        self._read += kind in ("indexed", "linked", "failed")
        rate = self._read / max(time.monotonic() - self._started, 1e-6)
        left = (self.counts.found - self.counts.done) / rate if self.scanned and rate else None
        return IngestEvent(kind, self.counts, path, reason, media_id, rate, left, film_s)


def ingest(
    paths: Sequence[str],
    stores: Stores,
    *,
    limits: Limits | None = None,
    retry: bool = False,
    timings: IngestTimings | None = None,
    frames: FrameChoice | None = None,
    default_frames: FrameChoice | None = None,
) -> Iterator[IngestEvent]:
    """Add the files under `paths`, which exist or are known to the catalog.

    Files whose size and time have not changed are not read; failed ones are, with `retry`.
    Known contents are linked without encoding. One bad file never stops the run. Of films, `frames`
    says which pictures are looked at, and those read another way before are read again; where it
    is None, new ones go by `default_frames`.
    Raises StoreError where catalog or index fail; the caller holds the writer's lock.
    """
    limits, timings = limits or Limits(), timings or IngestTimings()
    filming = Filming(stores, limits.film, default_frames or FrameChoice())
    return _Ingest(stores, limits, retry, timings, filming, frames).run(paths)


class _Ingest:
    def __init__(
        self,
        stores: Stores,
        limits: Limits,
        retry: bool,
        timings: IngestTimings,
        filming: Filming,
        frames: FrameChoice | None,
    ) -> None:
        self.stores = stores
        self.catalog = stores.catalog
        self.limits = limits
        self.retry = retry
        self.timings = timings
        self.frames = frames
        self.filming = filming
        self.progress = Progress()
        self.run_id = 0
        self._claimed: set[str] = set()
        self._claim_lock = threading.Lock()

    def run(self, paths: Sequence[str]) -> Iterator[IngestEvent]:
        stores = self.stores
        # A torn index is rebuilt first: nothing can be made in one.
        replay(self.catalog, stores.vectors, stores.space, stores.object_space)
        stores.vectors.create(stores.space, stores.encoder.dim)
        self.run_id = self.catalog.new_run()
        found = scan(
            paths, max_bytes=self.limits.max_bytes, max_film_bytes=self.limits.max_film_bytes
        )
        with closing(Spool(found)) as spool:
            yield self.progress.event("scanning")
            yield from self._read_all(spool)
        gone = self.catalog.mark_missing(paths, self.run_id, os.path.lexists)
        yield from self._tell_missing(gone)
        self._clean_up()
        if gone:
            self.catalog.bump_generation()
        yield self.progress.event("done")

    def _tell_missing(self, gone: Sequence[FileRecord]) -> Iterator[IngestEvent]:
        """Tell what is gone; a file whose content now lies elsewhere was only moved."""
        live = self.catalog.live_ids([record.media_id for record in gone if record.media_id])
        for record in gone:
            if record.media_id not in live:
                yield self.progress.event("missing", record.path, record.reason, record.media_id)

    def _read_all(self, spool: Spool) -> Iterator[IngestEvent]:
        def to_read() -> Iterator[FoundFile | IngestEvent]:
            for batch in batched(spool, LOOKUP_BATCH):
                self._count_found(spool)
                yield from self._settle_known(batch)
            self._count_found(spool)

        pending: list[_Work] = []
        images = 0
        ahead = self.stores.encoder.batch_size * 2
        for outcome in in_threads(to_read(), FoundFile, self._read, self.limits.threads, ahead):
            if isinstance(outcome, IngestEvent):
                yield outcome
                continue
            self._count_found(spool)
            if outcome.is_film:
                yield from self._flush(pending)
                pending, images = [], 0
                yield from self._film(outcome)
                continue
            pending.append(outcome)
            images += outcome.image is not None
            if images >= self.stores.encoder.batch_size or len(pending) >= LOOKUP_BATCH:
                yield from self._flush(pending)
                pending, images = [], 0
        yield from self._flush(pending)

    def _count_found(self, spool: Spool) -> None:
        self.progress.scanned = spool.complete
        self.progress.counts = replace(self.progress.counts, found=spool.written)

    def _settle_known(self, batch: Sequence[FoundFile]) -> Iterator[FoundFile | IngestEvent]:
        """Let unchanged files and those the scan refused end here; give the others on."""
        known = self.catalog.files_at([found.path for found in batch])
        # One that failed is tried again when that is asked for, as a photo is.
        live = [r.media_id for r in known.values() if r.media_id and r.state == "indexed"]
        again = self._films_to_read(live)
        unchanged: list[str] = []
        for found in batch:
            record = known.get(found.path)
            if (
                record is not None
                and record.media_id not in again
                and self._is_unchanged(found, record)
            ):
                unchanged.append(found.path)
                yield self.progress.event("unchanged", found.path, media_id=record.media_id)
            else:
                yield found
        self.catalog.touch_files(unchanged, self.run_id)

    def _films_to_read(self, ids: Sequence[str]) -> set[str]:
        """Those of these media that are films not read to their end, or read another way."""
        return {
            film_id
            for film_id, state in self.catalog.film_states(ids).items()
            if not is_settled(state, self.frames)
        }

    def _is_unchanged(self, found: FoundFile, record: FileRecord) -> bool:
        if record.state == "failed" and self.retry:
            return False
        if found.problem is not None:
            return record.state == "failed" and record.reason == found.problem
        same = (record.bytes, record.mtime_ns) == (found.bytes, found.mtime_ns)
        return same and record.state in SETTLED

    def _read(self, found: FoundFile) -> _Work:
        """Hash, look up and decode one file; runs in a thread and never raises for a bad file."""
        if found.problem is not None:
            return _Work(found, reason=found.problem, state="failed")
        return self._guarded(found, claim=True)

    def _guarded(self, found: FoundFile, *, claim: bool) -> _Work:
        started = time.perf_counter()
        try:
            # Told by a look at the first bytes, before a film of many gigabytes is hashed.
            limits = (self.limits.max_bytes, self.limits.max_film_bytes)
            kind, _ = media_kind(Path(found.path), *limits)
            media_id = content_id(found.path)
            if kind == "video":
                return _Work(found, media_id, is_film=True)
            if claim and not self._claim(media_id):
                return _Work(found, media_id)
            return self._decode(found, media_id)
        except UnsupportedMediaError as exc:
            return _Work(found, reason=str(exc), state="skipped")
        except MediaError as exc:
            return _Work(found, reason=str(exc), state="failed")
        finally:
            self.timings.add_decode(time.perf_counter() - started)

    def _claim(self, media_id: str) -> bool:
        """True for the one reader that shall decode this content."""
        with self._claim_lock:
            if media_id in self._claimed:
                return False
            if self.catalog.have_vectors(self.stores.space, [media_id]):
                return False
            self._claimed.add(media_id)
            return True

    def _decode(self, found: FoundFile, media_id: str) -> _Work:
        encoder = self.stores.encoder
        photo = read_photo(
            found.path,
            min_side_px=encoder.decode_side_px,
            max_pixels=self.limits.max_pixels,
            max_bytes=self.limits.max_bytes,
        )
        if self.stores.thumbnails is not None:
            self.stores.thumbnails.put_new(media_id, photo.rgb, photo.size_wh)
        item = photo.media_item(media_id, found.bytes)
        return _Work(found, media_id, item, encoder.prepare(photo.rgb))

    def _film(self, work: _Work) -> Iterator[IngestEvent]:
        """Read one film, or link a known one; its file's row comes last."""
        found, film_id = work.found, str(work.media_id)
        kind: IngestKind = "linked"
        try:
            if self.filming.settled(film_id, self.frames):
                self.filming.complete(found.path, film_id)
            else:
                kind = "indexed"
                yield from self._read_film(found, film_id)
        except MediaError as exc:
            skipped = isinstance(exc, UnsupportedMediaError)
            work = _Work(found, reason=str(exc), state="skipped" if skipped else "failed")
            kind = "skipped" if skipped else "failed"
        self._record([work])
        if kind == "indexed":
            self.filming.done(film_id)
        yield self.progress.event(kind, found.path, work.reason, work.media_id)

    def _read_film(self, found: FoundFile, film_id: str) -> Iterator[IngestEvent]:
        choice = self.filming.choice_for(film_id, self.frames)
        for film_s in self.filming.read(found.path, film_id, found.bytes, choice):
            counts = self.progress.counts
            self.progress.counts = replace(counts, frames=self.filming.frames)
            yield self.progress.event("reading", found.path, None, film_id, film_s)

    def _flush(self, works: list[_Work]) -> Iterator[IngestEvent]:
        """Write one batch, the ledger and the files' rows last."""
        works = self._encode_and_store(self._with_own_picture(works))
        self._record(works)
        with self._claim_lock:
            self._claimed.difference_update(w.media_id for w in works if w.media_id)
        for work in works:
            kind: IngestKind = "indexed" if work.image is not None else "linked"
            if work.state in ("failed", "skipped"):
                kind = "failed" if work.state == "failed" else "skipped"
            yield self.progress.event(kind, work.found.path, work.reason, work.media_id)

    def _record(self, works: Sequence[_Work]) -> None:
        """Note how these files ended; a changed file's medium gets what was said of the former."""
        previous = self.catalog.files_at([work.found.path for work in works])
        started = time.perf_counter()
        for work in works:
            before = previous.get(work.found.path)
            if work.media_id and before and before.media_id not in (None, work.media_id):
                self.catalog.copy_tags(before.media_id, work.media_id)
                self.catalog.copy_annotations(before.media_id, work.media_id)
                if work.is_film and before.media_id:
                    self.filming.copy_said(before.media_id, work.media_id)
        self.catalog.record_files([_file_record(work) for work in works], self.run_id)
        if works:
            self.catalog.bump_generation()
        self.timings.store_s += time.perf_counter() - started

    def _with_own_picture(self, works: list[_Work]) -> list[_Work]:
        """Read those files after all whose twin, read by another thread, came to nothing."""
        linked = sorted({str(w.media_id) for w in works if w.media_id and w.image is None})
        known = self.catalog.have_vectors(self.stores.space, linked)
        known |= {str(w.media_id) for w in works if w.image is not None}
        return [
            work
            if work.media_id is None or work.media_id in known
            else self._guarded(work.found, claim=False)
            for work in works
        ]

    def _encode_and_store(self, works: list[_Work]) -> list[_Work]:
        fresh = [work for work in works if work.image is not None]
        vectors, bad = self._encode(fresh)
        works = [_refused(work, bad) for work in works]
        items = [w.item for w in fresh if w.item is not None and w.media_id not in bad]
        ids = [item.media_id for item in items]
        started = time.perf_counter()
        self.catalog.put_media(items)
        self.catalog.put_vectors(self.stores.space, ids, vectors)
        self._index(ids, vectors)
        linked = {w.media_id for w in works if w.media_id and w.image is None}
        revived = sorted(linked - self.catalog.live_ids(sorted(linked)) - set(ids))
        self._index(*self.catalog.get_vectors(self.stores.space, revived))
        self.timings.store_s += time.perf_counter() - started
        return works

    def _index(self, ids: Sequence[str], vectors: Vectors) -> None:
        if ids:
            self.stores.vectors.upsert(self.stores.space, ids, vectors)
            self.catalog.mark_indexed(self.stores.space, ids)

    def _encode(self, works: Sequence[_Work]) -> tuple[Vectors, dict[str, str]]:
        """Encode the pictures of one batch; where that fails, one by one to find the bad ones."""
        started = time.perf_counter()
        vectors, bad = encode_carefully(
            self.stores.encoder, [(str(w.media_id), w.image) for w in works if w.image is not None]
        )
        self.timings.encode_s += time.perf_counter() - started
        return vectors, bad

    def _clean_up(self) -> None:
        """Take what is no longer live out of the index, and forget replaced contents."""
        stores = self.stores
        remove_stale(self.catalog, stores.vectors, stores.space, stores.object_space)
        self.catalog.delete_media(self.catalog.unreferenced())


def _refused(work: _Work, bad: dict[str, str]) -> _Work:
    reason = bad.get(work.media_id or "")
    return work if reason is None else _Work(work.found, reason=reason, state="failed")


def _file_record(work: _Work) -> FileRecord:
    found = work.found
    # A hindrance seen from outside may go away without the file's time changing.
    mtime_ns = found.mtime_ns if found.problem is None else -1
    return FileRecord(found.path, found.bytes, mtime_ns, work.state, work.reason, work.media_id)
