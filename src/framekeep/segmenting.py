"""Segmenting: decode in threads, find the objects, cut them out, encode them in batches, store.

Order of writing: a medium's segments and its run in SQL, then the objects' vectors, then the index,
then the ledger. A crash between any two of these leaves work that the next run makes up for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from framekeep.cropping import Cropper
from framekeep.errors import InputError, MediaError, StoreError, WeightsError
from framekeep.geometry import decode_mask, proposal
from framekeep.ingest import Progress
from framekeep.lookahead import batched, in_threads
from framekeep.media.limits import Limits
from framekeep.media.pictures import read_picture
from framekeep.media.scan import still_holds
from framekeep.object_types import Proposal, Segment
from framekeep.segmenters.base import Segmenter
from framekeep.store.repair import replay
from framekeep.stores import Stores, encode_carefully
from framekeep.types import FileRecord, IngestEvent, IngestKind, MediaItem, RgbImage

LOOKUP_BATCH = 256
# Pictures decoded before their turn; larger ones than this are decoded one at a time.
AHEAD = 2
LARGE_PX = 40_000_000
# A segmenter sees no larger picture; its masks are scaled up.
SEGMENTER_PX = 24_000_000
# Objects wait so long at most for a batch to fill, so that progress is told while it is made.
FLUSH_S = 2.0
FULL_SIZE = 2**31


@dataclass(frozen=True, slots=True)
class _Medium:
    """A medium to read: the ledger's rows of its files, and its size."""

    item: MediaItem
    files: tuple[FileRecord, ...]


@dataclass(frozen=True, slots=True)
class _Large:
    """One that is read only when its turn has come."""

    medium: _Medium


@dataclass(frozen=True, slots=True)
class _Picture:
    """What reading a medium came to: its picture, or the reason why there is none."""

    media_id: str
    path: str
    rgb: RgbImage | None = None
    reason: str | None = None


def segment_media(
    media_ids: Sequence[str],
    stores: Stores,
    segmenter: Segmenter,
    limits: Limits | None = None,
    *,
    matching: int | None = None,
) -> Iterator[IngestEvent]:
    """Find the objects of these media, and give every object its vector.

    First the objects that lack one in the present space are made up for. `matching` is how many
    media were asked for, those that are done already included. A medium that cannot be read or
    segmented is a recorded failure. Raises StoreError, WeightsError; the caller holds the
    writer's lock.
    """
    objects, space = stores.catalog.objects, stores.object_space
    replay(stores.catalog, stores.vectors, stores.space, space)
    stores.vectors.create(space, stores.encoder.dim)
    chosen = set(media_ids)
    owners = [owner for owner in objects.owners_lacking(space) if owner not in chosen]
    work = len(media_ids) + len(owners)
    unchanged = max((matching or 0) - work, 0)
    progress = Progress(found=work + unchanged)
    progress.counts = replace(progress.counts, unchanged=unchanged)
    yield progress.event("scanning")
    yield from encode_objects(owners, stores, limits, progress)
    yield from _Segmenting(stores, segmenter, limits or Limits(), progress).run(media_ids)
    stale = objects.stale(space)
    if stale:
        stores.vectors.delete(space, stale)
        objects.mark_unindexed(space, stale)
        stores.catalog.bump_generation()
    yield progress.event("done")


def encode_objects(
    owners: Sequence[str],
    stores: Stores,
    limits: Limits | None,
    progress: Progress,
) -> Iterator[IngestEvent]:
    """Give the objects of these media the vectors that they lack in the present object space.

    One event for each medium; one that cannot be read is told as failed, and tried again by the
    next run. The space is there already, and the caller holds the writer's lock.
    """
    yield from _Encoding(stores, limits or Limits(), progress).run(owners)


