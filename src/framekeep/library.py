"""The library: the one place where catalog, index, encoder and jobs are joined."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from framekeep.annotating import Annotating
from framekeep.browsing import THUMBNAILS_FOLDER, Browsing
from framekeep.clipping import Clipping
from framekeep.datasets import Datasets
from framekeep.encoders import registry
from framekeep.errors import (
    EncoderMismatchError,
    IndexUnavailableError,
    InputError,
    NotFoundError,
)
from framekeep.film_types import FrameChoice
from framekeep.object_types import object_space
from framekeep.objects import Objects
from framekeep.opening import (
    CATALOG_FILE,
    CHROMA_FOLDER,
    Notice,
    Progress,
    bytes_below,
    open_parts,
    settle_encoder,
    stored_info,
)
from framekeep.searching import Searching
from framekeep.settings import Settings, load_settings, no_telemetry
from framekeep.store.catalog import Catalog
from framekeep.store.lock import WriterLock
from framekeep.terms import listed
from framekeep.types import (
    EncoderInfo,
    Hit,
    IngestEvent,
    LibraryStatus,
    PrecisionReport,
    RepairReport,
)

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder
    from framekeep.ingest import IngestTimings
    from framekeep.media.limits import Limits
    from framekeep.store.vectors import VectorStore
    from framekeep.stores import Stores


class Library(Searching, Browsing, Objects, Annotating, Datasets, Clipping):
    """A folder that holds what framekeep knows of your media; the media stay where they are.

    Use as a context manager, or call `close`. Reading works beside one writing process;
    `notice` holds one sentence where the library had to choose an encoder itself.
    """

    def __init__(
        self,
        folder: Path,
        catalog: Catalog,
        vectors: VectorStore,
        settings: Settings,
        encoder: Encoder | None = None,
    ) -> None:
        self.path = folder
        self.notice: str | None = None
        self.timings: IngestTimings | None = None
        self._catalog = catalog
        self._vectors = vectors
        self._settings = settings
        self._encoder = encoder
        self._lock = WriterLock(folder)
        self.on_wait: Notice | None = None

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        encoder: str | Encoder | None = None,
        *,
        create: bool = True,
        vectors: str | None = None,
        settings: Settings | None = None,
        progress: Progress | None = None,
        notice: Notice | None = None,
    ) -> Library:
        """Open the library in the folder `path` (default: the user's own), making it if new.

        `encoder` is a name (see `framekeep models list`) or an Encoder; a new library without
        one takes CLIP where its weights can be had, else `starter`. `vectors` is the address of
        a Chroma server to keep the index on. `progress` hears of weights being fetched, `notice`
        of waiting for another process.

        Raises NotFoundError without `create` where there is no library, EncoderMismatchError
        where its vectors come from another encoder, StoreError, WeightsError.
        """
        no_telemetry()
        settings = settings or load_settings()
        place = settings.library if path is None else path
        if not isinstance(place, str | Path) or str(place) in ("", "."):
            raise InputError("A library needs a folder of its own: name one.")
        folder = Path(place).expanduser().absolute()
        parts = open_parts(folder, encoder, create, vectors, settings, progress, notice)
        library = cls(folder, parts.catalog, parts.vectors, settings, parts.encoder)
        library.notice = parts.sentence
        return library

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files and connections."""
        self._vectors.close()
        self._catalog.close()

    @property
    def info(self) -> EncoderInfo:
        """The encoder that this library's vectors come from, without loading it."""
        return stored_info(self._catalog)

    @property
    def encoder(self) -> Encoder:
        """The loaded encoder of this library; loading may take seconds the first time.

        Raises WeightsError where its weights are gone, EncoderMismatchError where they changed.
        """
        info = self.info
        if self._encoder is None or self._encoder.info.space != info.space:
            loaded = registry.load_encoder(info.name, self._settings, precision=info.precision)
            if loaded.info.space != info.space:
                raise EncoderMismatchError(
                    f"The vectors in {self.path} come from {info.id}, but {info.name} is now "
                    f"{loaded.id}: bring the former weights back, or encode again with "
                    f"`framekeep library encoder {info.name}`."
                )
            self._encoder = loaded
        return self._encoder

    # Adding

    def add(
        self, *paths: str | Path, retry: bool = False, frames: FrameChoice | str | None = None
    ) -> Generator[IngestEvent, None, None]:
        """Add files, folders and glob patterns; work goes on as the events are read.

        With `retry`, files that failed before are tried again (all of them, without `paths`).
        `frames` says which pictures of films are looked at: a FrameChoice, "shots", "keyframes" or
        a step such as "2s". Films that were read another way are then read again; without it new
        films go by the settings' `frames` and known ones stay as they are.
        Raises InputError where a path does not exist, LibraryLockedError where another process
        goes on writing for longer than the settings' `lock_wait_s`.
        """
        from framekeep.ingest import IngestTimings, ingest

        roots = self._roots(paths, retry)
        per_minute = self._settings.frames_per_minute
        default = FrameChoice.parse(self._settings.frames, per_minute)
        asked = FrameChoice.parse(frames, per_minute) if isinstance(frames, str) else frames
        self.timings = IngestTimings()
        with self._writing("add"):
            yield from ingest(
                roots,
                self._stores(),
                limits=self._limits(),
                retry=retry,
                timings=self.timings,
                frames=asked,
                default_frames=default,
            )

    def _roots(self, paths: Sequence[str | Path], retry: bool) -> list[str]:
        from framekeep.media.scan import resolve_roots

        if not paths and retry:
            # A folder is never tried again as one: it would be walked, links back to it included.
            return [p for p in self._catalog.failed_paths() if not os.path.isdir(p)]  # noqa: PTH112
        if not paths:
            raise InputError("Name at least one file or folder to add.")
        return resolve_roots(paths, known=self._catalog.knows_path)

    def use_encoder(self, name: str, precision: str = "fp32") -> Generator[IngestEvent, None, None]:
        """Encode every medium with another encoder or precision, then search with that one.

        Until the new vectors are complete the former ones serve; an interrupted change resumes
        when it is asked for again. Raises PrecisionError for an int8 that has not passed its
        check (see `check_precision`).
        """
        from framekeep.reencode import reencode, require_checked

        info = replace(registry.describe(name, self._settings), precision=precision)
        require_checked(self._catalog, info)
        encoder = registry.load_encoder(name, self._settings, precision=precision)
        with self._writing("encode again"):
            former = self.info.space
            self._catalog.set_meta("building", encoder.info.space)
            yield from reencode(self._stores(encoder), self._limits())
            settle_encoder(self._catalog, encoder.info)
            self._catalog.set_meta("building", None)
            if former != encoder.info.space:
                self._vectors.drop(former)
                self._vectors.drop(object_space(former, self.crop_settings))
        self._encoder = encoder

    def check_precision(self, precision: str = "int8", sample: int = 200) -> PrecisionReport:
        """Compare a precision with fp32 on a sample of this library's photos; keep the figures.

        Raises PrecisionError where the library has too few photos or the machine cannot do it.
        """
        from framekeep.reencode import check_precision

        name = self.info.name
        reference = (
            self.encoder
            if self.info.precision == "fp32"
            else registry.load_encoder(name, self._settings)
        )
        candidate = registry.load_encoder(name, self._settings, precision=precision)
        report = check_precision(self._stores(reference), candidate, self._limits(), sample)
        with self._writing("check a precision"):
            self._catalog.put_check(report)
        return report

    def media_id(self, media: str | Path | Hit) -> str:
        """The id of a member named by its hit, id or path. Raises NotFoundError."""
        if isinstance(media, Hit):
            return media.media_id
        if isinstance(media, str) and len(media) == 64 and self._catalog.media([media]):
            return media
        path = os.path.abspath(Path(media).expanduser())  # noqa: PTH100 - links stay as they are
        found = self._catalog.media_of_path(path)
        if found is None:
            raise NotFoundError(f"{path} is not in this library: add it first.")
        return found

    # Looking after it

    def tag(
        self,
        media: str | Path | Hit | Sequence[str | Path | Hit],
        add: str | Sequence[str] = (),
        remove: str | Sequence[str] = (),
    ) -> int:
        """Add and remove tags of media named by hit, id or path; gives the number of media.

        Raises NotFoundError for an unknown medium (then nothing is changed), InputError for what
        cannot be a tag.
        """
        from framekeep.curate import settle_tags

        members = [media] if isinstance(media, str | Path | Hit) else media
        ids = list(dict.fromkeys(self.media_id(member) for member in members))
        # Tags are in SQL alone: they need not wait for a process that adds media.
        known = self._catalog.tag_counts()
        added, removed = settle_tags(listed(add), known), settle_tags(listed(remove), known)
        self._catalog.add_tags(ids, added)
        self._catalog.remove_tags(ids, removed)
        self._catalog.bump_generation()
        return len(ids)

    def status(self) -> LibraryStatus:
        """Counts, encoder and sizes at a glance; `index_count` is -1 where it cannot be opened."""
        from framekeep.filters import Compare

        info, films = self.info, Compare("kind", "=", "video")
        try:
            index_count = self._vectors.count(info.space)
        except IndexUnavailableError:
            index_count = -1
        return LibraryStatus(
            path=str(self.path),
            media=self._catalog.count_media(),
            files=self._catalog.file_counts(),
            tags=len(self._catalog.tag_counts()),
            bytes_on_disk=bytes_below(self.path),
            encoder=info,
            vectors=self._catalog.get_meta("vectors") or "local",
            index_count=index_count,
            building=self._catalog.get_meta("building"),
            precision_checks=tuple(self._catalog.checks()),
            objects=self._catalog.objects.count_matching(None),
            films=self._catalog.count_matching(films),
            frames=self._catalog.pictures.count_matching(films),
        )

    def repair(self) -> RepairReport:
        """Find and mend every difference between catalog and index, without encoding again."""
        from framekeep.store.repair import repair

        with self._writing("repair"):
            info = self.info
            return repair(self._catalog, self._vectors, info.space, info.dim, self._object_space)

    def clear(self) -> None:
        """Forget everything and close; the media themselves are not touched."""
        with self._lock.hold("framekeep clear", self._settings.lock_wait_s, self.on_wait):
            for space in self._vectors.spaces():
                self._vectors.drop(space)
            self.close()
            for suffix in ("", "-wal", "-shm"):
                (self.path / (CATALOG_FILE + suffix)).unlink(missing_ok=True)
            for name in (CHROMA_FOLDER, THUMBNAILS_FOLDER):
                shutil.rmtree(self.path / name, ignore_errors=True)

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        with self._lock.hold(f"framekeep {what}", self._settings.lock_wait_s, self.on_wait):
            yield

    def _stores(self, encoder: Encoder | None = None) -> Stores:
        from framekeep.stores import Stores

        loaded = encoder or self.encoder
        return Stores(self._catalog, self._vectors, loaded, self.thumbnails(), self.crop_settings)

    def _limits(self) -> Limits:
        from framekeep.media.limits import Limits

        settings = self._settings
        return Limits(
            max_pixels=settings.max_pixels,
            max_bytes=settings.max_bytes,
            threads=settings.threads,
            max_film_bytes=settings.max_film_bytes,
            max_film_s=settings.max_film_s,
        )
