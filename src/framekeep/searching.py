"""Part of the library: searching by texts, pictures and filters; what is like what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from framekeep.errors import InputError, NotFoundError
from framekeep.terms import Image, Images, Texts, query_terms
from framekeep.types import DuplicateGroup, Hit, Query, SearchOf, Term

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder
    from framekeep.object_types import CropSettings
    from framekeep.search import Searcher
    from framekeep.settings import Settings
    from framekeep.store.catalog import Catalog
    from framekeep.store.vectors import VectorStore
    from framekeep.types import EncoderInfo


class Searching:
    """Part of `Library`: from a query to hits."""

    _catalog: Catalog
    _vectors: VectorStore
    _settings: Settings

    if TYPE_CHECKING:

        @property
        def info(self) -> EncoderInfo:
            """The encoder of the library's vectors."""

        @property
        def encoder(self) -> Encoder:
            """The library's encoder, loaded."""

        def media_id(self, media: str | Path | Hit) -> str:
            """The id of a member."""

        @property
        def crop_settings(self) -> CropSettings:
            """How objects are cut out."""

        @property
        def _object_space(self) -> str: ...
        def _unindexed_objects(self) -> list[str]: ...

    def search(
        self,
        text: Texts | None = None,
        image: Images | None = None,
        exclude: Texts | None = None,
        where: str | None = None,
        limit: int = 20,
        offset: int = 0,
        of: SearchOf = "media",
    ) -> list[Hit]:
        """The media, objects in them, or both, that are nearest to texts and images, best first.

        `text`, `image` and `exclude` are one value or a list, each value alone or with a weight:
        `text=["a dog", ("snow", 0.5)]`. An image is a path, an (H, W, 3) uint8 RGB array, or the
        id of a medium or an object of the library. `where` filters (docs/searching.md); alone, it
        lists newest first. Hits on objects carry their `segment`.

        Raises InputError for values that cannot be used, FilterError for `where`.
        """
        terms = query_terms(text, image, exclude, self._read)
        return self.query(Query(terms, where, limit, offset, of))

    def query(self, query: Query) -> list[Hit]:
        """Run a query; see `search`."""
        if query.of != "both":
            return self._found(self._searcher(query.of).search(query), query.of)
        from framekeep.search import search_both

        hits = search_both(self._searcher("media"), self._searcher("objects"), query)
        return self._found(hits, query.of)

    def moments_in(
        self,
        film: str | Path | Hit,
        text: Texts | None = None,
        image: Images | None = None,
        exclude: Texts | None = None,
        where: str | None = None,
        limit: int = 100,
    ) -> list[Hit]:
        """The moments of one film that are nearest to texts and images, best first, one per shot.

        The film is named by itself or by one of its frames, the rest is as for `search`. Without
        anything to search for, its frames by time, without a score. Raises NotFoundError.
        """
        from framekeep.filters import parse_filter

        media_id = self.media_id(film)
        moment = self._catalog.moments([media_id]).get(media_id)
        within = f"film:{moment.film_id if moment else media_id}"
        condition = f"({where}) and {within}" if where else within
        if text or image is not None or exclude:
            found = self.search(text, image, exclude, condition, limit)
            return [hit for hit in found if hit.film_id]
        ids = self._catalog.frame_ids(within.removeprefix("film:"))
        matching = self._catalog.pictures.matching(ids, parse_filter(condition))
        kept = [some for some in ids if some in matching][:limit]
        return self._searcher("media").hits([(some, None) for some in kept])

    def similar(self, media: str | Path | Hit, limit: int = 20) -> list[Hit]:
        """The media most like a member of the library, without itself."""
        return self._found(self._searcher("media").similar(self.media_id(media), limit), "media")

    def similar_objects(self, segment_id: str, limit: int = 20) -> list[Hit]:
        """The objects most like one, without itself. Raises NotFoundError."""
        return self._found(self._searcher("objects").similar(segment_id, limit), "objects")

    def _found(self, hits: list[Hit], of: SearchOf) -> list[Hit]:
        """The hits; where there are none, first make sure that this is not for want of an index."""
        if not hits:
            from framekeep.store.repair import check_index

            if of != "objects":
                check_index(self._catalog.pictures, self._vectors, self.info.space)
            if of != "media":
                check_index(self._catalog.objects, self._vectors, self._object_space)
        return hits

    def duplicates(
        self,
        kind: str = "identical",
        threshold: float | None = None,
        of: Literal["media", "objects"] = "media",
    ) -> list[DuplicateGroup]:
        """Groups of media that show the same: `identical`, `perceptual` or `semantic`.

        With `of="objects"`, groups of objects by meaning: `media_ids` are then the objects' ids.
        """
        from framekeep.duplicates import duplicate_objects, find_duplicates

        if of == "objects":
            space = self._object_space
            return duplicate_objects(self._catalog, self._vectors, space, kind, threshold)
        return find_duplicates(self._catalog, self._vectors, self.info.space, kind, threshold)

    def texts_cut(self, texts: Sequence[str]) -> list[str]:
        """Those texts whose end this library's encoder does not read."""
        cut = getattr(self.encoder, "texts_cut", None) if texts else None
        return list(cut(texts)) if cut else []

    def _read(self, image: Image) -> Term:
        """A query term from a picture, a file, or the id of a medium or an object."""
        from framekeep.media.images import read_photo

        if not isinstance(image, str | Path):
            return Term("image", image)
        if isinstance(image, str) and len(image) == 64 and self._catalog.media([image]):
            return Term("media", image)
        if isinstance(image, str) and len(image) == 32 and self._catalog.segments([image]):
            return Term("segment", image)
        path = Path(image).expanduser()
        if path.is_dir():
            raise InputError(f"{path} is a folder: name one picture to search with.")
        if not path.is_file():
            raise NotFoundError(f"There is no file {path} to search with.")
        photo = read_photo(
            str(path),
            min_side_px=self.encoder.decode_side_px,
            max_pixels=self._settings.max_pixels,
            max_bytes=self._settings.max_bytes,
        )
        return Term("image", photo.rgb)

    def _searcher(self, of: Literal["media", "objects"]) -> Searcher:
        from framekeep.search import Searcher

        return Searcher(
            self._catalog,
            self._vectors,
            self.info,
            lambda: self.encoder,
            of=of,
            crop=self.crop_settings,
            fresh=self._unindexed_objects() if of == "objects" else (),
        )