class ObjectWriter:
    """Cuts out objects and writes their vectors, a batch at a time."""

    def __init__(self, stores: Stores, *, index: bool = True) -> None:
        self._stores = stores
        self._index = index
        self._waiting: list[tuple[Segment, RgbImage]] = []
        self.problems: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, image: RgbImage, segments: Iterable[Segment]) -> None:
        """Take up objects of one picture (H, W, 3) uint8 at full size."""
        cropper = Cropper(image, self._stores.crop)
        for segment in segments:
            try:
                crop = cropper.crop(decode_mask(segment.mask))
            except InputError as exc:
                self.problems[segment.media_id] = f"An object cannot be cut out: {exc}"
                continue
            self._waiting.append((segment, self._stores.encoder.prepare(crop)))
            if len(self._waiting) >= self._stores.encoder.batch_size:
                self.flush()

    def flush(self) -> None:
        """Write what waits; objects that cannot be encoded are in `problems`, by medium."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        stores, space = self._stores, self._stores.object_space
        pictures = [(segment.segment_id, crop) for segment, crop in waiting]
        rows, bad = encode_carefully(stores.encoder, pictures)
        good = [segment for segment, _ in waiting if segment.segment_id not in bad]
        for segment, _ in waiting:
            if segment.segment_id in bad:
                self.problems[segment.media_id] = bad[segment.segment_id]
        # Somebody may have corrected or removed one meanwhile: its vector is not this one.
        now = stores.catalog.segments([segment.segment_id for segment in good])
        kept = [
            number
            for number, segment in enumerate(good)
            if segment.segment_id in now and now[segment.segment_id].version == segment.version
        ]
        ids, rows = [good[number].segment_id for number in kept], rows[kept]
        stores.catalog.objects.put_vectors(space, ids, rows)
        if self._index and ids:
            stores.vectors.upsert(space, ids, rows)
            stores.catalog.objects.mark_indexed(space, ids)
        stores.catalog.bump_generation()


class _Encoding:
    """Reads media and gives their objects vectors, telling each medium's end."""

    def __init__(self, stores: Stores, limits: Limits, progress: Progress) -> None:
        self.stores = stores
        self.catalog = stores.catalog
        self.limits = limits
        self.progress = progress
        self.writer = ObjectWriter(stores)
        self._ended: list[_Picture] = []
        self._flushed_at = time.monotonic()

    def run(self, media_ids: Sequence[str]) -> Iterator[IngestEvent]:
        """Work through these media, in order."""
        pictures = in_threads(self._media(media_ids), _Medium, self._read, self._threads, AHEAD)
        try:
            for found in pictures:
                picture = self._read(found.medium) if isinstance(found, _Large) else found
                self._ended.append(self._take(picture))
                del found, picture  # a picture less in memory while the next one is decoded
                if not len(self.writer) or time.monotonic() - self._flushed_at > FLUSH_S:
                    yield from self._flush()
        except GeneratorExit:
            self.writer.flush()
            raise
        yield from self._flush()

    @property
    def _threads(self) -> int:
        return min(self.limits.threads, AHEAD)

    def _media(self, media_ids: Sequence[str]) -> Iterator[_Medium | _Large]:
        for ids in batched(media_ids, LOOKUP_BATCH):
            paths, media = self.catalog.paths(ids), self.catalog.media(ids)
            files = self.catalog.files_at([path for some in paths.values() for path in some])
            for media_id in ids:
                if media_id in media:
                    known = tuple(files[path] for path in paths.get(media_id, ()) if path in files)
                    medium = _Medium(media[media_id], known)
                    width, height = medium.item.size_wh
                    yield _Large(medium) if width * height > LARGE_PX else medium

    def _read(self, medium: _Medium) -> _Picture:
        """Decode one medium at full size; runs in a thread and never raises for a bad file."""
        try:
            path, rgb = read_whole(medium.item, medium.files, self.limits)
        except MediaError as exc:
            first = medium.files[0].path if medium.files else ""
            return _Picture(medium.item.media_id, first, reason=str(exc))
        return _Picture(medium.item.media_id, path, rgb)

    def _take(self, picture: _Picture) -> _Picture:
        """Work on one picture; gives how it ended, without its pixels."""
        if picture.rgb is not None:
            segments = self.catalog.segments_of([picture.media_id]).get(picture.media_id, [])
            ids = [segment.segment_id for segment in segments]
            have = self.catalog.objects.have_vectors(self.stores.object_space, ids)
            self.writer.add(picture.rgb, [s for s in segments if s.segment_id not in have])
        return replace(picture, rgb=None)

    def _flush(self) -> Iterator[IngestEvent]:
        self.writer.flush()
        self._flushed_at = time.monotonic()
        ended, self._ended = self._ended, []
        problems, self.writer.problems = self.writer.problems, {}
        for picture in ended:
            reason = picture.reason or problems.get(picture.media_id)
            kind: IngestKind = "failed" if reason else "indexed"
            yield self.progress.event(kind, picture.path, reason, picture.media_id)


