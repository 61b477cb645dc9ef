"""Part of the library: segmenting media, object vectors, objects like one."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framekeep.errors import (
    EncoderError,
    LibraryLockedError,
    MediaError,
    NotFoundError,
    StoreError,
    WeightsError,
)
from framekeep.object_types import CropSettings, Prompt, Proposal, Segment, object_space
from framekeep.types import Hit, IngestEvent, Problem, RgbImage

if TYPE_CHECKING:
    from framekeep.media.limits import Limits
    from framekeep.segmenters.base import Segmenter
    from framekeep.settings import Settings
    from framekeep.store.catalog import Catalog
    from framekeep.store.lock import WriterLock
    from framekeep.store.vectors import VectorStore
    from framekeep.stores import Stores
    from framekeep.types import EncoderInfo

CROP = "crop"
# Whole pictures that were looked at last, for the next prompt: up to so many pixels together.
KEPT_PX = 60_000_000


@dataclass(slots=True)
class _Kept:
    """What is kept between calls: loaded segmenters, pictures, the objects that are not indexed."""

    segmenters: dict[str, Segmenter] = field(default_factory=dict)
    pictures: OrderedDict[str, RgbImage] = field(default_factory=OrderedDict)
    unindexed: tuple[str, int, list[str]] | None = None
    loading: threading.Lock = field(default_factory=threading.Lock)
    looking: threading.Lock = field(default_factory=threading.Lock)


class Objects:
    """Part of `Library`: segmenting media, object vectors, objects like one."""

    _catalog: Catalog
    _vectors: VectorStore
    _settings: Settings
    _lock: WriterLock

    if TYPE_CHECKING:

        @property
        def info(self) -> EncoderInfo:
            """The encoder of the library's vectors."""

        def media_id(self, media: str | Path | Hit) -> str:
            """The id of a member."""

        def _writing(self, what: str) -> AbstractContextManager[None]: ...
        def _stores(self) -> Stores: ...
        def _limits(self) -> Limits: ...

    @cached_property
    def _kept(self) -> _Kept:
        return _Kept()

    # Finding objects

    def segmenter(self, name: str | Segmenter | None = None) -> Segmenter:
        """A segmenter by its name, loaded once and kept; None is the best one that is here.

        That is SAM 2.1 tiny where its weights are on disk, else the shipped `starter`, which makes
        a draft of the main object. Raises NotFoundError, WeightsError, SegmenterError.
        """
        from framekeep.segmenters import registry

        if name is not None and not isinstance(name, str):
            return name
        wanted = name or self.default_segmenter()
        with self._kept.loading:
            kept = self._kept.segmenters
            if wanted not in kept:
                kept[wanted] = registry.load_segmenter(wanted, self._settings)
            return kept[wanted]

    def default_segmenter(self) -> str:
        """The name of the segmenter that is taken where none is named."""
        from framekeep.segmenters import registry

        return registry.choose_default(self._settings)

    def segment(
        self,
        where: str | None = None,
        segmenter: str | Segmenter | None = None,
        *,
        again: bool = False,
        retry: bool = False,
    ) -> Generator[IngestEvent, None, None]:
        """Find the objects in every medium that has none yet; work goes on as events are read.

        `where` filters the media. With `again`, those that have objects are segmented anew:
        what a person drew, labelled, accepted or rejected stays. With `retry`, those that failed
        are tried again. Objects that lack a vector get one. See `segment_problems` for what failed.
        Raises FilterError, WeightsError, SegmenterError, LibraryLockedError.
        """
        from framekeep.filters import parse_filter
        from framekeep.segmenting import segment_media

        only = parse_filter(where) if where else None
        loaded = self.segmenter(segmenter)
        stores = self._stores()
        with self._writing("segment"):
            chosen = self._catalog.to_segment(only, loaded.info.id, again=again, retry=retry)
            matching = self._catalog.pictures.count_matching(only)
            yield from segment_media(chosen, stores, loaded, self._limits(), matching=matching)

    def prompt(
        self,
        media: str | Path | Hit,
        prompt: Prompt,
        segmenter: str | Segmenter | None = None,
    ) -> list[Proposal]:
        """Masks for what points and boxes in a medium point at, best first, up to three.

        The picture is embedded at the first prompt; further ones are quick. Raises InputError
        for a film: name one of its frames.
        """
        from framekeep.curate import check_picture

        media_id = self.media_id(media)
        check_picture(self._catalog, media_id)
        return self.segmenter(segmenter).prompt(self.picture(media_id), prompt, media_id)

    # Looking at objects

    def segments(self, media: str | Path | Hit, *, rejected: bool = False) -> list[Segment]:
        """The objects of one medium, the largest first."""
        media_id = self.media_id(media)
        return self._catalog.segments_of([media_id], rejected=rejected).get(media_id, [])

    def segments_by_id(self, ids: Sequence[str]) -> list[Segment]:
        """These objects, in this order; those that are not there are left out."""
        found = self._catalog.segments(ids)
        return [found[segment_id] for segment_id in ids if segment_id in found]

    def object_hits(self, ids: Sequence[str]) -> list[Hit]:
        """These objects as hits without a score, each on its medium; unknown ones are left out."""
        from framekeep.search import object_hits

        return object_hits(self._catalog, [(segment_id, None) for segment_id in ids])

    def object_counts(self) -> dict[str, Any]:
        """Numbers for a page: `segments`, `media` with any, `accepted`, `labelled`, `rejected`,
        `by_segmenter`."""
        return self._catalog.segment_counts()

    def segment_problems(self, limit: int | None = None) -> list[Problem]:
        """The media in which no objects could be looked for, with the reason for each."""
        return self._catalog.segment_problems(limit)

    def picture(self, media: str | Path | Hit) -> RgbImage:
        """A medium's picture upright at full size, (height, width, 3) uint8 RGB, read-only.

        Those looked at last are kept. Raises NotFoundError, MediaError where no file holds it now.
        """
        from framekeep.segmenting import read_whole

        media_id = self.media_id(media)
        kept = self._kept.pictures
        with self._kept.looking:
            if media_id in kept:
                kept.move_to_end(media_id)
                return kept[media_id]
        item = self._catalog.media([media_id])[media_id]
        paths = self._catalog.paths([media_id]).get(media_id, [])
        files = self._catalog.files_at(paths)
        known = [files[path] for path in paths if path in files]
        _, rgb = read_whole(item, known, self._limits())
        rgb = rgb.view()
        rgb.setflags(write=False)
        with self._kept.looking:
            kept[media_id] = rgb
            while len(kept) > 1 and sum(one.size for one in kept.values()) > 3 * KEPT_PX:
                kept.popitem(last=False)
        return rgb

    def crop(self, segment_id: str, settings: CropSettings | None = None) -> RgbImage:
        """An object cut out as it is encoded, or as `settings` say: (h, w, 3) uint8 RGB.

        Raises NotFoundError, MediaError.
        """
        from framekeep.cropping import crop_object
        from framekeep.geometry import decode_mask

        segment = self._segment(segment_id)
        image = self.picture(segment.media_id)
        return crop_object(image, decode_mask(segment.mask), settings or self.crop_settings)

    def _segment(self, segment_id: str) -> Segment:
        found = self._catalog.segments([segment_id]).get(segment_id)
        if found is None:
            raise NotFoundError(f"There is no object {segment_id[:64]!r} in this library.")
        return found

    # Their vectors

    @property
    def crop_settings(self) -> CropSettings:
        """How objects are cut out in this library before they are encoded."""
        kept = self._catalog.get_meta(CROP)
        return CropSettings(**json.loads(kept)) if kept else CropSettings()

    @property
    def _object_space(self) -> str:
        return object_space(self.info.space, self.crop_settings)

    def use_crop(self, settings: CropSettings) -> Generator[IngestEvent, None, None]:
        """Cut all objects out another way and encode them again, then search with that.

        Until the new vectors are complete the former ones serve; an interrupted change resumes
        when it is asked for again.
        """
        from framekeep.ingest import Progress
        from framekeep.segmenting import encode_objects
        from framekeep.store.repair import replay

        stores = replace(self._stores(), crop=settings)
        with self._writing("cut out again"):
            former, space = self._object_space, stores.object_space
            if former != space:
                replay(self._catalog, self._vectors, stores.space, space)
                stores.vectors.create(space, stores.encoder.dim)
            owners = self._catalog.objects.owners_lacking(space) if former != space else []
            progress = Progress(found=len(owners))
            yield from encode_objects(owners, stores, self._limits(), progress)
            self._catalog.set_meta(CROP, json.dumps(asdict(settings)))
            self._catalog.bump_generation()
            if former != space:
                self._vectors.drop(former)
                self._catalog.objects.drop_space(former)
            yield progress.event("done")

    def _encode_segments(self, ids: Sequence[str]) -> None:
        """Give objects new vectors at once; where that cannot be, the next `segment` does it.

        The index takes them where no other process writes. Else a search scores them exactly.
        """
        from framekeep.segmenting import ObjectWriter

        by_medium: dict[str, list[Segment]] = {}
        for segment in self._catalog.segments(ids).values():
            by_medium.setdefault(segment.media_id, []).append(segment)
        try:
            stores = self._stores()
        except (EncoderError, WeightsError):
            return
        writer = ObjectWriter(stores, index=False)
        for media_id, segments in by_medium.items():
            with suppress(MediaError):
                writer.add(self.picture(media_id), segments)
        writer.flush()
        self._index_now(stores, ids)

    def _index_now(self, stores: Stores, ids: Sequence[str]) -> None:
        try:
            with self._lock.hold("framekeep objects", 0):
                kept, rows = self._catalog.objects.get_vectors(stores.object_space, ids)
                if kept:
                    stores.vectors.create(stores.object_space, stores.encoder.dim)
                    stores.vectors.upsert(stores.object_space, kept, rows)
                    self._catalog.objects.mark_indexed(stores.object_space, kept)
                    self._catalog.bump_generation()
        except (LibraryLockedError, StoreError):
            return

    def _unindexed_objects(self) -> list[str]:
        """Objects of which the index lacks the present vector; found once a generation."""
        space, generation = self._object_space, self._catalog.generation()
        kept = self._kept.unindexed
        if kept is None or kept[:2] != (space, generation):
            objects = self._catalog.objects
            kept = (space, generation, [*objects.unindexed(space), *objects.stale(space)])
            self._kept.unindexed = kept
        return kept[2]
