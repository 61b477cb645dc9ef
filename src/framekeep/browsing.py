"""Looking around in a library: counts, facets, time line, map, thumbnails, former searches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framekeep.errors import InputError, MediaError, NotFoundError, StoreError
from framekeep.film_types import Frame
from framekeep.types import (
    FacetValue,
    FilmView,
    Hit,
    LibraryMap,
    Month,
    Problem,
    RgbImage,
    SavedSearch,
    ThumbnailSize,
    Vectors,
)

if TYPE_CHECKING:
    from framekeep.filters import Filter
    from framekeep.media.limits import Limits
    from framekeep.media.thumbnails import ThumbnailCache
    from framekeep.settings import Settings
    from framekeep.store.catalog import Catalog
    from framekeep.types import EncoderInfo

THUMBNAILS_FOLDER = "thumbnails"
LONGEST_QUERY = 4000
MAP_SEED = 0
_ID = re.compile(r"[0-9a-f]{64}")


class Browsing:
    """Part of `Library`: what reads, and what a reader may write; none of it waits for a writer."""

    path: Path
    _catalog: Catalog
    _settings: Settings
    _thumbnails: ThumbnailCache | None = None

    if TYPE_CHECKING:

        @property
        def info(self) -> EncoderInfo:
            """The encoder of the library's vectors."""

        def media_id(self, media: str | Path | Hit) -> str:
            """The id of a member."""

        def _limits(self) -> Limits: ...

    def generation(self) -> int:
        """A number that changes whenever media, files, vectors or tags have changed."""
        return self._catalog.generation()

    def count(self, where: str | None = None) -> int:
        """How many media there are, or match a filter. Raises FilterError."""
        return self._catalog.count_matching(_filter(where))

    def count_moments(self) -> int:
        """How many frames of films can be found."""
        return self._catalog.count_frames()

    def hits(self, ids: Sequence[str]) -> list[Hit]:
        """These media, in this order, without a score; those that are not there are left out."""
        media, paths = self._catalog.media(ids), self._catalog.paths(ids)
        tags = self._catalog.tags_of(ids)
        return [
            Hit.at(media[i], paths[i], None, tags.get(i, ()))
            for i in ids
            if i in media and i in paths
        ]

    def frame_times(self, film: str | Path | Hit) -> dict[str, float]:
        """The frames of a film that are looked at, in order: media id to seconds from its start.

        None of what is no film. Raises NotFoundError.
        """
        moments = self._catalog.moments_of(self.media_id(film))
        return {some_id: moment.time_s for some_id, moment in moments.items()}

    def film(self, media: str | Path | Hit) -> FilmView:
        """A film, named by itself or by one of its frames, with its frames by time.

        Raises NotFoundError for what is not in the library, InputError for a photo.
        """
        media_id = self.media_id(media)
        moment = self._catalog.moments([media_id]).get(media_id)
        film_id = moment.film_id if moment else media_id
        hits = self.hits([film_id])
        if not hits:
            raise NotFoundError("This film is no longer in the library.")
        if hits[0].media.kind != "video":
            raise InputError(f"{hits[0].path} is a photo: name a film.")
        return FilmView(hits[0], tuple(self._catalog.moments_of(film_id).items()))

    def frames(self, film: str | Path | Hit) -> Iterator[Frame]:
        """The frames of a film that are looked at, by time, at full size; decoded as they are read.

        Raises NotFoundError, InputError for a photo, MediaError where the film cannot be read now.
        """
        from framekeep.media.video import frames_at

        view = self.film(film)
        times_s = [moment.time_s for _, moment in view.moments]
        pictures = frames_at(view.hit.path, times_s, self._limits().film)
        for (frame_id, _), (time_s, rgb) in zip(view.moments, pictures, strict=True):
            yield Frame(frame_id, time_s, rgb)

    def ids_where(self, where: str) -> list[str]:
        """The ids of all media that match a filter, newest first. Raises FilterError."""
        from framekeep.filters import parse_filter

        return self._catalog.select_ids(parse_filter(where))

    def file_counts(self) -> dict[str, int]:
        """How many files there are in each state, such as "indexed" or "failed"; quick."""
        return self._catalog.file_counts()

    def tags(self) -> dict[str, int]:
        """Every tag with the number of media that carry it."""
        return self._catalog.tag_counts()

    def problems(self, limit: int | None = None, offset: int = 0) -> list[Problem]:
        """The files that are not searchable, with the reason for each."""
        return self._catalog.problems(limit, offset)

    def facets(self, where: str | None = None) -> dict[str, list[FacetValue]]:
        """What the matching media can be narrowed to, with counts: year, format, size, …

        Each value's `where`, and-ed with the filter given here, matches `count` media.
        """
        return self._catalog.facets(_filter(where))

    def timeline(self, where: str | None = None) -> list[Month]:
        """How many media lie in which month, newest first."""
        return self._catalog.months(_filter(where))

    def map(self, limit: int = 5000) -> LibraryMap:
        """The library in two dimensions: the first two principal components of the vectors.

        Hotelling 1933. With more than `limit` media, a sample of them, the same each time.
        """
        space = self.info.space
        ids = self._catalog.sample_ids(space, limit, MAP_SEED)
        kept, rows = self._catalog.get_vectors(space, sorted(ids))
        return LibraryMap(tuple(kept), _plane(rows), "PCA", self._catalog.count_media())

    # Pictures

    def thumbnail(self, media_id: str, size: ThumbnailSize = "small") -> Path:
        """A WebP file of a medium: "small" (320 px at the longer side), "large" (640), "preview"
        (2,048). Made now where the cache does not have it.

        Raises NotFoundError for an unknown medium, MediaError where none of its files can be
        read, StoreError where the thumbnail cannot be written.
        """
        from framekeep.media.thumbnails import LONGEST_PX

        if size not in LONGEST_PX:
            raise InputError(f"A thumbnail is {', '.join(LONGEST_PX)}, not {size!r}.")
        cache = self.thumbnails()
        found = cache.get(media_id, size) if _ID.fullmatch(media_id) else None
        if found is not None:
            return found
        rgb = self._decoded(media_id, LONGEST_PX[size])
        try:
            return cache.put(media_id, size, rgb)
        except OSError as exc:
            reason = (exc.strerror or "error").lower()
            raise StoreError(
                f"A thumbnail cannot be written to {cache.folder}: {reason}; make room there."
            ) from exc

    def original(self, media_id: str) -> Path:
        """Where a medium's file lies now. Raises NotFoundError."""
        for path in self._catalog.paths([media_id]).get(media_id, []):
            if Path(path).is_file():
                return Path(path)
        raise NotFoundError(f"There is no file of a medium {media_id[:64]!r} in this library.")

    def _decoded(self, media_id: str, min_side_px: int) -> RgbImage:
        """A medium's picture, from the first of its files that still holds it."""
        from framekeep.media.pictures import read_picture

        item = self._catalog.media([media_id]).get(media_id)
        if item is None:
            raise NotFoundError(f"There is no medium {media_id[:64]!r} in this library.")
        fault: MediaError | None = None
        poster_s = self._poster_s(media_id) if item.kind == "video" else 0.0
        for path in self._catalog.paths([media_id]).get(media_id, []):
            try:
                rgb = read_picture(
                    path, item, self._limits(), min_side_px=min_side_px, poster_s=poster_s
                )
                if self._still_holds(path, item.held_as):
                    return rgb
                fault = MediaError(f"{path} has changed since it was added: add it again.")
            except MediaError as exc:
                fault = exc
        if fault is not None:
            raise fault
        raise NotFoundError(f"There is no medium {media_id[:64]!r} in this library.")

    def _poster_s(self, film_id: str) -> float:
        """The moment that stands for a film."""
        poster = self._catalog.poster(film_id)
        moment = self._catalog.moments([poster]).get(poster) if poster else None
        return moment.time_s if moment else 0.0

    def _still_holds(self, path: str, media_id: str) -> bool:
        from framekeep.media.scan import content_id, still_holds

        known = self._catalog.files_at([path]).get(path)
        # A thumbnail is kept under its content's id for good: it must not show another one.
        return still_holds(known, media_id) if known else content_id(path) == media_id

    def check_picture(self, path: str | Path, min_side_px: int = 32) -> RgbImage:
        """A file as a picture (H, W, 3) uint8, a JPEG at the smallest scale with that side.

        Raises MediaError with the reason where it is not a picture that can be read.
        """
        from framekeep.media.images import read_photo

        limits = self._settings
        return read_photo(
            str(path),
            min_side_px=min_side_px,
            max_pixels=limits.max_pixels,
            max_bytes=limits.max_bytes,
        ).rgb

    def thumbnails(self) -> ThumbnailCache:
        """The cache of thumbnails in the library's folder."""
        from framekeep.media.thumbnails import ThumbnailCache

        if self._thumbnails is None:
            folder = self.path / THUMBNAILS_FOLDER
            self._thumbnails = ThumbnailCache(folder, self._settings.thumbnails_max_bytes)
        return self._thumbnails

    # Searches and uploads

    def saved_searches(self) -> list[SavedSearch]:
        """The searches that were kept under a name, newest first."""
        return self._catalog.searches(named=True)

    def recent_searches(self, limit: int = 20) -> list[SavedSearch]:
        """The searches made last, each once; at most 200 are remembered."""
        return self._catalog.searches(named=False, limit=limit)

    def remember_search(self, query: str) -> None:
        """Note that a search was made; `query` is the query part of a page's address."""
        self._catalog.put_search("", _checked_query(query))

    def save_search(self, name: str, query: str) -> None:
        """Keep a search under a name, in place of an older one of that name."""
        if not name.strip():
            raise InputError("A search is kept under a name: give it one.")
        self._catalog.put_search(name.strip()[:200], _checked_query(query))

    def forget_search(self, search_id: int) -> None:
        """Forget one search; one that is not there is no error."""
        self._catalog.drop_searches(search_id)

    def forget_history(self) -> None:
        """Forget the former searches; those kept under a name stay."""
        self._catalog.drop_searches()

    def note_upload(self, path: str | Path, shown_name: str) -> None:
        """Note the name that an uploaded file had; it is shown, and never used as a path."""
        self._catalog.put_upload(str(path), shown_name)

    def shown_names(self, paths: Sequence[str]) -> dict[str, str]:
        """The names that uploaded files had; other paths are left out."""
        return self._catalog.shown_names(paths)


def _filter(where: str | None) -> Filter | None:
    from framekeep.filters import parse_filter

    return parse_filter(where) if where else None


def _checked_query(query: str) -> str:
    if len(query) > LONGEST_QUERY:
        raise InputError(f"A search of more than {LONGEST_QUERY:,} characters is not kept.")
    return query


def _plane(rows: Vectors) -> Vectors:
    """Rows (N, dim) on their first two principal components, (N, 2) float32 in -1..1."""
    if len(rows) < 2:
        return np.zeros((len(rows), 2), np.float32)
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane = axes[:, -2:][:, ::-1]
    # An axis' sign is arbitrary: the largest entry points up, so that the map stays as it was.
    plane = plane * np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
    flat = centred @ plane
    most = np.abs(flat).max(axis=0)
    # What is left of an axis without any spread is rounding: it must not fill the map.
    seen = most > 1e-6
    scaled: Vectors = np.where(seen, flat / np.where(seen, most, 1.0), 0.0).astype(np.float32)
    return scaled