class _Segmenting(_Encoding):
    """Finds the objects first."""

    def __init__(
        self, stores: Stores, segmenter: Segmenter, limits: Limits, progress: Progress
    ) -> None:
        super().__init__(stores, limits, progress)
        self.segmenter = segmenter

    def _take(self, picture: _Picture) -> _Picture:
        run = (picture.media_id, self.segmenter.info.id)
        if picture.rgb is None:
            self.catalog.put_segment_failure(*run, str(picture.reason))
            return picture
        try:
            found = segment_carefully(self.segmenter, picture.rgb)
            self.catalog.put_segments(*run, found)
        except (WeightsError, StoreError):
            raise
        # A network fed with any picture raises nearly anything; one must not end a run.
        except Exception as exc:  # noqa: BLE001
            reason = _in_words(exc)
            self.catalog.put_segment_failure(*run, reason)
            return replace(picture, rgb=None, reason=reason)
        return super()._take(picture)


def segment_carefully(segmenter: Segmenter, image: RgbImage) -> list[Proposal]:
    """A segmenter's proposals for a picture (H, W, 3) uint8 of any size, masks at full size."""
    height, width = image.shape[:2]
    if width * height <= SEGMENTER_PX:
        return segmenter.segment(image)
    import cv2

    scale = (SEGMENTER_PX / (width * height)) ** 0.5
    size_wh = (max(int(width * scale), 1), max(int(height * scale), 1))
    small = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    found = []
    for one in segmenter.segment(small):
        mask = decode_mask(one.mask).astype(np.uint8)
        large = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        found.append(proposal(large.astype(np.bool_), one.score, one.label, one.label_score))
    return found


def _in_words(exc: Exception) -> str:
    if isinstance(exc, MemoryError):
        return "There is not enough memory to segment this picture."
    said = str(exc).strip().splitlines()
    return f"The segmenter could not read this picture ({said[0] if said else type(exc).__name__})."


def read_whole(
    item: MediaItem, files: Sequence[FileRecord], limits: Limits
) -> tuple[str, RgbImage]:
    """A medium's picture upright at its full size, from the first of its files that holds it.

    Gives that file's path and (height, width, 3) uint8. Raises MediaError with the reason where
    none of them does.
    """
    fault = MediaError("No file of this picture is left.")
    for file in files:
        try:
            if not still_holds(file, item.held_as):
                raise MediaError(f"{file.path} has changed since it was added: add it again.")
            rgb = read_picture(file.path, item, limits, min_side_px=FULL_SIZE)
        except MediaError as exc:
            fault = exc
        else:
            return file.path, _at_size(rgb, item.size_wh)
    raise fault


def _at_size(rgb: RgbImage, size_wh: tuple[int, int]) -> RgbImage:
    """A RAW file's preview may be smaller than its photo, at whose size masks are kept."""
    if rgb.shape[1::-1] == size_wh:
        return rgb
    import cv2

    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
